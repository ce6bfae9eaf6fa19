//! Measures how much happens in front of a camera from the bytes that its encoder produces.
//!
//! Of each chunk one number is looked at: the bytes a second of its frames that are not random access frames, `rate`. A camera
//! that may use as few bits as it needs sends few while nothing moves. [`Quiet`] keeps of the rates
//!
//! * a histogram of their logarithms, in which a second of video counts half as much 20 minutes later. Its lowest fifth ends
//!   at the quiet level. So one odd chunk moves the level little, a street that is busy all day is measured against its own
//!   calm moments, and the level follows the light of the day, which changes the noise in the picture;
//! * the highest, which sinks to half within four hours. Where it is close to the quiet level, the rate is constant by design,
//!   or nothing has happened for long: the rate says nothing, and there is no activity.
//!
//! Each chunk also names the level of the one before: what moved until the end of that one has come to rest in this one, or has gone.
//!
//! The state is about thirty numbers, kept in the spool with the camera's own, so that a restart does not forget what quiet
//! is. No clock and no I/O; the work for a frame is the addition that [`Summary`](super::chunk::Summary) does.

use framepost_events::activity::Activity;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The width of a bin, in natural logarithms of bytes a second: a tenth is as good as a chunk's rate is.
const BIN: f64 = 0.1;
/// More than any rate: e^40 bytes a second.
const BINS: u16 = 400;
/// After so many seconds of video a rate counts half.
const HALF_LIFE_SECONDS: f64 = 1_200.0;
/// A bin of less than this is forgotten, in seconds of video.
const WEIGHT_LEAST: f64 = 0.01;
/// The part of the video that is taken for quiet.
const QUIET_PART: f64 = 0.2;
/// By how much of its logarithm the highest rate sinks with a second of video below it: it halves in 4 hours.
const SINK_PER_SECOND: f64 = 0.000_05;
/// The least ratio of the two that says anything: encoders of a constant bit rate stay below it.
const SPREAD_LEAST: f64 = 1.5;
/// Video that must have been seen before anything is said.
const SEEN_LEAST_SECONDS: f64 = 60.0;
/// A level of more than this counts as active.
pub(crate) const ACTIVE_LEVEL: f64 = 2.0;

/// What a camera sends while nothing happens, as far as it is known.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Quiet {
    /// Seconds of video by the logarithm of their rate, in units of [`BIN`].
    bins: BTreeMap<u16, f64>,
    /// The natural logarithm of the highest rate in bytes a second, which sinks by [`SINK_PER_SECOND`].
    high: f64,
    /// The level of the last chunk, if it was known. Only while the gateway runs: what is on the disk may be an hour old.
    #[serde(skip)]
    last: Option<f64>,
}

impl Quiet {
    /// Takes in a chunk: `bytes` of frames that are not random access frames in `seconds` of video. Returns the activity in it.
    pub(crate) fn take(&mut self, bytes: u64, seconds: f64) -> Option<Activity> {
        let level_before = self.last.take();
        let (level, quiet_bytes_per_second) = self.measure(bytes, seconds)?;
        self.last = Some(level);
        Some(Activity { level, quiet_bytes_per_second, level_before })
    }

    /// Takes in a chunk, and returns its level and the quiet level in bytes a second.
    fn measure(&mut self, bytes: u64, seconds: f64) -> Option<(f64, u64)> {
        // Only random access frames are kept, or sent: nothing can be told.
        if bytes == 0 || !seconds.is_finite() || seconds <= 0.0 {
            return None;
        }
        let rate = (bytes as f64 / seconds).ln().max(0.0);
        let kept = (-seconds * std::f64::consts::LN_2 / HALF_LIFE_SECONDS).exp();
        self.bins.retain(|_, weight| {
            *weight *= kept;
            *weight >= WEIGHT_LEAST
        });
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to BINS")]
        let bin = (rate / BIN).min(f64::from(BINS)) as u16;
        *self.bins.entry(bin).or_default() += seconds;
        self.high = rate.max(self.high - SINK_PER_SECOND * seconds);
        let low = self.low()?;
        let seen: f64 = self.bins.values().sum();
        if seen < SEEN_LEAST_SECONDS || self.high - low < SPREAD_LEAST.ln() {
            return None;
        }
        let level = ((rate - low).exp() * 100.0).round() / 100.0;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate, which is not negative")]
        let quiet_bytes_per_second = low.exp().round() as u64;
        level.is_finite().then_some((level, quiet_bytes_per_second))
    }

    /// Where the quiet part of the histogram ends.
    fn low(&self) -> Option<f64> {
        let wanted = QUIET_PART * self.bins.values().sum::<f64>();
        let mut before = 0.0;
        self.bins.iter().find_map(|(bin, weight)| {
            let within = (wanted - before) / weight;
            before += weight;
            (within <= 1.0).then(|| (f64::from(*bin) + within) * BIN)
        })
    }

