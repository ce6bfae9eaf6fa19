//! Estimates when a frame would have arrived with the least delay.
//!
//! `arrival − pts` is a constant for all frames, plus the delay of the frame, plus the drift between the two
//! clocks. Its minimum over a window follows the constant and the drift without the delay. The input is the
//! plausible times from [`super::pictures`], so the drift is that of two working clocks. Differences too large
//! to slew are applied with [`ArrivalClock::shift`], at the next random access frame.

use super::SHARE_PPM;

/// Half of the window over which the minimum is taken.
const HALF_WINDOW_US: i64 = 30_000_000;

/// While a session is younger than this, its offset is not slewed, because the first frames arrive in a burst.
pub(super) const SETTLE_US: i64 = 900_000;

/// Maps presentation times to the gateway's monotonic clock.
#[derive(Debug, Clone, Default)]
pub struct ArrivalClock {
    state: Option<State>,
}

/// The times of a frame by both clocks.
#[derive(Debug, Clone, Copy)]
struct Moment {
    media_us: i64,
    arrival_us: i64,
}

impl Moment {
    /// Returns how long ago this was, by the camera's clock, or by the gateway's if the camera's stands still.
    fn until(self, now: Self) -> i64 {
        (now.media_us - self.media_us).max(now.arrival_us - self.arrival_us)
    }
}

#[derive(Debug, Clone)]
struct State {
    /// Arrival of the first frame.
    first_us: i64,
    /// The offset in use, and the media time of its last change.
    offset_us: i64,
    moved_us: i64,
    /// The minima of the current half window and of the one before it.
    half_start: Moment,
    running_us: i64,
    before_us: i64,
    /// Smoothed delay above the minimum.
    jitter_us: i64,
}

impl ArrivalClock {
    /// Creates a clock without observations.
    pub fn new() -> Self {
        Self::default()
    }

    /// Updates the offset with the times of a frame.
    pub fn frame(&mut self, media_us: i64, arrival_us: i64) {
        let observed = arrival_us - media_us;
        let now = Moment { media_us, arrival_us };
        let Some(state) = &mut self.state else {
            self.state = Some(State {
                first_us: arrival_us,
                offset_us: observed,
                moved_us: media_us,
                half_start: now,
                running_us: observed,
                before_us: observed,
                jitter_us: 0,
            });
            return;
        };

        if state.half_start.until(now) > HALF_WINDOW_US {
            state.before_us = state.running_us;
            state.running_us = observed;
            state.half_start = now;
        }
        state.running_us = state.running_us.min(observed);
        let target = state.running_us.min(state.before_us);
        let wrong_us = target - state.offset_us;
        let settling = arrival_us - state.first_us <= SETTLE_US;
        if settling {
            state.offset_us = target;
            state.moved_us = media_us;
        } else {
            let most = (media_us - state.moved_us).max(0) * SHARE_PPM / 1_000_000;
            if most > 0 {
                state.offset_us += wrong_us.clamp(-most, most);
                state.moved_us = media_us;
            }
        }
        state.jitter_us += (observed - target - state.jitter_us) / 16;
    }

    /// Moves all times from now on by `by_us`.
    pub fn shift(&mut self, by_us: i64) {
        if let Some(state) = &mut self.state {
            state.offset_us += by_us;
            state.running_us = state.offset_us;
            state.before_us = state.offset_us;
        }
    }

    /// Returns the monotonic time of a presentation time without learning from it. Returns
    /// `None` before the first frame.
    pub fn project(&self, media_us: i64) -> Option<i64> {
        self.state.as_ref().map(|state| media_us + state.offset_us)
    }

    /// Returns the average spread of delays above the least one.
    pub fn jitter_us(&self) -> u64 {
        self.state.as_ref().map_or(0, |state| u64::try_from(state.jitter_us).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME_US: i64 = 40_000;

    fn heard(clock: &mut ArrivalClock, media_us: i64, arrival_us: i64) -> i64 {
        clock.frame(media_us, arrival_us);
        clock.project(media_us).unwrap()
    }

    #[test]
    fn delay_does_not_move_the_clock() {
        let mut clock = ArrivalClock::new();
        for n in 0..10_000 {
            let media = n * FRAME_US;
            let delay = (n * 7919) % 90_000 * i64::from(n % 50 != 0);
            let mono = heard(&mut clock, media, media + 5_000_000 + delay);
            assert_eq!(mono, media + 5_000_000, "frame {n}");
        }
        assert!(clock.jitter_us() > 10_000);
    }

    #[test]
    fn a_first_burst_settles_before_the_first_chunk_is_named() {
        let mut clock = ArrivalClock::new();
        // The server sends a second of video at once, then live video.
        let mut wall = 0;
        for n in 0..50 {
            wall = heard(&mut clock, n * FRAME_US, (n * FRAME_US).max(800_000));
        }
        assert_eq!(wall, 49 * FRAME_US);
    }

    #[test]
    fn drift_is_followed_smoothly() {
        let mut clock = ArrivalClock::new();
        let mut last = None;
        // 100 ppm for three hours: more than a second in all, and never a jump.
        for n in 0..(3 * 3600 * 25) {
            let media = n * FRAME_US;
            let mono = heard(&mut clock, media, media + media / 10_000);
            if let Some(last) = last {
                let step: i64 = mono - last;
                assert!((step - FRAME_US).abs() <= FRAME_US * SHARE_PPM / 1_000_000 + 1, "{step}");
            }
            last = Some(mono);
            assert!((mono - media - media / 10_000).abs() < 10_000, "frame {n}");
        }
    }

    #[test]
    fn a_stall_is_not_a_jump() {
        let mut clock = ArrivalClock::new();
        for n in 0..500 {
            let media = n * FRAME_US;
            let stalled = (100..200).contains(&n);
            let arrival = if stalled { 200 * FRAME_US } else { media };
            assert_eq!(heard(&mut clock, media, arrival), media);
        }
    }
}
