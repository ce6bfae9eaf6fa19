//! A camera in simulated time: what it sends, and what comes out for each of its frames.

use super::*;
use crate::media::{AudioParameters, Reference, VideoCodec, VideoParameters};
use bytes::Bytes;

pub(super) const START: i64 = 1_790_000_000_000_000;
pub(super) const VIDEO: u32 = 90_000;
pub(super) const AUDIO: u32 = 16_000;
/// What a camera says instead of a time, in seconds, of its n-th frame.
pub(super) type Lie = fn(n: usize, media: f64) -> f64;

/// A number of seconds that depends on the time, in seconds since the start.
pub(super) type At = fn(at: f64) -> f64;

pub(super) const HOUR_S: f64 = 3_600.0;

/// The order in which a camera sends its pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// Pictures are sent as they are shown.
    Shown,
    /// I P B B: a picture that others refer to comes when it was taken, before the two that are shown ahead of it.
    Reordered,
}

/// How soon what came is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Looks {
    AtOnce,
    /// Every eighth to quarter of a second, once two seconds are over.
    NowAndThen,
}

#[derive(Clone)]
pub(super) struct Scenario {
    pub(super) seconds: f64,
    pub(super) fps: f64,
    pub(super) group: usize,
    pub(super) order: Order,
    pub(super) looks: Looks,
    /// The media clocks of picture and sound against the wall clock.
    pub(super) rate: f64,
    pub(super) sound_rate: f64,
    /// What the camera says instead of the time of its n-th picture, in seconds, taken `taken` seconds after the first.
    pub(super) lie: Lie,
    pub(super) sound_lie: Lie,
    /// How much later something comes that is sent so many seconds after the start.
    pub(super) delay: At,
    pub(super) seed: u64,
}

impl Default for Scenario {
    fn default() -> Self {
        Self {
            seconds: 40.0,
            fps: 25.0,
            group: 50,
            order: Order::Shown,
            looks: Looks::NowAndThen,
            rate: 1.0,
            sound_rate: 1.0,
            lie: |_, media| media,
            sound_lie: |_, media| media,
            delay: |_| 0.0,
            seed: 1,
        }
    }
}

/// A frame that was sent: when it was taken, and what the camera says.
#[derive(Debug, Clone)]
pub(super) struct Sent {
    pub(super) track: TrackKind,
    pub(super) taken: f64,
    pub(super) sent: f64,
    pub(super) pts: i64,
    pub(super) reference: Reference,
    pub(super) length: Option<u32>,
}

/// What came out for a frame, in seconds after the start.
#[derive(Debug, Clone, Copy)]
pub(super) struct Got {
    pub(super) taken: f64,
    pub(super) wall: f64,
    pub(super) time: f64,
    pub(super) origin: Origin,
    pub(super) step: Option<Step>,
}

pub(super) struct Outcome {
    pub(super) pictures: Vec<Got>,
    pub(super) sounds: Vec<Got>,
    pub(super) notes: Vec<Note>,
}

pub(super) fn parameters() -> StreamParameters {
    StreamParameters {
        video: VideoParameters {
            codec: VideoCodec::H264,
            config: Bytes::new(),
            rfc6381: String::new(),
            width: 640,
            height: 360,
            pixel_aspect: None,
            matrix: crate::media::DisplayMatrix::IDENTITY,
            timescale: VIDEO,
        },
        audio: Some(AudioParameters {
            config: Bytes::new(),
            rfc6381: String::new(),
            channels: 1,
            sample_rate: AUDIO,
            timescale: AUDIO,
        }),
    }
}

pub(super) fn whole(count: f64) -> usize {
    usize::try_from(scale::rounded(count)).unwrap()
}

pub(super) fn ticks(seconds: f64, timescale: u32) -> i64 {
    scale::rounded(seconds * f64::from(timescale))
}

impl Scenario {
    pub(super) fn sent(&self) -> Vec<Sent> {
        let mut all = Vec::new();
        let count = whole(self.seconds * self.fps);
        let mut latest = 0.0_f64;
        for n in 0..count {
            let in_group = n % self.group;
            // I, then P b b: the P is shown two later than it comes.
            let shown = match (self.order, in_group, (in_group + 2) % 3) {
                (Order::Shown, ..) | (_, 0, _) => n,
                // The last ones of a group have nothing behind them.
                _ if self.group - in_group < 3 - (in_group + 2) % 3 => n,
                (_, _, 0) if in_group + 2 < self.group => n + 2,
                (_, _, 0) => n,
                _ if in_group - (in_group + 2) % 3 + 2 < self.group => n - 1,
                _ => n,
            };
            let taken = shown as f64 / self.fps;
            latest = latest.max(taken);
            let said = (self.lie)(n, taken * self.rate);
            let reference = if in_group == 0 { Reference::RandomAccess } else { Reference::Needed };
            let pts = ticks(said, VIDEO);
            all.push(Sent { track: TrackKind::Video, taken, sent: latest + 0.05, pts, reference, length: None });
        }
        let length = 1024.0 / f64::from(AUDIO);
        for n in 0..whole(self.seconds / length) {
            let taken = n as f64 * length;
            let pts = ticks((self.sound_lie)(n, taken * self.sound_rate), AUDIO);
            let reference = Reference::RandomAccess;
            all.push(Sent { track: TrackKind::Audio, taken, sent: taken + 0.05, pts, reference, length: Some(1024) });
        }
        all.sort_by(|a, b| a.sent.total_cmp(&b.sent));
        all
    }

