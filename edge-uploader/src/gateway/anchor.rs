//! The gateway's clock, shared by all cameras: the anchor, and a task that watches the system clock.

use crate::clock::{Anchor, Synchronized, gateway_synchronized};
use crate::tick;
use framepost_ports::Clock;
use jiff::Timestamp;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// One comparison in this many also checks whether the system clock is synchronised.
const ASK_EVERY: u32 = 60;

/// The gateway's clock: monotonic time anchored to UTC, slewed rather than set.
pub(super) struct GatewayClock {
    clock: Arc<dyn Clock>,
    anchor: Mutex<Anchor>,
    synchronized: AtomicBool,
}

impl GatewayClock {
    /// Anchors the monotonic clock to the current system time.
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        let anchor = Anchor::new(micros(clock.monotonic()), clock.now());
        let synchronized = AtomicBool::new(gateway_synchronized() == Synchronized::Yes);
        Self { clock, anchor: Mutex::new(anchor), synchronized }
    }

    /// Returns a copy of the current anchor.
    pub(super) fn anchor(&self) -> Anchor {
        self.anchor.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns the monotonic time, which is also used for arrivals.
    pub(super) fn monotonic(&self) -> Duration {
        self.clock.monotonic()
    }

    /// The wall clock and the monotonic clock.
    pub(super) fn now(&self) -> (Timestamp, Duration) {
        (self.clock.now(), self.clock.monotonic())
    }

    /// Returns whether the system clock was synchronised at the last check.
    pub(super) fn synchronized(&self) -> Synchronized {
        if self.synchronized.load(Relaxed) { Synchronized::Yes } else { Synchronized::No }
    }

    /// Compares the anchor with the system clock every second until `stop` is cancelled.
    pub(super) async fn watch(self: Arc<Self>, stop: CancellationToken) {
        for round in 1_u32.. {
            tokio::select! {
                () = tick::next() => {}
                () = stop.cancelled() => return,
            }
            self.check();
            if round % ASK_EVERY == 0
                && let Ok(answer) = tokio::task::spawn_blocking(gateway_synchronized).await
            {
                self.synchronized.store(answer == Synchronized::Yes, Relaxed);
            }
        }
    }

    fn check(&self) {
        let monotonic = self.clock.monotonic();
        let now = self.clock.now();
        let checked = self.anchor.lock().unwrap_or_else(PoisonError::into_inner).check(micros(monotonic), now);
        if let Some(set) = checked {
            tracing::warn!(by_ms = set.by_us / 1_000, "the system clock was set");
        }
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