    /// Whether it can be gone on with: what was read from a disk may be anything.
    pub(crate) fn is_sound(&self) -> bool {
        let weights = self.bins.iter().all(|(bin, weight)| *bin <= BINS && weight.is_finite() && *weight > 0.0);
        weights && self.high.is_finite()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Chunks of 3 s with these rates, jittered by an eighth; the levels.
    fn levels(quiet: &mut Quiet, rates: impl IntoIterator<Item = f64>) -> Vec<Option<f64>> {
        let mut random = fastrand::Rng::with_seed(7);
        let bytes = rates.into_iter().map(|rate| rate * 3.0 * (1.0 + (random.f64() - 0.5) / 4.0));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small and positive")]
        let levels = bytes.map(|bytes| quiet.take(bytes as u64, 3.0).map(|activity| activity.level)).collect();
        levels
    }

    fn scene(parts: &[(usize, f64)]) -> Vec<f64> {
        parts.iter().flat_map(|(chunks, rate)| std::iter::repeat_n(*rate, *chunks)).collect()
    }

    #[test]
    fn motion_is_told_from_stillness_whichever_comes_first() {
        for parts in [[(40, 20e3), (20, 90e3), (40, 20e3)], [(20, 90e3), (60, 20e3), (20, 90e3)]] {
            let rates = scene(&parts);
            let levels = levels(&mut Quiet::default(), rates.clone());
            // What came before the first change has nothing to be measured against.
            let known: Vec<(f64, f64)> =
                rates.iter().zip(&levels).filter_map(|(rate, level)| Some((*rate, (*level)?))).collect();
            assert!(known.len() >= 50, "{levels:?}");
            let settled = &known[20..];
            assert!(settled.iter().all(|(rate, level)| (*level > ACTIVE_LEVEL) == (*rate > 50e3)), "{settled:?}");
        }
    }

    #[test]
    fn a_constant_bit_rate_says_nothing() {
        let levels = levels(&mut Quiet::default(), scene(&[(2_000, 500e3)]));
        assert!(levels.iter().all(Option::is_none));
    }

    #[test]
    fn a_quiet_night_does_not_make_noise_an_event_and_dusk_is_no_motion() {
        let mut quiet = Quiet::default();
        levels(&mut quiet, scene(&[(100, 20e3), (20, 90e3), (20, 20e3)]));
        let night = levels(&mut quiet, scene(&[(2_400, 20e3)]));
        assert!(
            night.iter().flatten().count() >= 2_300,
            "{} of 2 400: two hours after an event it is still known that it varies",
            night.iter().flatten().count()
        );
        assert!(night.iter().flatten().all(|level| *level < ACTIVE_LEVEL));
        // The noise doubles within an hour.
        let dusk = (0..1_200).map(|n| 20e3 * (1.0 + f64::from(n) / 1_200.0));
        assert!(levels(&mut quiet, dusk).iter().flatten().all(|level| *level < ACTIVE_LEVEL));
    }

    #[test]
    fn one_odd_chunk_changes_little() {
        let mut quiet = Quiet::default();
        levels(&mut quiet, scene(&[(100, 20e3), (20, 90e3), (100, 20e3)]));
        let after = levels(&mut quiet, scene(&[(1, 2e3), (100, 20e3)]));
        assert!(after[1].unwrap() < 2.0 && after[100].unwrap() < ACTIVE_LEVEL, "{after:?}");
    }

    #[test]
    fn it_survives_a_restart() {
        let mut quiet = Quiet::default();
        levels(&mut quiet, scene(&[(100, 20e3), (20, 90e3), (100, 20e3)]));
        let json = serde_json::to_string(&quiet).unwrap();
        assert!(json.len() < 2_000, "{} bytes", json.len());
        let mut read: Quiet = serde_json::from_str(&json).unwrap();
        assert!(read.is_sound());
        let levels = levels(&mut read, scene(&[(1, 90e3), (1, 20e3)]));
        assert!(levels[0].unwrap() > ACTIVE_LEVEL && levels[1].unwrap() < ACTIVE_LEVEL, "{levels:?}");
    }

    #[test]
    fn each_chunk_knows_the_level_of_the_one_before() {
        let mut quiet = Quiet::default();
        let rates = [(100, 20_000), (20, 90_000), (5, 20_000)];
        let rates = rates.into_iter().flat_map(|(chunks, rate)| std::iter::repeat_n(rate, chunks));
        let all: Vec<Option<Activity>> = rates.map(|rate: u64| quiet.take(3 * rate, 3.0)).collect();
        let first = all.iter().position(Option::is_some).unwrap();
        assert_eq!(all[first].unwrap().level_before, None, "nothing is known of the one before");
        for pair in all[first..].windows(2) {
            let [Some(before), Some(this)] = pair else { panic!("{pair:?}") };
            assert_eq!(this.level_before, Some(before.level));
        }
        // Nothing can be told of a chunk of random access frames alone, nor of the one before it afterwards.
        assert_eq!(quiet.take(0, 3.0), None);
        assert_eq!(quiet.take(60_000, 3.0).unwrap().level_before, None);
        // What was on the disk may be old.
        let json = serde_json::to_string(&quiet).unwrap();
        let mut read: Quiet = serde_json::from_str(&json).unwrap();
        assert_eq!(read.take(60_000, 3.0).unwrap().level_before, None);
    }

    #[test]
    fn nothing_is_made_of_nothing() {
        let mut quiet = Quiet::default();
        for (bytes, seconds) in [(0, 3.0), (5, 0.0), (5, f64::NAN), (5, -1.0)] {
            assert_eq!(quiet.take(bytes, seconds), None);
        }
        assert_eq!(quiet, Quiet::default());
        assert!(quiet.is_sound());
        for (bin, weight, high) in [(0, f64::NAN, 1.0), (0, -1.0, 1.0), (401, 1.0, 1.0), (1, 1.0, f64::INFINITY)] {
            assert!(
                !Quiet { bins: BTreeMap::from([(bin, weight)]), high, last: None }.is_sound(),
                "{bin} {weight} {high}"
            );
        }
    }
}
