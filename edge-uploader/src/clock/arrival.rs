//! When a frame would have arrived with the least delay.
//!
//! `arrival − pts` is the same constant for every frame, plus the delay of that frame, plus the drift between the two
//! clocks. The minimum over a window follows the constant and the drift and leaves the delay out. A camera whose clock
//! stands still or crawls is behind by more than a jump after each window: its recording is cut there.

use super::{JUMP_US, Jump, SLEW_PPM};

/// Half of the window over which the minimum is taken.
const HALF_WINDOW_US: i64 = 30_000_000;

/// While a session is younger than this its offset is taken as it is: the first frames come in a burst.
pub(super) const SETTLE_US: i64 = 900_000;

/// Reordered pictures come back at most this far, or, where pictures are rare, twice as far as the last one went ahead.
const REORDERING_US: i64 = 2_000_000;

/// Maps presentation times to the gateway's monotonic clock.
#[derive(Debug, Clone, Default)]
pub struct ArrivalClock {
    state: Option<State>,
}

/// A frame by both clocks.
#[derive(Debug, Clone, Copy)]
struct Moment {
    media_us: i64,
    arrival_us: i64,
}

impl Moment {
    /// How long ago it was: by the camera's clock, or, where that stands still, by the gateway's.
    fn until(self, now: Self) -> i64 {
        (now.media_us - self.media_us).max(now.arrival_us - self.arrival_us)
    }
}

#[derive(Debug, Clone)]
struct State {
    first: Moment,
    last: Moment,
    /// The offset in use, and the media time at which it was last moved.
    offset_us: i64,
    moved_us: i64,
    /// The minima of the half window that is running and of the one before it.
    half_start: Moment,
    running_us: i64,
    before_us: i64,
    /// A smoothed delay above the minimum.
    jitter_us: i64,
    /// How far the last frame that went ahead went.
    step_us: i64,
}

impl ArrivalClock {
    /// A clock that has seen nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// The monotonic time of a frame: when it would have arrived with the least delay.
    pub fn frame(&mut self, media_us: i64, arrival_us: i64) -> Result<i64, Jump> {
        let observed = arrival_us - media_us;
        let now = Moment { media_us, arrival_us };
        if let Some(state) = &self.state
            && state.last.media_us - media_us > REORDERING_US.max(2 * state.step_us)
        {
            // Back in time looks like a long delay, which the minimum would leave out: the pictures to come would be dated
            // where the earlier ones are.
            let by_us = observed - state.offset_us;
            self.state = None;
            self.frame(media_us, arrival_us)?;
            return Err(Jump { by_us });
        }
        let Some(state) = &mut self.state else {
            self.state = Some(State {
                first: now,
                last: now,
                offset_us: observed,
                moved_us: media_us,
                half_start: now,
                running_us: observed,
                before_us: observed,
                jitter_us: 0,
                step_us: 0,
            });
            return Ok(media_us + observed);
        };

        if state.half_start.until(now) > HALF_WINDOW_US {
            state.before_us = state.running_us;
            state.running_us = observed;
            state.half_start = now;
        }
        state.running_us = state.running_us.min(observed);
        let target = state.running_us.min(state.before_us);
        let wrong_us = target - state.offset_us;
        // Earlier than possible, or later for a whole window: the camera's clock has jumped.
        let settling = state.first.until(now) <= SETTLE_US;
        if wrong_us.abs() > JUMP_US && !settling {
            self.state = None;
            let mono = self.frame(media_us, arrival_us)?;
            debug_assert_eq!(mono, arrival_us);
            return Err(Jump { by_us: wrong_us });
        }
        if settling {
            state.offset_us = target;
            state.moved_us = media_us;
        } else {
            let most = (media_us - state.moved_us).max(0) * SLEW_PPM / 1_000_000;
            if most > 0 {
                state.offset_us += wrong_us.clamp(-most, most);
                state.moved_us = media_us;
            }
        }
        state.jitter_us += (observed - target - state.jitter_us) / 16;
        state.step_us = Some(media_us - state.last.media_us).filter(|step| *step > 0).unwrap_or(state.step_us);
        state.last = now;
        Ok(media_us + state.offset_us)
    }

    /// The monotonic time of a presentation time, without learning from it; `None` before the first frame.
    pub fn project(&self, media_us: i64) -> Option<i64> {
        self.state.as_ref().map(|state| media_us + state.offset_us)
    }

