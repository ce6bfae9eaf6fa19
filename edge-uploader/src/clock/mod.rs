//! Which wall-clock time a presentation time is.
//!
//! Cameras lie about time, and networks delay. So a live frame's wall clock is the *gateway's*: its monotonic clock,
//! anchored to UTC ([`Anchor`]), at the moment the frame would have arrived with the least delay seen
//! ([`ArrivalClock`]). Corrections of either are slewed, at most [`SLEW_PPM`], so recorded time runs smoothly; what is too
//! far off to slew is a [`Jump`], which closes the span. RTCP sender reports are kept beside it as an offset, and take its
//! place when the operator says that the camera's clock is to be trusted.
//!
//! The media's own presentation times and durations are never touched: only the wall clock beside them moves.

mod anchor;
mod arrival;
mod synchronized;

pub use anchor::Anchor;
pub use arrival::ArrivalClock;
pub use synchronized::{Synchronized, gateway_synchronized};

use crate::camera::Timing;
use framepost_events::attributes::{ClockInfo, ClockSource};
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// The fastest correction, in microseconds a second.
pub const SLEW_PPM: i64 = 500;

/// What is further off than this is not slewed: it is a jump.
pub const JUMP_US: i64 = 1_000_000;

/// Whose clock the operator trusts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TrustedClock {
    /// The gateway's.
    #[default]
    Gateway,
    /// The camera's, by its RTCP sender reports; the gateway's until the first one.
    Camera,
}

/// The wall clock made a jump: the span must be closed, and the next one starts on the new time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Jump {
    /// The new time minus the old one, in microseconds.
    pub by_us: i64,
}

/// The wall clock of one session of one camera.
#[derive(Debug, Clone)]
pub struct SessionClock {
    trusted: TrustedClock,
    timescale: u32,
    basis: Basis,
    /// The newest sender report: presentation time and the camera's wall clock, both in µs.
    report: Option<(i64, i64)>,
    synchronized: Synchronized,
}

#[derive(Debug, Clone)]
enum Basis {
    Arrival { arrival: ArrivalClock, camera_offset: Option<Slewed> },
    Media { start: Timestamp, source: ClockSource },
}

/// A correction that moves smoothly.
#[derive(Debug, Clone, Copy)]
struct Slewed {
    at_us: i64,
    value_us: i64,
}

impl Slewed {
    fn toward(&mut self, at_us: i64, target_us: i64) {
        let elapsed = (at_us - self.at_us).max(0);
        let most = elapsed * SLEW_PPM / 1_000_000;
        // Less than a microsecond of correction waits until it is one.
        if most > 0 {
            self.value_us += (target_us - self.value_us).clamp(-most, most);
            self.at_us = at_us;
        }
    }
}

impl SessionClock {
    /// The clock of a session whose video runs at `timescale` units a second.
    pub fn new(timing: Timing, trusted: TrustedClock, timescale: u32, synchronized: Synchronized) -> Self {
        let basis = match timing {
            Timing::Arrival => Basis::Arrival { arrival: ArrivalClock::new(), camera_offset: None },
            Timing::Media { start, source } => Basis::Media { start, source },
        };
        Self { trusted, timescale, basis, report: None, synchronized }
    }

    /// A sender report: the camera showed `pts` at `ntp`.
    pub fn sender_report(&mut self, pts: i64, ntp: Timestamp) {
        self.report = Some((self.micros(pts), ntp.as_microsecond()));
    }

    /// Whether the gateway's clock is synchronised, as far as is known now.
    pub fn set_synchronized(&mut self, synchronized: Synchronized) {
        self.synchronized = synchronized;
    }

    /// The wall clock of a video frame that was complete at `arrival`.
    pub fn frame(&mut self, anchor: &Anchor, pts: i64, arrival: Duration) -> Result<Timestamp, Jump> {
        let media_us = self.micros(pts);
        let report = self.report;
        let trusted = self.trusted;
        match &mut self.basis {
            Basis::Media { start, .. } => Ok(shifted(*start, media_us)),
            Basis::Arrival { arrival: clock, camera_offset } => {
                let arrived = clock.frame(media_us, i64::try_from(arrival.as_micros()).unwrap_or(i64::MAX));
                let mono_us = arrived.inspect_err(|_| {
                    // What a report said of the old presentation times says nothing of the new ones.
                    self.report = None;
                    *camera_offset = None;
                })?;
                let gateway = anchor.utc(mono_us);
                if trusted == TrustedClock::Gateway {
                    return Ok(gateway);
                }
                let Some((report_us, ntp_us)) = report else { return Ok(gateway) };
                let offset = ntp_us + (media_us - report_us) - gateway.as_microsecond();
                match camera_offset {
                    Some(slewed) if (offset - slewed.value_us).abs() <= JUMP_US => {
                        slewed.toward(media_us, offset);
                        Ok(shifted(gateway, slewed.value_us))
                    }
                    Some(slewed) => {
                        let by_us = offset - slewed.value_us;
                        *camera_offset = Some(Slewed { at_us: media_us, value_us: offset });
                        Err(Jump { by_us })
                    }
                    // From the gateway's clock to the camera's, at the first report.
                    None => {
                        *camera_offset = Some(Slewed { at_us: media_us, value_us: offset });
                        Err(Jump { by_us: offset })
                    }
                }
            }
        }
    }

