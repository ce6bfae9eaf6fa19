//! Chooses which random access frames of a stretch of time are shown: one every few seconds.
//!
//! Time is divided into slots of equal length since 1970, so that the choice does not depend on where a stretch begins. Each slot
//! gets one picture of those that it shows: the newest one at its start, or the first one after.

use super::Frame;
use framepost_ports::catalog::{ChunkBrief, Interval};
use jiff::Timestamp;
use std::collections::BTreeSet;

/// The chunks that are looked into, by their place in the list, and the wall-clock times at which a picture of each is wanted.
pub(super) type Wanted = Vec<(usize, Vec<Timestamp>)>;

/// Returns which chunks are looked into for one picture every `every_s` seconds of an interval.
pub(super) fn wanted(chunks: &[&ChunkBrief], within: Interval, every_s: i64) -> Wanted {
    let mut wanted = Vec::new();
    let mut served = None;
    for (n, chunk) in chunks.iter().enumerate() {
        let slot = |at: Timestamp| at.as_second().div_euclid(every_s);
        let from = chunk.from.max(within.from);
        let to = chunk.to.min(within.to);
        let starts = (slot(from)..=slot(to))
            .filter_map(|slot| Timestamp::from_second(slot.checked_mul(every_s)?).ok())
            .filter(|at| *at >= from && *at < to);
        let mut times: Vec<Timestamp> = starts.collect();
        if times.first() != Some(&from) && served.is_none_or(|served| served < slot(from)) {
            times.insert(0, from);
        }
        let Some(last) = times.last() else { continue };
        // A chunk that starts between random access frames may have none.
        if chunk.starts_with_random_access != Some(false) {
            served = Some(slot(*last).max(served.unwrap_or(i64::MIN)));
        }
        wanted.push((n, times));
    }
    wanted
}

/// Returns the frames of a chunk that are shown at these times, each once: the last one before the time, or the first one.
/// `frames` are in the order of their times.
pub(super) fn chosen(frames: &[Frame], from: Timestamp, times: &[Timestamp]) -> Vec<Frame> {
    let mut chosen = BTreeSet::new();
    for time in times {
        let at = time.duration_since(from).as_secs_f64();
        // Times of frames are rounded to units of their track.
        let before = frames.partition_point(|frame| frame.seconds <= at + 0.001);
        chosen.insert(before.saturating_sub(1));
    }
    chosen.into_iter().filter_map(|n| frames.get(n).copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use framepost_events::record::Data;
    use framepost_ports::catalog::ChunkRow;
    use framepost_ports::contract::Footage;

    /// Chunks of 3 s each that begin at these ms after 23:58:00.
    fn chunks(starts_ms: &[i64]) -> Vec<ChunkBrief> {
        let mut footage = Footage::new(3);
        let made = (0..).zip(starts_ms).flat_map(|(n, ms)| footage.chunk(&Footage::camera(0), *ms, n, "1"));
        let briefs = made.filter_map(|record| match record.data {
            Data::ChunkProbed(chunk) => ChunkRow::new(record.time, *chunk).map(|row| row.brief()),
            _ => None,
        });
        briefs.collect()
    }

    fn within(from_ms: i64, to_ms: i64) -> Interval {
        let at = |ms| Footage::new(3).start() + jiff::SignedDuration::from_millis(ms);
        Interval { from: at(from_ms), to: at(to_ms) }
    }

    fn times(chunks: &[ChunkBrief], every_s: i64) -> Vec<(usize, Vec<i64>)> {
        let start = Footage::new(3).start();
        let chunks: Vec<&ChunkBrief> = chunks.iter().collect();
        let relative = |at: &Timestamp| i64::try_from(at.duration_since(start).as_millis()).unwrap();
        let wanted = wanted(&chunks, within(0, 3_600_000), every_s).into_iter();
        wanted.map(|(n, times)| (n, times.iter().map(relative).collect())).collect()
    }

    #[test]
    fn each_slot_has_a_picture_also_after_a_gap_and_no_chunk_is_read_in_vain() {
        let chunks = chunks(&[0, 3_000, 6_000, 9_000, 60_500, 63_500, 120_000]);
        assert_eq!(times(&chunks, 10), [(0, vec![0]), (3, vec![10_000]), (4, vec![60_500]), (6, vec![120_000])]);
        assert_eq!(times(&chunks, 3_600), [(0, vec![0]), (6, vec![120_000])]);
        let every_second = times(&chunks, 1);
        assert_eq!(every_second[0], (0, vec![0, 1_000, 2_000]));
        assert_eq!(every_second[4], (4, vec![60_500, 61_000, 62_000, 63_000]));
        assert_eq!(every_second[5], (5, vec![64_000, 65_000, 66_000]));
    }

    #[test]
    fn nothing_outside_of_the_interval_is_looked_for() {
        let mut chunks = chunks(&[0]);
        chunks[0].to = chunks[0].from + jiff::SignedDuration::from_hours(24);
        let asked = within(10_500, 13_000);
        let wanted = wanted(&chunks.iter().collect::<Vec<_>>(), asked, 1);
        let expected = [10_500, 11_000, 12_000].map(|ms| within(ms, ms + 1).from);
        assert_eq!(wanted, [(0, expected.to_vec())]);
    }

    #[test]
    fn a_chunk_that_may_have_no_picture_does_not_serve_a_slot() {
        let mut chunks = chunks(&[0, 3_000, 6_000]);
        chunks[0].starts_with_random_access = Some(false);
        assert_eq!(times(&chunks, 60), [(0, vec![0]), (1, vec![3_000])]);
    }

    #[test]
    fn a_time_shows_the_frame_before_it_or_the_first() {
        let frames = [0.5, 1.5, 2.5].map(|seconds| Frame { seconds, at: 0 });
        let from = Footage::new(3).start();
        let of = |ms: &[i64]| {
            let times: Vec<Timestamp> = ms.iter().map(|ms| from + jiff::SignedDuration::from_millis(*ms)).collect();
            chosen(&frames, from, &times).iter().map(|frame| frame.seconds).collect::<Vec<_>>()
        };
        assert_eq!(of(&[0]), [0.5]);
        assert_eq!(of(&[1_400]), [0.5]);
        assert_eq!(of(&[1_500]), [1.5]);
        assert_eq!(of(&[0, 1_000, 9_000]), [0.5, 2.5]);
        assert!(chosen(&[], from, &[from]).is_empty());
    }
}
