//! The bandwidth limit: one token bucket for all puts.

use tokio::sync::Mutex;
use tokio::time::{Duration, Instant};

/// Longest time whose bandwidth may be used at once after a pause.
const BURST: Duration = Duration::from_millis(250);

pub(super) struct Bandwidth {
    bytes_per_second: Option<u64>,
    /// The time at which everything let through so far has been paid for. Locked while waiting, so that
    /// callers are served in order.
    paid_until: Mutex<Option<Instant>>,
}

impl Bandwidth {
    pub(super) fn new(bytes_per_second: Option<u64>) -> Self {
        Self { bytes_per_second, paid_until: Mutex::new(None) }
    }

    /// Waits until `bytes` may be sent.
    pub(super) async fn take(&self, bytes: u64) {
        let Some(rate) = self.bytes_per_second else { return };
        let mut paid_until = self.paid_until.lock().await;
        let now = Instant::now();
        let start = paid_until.map_or(now, |paid| paid.max(now));
        let end = start + Duration::from_secs_f64(bytes as f64 / rate.max(1) as f64);
        if end > now + BURST {
            tokio::time::sleep_until(end - BURST).await;
        }
        *paid_until = Some(end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[tokio::test(start_paused = true)]
    async fn many_takers_together_keep_to_the_rate() {
        let bandwidth = Arc::new(Bandwidth::new(Some(100_000)));
        let start = Instant::now();
        let takers = (0..8).map(|_| {
            let bandwidth = bandwidth.clone();
            tokio::spawn(async move {
                for _ in 0..20 {
                    bandwidth.take(6_250).await;
                }
            })
        });
        for taker in takers.collect::<Vec<_>>() {
            taker.await.unwrap();
        }
        let took = start.elapsed();
        assert!((Duration::from_millis(9_700)..Duration::from_millis(10_100)).contains(&took), "{took:?}");
    }
}
