//! The settings of the uploader.

use std::time::Duration;

/// Growing waits with full jitter: uniformly distributed between zero and a bound
/// that doubles with each failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The bound after the first failure.
    pub base: Duration,
    /// The bound does not grow beyond this.
    pub cap: Duration,
}

impl Backoff {
    /// Returns a random wait after `failures` earlier failures.
    pub fn delay(self, failures: u32, random: &mut fastrand::Rng) -> Duration {
        self.bound(failures).mul_f64(random.f64())
    }

    /// Returns the longest such wait.
    pub(super) fn bound(self, failures: u32) -> Duration {
        self.base.saturating_mul(1 << failures.min(20)).min(self.cap)
    }
}

/// Settings of the uploader. [`Default`] is suitable for a gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadSettings {
    /// Number of concurrent puts for all cameras together.
    pub workers: usize,
    /// One put in this many takes the oldest object of all instead of a camera's newest.
    pub backlog_share: u32,
    /// Limit for all puts together; no limit if absent.
    pub bandwidth_bytes_per_second: Option<u64>,
    /// Waits after no answer, a busy service or corruption.
    pub backoff: Backoff,
    /// Longer waits after a refusal, because people have to fix credentials.
    pub refusal_backoff: Backoff,
    /// An object that is refused as invalid this often goes to quarantine.
    pub refusals_before_quarantine: u32,
    /// A put that moves no byte and gets no answer for this long is cancelled. On a slow line the time is up
    /// to six times as long.
    pub stall: Duration,
}

impl Default for UploadSettings {
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

impl UploadSettings {
    /// For a gateway of so many cameras.
    pub fn for_cameras(cameras: usize) -> Self {
        Self { workers: workers_for(cameras), ..Self::default() }
    }
}

/// Returns the default number of concurrent puts: half the number of cameras, at least 4 and at most 8. With
/// more, a slow line would be shared by chunks that all arrive late.
fn workers_for(cameras: usize) -> usize {
    (cameras / 2).clamp(4, 8)
}
