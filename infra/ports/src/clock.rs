//! Time as a port, so that tests own it.

use jiff::Timestamp;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Wall time and monotonic time.
pub trait Clock: Send + Sync {
    /// UTC, as this machine believes; may jump.
    fn now(&self) -> Timestamp;
    /// Time since some fixed moment; never jumps, never stops.
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
