//! Measures how late frames arrive, as the least delay in short stretches of time.
//!
//! The lateness of a frame is its arrival minus the time at which it would have arrived with the least delay. A
//! single late frame says nothing about clocks: the network was slow, the frame was large, or the receiver was
//! busy for a quarter of a second. But some frames of every stretch arrive without delay, so the *least*
//! lateness shows the clocks: it is constant if the media clock runs like the wall clock, grows if the media
//! clock is slow, and is negative if it is fast.
//!
//! A stalled network looks like a stopped media clock until the delayed frames arrive, which they do faster
//! than real time. After a sudden silence, nothing is concluded until the lateness is gone or stops falling.

use std::collections::VecDeque;

/// Shortest duration of a stretch, and the least number of frames in it.
const STRETCH_US: i64 = 500_000;
const STRETCH_FRAMES: u32 = 4;
/// Number of stretches that are kept: eight seconds, unless frames are rare.
const KEPT: usize = 16;
/// Number of consecutive stretches that must agree before the result is used.
const LASTING: usize = 4;
const SURELY: usize = 8;
/// A frame that is later than the one before by more than this (and by more than three
/// frame intervals) ends a silence.
const SILENCE_US: i64 = 400_000;
/// Limit for lateness, about thirty years, against overflow with absurd timestamps.
const LATE_MAX_US: i64 = 1_000_000_000_000_000;
/// Delayed frames have all arrived when the lateness falls below this.
const OVER_US: i64 = 150_000;
/// Lateness counts as constant if it falls by less than this, in thousandths of the elapsed time.
const LESSENING: i64 = 20;

/// The least late frame of a stretch.
#[derive(Debug, Clone, Copy)]
struct Stretch {
    start_us: i64,
    frames: u32,
    late_us: i64,
    /// Arrival of the least late frame, and its time by the media clock.
    at_us: i64,
    media_us: i64,
}

/// The conclusion from the last seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Finding {
    /// Nothing yet: the stretch is not over, or delayed frames are still arriving.
    Nothing,
    /// A stretch is complete.
    Stretch,
    /// A silence is over and the lateness remains: the media clock stood still during the silence.
    Stays,
}

/// Tracks the lateness of frames.
#[derive(Debug, Clone, Default)]
pub(super) struct Lateness {
    open: Option<Stretch>,
    closed: VecDeque<Stretch>,
    before_us: Option<i64>,
    silent: bool,
}

impl Lateness {
    /// Adds a frame with media time `media_us` that arrived at `at_us`, `late_us`
    /// late. Frames are `interval_us` apart.
    pub(super) fn add(&mut self, late_us: i64, at_us: i64, media_us: i64, interval_us: i64) -> Finding {
        let late_us = late_us.clamp(-LATE_MAX_US, LATE_MAX_US);
        let rise = late_us - self.before_us.replace(late_us).unwrap_or(late_us);
        if rise > SILENCE_US.max(3 * interval_us) {
            self.silent = true;
            self.forget();
        } else if self.silent && late_us < OVER_US {
            self.silent = false;
            self.forget();
        }
        let this = Stretch { start_us: at_us, frames: 1, late_us, at_us, media_us };
        let Some(open) = &mut self.open else {
            self.open = Some(this);
            return Finding::Nothing;
        };
        if at_us - open.start_us < STRETCH_US || open.frames < STRETCH_FRAMES {
            open.frames += 1;
            if late_us < open.late_us {
                *open = Stretch { start_us: open.start_us, frames: open.frames, ..this };
            }
            return Finding::Nothing;
        }
        if self.closed.len() == KEPT {
            self.closed.pop_front();
        }
        self.closed.push_back(*open);
        self.open = Some(this);
        if !self.silent {
            return Finding::Stretch;
        }
        let stays = self
            .closed
            .iter()
            .rev()
            .nth(2 * LASTING - 1)
            .zip(self.closed.back())
            .is_some_and(|(old, new)| (old.late_us - new.late_us) * 1000 < LESSENING * (new.at_us - old.at_us));
        if stays {
            self.silent = false;
            return Finding::Stays;
        }
        Finding::Nothing
    }

    /// Returns whether frames were held back and not all of them have arrived yet.
    pub(super) fn silent(&self) -> bool {
        self.silent
    }

    /// Returns the least lateness in the last two stretches.
    pub(super) fn now_us(&self) -> Option<i64> {
        self.closed.iter().rev().take(2).map(|stretch| stretch.late_us).min()
    }

    /// Returns the least lateness in the last eight stretches, which is more reliable and slower. `None`
    /// until there are that many.
    pub(super) fn surely_us(&self) -> Option<i64> {
        let last = self.closed.iter().rev().take(SURELY);
        (self.closed.len() >= SURELY).then(|| last.map(|stretch| stretch.late_us).min())?
    }

    /// Returns whether the last stretches were all later than `limit_us`, or all earlier than `-limit_us`.
    pub(super) fn lasts(&self, limit_us: i64) -> bool {
        let last = || self.closed.iter().rev().take(LASTING).map(|stretch| stretch.late_us);
        last().len() == LASTING && (last().all(|late| late > limit_us) || last().all(|late| late < -limit_us))
    }

