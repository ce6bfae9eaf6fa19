//! The gate, which decides whether a chunk is looked at: if something happens in it, and each camera at least once in a while.
//!
//! The rule keeps no state. In each interval, one instant of each camera is looked at, in the chunk that contains it. The
//! instant depends on the camera's name, so that not all cameras are looked at in the same second. So is the first still chunk
//! after one in which something happened: it shows who has stayed, or that nobody has.

use crate::settings::{CameraSettings, hash};
use framepost_events::record::ChunkProbed;
use jiff::Timestamp;
use std::time::Duration;

/// The gate's decision about a chunk, before anything of it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// Nothing happens in it, so it is not looked at.
    Still,
    /// It is looked at if its pictures differ.
    IfChanged,
    /// It is looked at in any case: it is this camera's turn, or something happened in the chunk before.
    Always,
}

/// Decides by the activity in the record, and by the time.
pub fn gate(chunk: &ChunkProbed, settings: &CameraSettings) -> Gate {
    if is_turn(chunk, settings.look_every) {
        return Gate::Always;
    }
    let is_still = |level: f64| level < settings.still_below;
    match chunk.activity {
        Some(activity) if !is_still(activity.level) => Gate::IfChanged,
        Some(activity) if activity.level_before.is_none_or(is_still) => Gate::Still,
        Some(_) => Gate::Always,
        None => Gate::IfChanged,
    }
}

