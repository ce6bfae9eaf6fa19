//! The camera's wall clock, from RTCP sender reports (RFC 3550 §6.4.1).
//!
//! A report is plausible if it is at most a day from the gateway's clock. If the gateway's clock was never set
//! (it shows a time before 2020), reports from 2020 on are plausible. Only plausible reports of a trusted
//! camera are used. A camera that reports 1970, or 2036 because its NTP seconds wrapped, is recorded by the
//! gateway's clock with a warning, even if the operator trusts it. The first plausible report is used at the
//! next random access frame. A report that contradicts the time in use needs a second report that confirms it.

use super::{Note, SLEW_PPM, TrustedClock};
use framepost_events::attributes::ClockSource;

/// Differences up to this are slewed.
const SLEWED_US: i64 = 250_000;
/// A camera's clock that is further from the gateway's clock is not set, or set wrongly.
const OFF_MAX_US: i64 = 86_400_000_000;
/// 2020-01-01T00:00:00Z. A clock with an earlier time was never set.
const SET_US: i64 = 1_577_836_800_000_000;

/// The camera's clock according to its reports.
#[derive(Debug, Clone)]
pub(super) struct Reports {
    trusted: TrustedClock,
    /// The newest report minus the gateway's clock, plausible or not.
    newest_us: Option<i64>,
    /// The offset in use, the one that it moves to, and the time of the last change.
    used: Option<Used>,
    /// A plausible offset that differs from the one in use.
    other_us: Option<i64>,
    due_us: Option<i64>,
    refused: bool,
}

#[derive(Debug, Clone, Copy)]
struct Used {
    offset_us: i64,
    target_us: i64,
    moved_us: i64,
}

impl Reports {
    pub(super) fn new(trusted: TrustedClock) -> Self {
        Self { trusted, newest_us: None, used: None, other_us: None, due_us: None, refused: false }
    }

    /// Adds a report: the camera's clock showed `ntp_us` when the gateway's showed `gateway_us`,
    /// both in µs since 1970.
    pub(super) fn report(&mut self, ntp_us: i64, gateway_us: i64, notes: &mut Vec<Note>) {
        let off_us = ntp_us.saturating_sub(gateway_us);
        self.newest_us = Some(off_us);
        if self.trusted == TrustedClock::Gateway {
            return;
        }
        let plausible = if gateway_us < SET_US { ntp_us >= SET_US } else { off_us.abs() <= OFF_MAX_US };
        if !plausible {
            if !self.refused {
                notes.push(Note::ReportRefused { off_us });
            }
            self.refused = true;
            return;
        }
        self.refused = false;
        let near = |other: i64| (off_us - other).abs() <= SLEWED_US;
        match &mut self.used {
            Some(used) if near(used.offset_us) => {
                used.target_us = off_us;
                self.other_us = None;
                self.due_us = None;
            }
            Some(_) => {
                if self.other_us.is_some_and(near) {
                    self.due_us = Some(off_us);
                }
                self.other_us = Some(off_us);
            }
            None if near(0) => self.used = Some(Used { offset_us: 0, target_us: off_us, moved_us: gateway_us }),
            None => self.due_us = Some(off_us),
        }
    }

    /// Called when the gateway's clock was set by `by_us`. The camera's clock has not changed.
    pub(super) fn gateway_set(&mut self, by_us: i64) {
        let offsets = self.used.iter_mut().flat_map(|used| [&mut used.offset_us, &mut used.target_us]);
        for offset in offsets.chain(&mut self.newest_us).chain(&mut self.other_us).chain(&mut self.due_us) {
            *offset = offset.saturating_sub(by_us);
        }
    }

    /// Returns whether another offset is to be used from the next random access frame on.
    pub(super) fn is_due(&self) -> bool {
        self.due_us.is_some()
    }

    /// Uses the other offset. Returns the change of time in µs.
    pub(super) fn rebase(&mut self, gateway_us: i64) -> i64 {
        let Some(offset_us) = self.due_us.take() else { return 0 };
        let before = self.used.map_or(0, |used| used.offset_us);
        self.used = Some(Used { offset_us, target_us: offset_us, moved_us: gateway_us });
        self.other_us = None;
        offset_us - before
    }

    /// Returns the camera's clock minus the gateway's, slewed; 0 while it is not used.
    pub(super) fn offset_us(&mut self, gateway_us: i64) -> i64 {
        let Some(used) = &mut self.used else { return 0 };
        let most = (gateway_us - used.moved_us).max(0) * SLEW_PPM / 1_000_000;
        // Corrections below a microsecond accumulate until they reach one.
        if most > 0 {
            used.offset_us += (used.target_us - used.offset_us).clamp(-most, most);
            used.moved_us = gateway_us;
        }
        used.offset_us
    }

    /// Returns the newest report minus the gateway's clock.
    pub(super) fn newest_us(&self) -> Option<i64> {
        self.newest_us
    }

    /// Returns the camera as the clock source if its clock is in use.
    pub(super) fn source(&self) -> Option<ClockSource> {
        self.used.map(|_| ClockSource::Camera)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_790_000_000_000_000;
    const HOUR: i64 = 3_600_000_000;

    #[test]
    fn only_plausible_reports_of_a_trusted_camera_are_used() {
        for (ntp, due) in [
            (0, false),                     // 1970
            (2_085_978_497_000_000, false), // 2036, where NTP's era ends
            (NOW + HOUR, true),
            (NOW - 14 * HOUR, true),
            (NOW + 25 * HOUR, false),
        ] {
            let mut reports = Reports::new(TrustedClock::Camera);
            let mut notes = Vec::new();
            reports.report(ntp, NOW, &mut notes);
            reports.report(ntp, NOW, &mut notes);
            assert_eq!(reports.is_due(), due, "{ntp}");
            assert_eq!(notes.len(), usize::from(!due), "told once");
            assert_eq!(reports.rebase(NOW), if due { ntp - NOW } else { 0 });
            let mut untrusted = Reports::new(TrustedClock::Gateway);
            untrusted.report(ntp, NOW, &mut notes);
            assert!(!untrusted.is_due());
            assert_eq!(untrusted.newest_us(), Some(ntp - NOW));
        }
        let mut reports = Reports::new(TrustedClock::Camera);
        reports.report(NOW, 5, &mut Vec::new());
        assert!(reports.is_due(), "a gateway without a clock");
    }

    #[test]
    fn one_report_that_jumps_is_ignored_and_two_are_followed() {
        let mut reports = Reports::new(TrustedClock::Camera);
        let mut notes = Vec::new();
        reports.report(NOW + 100, NOW, &mut notes);
        assert!(!reports.is_due(), "near enough to be slewed");
        reports.report(NOW + HOUR, NOW, &mut notes);
        reports.report(NOW + 200, NOW, &mut notes);
        reports.report(NOW - HOUR, NOW, &mut notes);
        assert!(!reports.is_due());
        reports.report(NOW - HOUR + 1000, NOW, &mut notes);
        assert!(reports.is_due());
        assert_eq!(reports.rebase(NOW), 1000 - HOUR);
        reports.gateway_set(-HOUR);
        assert_eq!(reports.offset_us(NOW), 1000);
    }
}
