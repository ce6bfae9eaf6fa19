//! How late frames come: the least delay of short stretches of time.
//!
//! A frame's lateness is its arrival minus the moment at which it would have arrived with the least delay. One late frame
//! says nothing of clocks: the network was slow, or the frame was large, or nobody looked for a quarter of a second. But
//! some frames of every stretch come at once, so what the *least* late frames do shows the clocks: they keep their lateness
//! where the media clock runs like the wall clock, get later and later where it is slow, and are early where it is fast.
//!
//! A network that stands still looks like a media clock that does, until what it held comes: it comes faster than it was
//! made. So after a sudden silence nothing is concluded until the lateness is gone, or no longer gets less.

use std::collections::VecDeque;

/// How long a stretch is at least, and how many frames it has at least.
const STRETCH_US: i64 = 500_000;
const STRETCH_FRAMES: u32 = 4;
/// How many stretches are kept: eight seconds, where frames are not rare.
const KEPT: usize = 16;
/// So many stretches in a row that say the same are believed.
const LASTING: usize = 4;
const SURELY: usize = 8;
/// A frame that is later than the one before by more than this (and three frames) ends a silence.
const SILENCE_US: i64 = 400_000;
/// Whatever a camera says, nothing is later than thirty years.
const LATE_MAX_US: i64 = 1_000_000_000_000_000;
/// What was held back has come when lateness is less than this.
const OVER_US: i64 = 150_000;
/// Lateness that lessens by less than this, in thousandths of the time that passes, does not lessen.
const LESSENING: i64 = 20;

/// The least late frame of a stretch.
#[derive(Debug, Clone, Copy)]
struct Stretch {
    start_us: i64,
    frames: u32,
    late_us: i64,
    /// When the least late frame came, and its time by the media clock.
    at_us: i64,
    media_us: i64,
}

/// What the last seconds say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Finding {
    /// Nothing: a stretch is not over, or a silence is being made up for.
    Nothing,
    /// A stretch is over.
    Stretch,
    /// A silence is over, and the lateness stays: the media clock stood still in it.
    Stays,
}

/// Watches the lateness of frames.
#[derive(Debug, Clone, Default)]
pub(super) struct Lateness {
    open: Option<Stretch>,
    closed: VecDeque<Stretch>,
    before_us: Option<i64>,
    silent: bool,
}

impl Lateness {
    /// A frame of the media time `media_us` came at `at_us`, `late_us` late; frames are `interval_us` apart.
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

    /// Whether something held frames back and what it held is not through yet.
    pub(super) fn silent(&self) -> bool {
        self.silent
    }

    /// The lateness of the last two stretches: of the least late frame in them.
    pub(super) fn now_us(&self) -> Option<i64> {
        self.closed.iter().rev().take(2).map(|stretch| stretch.late_us).min()
    }

    /// The same of the last eight, which is surer and slower; `None` until there are so many.
    pub(super) fn surely_us(&self) -> Option<i64> {
        let last = self.closed.iter().rev().take(SURELY);
        (self.closed.len() >= SURELY).then(|| last.map(|stretch| stretch.late_us).min())?
    }

    /// Whether the last stretches were all later than `limit_us`, or all earlier than minus that.
    pub(super) fn lasts(&self, limit_us: i64) -> bool {
        let last = || self.closed.iter().rev().take(LASTING).map(|stretch| stretch.late_us);
        last().len() == LASTING && (last().all(|late| late > limit_us) || last().all(|late| late < -limit_us))
    }

    /// How fast the media clock ran against the wall clock, over what is kept; `None` for less than a second and a half.
    pub(super) fn rate(&self) -> Option<f64> {
        let (old, new) = self.closed.front().zip(self.closed.back())?;
        let elapsed_us = new.at_us - old.at_us;
        (elapsed_us >= 3 * STRETCH_US).then(|| new.media_us.saturating_sub(old.media_us) as f64 / elapsed_us as f64)
    }

    /// What was late by `by_us` is not late any more.
    pub(super) fn shift(&mut self, by_us: i64) {
        for stretch in self.closed.iter_mut().chain(&mut self.open) {
            stretch.late_us = stretch.late_us.saturating_sub(by_us);
        }
        self.before_us = self.before_us.map(|late| late.saturating_sub(by_us));
    }

    /// Forgets the stretches.
    pub(super) fn forget(&mut self) {
        self.open = None;
        self.closed.clear();
    }
}

/// How fast a media clock runs, by its first frames: times and arrivals in µs, both ascending.
///
/// `None` unless the frames came like clockwork: a server's first burst says nothing of its clock.
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
                // Ten seconds of silence, then frames that come `speed` times as fast until it is made up for.
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
