//! Cameras whose clocks lie, in simulated time: what becomes of their frames' times.

mod scenario;

use super::*;
use crate::media::Reference;
use bytes::Bytes;
use proptest::prelude::*;
use scenario::{At, HOUR_S, Lie, Looks, Order, START, Scenario, VIDEO, everywhere, parameters, ticks};

#[test]
fn both_clocks_together_are_corrected_by_at_most_500_ppm() {
    let mut arrivals = ArrivalClock::new();
    let mut anchor = Anchor::new(0, Timestamp::UNIX_EPOCH);
    // The first two seconds arrive late, and the system clock is slow: both corrections make recorded time slower.
    let walls: Vec<i64> = (0..60 * 25)
        .map(|n| {
            let media_us = n * 40_000;
            let arrival_us = media_us + if n < 50 { 300_000 } else { 0 };
            arrivals.frame(media_us, arrival_us);
            if n % 25 == 0 {
                let system = Timestamp::from_microsecond(arrival_us - arrival_us / 1_000).unwrap();
                assert!(anchor.check(arrival_us, system).is_none());
            }
            anchor.utc(arrivals.project(media_us).unwrap()).as_microsecond()
        })
        .collect();
    let corrections = walls[75..].windows(76).map(|window| window[75] - window[0] - 3_000_000);
    let (least, most) = corrections.fold((i64::MAX, i64::MIN), |(least, most), us| (least.min(us), most.max(us)));
    assert!((-1_510..=-1_400).contains(&least), "{least} µs in 3 s");
    assert!(most <= 0, "{most} µs in 3 s");
}

#[test]
fn a_camera_that_tells_the_truth_keeps_its_times_to_the_tick() {
    everywhere("truth", &Scenario::default(), 0.2, |what, outcome| {
        for got in outcome.pictures.iter().chain(&outcome.sounds) {
            assert!((got.time - got.taken).abs() < 1e-4, "{what}: {got:?}");
        }
        assert_eq!((outcome.replaced(), outcome.steps()), (0, 0), "{what}");
        assert!(outcome.notes.is_empty(), "{what}: {:?}", outcome.notes);
    });
}

#[test]
fn pictures_in_any_decoding_order_keep_their_times() {
    // The places in presentation order of each picture that goes ahead and of those shown before it, in decoding order.
    for order in [&[2, 1][..], &[3, 2, 1], &[3, 1, 2], &[4, 2, 1, 3], &[5, 4, 3, 2, 1], &[8, 4, 2, 1, 3, 6, 5, 7]] {
        let anchor = Anchor::new(0, Timestamp::from_microsecond(START).unwrap());
        let parameters = StreamParameters { audio: None, ..parameters() };
        let mut clock =
            SessionClock::new(Timing::Arrival, TrustedClock::Gateway, &parameters, &anchor, Synchronized::Yes);
        let mut placed = Vec::new();
        let times = (0..100_i64).flat_map(|group| order.iter().map(move |place| group * count(order) + place));
        for (sent, place) in (0_u64..).zip(std::iter::once(0).chain(times)) {
            placed.extend(clock.push(
                &anchor,
                Frame {
                    track: TrackKind::Video,
                    pts: place * 3600,
                    duration: None,
                    reference: if place == 0 { Reference::RandomAccess } else { Reference::Needed },
                    arrival: std::time::Duration::from_millis(1_000 + sent * 40),
                    data: Bytes::from_static(b"picture"),
                },
            ));
        }
        placed.extend(clock.flush());
        assert_eq!(clock.notes(), [], "{order:?}");
        assert_eq!(placed.len(), 1 + 100 * order.len());
        let zero = placed[0].wall.as_microsecond();
        for Placed { frame, wall, origin, .. } in &placed {
            assert_eq!(*origin, Origin::Source, "{order:?}");
            assert!(
                (wall.as_microsecond() - zero - frame.pts * 1_000 / 90).abs() < 100_000,
                "{order:?}: {}",
                frame.pts
            );
        }
        assert!(placed.iter().all(|placed| placed.frame.pts % 3600 == 0), "{order:?}");
    }
}

