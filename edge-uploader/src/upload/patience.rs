//! How long a put may stand still before it is cancelled.
//!
//! The uploader knows how many bytes of a put the sink has requested. Between the sink and the bucket are
//! buffers in the client, the operating system and the modem. On a slow line, their content may take
//! longer to be sent than the time after which a dead connection should be detected. If a put were
//! cancelled then, it would start again and never end. The rate of earlier puts therefore determines how
//! long the unseen data may take.

use std::sync::{Mutex, PoisonError};
use tokio::time::Duration;

/// Most bytes of one put that may be in buffers.
const UNSEEN_BYTES: f64 = 512.0 * 1024.0;
/// A put may take twice as long as expected.
const SLACK: f64 = 2.0;
/// The longest time, in multiples of the configured stall.
const STALLS_MAX: u32 = 6;
/// Smaller objects show the latency rather than the rate.
const TELLING_BYTES: u64 = 64 * 1024;
/// Weight of the newest put in the average.
const WEIGHT: f64 = 0.25;

pub(super) struct Patience {
    stall: Duration,
    /// Recent rate of a put; `None` before the first.
    bytes_per_second: Mutex<Option<f64>>,
}

impl Patience {
    pub(super) fn new(stall: Duration) -> Self {
        Self { stall, bytes_per_second: Mutex::new(None) }
    }

    /// Returns the time for a put of which `moved_bytes` have been requested.
    pub(super) fn of(&self, moved_bytes: u64) -> Duration {
        let rate = *self.bytes_per_second.lock().unwrap_or_else(PoisonError::into_inner);
        match rate {
            // Before the first byte, no data is in buffers.
            Some(rate) if moved_bytes > 0 => {
                let unseen = Duration::try_from_secs_f64(SLACK * UNSEEN_BYTES / rate).unwrap_or(Duration::MAX);
                unseen.clamp(self.stall, self.stall * STALLS_MAX)
            }
            _ => self.stall,
        }
    }

    /// Records a put that was answered after `took`.
    pub(super) fn answered(&self, bytes: u64, took: Duration) {
        if bytes >= TELLING_BYTES {
            self.learn(bytes, took);
        }
    }

    /// Records a put that was cancelled after `took` and had stood still at the end. The line may be that slow.
    pub(super) fn broken_off(&self, moved_bytes: u64, took: Duration) {
        if moved_bytes > 0 {
            self.learn(moved_bytes, took);
        }
    }

    fn learn(&self, bytes: u64, took: Duration) {
        let seen = (bytes as f64 / took.as_secs_f64().max(0.001)).max(1.0);
        let mut rate = self.bytes_per_second.lock().unwrap_or_else(PoisonError::into_inner);
        *rate = Some(rate.map_or(seen, |rate| rate + WEIGHT * (seen - rate)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STALL: Duration = Duration::from_secs(10);

    #[test]
    fn a_good_line_is_given_up_early() {
        let patience = Patience::new(STALL);
        assert_eq!(patience.of(1), STALL);
        patience.answered(1_500_000, Duration::from_secs(1));
        assert_eq!(patience.of(1_000_000), STALL);
        // Eight puts that are cancelled in a tunnel do not change that much.
        for _ in 0..8 {
            patience.broken_off(400_000, STALL);
        }
        assert!(patience.of(400_000) < 2 * STALL, "{:?}", patience.of(400_000));
    }

    #[test]
    fn a_thin_line_is_waited_for_but_not_before_a_byte_has_left() {
        let patience = Patience::new(STALL);
        // All bytes went into buffers at once, and nothing was seen afterwards.
        patience.broken_off(400_000, STALL);
        assert!(patience.of(400_000) > 2 * STALL);
        for _ in 0..3 {
            patience.broken_off(400_000, patience.of(400_000));
        }
        assert!(patience.of(1) >= 3 * STALL && patience.of(1) <= 6 * STALL, "{:?}", patience.of(1));
        assert_eq!(patience.of(0), STALL);
        for _ in 0..20 {
            patience.answered(1_500_000, Duration::from_secs(1));
        }
        assert_eq!(patience.of(1), STALL);
        // An empty end object gives no information on the rate.
        patience.answered(0, Duration::from_secs(100));
        assert_eq!(patience.of(1), STALL);
    }
}