    /// Whether the first burst is over, so that times given out from now on only slew.
    pub fn settled(&self) -> bool {
        self.state.as_ref().is_some_and(|state| state.first.until(state.last) >= SETTLE_US)
    }

    /// How far the delays spread above the least one.
    pub fn jitter_us(&self) -> u64 {
        self.state.as_ref().map_or(0, |state| u64::try_from(state.jitter_us).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME_US: i64 = 40_000;

    #[test]
    fn delay_does_not_move_the_clock() {
        let mut clock = ArrivalClock::new();
        for n in 0..10_000 {
            let media = n * FRAME_US;
            let delay = (n * 7919) % 90_000 * i64::from(n % 50 != 0);
            let mono = clock.frame(media, media + 5_000_000 + delay).unwrap();
            assert_eq!(mono, media + 5_000_000, "frame {n}");
        }
        assert!(clock.jitter_us() > 10_000);
    }

    #[test]
    fn a_first_burst_settles_before_the_first_chunk_is_named() {
        let mut clock = ArrivalClock::new();
        // The server hands out a second of video at once, then runs live.
        let mut wall = 0;
        for n in 0..50 {
            wall = clock.frame(n * FRAME_US, (n * FRAME_US).max(800_000)).unwrap();
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
            let mono = clock.frame(media, media + media / 10_000).unwrap();
            if let Some(last) = last {
                let step: i64 = mono - last;
                assert!((step - FRAME_US).abs() <= FRAME_US * SLEW_PPM / 1_000_000 + 1, "{step}");
            }
            last = Some(mono);
            assert!((mono - media - media / 10_000).abs() < 10_000, "frame {n}");
        }
    }

    #[test]
    fn a_jump_of_the_camera_is_reported_once() {
        let mut clock = ArrivalClock::new();
        let mut jumps = 0;
        for n in 0..500 {
            let media = n * FRAME_US + if n >= 250 { 3_600_000_000 } else { 0 };
            match clock.frame(media, n * FRAME_US) {
                Ok(mono) => assert_eq!(mono, n * FRAME_US),
                Err(jump) => {
                    assert_eq!((n, jump.by_us), (250, -3_600_000_000));
                    jumps += 1;
                }
            }
        }
        assert_eq!(jumps, 1);
    }

    #[test]
    fn a_jump_back_is_a_jump_and_reordering_is_none() {
        let mut clock = ArrivalClock::new();
        for n in 0..100 {
            assert_eq!(clock.frame(n * FRAME_US, n * FRAME_US), Ok(n * FRAME_US));
        }
        assert_eq!(clock.frame(60 * FRAME_US, 100 * FRAME_US), Ok(60 * FRAME_US));
        assert_eq!(clock.frame(101 * FRAME_US, 101 * FRAME_US), Ok(101 * FRAME_US));
        assert_eq!(clock.frame(0, 102 * FRAME_US), Err(Jump { by_us: 102 * FRAME_US }));
        assert_eq!(clock.frame(FRAME_US, 103 * FRAME_US), Ok(103 * FRAME_US));
    }

    #[test]
    fn a_clock_that_stands_still_or_crawls_jumps_again_and_again() {
        for step_us in [0, 40] {
            let mut clock = ArrivalClock::new();
            let (mut jumps, mut unsettled) = (Vec::new(), 0);
            for n in 0..5000 {
                if let Err(Jump { by_us }) = clock.frame(n * step_us, n * FRAME_US) {
                    jumps.push(by_us);
                }
                unsettled += i32::from(!clock.settled());
            }
            assert!((3..=6).contains(&jumps.len()), "{jumps:?}");
            // So long frames are held back: 23 at the beginning and after each jump.
            assert!(unsettled <= 23 * 7, "{unsettled}");
            assert!(jumps.iter().all(|by_us| (25_000_000..=65_000_000).contains(by_us)), "{jumps:?}");
        }
    }

    #[test]
    fn a_stall_is_not_a_jump() {
        let mut clock = ArrivalClock::new();
        for n in 0..500 {
            let media = n * FRAME_US;
            let stalled = (100..200).contains(&n);
            let arrival = if stalled { 200 * FRAME_US } else { media };
            assert_eq!(clock.frame(media, arrival), Ok(media));
        }
    }
}
