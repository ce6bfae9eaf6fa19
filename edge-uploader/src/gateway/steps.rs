//! Distances between a file's pictures, and which of them are holes.
//!
//! In a file, a picture is shown as long as the file says, for example half a minute in a time lapse. But if
//! the recorder paused or a part is missing, the picture before that was not visible all the time. A distance
//! is a hole if it is longer than [`WINDOWS`] chunks *and* longer than [`TIMES`] the distances before it, and
//! the file does not give the picture such a duration.

use std::time::Duration;

/// A hole is longer than this many windows.
const WINDOWS: u32 = 4;
/// A hole is longer than this many of the file's usual steps.
const TIMES: i64 = 8;

/// The pictures of one file so far.
#[derive(Debug, Default)]
pub(super) struct Steps {
    /// The latest presentation time, and the end of that picture if the file gives its duration.
    newest: Option<(i64, Option<i64>)>,
    /// The usual step: the longest of the steps before, decreasing slowly.
    usual: Option<i64>,
}

impl Steps {
    /// Takes the next picture in decoding order, with presentation time and duration in units of `timescale`.
    /// Returns the length of the hole before it, if there is one.
    pub(super) fn see(
        &mut self,
        pts: i64,
        duration: Option<u32>,
        timescale: u32,
        window: Duration,
    ) -> Option<Duration> {
        let end = duration.filter(|duration| *duration > 0).map(|duration| pts.saturating_add(duration.into()));
        let Some((newest, shown_until)) = self.newest else {
            self.newest = Some((pts, end));
            return None;
        };
        let step = pts.saturating_sub(newest);
        if step <= 0 {
            return None;
        }
        self.newest = Some((pts, end));
        let few =
            i64::try_from((window * WINDOWS).as_nanos() * u128::from(timescale) / 1_000_000_000).unwrap_or(i64::MAX);
        let unexplained = pts.saturating_sub(shown_until.unwrap_or(newest));
        // A first step cannot be compared with others, so use the picture's own duration if the file gives it.
        let usual = self.usual.or(shown_until.map(|until| until - newest));
        if unexplained > few && usual.is_some_and(|usual| step > usual.saturating_mul(TIMES)) {
            let units = u64::try_from(step).unwrap_or(0);
            return Some(Duration::from_secs_f64(units as f64 / f64::from(timescale.max(1))));
        }
        self.usual = Some(self.usual.map_or(step, |usual| step.max(usual - usual / 64)));
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_secs(3);

    fn holes(timescale: u32, frames: &[(i64, Option<u32>)]) -> Vec<usize> {
        let mut steps = Steps::default();
        let seen = frames.iter().enumerate();
        seen.filter(|(_, (pts, duration))| steps.see(*pts, *duration, timescale, WINDOW).is_some())
            .map(|(n, _)| n)
            .collect()
    }

    #[test]
    fn a_hole_is_longer_than_what_is_usual() {
        let every = |step: i64, count: i64| (0..count).map(move |n| n * step);
        let of = |times: Vec<i64>| times.into_iter().map(|time| (time, None)).collect::<Vec<_>>();
        let with = |times: Vec<i64>, duration| times.into_iter().map(|time| (time, Some(duration))).collect::<Vec<_>>();
        // A recording in which ten minutes are missing.
        let mut paused: Vec<i64> = every(40, 50).collect();
        paused.extend(every(40, 50).map(|time| time + 600_000));
        assert_eq!(holes(1000, &of(paused.clone())), [50]);
        assert_eq!(holes(1000, &with(paused, 40)), [50]);
        // Time lapses: one without durations, one with them, and one that pauses.
        assert!(holes(1000, &of(every(30_000, 20).collect())).is_empty());
        assert!(holes(1000, &with(every(30_000, 20).collect(), 30_000)).is_empty());
        let mut lapse: Vec<i64> = every(30_000, 20).collect();
        lapse.extend(every(30_000, 5).map(|time| time + 3_600_000));
        assert_eq!(holes(1000, &of(lapse)), [20]);
        // A screen recording that says that nothing moved for a minute.
        assert!(holes(1000, &[(0, Some(40)), (40, Some(60_000)), (60_040, Some(40))]).is_empty());
        // A pause of a few windows counts as one long picture.
        assert!(holes(1000, &of(vec![0, 40, 80, 12_000, 12_040])).is_empty());
        assert_eq!(holes(1000, &of(vec![0, 40, 80, 12_100, 12_140])), [3]);
        // A file with only two pictures.
        assert!(holes(1000, &of(vec![0, 600_000])).is_empty());
        assert_eq!(holes(1000, &with(vec![0, 600_000], 40)), [1]);
        // Reordered pictures are not holes.
        assert!(holes(1000, &of(vec![0, 120, 40, 80, 240, 160, 200])).is_empty());
        assert!(holes(1000, &of(vec![i64::MIN, i64::MAX])).is_empty());
    }
}