fn count(order: &[i64]) -> i64 {
    i64::try_from(order.len()).unwrap()
}

#[test]
fn an_outlier_is_replaced_and_nothing_else_is() {
    fn every_60th(n: usize, by: f64) -> f64 {
        if n > 0 && n.is_multiple_of(60) { by } else { 0.0 }
    }
    let lies: [(&str, Lie); 12] = [
        ("-9800 s", |n, media| media + every_60th(n, -9800.0)),
        ("9800 s", |n, media| media + every_60th(n, 9800.0)),
        ("-1 s", |n, media| media + every_60th(n, -1.0)),
        ("1 s", |n, media| media + every_60th(n, 1.0)),
        ("-0.4 s", |n, media| media + every_60th(n, -0.4)),
        ("0.5 s", |n, media| media + every_60th(n, 0.5)),
        ("-40000 s", |n, media| media + every_60th(n, -40_000.0)),
        ("half of RTP's range", |n, media| media + every_60th(n, 23_860.9)),
        ("a day", |n, media| media + every_60th(n, 86_400.0)),
        ("zero", |n, media| if n > 0 && n.is_multiple_of(60) { 0.0 } else { media + 7.0 }),
        ("7 s either way", |n, media| media + every_60th(n, if n.is_multiple_of(120) { 7.0 } else { -7.0 })),
        ("-30 s", |n, media| media + every_60th(n, -30.0)),
    ];
    for (what, lie) in lies {
        everywhere(what, &Scenario { lie, ..Scenario::default() }, 0.25, |what, outcome| {
            assert_eq!(outcome.steps(), 0, "{what}");
            assert_eq!(outcome.replaced(), 16, "{what}");
            assert!(outcome.in_order(), "{what}: not in order");
        });
    }
}

#[test]
fn outliers_of_sound_are_replaced() {
    let lies: [Lie; 4] = [
        |n, media| media + if n % 60 == 59 { -9800.0 } else { 0.0 },
        |n, media| media + if n % 60 == 59 { 3600.0 } else { 0.0 },
        |n, media| media + if n % 60 == 0 { 1.0 } else { 0.0 },
        |n, media| media + if n % 7 == 3 { -1.0 } else { 0.0 },
    ];
    for (n, sound_lie) in lies.into_iter().enumerate() {
        everywhere(&format!("sound lie {n}"), &Scenario { sound_lie, ..Scenario::default() }, 0.2, |_, _| {});
    }
}

#[test]
fn a_step_is_left_out() {
    let lies: [(&str, Lie); 8] = [
        ("1 s", |_, media| media + if media > 9.0 { 1.0 } else { 0.0 }),
        ("-1 s", |_, media| media - if media > 9.0 { 1.0 } else { 0.0 }),
        ("7 s", |_, media| media + if media > 9.9 { 7.0 } else { 0.0 }),
        ("-7 s", |_, media| media - if media > 9.9 { 7.0 } else { 0.0 }),
        ("60 s", |_, media| media + if media > 9.5 { 60.0 } else { 0.0 }),
        ("an hour", |_, media| media + if media > 9.5 { HOUR_S } else { 0.0 }),
        ("an hour back", |_, media| media - if media > 9.5 { HOUR_S } else { 0.0 }),
        ("forth and back", |_, media| media + if (9.5..20.0).contains(&media) { HOUR_S } else { 0.0 }),
    ];
    for (what, lie) in lies {
        for sound_lie in [(|_, media| media) as Lie, lie] {
            everywhere(what, &Scenario { lie, sound_lie, ..Scenario::default() }, 0.35, |what, outcome| {
                // Where a picture of after the step comes before one of before it, it is alone for once.
                assert!(outcome.replaced() <= 1 && outcome.steps() == 0, "{what}: {}", outcome.replaced());
                assert!(outcome.notes.iter().any(|note| matches!(note, Note::Stepped { .. })), "{what}");
                assert!(what.contains("Reordered") || outcome.in_order(), "{what}: not in order");
            });
        }
    }
}

