//! How long a put may stand still before it is broken off.
//!
//! What is known of a put is how many of its bytes the sink has asked for. Between that and the bucket lie buffers: the
//! client's, the operating system's, the modem's. On a line that is slow enough, what they hold takes longer to get through than
//! a dead connection should cost, and a put that is broken off there has to begin again, and never ends. So the rate of the
//! puts before says how long what cannot be seen may take.

use std::sync::{Mutex, PoisonError};
use tokio::time::Duration;

/// What may be under way unseen, of one put.
const UNSEEN_BYTES: f64 = 512.0 * 1024.0;
/// Twice as long as it should take is still a put that moves.
const SLACK: f64 = 2.0;
/// The longest, in stalls.
const STALLS_MAX: u32 = 6;
/// Smaller objects say more of the way's latency than of its rate.
const TELLING_BYTES: u64 = 64 * 1024;
/// What the newest put counts for.
const WEIGHT: f64 = 0.25;

pub(super) struct Patience {
    stall: Duration,
    /// Of one put, lately; unknown before the first.
    bytes_per_second: Mutex<Option<f64>>,
}

impl Patience {
    pub(super) fn new(stall: Duration) -> Self {
        Self { stall, bytes_per_second: Mutex::new(None) }
    }

    /// For a put of which `moved_bytes` have been asked for.
    pub(super) fn of(&self, moved_bytes: u64) -> Duration {
        let rate = *self.bytes_per_second.lock().unwrap_or_else(PoisonError::into_inner);
        match rate {
            // Before the first byte there is nothing unseen.
            Some(rate) if moved_bytes > 0 => {
                let unseen = Duration::try_from_secs_f64(SLACK * UNSEEN_BYTES / rate).unwrap_or(Duration::MAX);
                unseen.clamp(self.stall, self.stall * STALLS_MAX)
            }
            _ => self.stall,
        }
    }

    /// A put was answered after `took`.
    pub(super) fn answered(&self, bytes: u64, took: Duration) {
        if bytes >= TELLING_BYTES {
            self.learn(bytes, took);
        }
    }

    /// A put was broken off after `took`, at the end of which it had stood still: so slow may the way be.
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
        // Eight puts that a tunnel breaks off do not change that much.
        for _ in 0..8 {
            patience.broken_off(400_000, STALL);
        }
        assert!(patience.of(400_000) < 2 * STALL, "{:?}", patience.of(400_000));
    }

    #[test]
    fn a_thin_line_is_waited_for_but_not_before_a_byte_has_left() {
        let patience = Patience::new(STALL);
        // All of it went into buffers at once, and nothing was seen afterwards.
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
        // An end object of no bytes says nothing.
        patience.answered(0, Duration::from_secs(100));
        assert_eq!(patience.of(1), STALL);
    }
}