    /// Sends everything through a clock; `also` may report, and set the gateway's clock, at each arrival.
    pub(super) fn run_with(
        &self,
        trusted: TrustedClock,
        mut also: impl FnMut(f64, &mut SessionClock, &mut Anchor),
    ) -> Outcome {
        let mut anchor = Anchor::new(0, Timestamp::from_microsecond(START).unwrap());
        let mut clock = SessionClock::new(Timing::Arrival, trusted, &parameters(), &anchor, Synchronized::Yes);
        let mut random = fastrand::Rng::with_seed(self.seed);
        let mut look = 0.0_f64;
        let mut before = 0.0_f64;
        let mut waiting: [std::collections::VecDeque<Sent>; 2] = Default::default();
        let mut pictures = Vec::new();
        let mut sounds = Vec::new();
        let mut notes = Vec::new();
        let sent = self.sent();
        let last = sent.len() - 1;
        for (n, frame) in sent.into_iter().enumerate() {
            let came = frame.sent + (self.delay)(frame.sent) + random.f64() * 0.008;
            if self.looks == Looks::NowAndThen && came > 2.0 {
                while look < came {
                    look = look.max(2.0) + 0.125 + random.f64() * 0.125;
                }
            } else {
                look = came;
            }
            before = before.max(look);
            also(before, &mut clock, &mut anchor);
            let arrival = Duration::from_secs_f64(10.0 + before);
            let track = frame.track;
            let pts = frame.pts;
            let reference = frame.reference;
            let duration = frame.length;
            let data = Bytes::from(format!("{n}"));
            waiting[usize::from(track == TrackKind::Audio)].push_back(frame);
            let frame = Frame { track, pts, duration, reference, arrival, data };
            let mut placed = clock.push(&anchor, frame);
            if n == last {
                placed.extend(clock.flush());
            }
            notes.extend(clock.notes());
            for Placed { frame, wall, origin, step } in placed {
                let sound = frame.track == TrackKind::Audio;
                let from = waiting[usize::from(sound)].pop_front().expect("no frame twice");
                let scale = f64::from(if sound { AUDIO } else { VIDEO });
                let wall = (wall.as_microsecond() - START) as f64 / 1e6 - 10.0;
                let got = Got { taken: from.taken, wall, time: frame.pts as f64 / scale, origin, step };
                if sound { sounds.push(got) } else { pictures.push(got) }
            }
        }
        assert!(waiting.iter().all(std::collections::VecDeque::is_empty), "frames were lost");
        Outcome { pictures, sounds, notes }
    }

    pub(super) fn run(&self) -> Outcome {
        self.run_with(TrustedClock::Gateway, |_, _, _| {})
    }
}

impl Outcome {
    /// The greatest distance of a picture's wall clock from when it was taken.
    pub(super) fn wall_error(&self) -> f64 {
        self.pictures.iter().map(|got| (got.wall - got.taken).abs()).fold(0.0, f64::max)
    }

    /// The greatest distance of sound from its place beside the picture.
    pub(super) fn sync_error(&self) -> f64 {
        let mut worst = 0.0_f64;
        for sound in &self.sounds {
            let near = self.pictures.partition_point(|picture| picture.taken < sound.taken);
            let Some(picture) = self.pictures[near.saturating_sub(2)..]
                .iter()
                .take(5)
                .filter(|p| p.origin == Origin::Source)
                .min_by(|a, b| (a.taken - sound.taken).abs().total_cmp(&(b.taken - sound.taken).abs()))
            else {
                continue;
            };
            if (picture.taken - sound.taken).abs() > 0.2 {
                continue;
            }
            let error = (sound.time - picture.time) - (sound.taken - picture.taken);
            worst = worst.max(error.abs());
        }
        worst
    }

    pub(super) fn replaced(&self) -> usize {
        self.pictures.iter().filter(|got| got.origin == Origin::Arrival).count()
    }

    /// Pictures are shown in the order they were taken.
    pub(super) fn in_order(&self) -> bool {
        let mut shown: Vec<&Got> = self.pictures.iter().collect();
        shown.sort_by(|a, b| a.taken.total_cmp(&b.taken));
        shown.windows(2).all(|pair| pair[0].time < pair[1].time)
    }

    pub(super) fn steps(&self) -> usize {
        self.pictures.iter().filter(|got| got.step.is_some()).count()
    }

    pub(super) fn judge(&self, what: &str, wall: f64) {
        assert!(self.wall_error() < wall, "{what}: {} s from the truth", self.wall_error());
        let sync = self.sync_error();
        // What is read a few times a second tells less of a clock's rate, and three pictures at once less still.
        let most = match what.starts_with("rate") && what.contains("NowAndThen") {
            true if what.contains("Reordered") => 0.100,
            true => 0.055,
            false => 0.040,
        };
        assert!(sync < most, "{what}: sound is out of place by {sync}");
    }
}

pub(super) fn everywhere(what: &str, base: &Scenario, wall: f64, check: impl Fn(&str, &Outcome)) {
    for (order, looks, group) in [
        (Order::Shown, Looks::AtOnce, 25),
        (Order::Shown, Looks::NowAndThen, 50),
        (Order::Shown, Looks::NowAndThen, 250),
        (Order::Reordered, Looks::AtOnce, 50),
        (Order::Reordered, Looks::NowAndThen, 250),
    ] {
        for seed in 0..3 {
            let outcome = Scenario { group, order, looks, seed, ..base.clone() }.run();
            let what = format!("{what}, {order:?}, {looks:?}, groups of {group}, seed {seed}");
            outcome.judge(&what, wall);
            check(&what, &outcome);
        }
    }
}