#[test]
fn a_media_clock_that_is_slow_or_fast_is_scaled() {
    for rate in [0.5, 0.84, 0.98, 1.02, 1.05, 1.19] {
        for sound_rate in [1.0, rate] {
            let scenario = Scenario { rate, sound_rate, ..Scenario::default() };
            everywhere(&format!("rate {rate}, of sound {sound_rate}"), &scenario, 1.0, |what, outcome| {
                assert_eq!((outcome.replaced(), outcome.steps()), (0, 0), "{what}");
                let told = outcome.notes.iter().rev().find_map(|note| match note {
                    Note::Rate(rate) => Some(*rate),
                    _ => None,
                });
                assert!(told.is_some_and(|told| (told - rate).abs() < 0.01), "{what}: {:?}", outcome.notes);
            });
        }
    }
}

#[test]
fn a_clock_that_stands_or_runs_backwards_is_left_out_of_account() {
    let lies: [(&str, Lie); 5] = [
        ("stands", |_, _| 0.0),
        ("stands later", |_, media| media.min(10.0)),
        ("backwards", |_, media| -media),
        ("backwards later", |_, media| 10.0 - (10.0 - media).abs()),
        ("random", |n, _| (n * 7919 % 1000) as f64),
    ];
    for (what, lie) in lies {
        let scenario = Scenario { lie, ..Scenario::default() };
        for group in [25, 50, 250] {
            for looks in [Looks::AtOnce, Looks::NowAndThen] {
                let outcome = Scenario { looks, group, order: Order::Reordered, ..scenario.clone() }.run();
                let worst = outcome.wall_error();
                assert!(worst < 1.0, "{what}, reordered, groups of {group}, {looks:?}: {worst}");
            }
        }
        for looks in [Looks::AtOnce, Looks::NowAndThen] {
            let outcome = Scenario { looks, ..scenario.clone() }.run();
            assert!(outcome.wall_error() < 1.0, "{what}: {}", outcome.wall_error());
            let back = outcome.pictures.windows(2).find(|pair| pair[0].time > pair[1].time);
            assert!(back.is_none(), "{what}: {back:?}");
            let places: Vec<f64> = outcome.sounds.iter().map(|sound| sound.time - sound.taken).collect();
            let spread =
                places.iter().copied().fold(f64::MIN, f64::max) - places.iter().copied().fold(f64::MAX, f64::min);
            assert!(spread < 1.5, "{what}: sound wanders by {spread}");
        }
    }
}

#[test]
fn a_clock_that_makes_sense_again_is_believed_again() {
    let lie = |_, media: f64| if media < 12.0 { media.min(4.0) } else { media };
    let outcome = Scenario { lie, ..Scenario::default() }.run();
    assert!(outcome.wall_error() < 1.0);
    assert!(outcome.pictures.iter().rev().take(400).all(|got| got.origin == Origin::Source));
}

#[test]
fn a_network_that_stalls_is_no_clock() {
    let delays: [(&str, At); 3] = [
        ("10 s, at once", |sent| if (12.0..22.0).contains(&sent) { 22.0 - sent } else { 0.0 }),
        (
            "5 s, made up in 10",
            |sent| if sent < 12.0 { 0.0 } else { (17.0 - sent).max(5.0 - (sent - 12.0) / 3.0).max(0.0) },
        ),
        ("often", |sent| if sent % 3.0 < 0.7 { 0.7 - sent % 3.0 } else { 0.0 }),
    ];
    for (what, delay) in delays {
        everywhere(what, &Scenario { delay, ..Scenario::default() }, 0.25, |what, outcome| {
            assert_eq!((outcome.replaced(), outcome.steps()), (0, 0), "{what}");
            assert!(outcome.notes.is_empty(), "{what}: {:?}", outcome.notes);
            for got in &outcome.pictures {
                assert!((got.time - got.taken).abs() < 1e-4, "{what}: {got:?}");
            }
        });
    }
}

