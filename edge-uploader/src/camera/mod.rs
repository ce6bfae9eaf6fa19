//! Cameras: where frames come from.
//!
//! A [`Camera`] can be connected again and again; a [`Session`] is one connection. What goes wrong inside one session
//! ends that session and nothing else.

mod config;
pub mod file;
pub mod nal;
mod open;
pub mod rtsp;
mod sei;
mod sets;

pub use self::open::{Options, open};

use crate::media::{Frame, StreamParameters, VideoParameters};
use async_trait::async_trait;
use framepost_events::gap::SourceBytes;
use jiff::Timestamp;
use std::path::Path;
use std::time::Duration;

/// What a session tells, in decoding order.
#[derive(Debug, Clone, PartialEq)]
pub enum CameraEvent {
    /// The streams' parameters: first of all, and again whenever they change.
    Parameters(StreamParameters),
    /// A frame.
    Frame(Frame),
    /// A video frame that cannot be recorded: its parameter sets have not come yet.
    Undescribed {
        /// When it was complete, as of a frame.
        arrival: Duration,
    },
    /// An RTCP sender report on the video stream: the camera says that it showed `pts` at `ntp`.
    SenderReport {
        /// Presentation time, in units of the video stream's timescale.
        pts: i64,
        /// The camera's wall clock.
        ntp: Timestamp,
    },
    /// Packets were lost before the next frame; the frames around them may be incomplete.
    PacketsLost(u64),
    /// Something is wrong with a file here, and it goes on with the next frame.
    Fault(SourceFault),
}

/// What is wrong at a place of a file that goes on behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFault {
    /// What it costs.
    pub cost: FaultCost,
    /// What was found, for people.
    pub detail: String,
    /// The bytes that could not be read, or made no sense.
    pub bytes: Option<SourceBytes>,
}

/// What a fault in a file costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultCost {
    /// Pictures between the last frame and the next.
    Pictures,
    /// No picture: sound, an index, or a frame that is recorded as it is.
    NoPicture,
    /// No picture, but the times do not go on: what follows is another recording, or was one. It is dated as if it followed
    /// at once, where nothing says when it was.
    Order,
}

/// Whether frames can be decoded by these parameters: not where the parameter sets are yet to come.
pub(crate) fn describes(video: &VideoParameters) -> bool {
    config::is_complete(video.codec, &video.config)
}

/// How a source ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// It has no end: when it stops, it is lost, and is connected again.
    Live,
    /// It ends by itself.
    Finite,
}

/// How soon what a camera sends has to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// At once: nobody else keeps it, or somebody waits for its place.
    Prompt,
    /// A tenth of a second later will do: the connection keeps it.
    Relaxed,
}

/// Whether times are those of arrival or those of the media.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Timing {
    /// Frames arrive as they happen: their arrival gives the wall clock.
    Arrival,
    /// The first frame happened at this time, and the others follow by their presentation times.
    Media {
        /// The wall clock of presentation time 0 as the session counts it (the smallest `pts` of the first session).
        start: Timestamp,
        /// Who says so.
        source: framepost_events::attributes::ClockSource,
    },
}

/// One camera of the gateway.
#[async_trait]
pub trait Camera: Send {
    /// Connects, or opens.
    async fn connect(&mut self) -> Result<Box<dyn Session>, CameraError>;

    /// The URL or file, without credentials; becomes the chunk's `Source`.
    fn source(&self) -> String;

    /// Whether it ends by itself.
    fn extent(&self) -> Extent;

    /// The file that it reads, and would read again from its start; `None` for everything else.
    fn file(&self) -> Option<&Path> {
        None
    }

    /// For how long it may show nothing new without being taken for dead, where that is known.
    fn silence_max(&self) -> Option<Duration> {
        None
    }

    /// How soon what it sends has to be read.
    fn reading(&self) -> Reading {
        Reading::Prompt
    }
}

/// One connection to a camera.
#[async_trait]
pub trait Session: Send {
    /// The next event; `None` at the end of a finite source, or when a live one says goodbye.
    ///
    /// Cancel safe: dropping the future loses nothing.
    async fn next(&mut self) -> Result<Option<CameraEvent>, CameraError>;

    /// How the times of this session's frames relate to the wall clock.
    fn timing(&self) -> Timing;

    /// How many video frames there are in all, where a finite source knows.
    fn frames_total(&self) -> Option<u64> {
        None
    }
}

/// Why a camera gives nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CameraError {
    /// The URL or the file is not one that can be used: it will not work later either.
    #[error("{what}: {problem}")]
    Unusable {
        /// The URL or file, without credentials.
        what: String,
        /// What is wrong, and what to do.
        problem: String,
        /// The library's own words.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// A file that will get longer, or that more is to come of: what is behind its last whole piece is for another time.
    #[error("{what}: {problem}")]
    Unfinished {
        /// The file.
        what: String,
        /// What was seen.
        problem: String,
    },
    /// The camera refused the credentials.
    #[error("{0}: the camera refused the user name or password")]
    Unauthorized(String),
    /// The connection failed or broke.
    #[error("{what}: {problem}")]
    Lost {
        /// The URL, without credentials.
        what: String,
        /// What happened.
        problem: String,
        /// The library's own words.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// The camera went beyond what a camera may make this program hold or do, and was stopped. It is not asked again as soon as
    /// one that was lost.
    #[error("{what}: stopped: {problem}")]
    Excessive {
        /// The URL, without credentials.
        what: String,
        /// What it did, and the limit.
        problem: String,
    },
    /// Nothing came for so long that the camera is taken for dead.
    #[error("{what}: no frame for {silence:?}")]
    Silent {
        /// The URL, without credentials.
        what: String,
        /// For how long.
        silence: std::time::Duration,
    },
}
