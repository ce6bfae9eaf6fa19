//! Time as a port, so that tests can control it.

use jiff::Timestamp;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Wall time and monotonic time.
pub trait Clock: Send + Sync {
    /// Returns UTC by this machine's clock. It may jump.
    fn now(&self) -> Timestamp;
    /// Returns the time since a fixed moment. It never jumps and never stops.
    fn monotonic(&self) -> Duration;
}

/// The machine's own clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn monotonic(&self) -> Duration {
        static START: OnceLock<Instant> = OnceLock::new();
        START.get_or_init(Instant::now).elapsed()
    }
}