#[test]
fn a_camera_that_slept_begins_a_span_behind_a_gap() {
    // Its clock counts pictures, and it made none for ten seconds.
    let delay = |sent| if sent > 12.0 { 10.0 } else { 0.0 };
    let outcome = Scenario { delay, ..Scenario::default() }.run();
    assert_eq!(outcome.steps(), 1);
    let step = outcome.pictures.iter().find_map(|got| got.step).unwrap();
    assert!((step.by_us - 10_000_000).abs() < 300_000, "{step:?}");
    assert!(outcome.sync_error() < 0.04);
}

#[test]
fn the_answer_to_play_is_believed_where_arrivals_allow_it() {
    // What is said of sound beside the picture, in seconds, and where it then is.
    let lies: [(Lie, f64); 6] = [
        (|_, media| media + 5.0, 5.0),
        (|_, media| media - 15_000.0, -15_000.0),
        (|_, media| media + 0.4, 0.4),
        (|_, media| media + 0.02, 0.0),
        // As encoders do.
        (|_, media| media + 0.1, 0.0),
        (|_, media| media - 0.2, 0.0),
    ];
    for (sound_lie, corrected) in lies {
        let outcome = Scenario { sound_lie, ..Scenario::default() }.run();
        for sound in &outcome.sounds {
            let said = sound_lie(1, sound.taken);
            let expected = said - corrected;
            assert!((sound.time - expected).abs() < 0.04, "{corrected}: {sound:?}");
        }
    }
}

#[test]
fn the_gateways_clock_takes_its_step_at_a_random_access_frame() {
    for by_s in [3_600, -3_600] {
        for group in [25, 250, 100_000] {
            let mut done = false;
            let outcome = Scenario { group, ..Scenario::default() }.run_with(TrustedClock::Gateway, |at, _, anchor| {
                if at > 12.0 && !done {
                    done = true;
                    let at_us = scale::rounded((at + 10.0) * 1e6);
                    let now = Timestamp::from_microsecond(START + at_us + by_s * 1_000_000).unwrap();
                    assert!(anchor.check(at_us, now).is_some());
                }
            });
            assert_eq!(outcome.steps(), 1, "{by_s} s, groups of {group}");
            let at = outcome.pictures.iter().position(|got| got.step.is_some()).unwrap();
            let first = outcome.pictures[at];
            assert!(group == 100_000 || at % group == 0);
            assert!(first.taken < 12.0 + 10.5, "{first:?}");
            for (n, got) in outcome.pictures.iter().enumerate() {
                let expected = got.taken + if n >= at { by_s as f64 } else { 0.0 };
                assert!((got.wall - expected).abs() < 0.2, "{got:?}");
            }
        }
    }
}

