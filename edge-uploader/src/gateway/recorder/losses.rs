//! Decides which losses of a damaged file, and which returns of its times to earlier ones, get a gap of their own.

use jiff::Timestamp;
use std::time::Duration;

/// How many losses close together get a gap each.
const BURST: u32 = 8;

/// Limits the gaps of a file in the long run to one for each window of its recording. Otherwise a hostile file could create
/// objects for each of its frames.
#[derive(Debug)]
pub(super) struct Losses {
    left: u32,
    /// The wall clock of the recording up to which `left` was filled up again.
    since: Option<Timestamp>,
}

impl Default for Losses {
    fn default() -> Self {
        Self { left: BURST, since: None }
    }
}

impl Losses {
    /// Returns whether a loss after the picture at `at` gets its own gap. One that does not shares the gap before it, or, where
    /// nothing is lost, the span goes on.
    pub(super) fn is_told(&mut self, at: Option<Timestamp>, window: Duration) -> bool {
        if let Some(at) = at {
            let since = *self.since.get_or_insert(at);
            let windows = at.duration_since(since).as_millis() / i128::try_from(window.as_millis()).unwrap_or(1).max(1);
            if windows != 0 {
                // Times may go back, where another recording begins.
                let windows = u32::try_from(windows.unsigned_abs()).unwrap_or(u32::MAX);
                self.left = self.left.saturating_add(windows).min(BURST);
                self.since = Some(at);
            }
        }
        let is_told = self.left > 0;
        self.left = self.left.saturating_sub(1);
        is_told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_have_their_own_gaps_and_many_one_a_window() {
        let window = Duration::from_secs(3);
        let told = |step_ms: i64| {
            let mut losses = Losses::default();
            let at = |n: i64| Timestamp::from_millisecond(n * step_ms).unwrap();
            (0..3000).filter(|n| losses.is_told(Some(at(*n)), window)).count()
        };
        // One every 40 ms for two minutes; one every 2 s; one a window.
        assert!((40..=48).contains(&told(40)), "{}", told(40));
        assert_eq!(told(4000), 3000);
        let mut losses = Losses::default();
        let before_any_picture = (0..20).filter(|_| losses.is_told(None, window)).count();
        assert_eq!(before_any_picture, 8);
    }
}
