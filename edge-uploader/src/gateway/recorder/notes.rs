//! Logs what a camera's clock finds, each kind at most once a minute.
//!
//! A camera whose rate or times wander gives the same finding again and again, in each of its sessions.

use crate::clock::Note;
use framepost_events::Camera;
use std::time::Duration;

/// Shortest time between two log lines of one kind.
const EVERY: Duration = Duration::from_mins(1);

/// What was logged about one camera, through all of its sessions.
#[derive(Debug, Default)]
pub(super) struct Notes {
    stepped: Line,
    rate: Line,
    by_arrival: Line,
    report_refused: Line,
}

/// The log lines of one kind.
#[derive(Debug, Default)]
struct Line {
    /// When the last one was written, by the gateway's monotonic clock.
    last: Option<Duration>,
    left_out: u64,
}

impl Line {
    /// Returns how many lines were left out since the last one, if another may be written at `now`.
    fn due(&mut self, now: Duration) -> Option<u64> {
        if self.last.is_some_and(|last| now.saturating_sub(last) < EVERY) {
            self.left_out += 1;
            return None;
        }
        self.last = Some(now);
        Some(std::mem::take(&mut self.left_out))
    }
}

impl Notes {
    /// Logs a finding at `now`, unless one of its kind was logged within the last minute.
    pub(super) fn tell(&mut self, camera: &Camera, note: Note, now: Duration) {
        let line = match note {
            Note::Stepped { .. } => &mut self.stepped,
            Note::Rate(_) => &mut self.rate,
            Note::ByArrival => &mut self.by_arrival,
            Note::ReportRefused { .. } => &mut self.report_refused,
        };
        let Some(left_out) = line.due(now) else { return };
        // A field that is absent is not logged.
        let left_out = Some(left_out).filter(|left_out| *left_out > 0);
        match note {
            Note::Stepped { by_us } => {
                let by_ms = by_us / 1_000;
                tracing::warn!(%camera, by_ms, left_out, "the camera's times jumped, going on without the jump");
            }
            Note::Rate(rate) => {
                let ratio = format!("{rate:.3}");
                tracing::warn!(
                    %camera,
                    ratio,
                    left_out,
                    "the camera's media clock does not keep pace with the wall clock, its times are scaled"
                );
            }
            Note::ByArrival => {
                tracing::warn!(%camera, left_out, "the camera's times are not plausible, arrival times are used");
            }
            Note::ReportRefused { off_us } => {
                let off_s = off_us / 1_000_000;
                tracing::warn!(
                    %camera,
                    off_s,
                    left_out,
                    "the camera's clock is not plausible, the gateway's clock is used"
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_a_minute_says_how_many_were_left_out() {
        let mut line = Line::default();
        let told: Vec<(u64, u64)> = (0..300)
            .filter_map(|n| line.due(Duration::from_millis(n * 600)).map(|left_out| (n * 600, left_out)))
            .collect();
        assert_eq!(told, [(0, 0), (60_000, 99), (120_000, 99)]);
    }
}
