//! How much work a camera may make: a bucket that fills up with time.

use super::limits::{Excess, WORK_A_SECOND, WORK_AT_ONCE};
use std::time::Duration;

/// What is left of a camera's work, by the monotonic clock.
#[derive(Debug)]
pub(super) struct Allowance {
    left: f64,
    at: Duration,
}

impl Allowance {
    /// All that may be done at once.
    pub(super) fn new(now: Duration) -> Self {
        Self { left: f64::from(WORK_AT_ONCE), at: now }
    }

    /// Takes so much of it.
    pub(super) fn spend(&mut self, work: u32, now: Duration) -> Result<(), Excess> {
        let passed = now.saturating_sub(self.at).as_secs_f64();
        self.at = now;
        self.left = (self.left + passed * f64::from(WORK_A_SECOND)).min(f64::from(WORK_AT_ONCE)) - f64::from(work);
        if self.left < 0.0 { Err(Excess::Work) } else { Ok(()) }
    }
}
