//! Cameras: the sources of frames.
//!
//! A [`Camera`] can be connected many times; a [`Session`] is one connection. An error within a
//! session ends only that session.

pub mod file;
pub mod nal;
mod open;
pub mod rtsp;
mod sets;

pub use self::open::{Address, Options, open};

use crate::media::{Frame, StreamParameters, Timing, VideoParameters};
use async_trait::async_trait;
use framepost_events::gap::SourceBytes;
use jiff::Timestamp;
use std::path::Path;
use std::time::Duration;

/// The events of a session, in decoding order.
#[derive(Debug, Clone, PartialEq)]
pub enum CameraEvent {
    /// The streams' parameters: the first event, and again whenever they change.
    Parameters(StreamParameters),
    Frame(Frame),
    /// A video frame that cannot be recorded because its parameter sets have not arrived yet.
    Undescribed {
        /// Time at which the frame was complete.
        arrival: Duration,
    },
    /// An RTCP sender report on the video stream: the camera says that it showed `pts` at `ntp`.
    SenderReport {
        /// Presentation time in units of the video stream's timescale.
        pts: i64,
        /// The camera's wall-clock time.
        ntp: Timestamp,
    },
    /// This many packets were lost before the next frame. Frames around them may be incomplete.
    PacketsLost(u64),
    /// A fault in a file, which continues with the next frame.
    Fault(SourceFault),
}

/// A fault at a position in a file that can be read further.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFault {
    /// The consequence for the recording.
    pub cost: FaultCost,
    /// A description for people.
    pub detail: String,
    /// The bytes that could not be read or understood.
    pub bytes: Option<SourceBytes>,
}

/// The consequence of a fault in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultCost {
    /// Pictures between the last frame and the next one are lost.
    Pictures,
    /// No picture is lost, only audio, an index, or a part of a frame that is recorded anyway.
    NoPicture,
    /// No picture is lost, but the times are not continuous, because another recording follows. If nothing
    /// gives its time, it is dated as if it followed immediately.
    Order,
}

/// Returns whether frames can be decoded with these parameters. They cannot if the parameter
/// sets have not arrived yet.
pub(crate) fn describes(video: &VideoParameters) -> bool {
    framepost_media::config::is_complete(video.codec, &video.config)
}

/// Whether a source ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// The source has no end: if it stops, it is lost and will be connected again.
    Live,
    /// The source ends on its own.
    Finite,
}

/// How soon a camera's data must be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// Immediately: nothing else buffers it, or a sender waits for it.
    Prompt,
    /// Within a tenth of a second: the connection buffers it.
    Relaxed,
}

/// One camera of the gateway.
#[async_trait]
pub trait Camera: Send {
    /// Connects to the camera, or opens the file.
    async fn connect(&mut self) -> Result<Box<dyn Session>, CameraError>;

    /// Returns the URL or file without credentials. It becomes the chunk's `Source`.
    fn source(&self) -> String;

    /// Returns whether the source ends on its own.
    fn extent(&self) -> Extent;

    /// Returns the file that it reads, and would read again from its start; `None` for other sources.
    fn file(&self) -> Option<&Path> {
        None
    }

    /// Returns how long it may show nothing new without counting as lost, if that is known.
    fn silence_max(&self) -> Option<Duration> {
        None
    }

    /// Returns how soon its data must be read.
    fn reading(&self) -> Reading {
        Reading::Prompt
    }
}

/// One connection to a camera.
#[async_trait]
pub trait Session: Send {
    /// Returns the next event. Returns `None` at the end of a finite source, or when a
    /// live source closes the session.
    ///
    /// Cancel safe: dropping the future loses nothing.
    async fn next(&mut self) -> Result<Option<CameraEvent>, CameraError>;

    /// Returns how this session's presentation times relate to the wall clock.
    fn timing(&self) -> Timing;

    /// Returns the total number of video frames, if a finite source knows it.
    fn frames_total(&self) -> Option<u64> {
        None
    }
}

/// Why a camera delivers no frames.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CameraError {
    /// The URL or the file cannot be used, now or later.
    #[error("{what}: {problem}")]
    Unusable {
        /// The URL or file, without credentials.
        what: String,
        /// What is wrong, and what to do.
        problem: String,
        /// What the system or a library reported; `None` where this module found the problem itself.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// The file will get longer, so data after its last complete piece must be read later.
    #[error("{what}: {problem}")]
    Unfinished {
        what: String,
        /// The reason for the assumption.
        problem: String,
    },
    /// The camera refused the credentials.
    #[error("{0}: the camera refused the user name or password")]
    Unauthorized(String),
    /// The connection failed or was lost.
    #[error("{what}: {problem}")]
    Lost {
        /// The URL, without credentials.
        what: String,
        problem: String,
        /// What the system or a library reported; `None` where this module found the problem itself.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// The camera exceeded a limit and was stopped. It is connected again later than a camera that was lost.
    #[error("{what}: stopped: {problem}")]
    Excessive {
        /// The URL, without credentials.
        what: String,
        /// What it did, and the limit.
        problem: String,
    },
    /// The camera sent nothing for so long that it counts as lost.
    #[error("{what}: no frame for {silence:?}")]
    Silent {
        /// The URL, without credentials.
        what: String,
        /// Length of the silence.
        silence: std::time::Duration,
    },
}
