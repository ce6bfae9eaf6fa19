//! How the uploader behaves.

use std::time::Duration;

/// Growing waits with full jitter: uniformly between nothing and a bound that doubles with each failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The bound after the first failure.
    pub base: Duration,
    /// The largest bound.
    pub cap: Duration,
}

impl Backoff {
    /// The wait after `failures` earlier ones.
    pub fn delay(self, failures: u32, random: &mut fastrand::Rng) -> Duration {
        let bound = self.base.saturating_mul(1 << failures.min(20)).min(self.cap);
        bound.mul_f64(random.f64())
    }
}

/// How the uploader behaves; [`Default`] is what a gateway wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Puts at a time, of all cameras together.
    pub workers: usize,
    /// One slot in this many takes the oldest object instead of a fresh one.
    pub backlog_share: u32,
    /// How long after its closing an object is fresh.
    pub freshness: Duration,
    /// All puts together; no bound when absent.
    pub bandwidth_bytes_per_second: Option<u64>,
    /// After no answer, a busy service and corruption.
    pub backoff: Backoff,
    /// After a refusal: credentials are rotated by people.
    pub refusal_backoff: Backoff,
    /// An object that is refused as invalid so often is set aside.
    pub refusals_before_quarantine: u32,
    /// A put that moves no byte and gets no answer for so long is broken off.
    pub stall: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            workers: 4,
            backlog_share: 4,
            freshness: Duration::from_mins(1),
            bandwidth_bytes_per_second: None,
            backoff: Backoff { base: Duration::from_secs(1), cap: Duration::from_mins(1) },
            refusal_backoff: Backoff { base: Duration::from_secs(30), cap: Duration::from_mins(10) },
            refusals_before_quarantine: 4,
            stall: Duration::from_mins(1),
        }
    }
}

impl From<&crate::config::Upload> for Settings {
    fn from(config: &crate::config::Upload) -> Self {
        let (workers, bandwidth_bytes_per_second) = (config.workers, config.bandwidth_per_second);
        Self { workers, bandwidth_bytes_per_second, ..Self::default() }
    }
}
