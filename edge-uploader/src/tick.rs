//! The moments of regular checks. All checks use the same ones, so that the program wakes up once a second, and not once for each
//! check and camera.

use std::sync::LazyLock;
use std::time::Duration;
use tokio::time::Instant;

/// The time between two ticks.
pub(crate) const EVERY: Duration = Duration::from_secs(1);

/// A tick, from which the others are counted.
static FIRST: LazyLock<std::time::Instant> = LazyLock::new(std::time::Instant::now);

/// Waits for the next tick, at most [`EVERY`].
pub(crate) async fn next() {
    let now = Instant::now();
    tokio::time::sleep_until(now + until_next(now.into_std().saturating_duration_since(*FIRST))).await;
}

/// Returns how long it is until the next tick, `since` the first one. It is never zero.
fn until_next(since: Duration) -> Duration {
    EVERY.saturating_sub(Duration::from_nanos(u64::from(since.subsec_nanos())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_a_second_apart() {
        let until = |ms| until_next(Duration::from_millis(ms)).as_millis();
        assert_eq!([until(0), until(1), until(999), until(1_000), until(61_250)], [1_000, 999, 1, 1_000, 750]);
    }
}
