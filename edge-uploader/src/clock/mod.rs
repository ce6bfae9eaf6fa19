//! Which wall-clock time a presentation time is.
//!
//! Cameras lie about time, and networks delay. So a live frame's wall clock is the *gateway's*: its monotonic clock,
//! anchored to UTC ([`Anchor`]), at the moment the frame would have arrived with the least delay seen
//! ([`ArrivalClock`]). Corrections of either are slewed, at most [`SLEW_PPM`], so recorded time runs smoothly. RTCP sender
//! reports are kept beside it as an offset, and take its place when the operator says that the camera's clock is to be
//! trusted ([`reports`]).
//!
//! **A frame that arrived whole is stored, whatever its time says.** A live frame's presentation time is used where it is
//! plausible, to the tick, and replaced where it is not: [`pictures`] and [`sound`] say how. What can be neither replaced nor
//! slewed (the system clock was set, the trusted camera's clock was, a camera slept) is a [`Step`]: it takes effect at the next
//! random access frame, or after [`STEP_WAIT`] without one, where the recorder begins a new span. Until then frames go on by the old
//! clock.
//!
//! The times of a file are the file's: nothing of this touches them.

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
pub use synchronized::{Synchronized, gateway_synchronized};

use self::live::Live;
use crate::camera::Timing;
use crate::media::{Frame, StreamParameters, TrackKind};
use framepost_events::attributes::{ClockInfo, ClockSource};
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// The fastest correction, in microseconds a second.
pub const SLEW_PPM: i64 = 500;

/// What is further off than this is not slewed.
pub const JUMP_US: i64 = 1_000_000;

/// So long a step waits for a random access frame.
pub const STEP_WAIT: Duration = Duration::from_secs(10);

/// Whose clock the operator trusts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TrustedClock {
    /// The gateway's.
    #[default]
    Gateway,
    /// The camera's, by its RTCP sender reports; the gateway's until the first plausible one.
    Camera,
}

/// Who says what a frame's time is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The camera or the file.
    Source,
    /// What it said could not be; its arrival.
    Arrival,
}

/// A step of the wall clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Whose.
    pub cause: StepCause,
    /// The new time minus the old one, in microseconds.
    pub by_us: i64,
}

/// Why the wall clock made a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepCause {
    /// The system clock of the gateway was set.
    Gateway,
    /// The trusted camera's clock says something else than the clock in use.
    Camera,
    /// Frames come later or earlier than the media clock makes it possible, and it lasts.
    Media,
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let by_ms = self.by_us / 1_000;
        match self.cause {
            StepCause::Gateway => write!(f, "the gateway's clock was set by {by_ms} ms"),
            StepCause::Camera => write!(f, "the camera's clock, which is trusted, is {by_ms} ms from the time before"),
            StepCause::Media => write!(f, "the camera's times were {by_ms} ms behind their arrival"),
        }
    }
}

/// What is to be told of a camera's clock.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Note {
    /// The times of the camera jumped by so many microseconds, for good, and go on without it.
    Stepped {
        /// The new times minus those that were due.
        by_us: i64,
    },
    /// The media clock runs so fast against the wall clock (1 is right), and is scaled.
    Rate(f64),
    /// The times of the camera make no sense: pictures are as far apart as they come.
    ByArrival,
    /// A sender report of the trusted camera is not plausible: it is so many microseconds from the gateway's clock.
    ReportRefused {
        /// The report minus the gateway's clock.
        off_us: i64,
    },
}

/// A frame that has its time.
#[derive(Debug, Clone, PartialEq)]
pub struct Placed {
    /// The frame; its `pts` is the time that is recorded.
    pub frame: Frame,
    /// The wall clock of it.
    pub wall: Timestamp,
    /// Who says so.
    pub origin: Origin,
    /// The wall clock made a step before it: a new span begins with it.
    pub step: Option<Step>,
}

/// The wall clock of one session of one camera. No I/O: frames, reports and arrivals in, frames with times out.
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
    /// The clock of a session.
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

    /// Whether the clock can go on with these parameters.
    pub fn fits(&self, parameters: &StreamParameters) -> bool {
        let audio_timescale = parameters.audio.as_ref().map(|audio| audio.timescale);
        (self.video_timescale, self.audio_timescale) == (parameters.video.timescale, audio_timescale)
    }

    /// A sender report: the camera showed `pts` at `ntp`.
    pub fn sender_report(&mut self, pts: i64, ntp: Timestamp) {
        if let Basis::Arrival(live) = &mut self.basis {
            live.sender_report(pts, ntp);
        }
    }

    /// Whether the gateway's clock is synchronised, as far as is known now.
    pub fn set_synchronized(&mut self, synchronized: Synchronized) {
        if let Basis::Arrival(live) = &mut self.basis {
            live.set_synchronized(synchronized);
        }
    }

    /// Takes a frame as it came; gives those whose time is known now, in the order in which those of a track came.
    ///
    /// The frames of a live session's first second are held back until its clock has settled, and for a second and a half
    /// at most those behind an implausible time. `anchor` is the gateway's as it is now.
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

    /// The frames that were held back, as far as can be told now.
    pub fn flush(&mut self) -> Vec<Placed> {
        match &mut self.basis {
            Basis::Arrival(live) => live.flush(),
            Basis::Media { .. } => Vec::new(),
        }
    }

    /// What is to be told since the last time it was asked.
    pub fn notes(&mut self) -> Vec<Note> {
        match &mut self.basis {
            Basis::Arrival(live) => live.notes(),
            Basis::Media { .. } => Vec::new(),
        }
    }

    /// What a chunk says of its clock.
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
