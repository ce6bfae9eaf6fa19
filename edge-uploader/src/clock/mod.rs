//! Assigns wall-clock times to presentation times.
//!
//! Camera timestamps can be wrong, and networks delay frames. The wall-clock time of a live frame therefore
//! comes from the *gateway's* clock: the monotonic clock, anchored to UTC ([`Anchor`]), at the moment at which
//! the frame would have arrived with the least delay seen ([`ArrivalClock`]). Corrections of both together are slewed
//! by at most [`SLEW_PPM`], so that recorded time runs smoothly. RTCP sender reports are kept as an offset to
//! that time. They replace it if the operator trusts the camera's clock ([`reports`]).
//!
//! **A frame that arrived whole is stored, whatever its timestamp.** The presentation time of a live frame is
//! used exactly if it is plausible, and replaced if it is not: see [`pictures`] and [`sound`]. A change that
//! can be neither replaced nor slewed (the system clock or the trusted camera's clock was set, a camera slept)
//! is a [`Step`]. It takes effect at the next random access frame, or after [`STEP_WAIT`] without one, where
//! the recorder begins a new span. Until then frames use the old clock.
//!
//! The times of a file are used unchanged.

mod anchor;
mod arrival;
mod lateness;
mod live;
mod pictures;
mod reports;
mod scale;
mod sound;
mod synchronized;

pub use anchor::Anchor;
pub use arrival::ArrivalClock;
pub use synchronized::{Synchronized, gateway_offset_us, gateway_synchronized};

use self::live::Live;
use crate::media::{Frame, StreamParameters, Timing, TrackKind};
use framepost_events::attributes::{ClockInfo, ClockSource};
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// The fastest correction of recorded time, in microseconds per second.
pub const SLEW_PPM: i64 = 500;

/// The fastest correction of each of the two clocks that recorded time is made of, [`Anchor`] and [`ArrivalClock`]: both may be
/// corrected at once, in the same direction.
const SHARE_PPM: i64 = SLEW_PPM / 2;

/// Larger differences are not slewed.
pub const JUMP_US: i64 = 1_000_000;

/// The longest time that a step waits for a random access frame.
pub const STEP_WAIT: Duration = Duration::from_secs(10);

/// The clock that the operator trusts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TrustedClock {
    /// The gateway's clock: a frame's time follows from when it arrived.
    #[default]
    Gateway,
    /// The camera's clock, according to its RTCP sender reports. The gateway's clock is used
    /// until the first plausible report.
    Camera,
}

/// The source of a frame's time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The timestamp from the camera or the file.
    Source,
    /// The frame's arrival, because its timestamp was not plausible.
    Arrival,
}

/// A step of the wall clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    pub cause: StepCause,
    /// The new time minus the old one, in microseconds.
    pub by_us: i64,
}

/// The cause of a step of the wall clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepCause {
    /// The system clock of the gateway was set.
    Gateway,
    /// The trusted camera's clock differs from the clock in use.
    Camera,
    /// Frames are permanently later or earlier than the media clock allows.
    Media,
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let by_ms = self.by_us / 1_000;
        match self.cause {
            StepCause::Gateway => write!(f, "the gateway's clock was set by {by_ms} ms"),
            StepCause::Camera => write!(f, "the camera's clock, which is trusted, jumped by {by_ms} ms"),
            StepCause::Media => write!(f, "the camera's times were {by_ms} ms behind their arrival"),
        }
    }
}

/// Whether a step that follows from what the camera sends may take effect. One of the gateway's own clock always may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Stepping {
    /// At the next random access frame, or after [`STEP_WAIT`].
    #[default]
    Allowed,
    /// Not now: each step ends a span, and the camera has ended too many.
    Postponed,
}

/// A message about a camera's clock, to be logged.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Note {
    /// The camera's timestamps jumped permanently. The recorded times continue without the jump.
    Stepped {
        /// The new timestamps minus the expected ones, in microseconds.
        by_us: i64,
    },
    /// The media clock runs at this rate relative to the wall clock (1 is correct), and is scaled.
    Rate(f64),
    /// The camera's timestamps are unusable, so pictures are spaced by their arrivals.
    ByArrival,
    /// A sender report of the trusted camera is too far from the gateway's clock and is ignored.
    ReportRefused {
        /// The report minus the gateway's clock, in microseconds.
        off_us: i64,
    },
}

