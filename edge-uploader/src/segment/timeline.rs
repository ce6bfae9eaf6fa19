//! The timescale that the movie and all its tracks share, as ONVIF requires.

use crate::media::StreamParameters;
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// Above this, a 32-bit sample duration would hold less than seven minutes.
const TIMESCALE_MAX: u64 = 10_000_000;

/// Below this, there is no room for decoding times between presentation times that are
/// one unit apart, or equal.
const TIMESCALE_MIN: u32 = 1_000;

/// Timescale of a file if the tracks' own timescales do not fit.
const TIMESCALE_FALLBACK: u32 = 1_000_000;

/// Converts the tracks' times to the shared timescale.
///
/// The shared timescale is the least common multiple of the tracks' timescales, so that every time stays exact
/// (90 000 and 48 000 give 720 000), or a multiple of it if it is too coarse. If it exceeds ten million, the
/// video's timescale is used and audio is rounded to it. If that is too large as well, the timescale is
/// microseconds. Absolute times are rounded, so errors do not accumulate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Timeline {
    video: u32,
    audio: u32,
    shared: u32,
}

impl Timeline {
    pub(super) fn new(parameters: &StreamParameters) -> Self {
        let video = parameters.video.timescale.max(1);
        let audio = parameters.audio.as_ref().map_or(video, |audio| audio.timescale.max(1));
        let exact = u64::from(video) / gcd(video, audio) * u64::from(audio);
        let shared = if exact <= TIMESCALE_MAX {
            let exact = u32::try_from(exact).unwrap_or(TIMESCALE_FALLBACK);
            exact * TIMESCALE_MIN.div_ceil(exact)
        } else if u64::from(video) <= TIMESCALE_MAX {
            video
        } else {
            TIMESCALE_FALLBACK
        };
        Self { video, audio, shared }
    }

    /// Returns the shared timescale, in units per second.
    pub(super) fn timescale(self) -> u32 {
        self.shared
    }

    /// Converts a time of the video track. Returns `None` if the result is out of range.
    pub(super) fn video(self, time: i64) -> Option<i64> {
        scale(time, self.video, self.shared)
    }

    /// Converts a time of the audio track. Returns `None` if the result is out of range.
    pub(super) fn audio(self, time: i64) -> Option<i64> {
        scale(time, self.audio, self.shared)
    }

    /// Converts a duration to ticks, rounded down.
    pub(super) fn ticks(self, duration: Duration) -> i64 {
        i64::try_from(duration.as_nanos() * u128::from(self.shared) / 1_000_000_000).unwrap_or(i64::MAX / 4)
    }
}

/// Converts `ticks` of a timescale to a duration, rounded down to a nanosecond.
pub(super) fn duration(ticks: i64, timescale: u32) -> SignedDuration {
    let nanos = (i128::from(ticks) * 1_000_000_000).div_euclid(i128::from(timescale.max(1)));
    SignedDuration::from_nanos(i64::try_from(nanos).unwrap_or(i64::MAX))
}

/// Returns the wall-clock time `ticks` after `wall`, rounded to a microsecond.
pub(super) fn wall_after(wall: Timestamp, ticks: i64, timescale: u32) -> Timestamp {
    let micros = (i128::from(ticks) * 1_000_000 + i128::from(timescale / 2)).div_euclid(i128::from(timescale.max(1)));
    let micros = i64::try_from(micros).ok().and_then(|micros| wall.as_microsecond().checked_add(micros));
    micros.and_then(|micros| Timestamp::from_microsecond(micros).ok()).unwrap_or(wall)
}

fn scale(time: i64, from: u32, to: u32) -> Option<i64> {
    let from = i128::from(from);
    let to = i128::from(to);
    let scaled = (i128::from(time) * to + from / 2).div_euclid(from);
    // Leave room for additions and subtractions without overflow.
    i64::try_from(scaled).ok().filter(|scaled| scaled.unsigned_abs() < 1 << 61)
}

fn gcd(a: u32, b: u32) -> u64 {
    let mut a = u64::from(a);
    let mut b = u64::from(b);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shared_timescale_is_exact_where_it_can_be() {
        for (video, audio, shared) in [
            (90_000, 90_000, 90_000),
            (90_000, 48_000, 720_000),
            (12_800, 44_100, 5_644_800),
            (90_000, 44_100, 4_410_000),
            (600_000, 44_100, 600_000),
            (1_000_000_000, 48_000, 1_000_000),
            (25, 25, 1_000),
            (24, 24, 1_008),
            (0, 0, 1_000),
        ] {
            let timeline = Timeline { video, audio, shared };
            let parameters = super::super::tests::parameters(video, Some(audio));
            assert_eq!(Timeline::new(&parameters).timescale(), timeline.shared, "{video} {audio}");
        }
    }

    #[test]
    fn times_are_scaled_without_drift() {
        let timeline = Timeline { video: 90_000, audio: 48_000, shared: 720_000 };
        assert_eq!(timeline.video(3003), Some(24_024));
        assert_eq!(timeline.audio(-1024), Some(-15_360));
        assert_eq!(timeline.video(i64::MAX), None);
        assert_eq!(timeline.ticks(Duration::from_millis(1500)), 1_080_000);
        assert_eq!(duration(2_162_160, 720_000), SignedDuration::from_millis(3003));
        let wall: Timestamp = "2026-11-20T15:08:23.5Z".parse().unwrap();
        assert_eq!(wall_after(wall, -24, 720_000), "2026-11-20T15:08:23.499967Z".parse().unwrap());
    }
}