#[test]
fn a_trusted_camera_costs_nothing_and_is_followed_at_a_random_access_frame() {
    for (what, off, expected) in [
        ("right", (|_| 0.0) as At, (|_| 0.0) as At),
        ("a little off", |_| 0.03, |_| 0.03),
        ("an hour off", |_| HOUR_S, |at| if at < 6.0 { 0.0 } else { HOUR_S }),
        ("1970", |_| -1.79e9, |_| 0.0),
        ("2036", |_| 3.0e8, |_| 0.0),
        ("jumps once", |at| if (19.0..21.0).contains(&at) { HOUR_S } else { 0.0 }, |_| 0.0),
        ("jumps for good", |at| if at > 14.0 { HOUR_S } else { 0.0 }, |at| if at < 20.0 { 0.0 } else { HOUR_S }),
    ] {
        let mut next = 5.0;
        let outcome = Scenario::default().run_with(TrustedClock::Camera, |at, clock, _| {
            if at > next {
                let ntp = START + scale::rounded((next + 10.0 + off(next)) * 1e6);
                clock.sender_report(ticks(next - 0.05, VIDEO), Timestamp::from_microsecond(ntp).unwrap());
                next += 5.0;
            }
        });
        for got in &outcome.pictures {
            let early = expected(got.taken - 2.5);
            let late = expected(got.taken + 0.5);
            let error = (got.wall - got.taken - early).abs().min((got.wall - got.taken - late).abs());
            assert!(error < 0.2, "{what}: {got:?}");
        }
        let steps = outcome.pictures.windows(2).filter(|p| expected(p[1].taken) - expected(p[0].taken) > 1.0).count();
        assert_eq!(outcome.steps(), steps, "{what}");
    }
}

#[test]
fn media_time_follows_the_start_exactly() {
    let start = Timestamp::from_microsecond(START).unwrap();
    let timing = Timing::Media { start, source: ClockSource::Given };
    let anchor = Anchor::new(0, start);
    let mut clock = SessionClock::new(timing, TrustedClock::Gateway, &parameters(), &anchor, Synchronized::No);
    let frame = Frame {
        track: TrackKind::Video,
        pts: i64::from(VIDEO) * 3600,
        duration: None,
        reference: Reference::RandomAccess,
        arrival: Duration::ZERO,
        data: Bytes::new(),
    };
    let placed = clock.push(&anchor, frame.clone()).remove(0);
    assert_eq!((placed.wall, placed.frame), (start + SignedDuration::from_hours(1), frame));
    assert_eq!(clock.info().source, ClockSource::Given);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn whatever_is_said_every_frame_comes_out_and_near_its_arrival(
        said in proptest::collection::vec((0_u8..8, any::<i64>(), -40_i64..40), 400),
        gaps in proptest::collection::vec(0_u64..400, 400),
    ) {
        let anchor = Anchor::new(0, Timestamp::from_microsecond(START).unwrap());
        let mut clock = SessionClock::new(Timing::Arrival, TrustedClock::Camera, &parameters(), &anchor, Synchronized::Yes);
        let mut arrival = 1_000_u64;
        let mut time = 0_i64;
        let mut placed = Vec::new();
        let mut arrivals = [Vec::new(), Vec::new()];
        for (n, ((kind, wild, step), gap)) in said.into_iter().zip(gaps).enumerate() {
            arrival += if kind == 0 { gap } else { 20 };
            time = match kind {
                0 => wild % (1 << 45),
                1 => time.wrapping_add(step * 9_000_000),
                2 => time.wrapping_add(step * 900),
                _ => time.wrapping_add(3_600),
            };
            let track = if n % 3 == 0 { TrackKind::Audio } else { TrackKind::Video };
            let reference = if n % 50 == 1 { Reference::RandomAccess } else { Reference::Needed };
            let arrival = Duration::from_millis(arrival);
            arrivals[usize::from(track == TrackKind::Audio)].push(arrival);
            if n % 90 == 0 {
                clock.sender_report(time, Timestamp::from_second(wild % 4_000_000_000).unwrap());
            }
            placed.extend(clock.push(&anchor, Frame { track, pts: time, duration: None, reference, arrival, data: Bytes::new() }));
        }
        placed.extend(clock.flush());
        for track in [TrackKind::Video, TrackKind::Audio] {
            let of: Vec<&Placed> = placed.iter().filter(|placed| placed.frame.track == track).collect();
            let came: Vec<Duration> = of.iter().map(|placed| placed.frame.arrival).collect();
            prop_assert_eq!(came.len(), arrivals[usize::from(track == TrackKind::Audio)].len());
            prop_assert_eq!(&came, &arrivals[usize::from(track == TrackKind::Audio)]);
        }
    }
}