    /// Whether times given out from now on only slew. Until then (a live session's first second) frames are better held
    /// back and dated by [`SessionClock::at`] once it is.
    pub fn settled(&self) -> bool {
        match &self.basis {
            Basis::Media { .. } => true,
            Basis::Arrival { arrival, .. } => arrival.settled(),
        }
    }

    /// The wall clock of a presentation time near the last frame's, without learning from it. `None` before the first.
    pub fn at(&self, anchor: &Anchor, pts: i64) -> Option<Timestamp> {
        let media_us = self.micros(pts);
        match &self.basis {
            Basis::Media { start, .. } => Some(shifted(*start, media_us)),
            Basis::Arrival { arrival, camera_offset } => {
                let gateway = anchor.utc(arrival.project(media_us)?);
                Some(camera_offset.map_or(gateway, |slewed| shifted(gateway, slewed.value_us)))
            }
        }
    }

    /// What a chunk says of its clock.
    pub fn info(&self, anchor: &Anchor) -> ClockInfo {
        match &self.basis {
            Basis::Media { source, .. } => ClockInfo { source: *source, offset_us: None, uncertainty_us: None },
            Basis::Arrival { arrival, camera_offset } => {
                let offset_us = self.report.and_then(|(report_us, ntp_us)| {
                    Some(ntp_us - anchor.utc(arrival.project(report_us)?).as_microsecond())
                });
                if camera_offset.is_some() {
                    return ClockInfo { source: ClockSource::Camera, offset_us, uncertainty_us: None };
                }
                let source = match self.synchronized {
                    Synchronized::Yes => ClockSource::Gateway,
                    Synchronized::No => ClockSource::GatewayUnsynchronized,
                };
                ClockInfo { source, offset_us, uncertainty_us: Some(arrival.jitter_us()) }
            }
        }
    }

    fn micros(&self, pts: i64) -> i64 {
        let scaled = i128::from(pts) * 1_000_000 / i128::from(self.timescale.max(1));
        i64::try_from(scaled).unwrap_or(i64::MAX)
    }
}

fn shifted(time: Timestamp, by_us: i64) -> Timestamp {
    time.checked_add(SignedDuration::from_micros(by_us)).unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: i64 = 1_790_000_000_000_000;

    fn anchor() -> Anchor {
        Anchor::new(0, Timestamp::from_microsecond(START).unwrap())
    }

    fn live(trusted: TrustedClock) -> SessionClock {
        SessionClock::new(Timing::Arrival, trusted, 90_000, Synchronized::Yes)
    }

    #[test]
    fn media_time_follows_the_start_exactly() {
        let start = Timestamp::from_microsecond(START).unwrap();
        let timing = Timing::Media { start, source: ClockSource::Given };
        let mut clock = SessionClock::new(timing, TrustedClock::Gateway, 30_000, Synchronized::No);
        let time = clock.frame(&anchor(), 30_000 * 3600, Duration::ZERO).unwrap();
        assert_eq!(time, start + SignedDuration::from_hours(1));
        assert_eq!(clock.info(&anchor()).source, ClockSource::Given);
    }

    #[test]
    fn a_trusted_camera_takes_over_at_its_first_report() {
        let mut clock = live(TrustedClock::Camera);
        let first = clock.frame(&anchor(), 0, Duration::from_secs(10)).unwrap();
        assert_eq!(first.as_microsecond(), START + 10_000_000);
        clock.sender_report(90_000, Timestamp::from_microsecond(START + 500_000).unwrap());
        assert_eq!(clock.frame(&anchor(), 90_000, Duration::from_secs(11)), Err(Jump { by_us: -10_500_000 }));
        let next = clock.frame(&anchor(), 180_000, Duration::from_secs(12)).unwrap();
        assert_eq!(next.as_microsecond(), START + 1_500_000);
        assert_eq!(clock.info(&anchor()).source, ClockSource::Camera);
    }

    #[test]
    fn an_untrusted_camera_is_recorded_beside_the_gateways_time() {
        let mut clock = live(TrustedClock::Gateway);
        for second in 0_u32..5 {
            clock.frame(&anchor(), i64::from(second) * 90_000, Duration::from_secs(10 + u64::from(second))).unwrap();
        }
        clock.sender_report(4 * 90_000, Timestamp::from_microsecond(START + 14_250_000).unwrap());
        assert_eq!(
            clock.info(&anchor()),
            ClockInfo { source: ClockSource::Gateway, offset_us: Some(250_000), uncertainty_us: Some(0) }
        );
    }
}