/// Returns whether the chunk contains the instant of this camera's turn. A chunk without a time always does.
fn is_turn(chunk: &ChunkProbed, every: Duration) -> bool {
    let (Some(from), Some(to)) = (chunk.duration.from, chunk.duration.to) else { return true };
    let name = |name: Option<&str>| name.unwrap_or_default().to_owned();
    let camera = format!(
        "{}/{}",
        name(chunk.site.as_ref().map(framepost_events::Site::as_str)),
        name(chunk.camera.as_ref().map(framepost_events::Camera::as_str)),
    );
    let every_us = i64::try_from(every.as_micros()).unwrap_or(i64::MAX).max(1);
    // Less than `every`, so it fits.
    let phase_us = i64::try_from(hash(&camera) % every_us.unsigned_abs()).unwrap_or(0);
    // Turns that have begun before an instant.
    let turns = |at: Timestamp| (at.as_microsecond() - 1 - phase_us).div_euclid(every_us);
    turns(to) > turns(from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Settings;
    use framepost_events::activity::Activity;
    use framepost_events::record::{Data, Record};

    fn chunk(camera: &str, from_us: i64, to_us: i64, level: Option<f64>) -> ChunkProbed {
        let sample = include_str!("../../../events/samples/records/chunk-probed.json");
        let Data::ChunkProbed(chunk) = serde_json::from_str::<Record>(sample).unwrap().data else { panic!("a chunk") };
        let mut chunk = *chunk;
        chunk.camera = Some(camera.parse().unwrap());
        set(&mut chunk, from_us, to_us, level);
        chunk
    }

    fn set(chunk: &mut ChunkProbed, from_us: i64, to_us: i64, level: Option<f64>) {
        let at = |us| Timestamp::from_microsecond(1_800_000_000_000_000 + us).unwrap();
        chunk.duration.from = Some(at(from_us));
        chunk.duration.to = Some(at(to_us));
        chunk.activity = level.map(|level| Activity { level, quiet_bytes_per_second: 1000, level_before: None });
    }

    fn settings() -> CameraSettings {
        Settings::from_variables(|_| None).unwrap().camera
    }

    #[test]
    fn exactly_one_chunk_of_each_interval_is_the_cameras_turn() {
        let usual = settings().look_every;
        assert_eq!(usual.as_secs(), 60);
        for (look_every, lengths_us) in [
            (usual, vec![999_983, 3_003_000, 4_000_000, 59_000_000]),
            (Duration::from_secs(10), vec![999_983, 3_003_000, 4_000_000]),
            (Duration::from_mins(5), vec![3_003_000, 59_000_000]),
        ] {
            let settings = CameraSettings { look_every, ..settings() };
            let every_us = i64::try_from(look_every.as_micros()).unwrap();
            for (camera, length_us) in ["gate", "dock", "a", "b", "c"]
                .into_iter()
                .flat_map(|camera| lengths_us.iter().map(move |us| (camera, *us)))
            {
                let mut turns = Vec::new();
                let mut from = 0;
                while from < 60 * every_us {
                    if gate(&chunk(camera, from, from + length_us, Some(0.5)), &settings) == Gate::Always {
                        turns.push(from);
                    }
                    from += length_us;
                }
                assert!((59..=61).contains(&turns.len()), "{camera} {length_us} {look_every:?}: {}", turns.len());
                let gaps = turns.windows(2).map(|pair| pair[1] - pair[0]);
                let around = every_us - length_us..=every_us + length_us;
                assert!(gaps.clone().all(|gap| around.contains(&gap)), "{camera} {length_us} {look_every:?}");
            }
        }
        let long = chunk("gate", 0, 60_000_000, Some(0.5));
        assert_eq!(gate(&long, &settings()), Gate::Always, "it is longer than the interval");
    }

    #[test]
    fn activity_decides_between_turns_and_what_is_not_known_is_looked_at() {
        let all: Vec<ChunkProbed> =
            (0..20).map(|n| chunk("gate", n * 3_000_000, (n + 1) * 3_000_000, Some(0.5))).collect();
        let between = all.iter().find(|chunk| gate(chunk, &settings()) == Gate::Still).unwrap();
        let with = |level: Option<f64>, level_before: Option<f64>| {
            let mut chunk = between.clone();
            chunk.activity = level.map(|level| Activity { level, quiet_bytes_per_second: 1, level_before });
            gate(&chunk, &settings())
        };
        assert_eq!((with(Some(1.49), None), with(Some(1.5), None)), (Gate::Still, Gate::IfChanged));
        assert_eq!((with(Some(1.49), Some(1.49)), with(Some(1.49), Some(1.5))), (Gate::Still, Gate::Always));
        assert_eq!((with(Some(1.5), Some(1.5)), with(None, None)), (Gate::IfChanged, Gate::IfChanged));
        let mut timeless = between.clone();
        timeless.duration.from = None;
        assert_eq!(gate(&timeless, &settings()), Gate::Always);
        let open = CameraSettings { still_below: 0.0, ..settings() };
        assert_eq!(gate(between, &open), Gate::IfChanged);
    }

    /// A chunk of a made-up day: who is there, and whether they move.
    #[derive(Clone, Copy, PartialEq)]
    enum Scene {
        Empty,
        Stands,
        Walks,
        /// They are there, and gone at its end.
        Leaves,
    }

    impl Scene {
        fn moves(self) -> bool {
            matches!(self, Self::Walks | Self::Leaves)
        }
    }

    /// What a made-up day is like.
    #[derive(Debug, Clone, Copy, PartialEq)]
    enum Day {
        /// Every chunk is still: nobody comes all day.
        Empty,
        /// Somebody comes every minute or so, and soon goes.
        Busy,
        /// A few come, and stay for an hour or two, mostly still.
        Stays,
        /// A busy morning, visitors who stay for minutes, an empty night.
        Mixed,
    }

    impl Day {
        /// Returns for how many chunks nobody is there before the next visit, and for how many the visitor stands.
        fn next(self, hour: usize, random: &mut fastrand::Rng) -> (usize, usize) {
            match (self, hour) {
                (Self::Empty, _) => (CHUNKS, 0),
                (Self::Busy, _) | (Self::Mixed, 7..10) => (random.usize(2..30), random.usize(0..5)),
                (Self::Stays, _) => (random.usize(200..1000), random.usize(1200..2400)),
                (Self::Mixed, 10..18) => (random.usize(20..300), random.usize(0..80)),
                (Self::Mixed, _) => (random.usize(400..1500), random.usize(0..10)),
            }
        }

        /// Returns the day in chunks of 3 s: what is to be seen in each, and its activity.
        fn chunks(self) -> Vec<(Scene, f64)> {
            let random = &mut fastrand::Rng::with_seed(5);
            let mut day = Vec::new();
            // Noise moves the level of a still picture by a tenth or so; who walks through it sends a multiple.
            let noise = |random: &mut fastrand::Rng| (0..6).map(|_| random.f64()).sum::<f64>() / 3.0 - 1.0;
            while day.len() < CHUNKS {
                let (empty, stay) = self.next(day.len() / 1200, random);
                let walk = random.usize(1..4);
                let visit = [(Scene::Empty, empty), (Scene::Walks, walk), (Scene::Stands, stay), (Scene::Leaves, 1)];
                for scene in visit.into_iter().flat_map(|(scene, chunks)| std::iter::repeat_n(scene, chunks)) {
                    let quiet = 1.0 + 0.3 * noise(random);
                    let level = if scene.moves() { 1.4 + 6.0 * random.f64().powi(2) + quiet } else { quiet };
                    day.push((scene, level));
                }
            }
            day.truncate(CHUNKS);
            day
        }
    }

    /// Chunks of a day.
    const CHUNKS: usize = 28_800;

    /// Runs of chunks in which somebody is seen.
    fn sightings(seen: &[bool]) -> Vec<std::ops::Range<usize>> {
        let mut runs: Vec<std::ops::Range<usize>> = Vec::new();
        for n in (0..seen.len()).filter(|n| seen[*n]) {
            match runs.last_mut() {
                Some(run) if run.end == n => run.end = n + 1,
                _ => runs.push(n..n + 1),
            }
        }
        runs
    }

    /// What comes of a day through the gate.
    struct Gated {
        looked_at: usize,
        still: usize,
        looked_at_still: usize,
        expected: usize,
        found: usize,
        /// Sightings of two chunks or more of which nothing was found.
        missed: usize,
        /// The most chunks by which a sighting begins or ends earlier or later.
        moved: usize,
    }

    fn gated(day: &[(Scene, f64)], settings: &CameraSettings) -> Gated {
        let truth: Vec<bool> = day.iter().map(|(scene, _)| *scene != Scene::Empty).collect();
        let mut seen = Vec::new();
        let mut is_there = false;
        let mut looked_at = 0;
        let mut looked_at_still = 0;
        let mut chunk = chunk("gate", 0, 3_000_000, None);
        for (n, (scene, level)) in day.iter().enumerate() {
            let from = i64::try_from(n).unwrap() * 3_000_000;
            set(&mut chunk, from, from + 3_000_000, Some(*level));
            let activity = chunk.activity.as_mut().unwrap();
            activity.level_before = n.checked_sub(1).map(|before| day[before].1);
            let is_looked_at = gate(&chunk, settings) != Gate::Still;
            looked_at += usize::from(is_looked_at);
            looked_at_still += usize::from(is_looked_at && !scene.moves());
            // What is still is as it was at the end of the chunk before.
            seen.push(if is_looked_at { truth[n] } else { is_there });
            if is_looked_at {
                is_there = truth[n] && *scene != Scene::Leaves;
            }
        }
        let expected = sightings(&truth);
        let found = sightings(&seen);
        let overlaps = |a: &std::ops::Range<usize>, b: &std::ops::Range<usize>| a.start < b.end && b.start < a.end;
        let missed = expected.iter().filter(|run| run.len() >= 2 && !found.iter().any(|other| overlaps(run, other)));
        let moved = found.iter().filter_map(|run| {
            let original = expected.iter().find(|other| overlaps(run, other))?;
            Some(run.start.abs_diff(original.start).max(run.end.abs_diff(original.end)))
        });
        Gated {
            looked_at,
            still: day.iter().filter(|(scene, _)| !scene.moves()).count(),
            looked_at_still,
            expected: expected.len(),
            found: found.len(),
            missed: missed.count(),
            moved: moved.max().unwrap_or(0),
        }
    }

    #[test]
    fn a_gated_day_has_the_same_sightings_for_a_part_of_the_cost() {
        let default = settings().still_below;
        println!("day | still below | looked at | of still chunks | sightings | missed | borders moved by");
        for kind in [Day::Empty, Day::Busy, Day::Stays, Day::Mixed] {
            let day = kind.chunks();
            for below in [0.0, 1.0, default, 2.0, 3.0] {
                let settings = CameraSettings { still_below: below, ..settings() };
                let Gated { looked_at, still, looked_at_still, expected, found, missed, moved } =
                    gated(&day, &settings);
                println!(
                    "{kind:?} | {below} | {:.1}% | {:.1}% | {found} of {expected} | {missed} | {moved}",
                    100.0 * looked_at as f64 / day.len() as f64,
                    100.0 * looked_at_still as f64 / still as f64,
                );
                if below == 0.0 {
                    assert_eq!((looked_at, missed, moved), (day.len(), 0, 0), "{kind:?}: no gate");
                }
                if below.to_bits() == default.to_bits() {
                    assert_eq!((missed, found), (0, expected), "{kind:?}");
                    assert!(moved <= 1, "{kind:?}: borders moved by {moved} chunks");
                    assert!(
                        looked_at_still * 5 <= still,
                        "{kind:?}: {looked_at_still} of {still} still chunks cost something"
                    );
                }
            }
        }
    }
}