    /// Returns the rate of the media clock relative to the wall clock over the kept stretches. `None` if they
    /// cover less than 1.5 s.
    pub(super) fn rate(&self) -> Option<f64> {
        let (old, new) = self.closed.front().zip(self.closed.back())?;
        let elapsed_us = new.at_us - old.at_us;
        (elapsed_us >= 3 * STRETCH_US).then(|| new.media_us.saturating_sub(old.media_us) as f64 / elapsed_us as f64)
    }

    /// Subtracts `by_us` from all lateness values.
    pub(super) fn shift(&mut self, by_us: i64) {
        for stretch in self.closed.iter_mut().chain(&mut self.open) {
            stretch.late_us = stretch.late_us.saturating_sub(by_us);
        }
        self.before_us = self.before_us.map(|late| late.saturating_sub(by_us));
    }

    /// Discards all stretches: after a pause, or when times are estimated in another way, they say nothing of what comes.
    pub(super) fn forget(&mut self) {
        self.open = None;
        self.closed.clear();
    }
}

/// Estimates the rate of a media clock from its first frames. Times and arrivals are in µs and ascending.
///
/// Returns `None` unless the frames arrived evenly, because a server's first burst
/// says nothing about its clock.
pub(super) fn first_rate(media_us: &[i64], arrival_us: &[i64]) -> Option<f64> {
    const FRAMES_MIN: usize = 6;
    const SPAN_MIN_US: f64 = 600_000.0;
    const SCATTER_US: f64 = 5_000.0;
    let (Some(&m0), Some(&t0)) = (media_us.first(), arrival_us.first()) else { return None };
    if media_us.len() < FRAMES_MIN || media_us.len() != arrival_us.len() {
        return None;
    }
    let points: Vec<(f64, f64)> = arrival_us
        .iter()
        .zip(media_us)
        .map(|(t, m)| (t.saturating_sub(t0) as f64, m.saturating_sub(m0) as f64))
        .collect();
    let count = points.len() as f64;
    let (mean_t, mean_m) = points.iter().fold((0.0, 0.0), |(a, b), (t, m)| (a + t / count, b + m / count));
    let mut square = 0.0;
    let mut product = 0.0;
    for (t, m) in &points {
        square += (t - mean_t).powi(2);
        product += (t - mean_t) * (m - mean_m);
    }
    let rate = product / square;
    let scatter = points.iter().map(|(t, m)| (m - mean_m - rate * (t - mean_t)).powi(2)).sum::<f64>() / count;
    let spans = points.last().is_some_and(|(t, _)| *t >= SPAN_MIN_US);
    (spans && rate.is_finite() && scatter.sqrt() <= SCATTER_US).then_some(rate)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::scale::rounded;

    const FRAME_US: i64 = 40_000;

    #[test]
    fn a_stall_that_is_made_up_for_says_nothing_and_one_that_is_not_stays() {
        for (speed, found) in [(1.5, false), (1.0, true)] {
            let mut lateness = Lateness::default();
            let mut stays = false;
            for n in 0..1500_i64 {
                let media = n * FRAME_US;
                // Ten seconds of silence, then frames at `speed` times the normal rate until none is delayed.
                let since = (media - 4_000_000).max(0) as f64;
                let held = if n < 100 { 0.0 } else { (10_000_000.0 - since * (1.0 - 1.0 / speed)).max(0.0) };
                let late = rounded(held);
                let finding = lateness.add(late, media + late, media, FRAME_US);
                stays |= finding == Finding::Stays;
                if !found && finding == Finding::Stretch {
                    assert!(!lateness.lasts(200_000), "frame {n}");
                }
            }
            assert_eq!(stays, found, "{speed}");
        }
    }

    #[test]
    fn the_rate_is_found() {
        for rate in [0.5, 0.84, 0.98, 1.0, 1.19] {
            let mut lateness = Lateness::default();
            for n in 0..200_i64 {
                let at = n * FRAME_US;
                let media = rounded(n as f64 * FRAME_US as f64 * rate);
                let jitter = n * 7919 % 90_000 * i64::from(n % 5 != 0);
                lateness.add(at - media + jitter, at + jitter, media, FRAME_US);
            }
            assert!((lateness.rate().unwrap() - rate).abs() < 0.01, "{rate}");
        }
    }

    #[test]
    fn the_first_rate_is_told_only_of_clockwork() {
        let media: Vec<i64> = (0..24).map(|n| n * FRAME_US).collect();
        let slow: Vec<i64> = media.iter().map(|m| m * 10 / 8).collect();
        assert!((first_rate(&media, &slow).unwrap() - 0.8).abs() < 1e-6);
        let burst: Vec<i64> = media.iter().map(|m| (*m).max(400_000)).collect();
        assert_eq!(first_rate(&media, &burst), None);
        assert_eq!(first_rate(&media[..5], &slow[..5]), None);
    }
}