/// A frame with its wall-clock time.
#[derive(Debug, Clone, PartialEq)]
pub struct Placed {
    /// The frame; its `pts` is the time that is recorded.
    pub frame: Frame,
    /// Wall-clock time of `frame.pts`.
    pub wall: Timestamp,
    /// The source of the frame's time.
    pub origin: Origin,
    /// A step of the wall clock before this frame, which begins a new span.
    pub step: Option<Step>,
}

/// The wall clock for one session of one camera. It does no I/O: the caller passes in frames, reports and
/// arrivals, and gets frames with times.
#[derive(Debug, Clone)]
pub struct SessionClock {
    video_timescale: u32,
    audio_timescale: Option<u32>,
    basis: Basis,
}

#[derive(Debug, Clone)]
enum Basis {
    Arrival(Box<Live>),
    Media { start: Timestamp, source: ClockSource },
}

impl SessionClock {
    /// Creates the clock of a session.
    pub fn new(
        timing: Timing,
        trusted: TrustedClock,
        parameters: &StreamParameters,
        anchor: &Anchor,
        synchronized: Synchronized,
    ) -> Self {
        let video_timescale = parameters.video.timescale;
        let audio_timescale = parameters.audio.as_ref().map(|audio| audio.timescale);
        let basis = match timing {
            Timing::Arrival => {
                let live = Live::new(trusted, video_timescale, audio_timescale, anchor.clone(), synchronized);
                Basis::Arrival(Box::new(live))
            }
            Timing::Media { start, source } => Basis::Media { start, source },
        };
        Self { video_timescale, audio_timescale, basis }
    }

    /// Returns whether the clock can continue with these parameters.
    pub fn fits(&self, parameters: &StreamParameters) -> bool {
        let audio_timescale = parameters.audio.as_ref().map(|audio| audio.timescale);
        (self.video_timescale, self.audio_timescale) == (parameters.video.timescale, audio_timescale)
    }

    /// Adds a sender report, which says that the camera showed `pts` at `ntp`.
    pub fn sender_report(&mut self, pts: i64, ntp: Timestamp) {
        if let Basis::Arrival(live) = &mut self.basis {
            live.sender_report(pts, ntp);
        }
    }

    /// Sets whether the gateway's clock is synchronised.
    pub fn set_synchronized(&mut self, synchronized: Synchronized) {
        if let Basis::Arrival(live) = &mut self.basis {
            live.set_synchronized(synchronized);
        }
    }

    /// Sets whether steps that follow from what the camera sends may take effect from now on.
    pub fn set_stepping(&mut self, stepping: Stepping) {
        if let Basis::Arrival(live) = &mut self.basis {
            live.set_stepping(stepping);
        }
    }

    /// Takes a frame as it arrived. Returns the frames whose times are now known; within a
    /// track, they keep their order.
    ///
    /// The frames of a live session's first second are held back until the clock has settled. Frames after an
    /// implausible timestamp are held back for at most 1.5 s. `anchor` is the gateway's current anchor.
    pub fn push(&mut self, anchor: &Anchor, frame: Frame) -> Vec<Placed> {
        match &mut self.basis {
            Basis::Arrival(live) => live.push(anchor, frame),
            Basis::Media { start, .. } => {
                let timescale = match frame.track {
                    TrackKind::Video => Some(self.video_timescale),
                    TrackKind::Audio => self.audio_timescale,
                };
                let after_us = scale::Scale::new(timescale.unwrap_or(1)).micros(frame.pts);
                vec![Placed { wall: shifted(*start, after_us), frame, origin: Origin::Source, step: None }]
            }
        }
    }

    /// Returns all frames that are held back, with the best times known now.
    pub fn flush(&mut self) -> Vec<Placed> {
        match &mut self.basis {
            Basis::Arrival(live) => live.flush(),
            Basis::Media { .. } => Vec::new(),
        }
    }

    /// Returns the messages since the last call.
    pub fn notes(&mut self) -> Vec<Note> {
        match &mut self.basis {
            Basis::Arrival(live) => live.notes(),
            Basis::Media { .. } => Vec::new(),
        }
    }

    /// Returns the clock information for a chunk's metadata.
    pub fn info(&self) -> ClockInfo {
        match &self.basis {
            Basis::Arrival(live) => live.info(),
            Basis::Media { source, .. } => {
                ClockInfo { source: *source, offset_us: None, uncertainty_us: None, replaced: None, rate_ppm: None }
            }
        }
    }
}

fn shifted(time: Timestamp, by_us: i64) -> Timestamp {
    time.checked_add(SignedDuration::from_micros(by_us)).unwrap_or(time)
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX / 4)
}

#[cfg(test)]
mod tests;
