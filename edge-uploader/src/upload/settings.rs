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
        self.bound(failures).mul_f64(random.f64())
    }

    /// The longest such wait.
    pub(super) fn bound(self, failures: u32) -> Duration {
        self.base.saturating_mul(1 << failures.min(20)).min(self.cap)
    }
}

/// How the uploader behaves; [`Default`] is what a gateway wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Puts at a time, of all cameras together.
    pub workers: usize,
    /// One slot in this many takes the oldest object of all instead of a camera's newest.
    pub backlog_share: u32,
    /// All puts together; no bound when absent.
    pub bandwidth_bytes_per_second: Option<u64>,
    /// After no answer, a busy service and corruption.
    pub backoff: Backoff,
    /// After a refusal: credentials are rotated by people.
    pub refusal_backoff: Backoff,
    /// An object that is refused as invalid so often is set aside.
    pub refusals_before_quarantine: u32,
    /// A put that moves no byte and gets no answer for so long is broken off; up to six times as long where the line is so
    /// slow that this says nothing.
    pub stall: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            workers: workers_for(1),
            backlog_share: 8,
            bandwidth_bytes_per_second: None,
            backoff: Backoff { base: Duration::from_secs(1), cap: Duration::from_secs(5) },
            refusal_backoff: Backoff { base: Duration::from_secs(30), cap: Duration::from_mins(10) },
            refusals_before_quarantine: 4,
            stall: Duration::from_secs(10),
        }
    }
}

impl Settings {
    /// What the configuration says, for a gateway of so many cameras.
    pub fn new(config: &crate::config::Upload, cameras: usize) -> Self {
        Self {
            workers: config.workers.unwrap_or_else(|| workers_for(cameras)),
            bandwidth_bytes_per_second: config.bandwidth_per_second,
            ..Self::default()
        }
    }
}

/// How many puts at a time so many cameras get where nothing else is said: half as many, at least 4 and at most 8. More would
/// share a line that is too short among chunks that all arrive late.
fn workers_for(cameras: usize) -> usize {
    (cameras / 2).clamp(4, 8)
}
