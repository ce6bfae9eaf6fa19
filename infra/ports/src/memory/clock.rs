use crate::Clock;
use jiff::{SignedDuration, Timestamp};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// A clock that moves only when the test moves it.
#[derive(Debug)]
pub struct SimulatedClock {
    state: Mutex<(Timestamp, Duration)>,
}

impl SimulatedClock {
    /// Creates a clock that shows `now`.
    pub fn new(now: Timestamp) -> Self {
        Self { state: Mutex::new((now, Duration::ZERO)) }
    }

    /// Advances wall and monotonic time together.
    pub fn advance(&self, by: Duration) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.0 += by;
        state.1 += by;
    }

    /// Moves the wall clock alone, forwards or backwards, as if somebody had set it.
    pub fn jump(&self, by: SignedDuration) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).0 += by;
    }
}

impl Clock for SimulatedClock {
    fn now(&self) -> Timestamp {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).0
    }

    fn monotonic(&self) -> Duration {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jump_leaves_monotonic_time_alone() {
        let clock = SimulatedClock::new(Timestamp::UNIX_EPOCH);
        clock.advance(Duration::from_secs(3));
        clock.jump(SignedDuration::from_secs(-10));
        assert_eq!(clock.now().as_second(), -7);
        assert_eq!(clock.monotonic(), Duration::from_secs(3));
    }
}
