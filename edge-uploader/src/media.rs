//! The output of a camera: stream parameters and frames.

pub use framepost_media::VideoCodec;
pub use framepost_media::matrix::{DisplayMatrix, Mirrored};

use bytes::Bytes;
use framepost_events::attributes::ClockSource;
use jiff::Timestamp;
use std::time::Duration;

/// The stream that a frame belongs to. A camera has one video stream and at most one audio stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TrackKind {
    Video,
    Audio,
}

/// The source of wall-clock times.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Timing {
    /// Frames arrive as they happen, so their arrival determines the wall-clock time.
    Arrival,
    /// The first frame happened at this time, and the others follow by their presentation times.
    Media {
        /// Wall-clock time of presentation time 0 in this session (the smallest `pts` of the first session).
        start: Timestamp,
        /// Where the start time comes from.
        source: ClockSource,
    },
}

/// The parameters of a video stream. A change of any of them ends the span.
#[derive(Debug, Clone, PartialEq)]
pub struct VideoParameters {
    pub codec: VideoCodec,
    /// The decoder configuration record (ISO/IEC 14496-15): the body of `avcC` or `hvcC`.
    pub config: Bytes,
    /// RFC 6381 codec string: `avc1.64001F`, `hvc1.1.6.L120.90`.
    pub rfc6381: String,
    /// Width in pixels, after cropping.
    pub width: u16,
    /// Height in pixels, after cropping.
    pub height: u16,
    /// The sample aspect ratio, width to height, if it is not 1:1.
    pub pixel_aspect: Option<(u32, u32)>,
    /// The display matrix of the source.
    pub matrix: DisplayMatrix,
    /// Units per second of the frames' `pts`.
    pub timescale: u32,
}

/// The parameters of an AAC stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AudioParameters {
    /// The AudioSpecificConfig (ISO/IEC 14496-3).
    pub config: Bytes,
    /// RFC 6381 codec string: `mp4a.40.2`.
    pub rfc6381: String,
    /// Channels of the decoded audio.
    pub channels: u16,
    /// Samples per second and channel of the decoded audio.
    pub sample_rate: u32,
    /// Units per second of the frames' `pts`.
    pub timescale: u32,
}

/// The parameters of all streams of a camera.
#[derive(Debug, Clone, PartialEq)]
pub struct StreamParameters {
    pub video: VideoParameters,
    /// The audio stream, if there is one that can be recorded.
    pub audio: Option<AudioParameters>,
}

/// How other frames depend on a frame. [`Reference::is_random_access`] says whether decoding can begin there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reference {
    /// Decoding can begin here, and this picture is complete: IDR, an IRAP picture of H.265 (IDR, CRA, BLA), or
    /// a recovery point that names this very picture. Also every audio frame.
    RandomAccess,
    /// Decoding can begin here, and pictures are complete some frames later: a recovery point of a gradual
    /// refresh. It refers to earlier frames, and later frames refer to it.
    Refresh,
    /// Other frames refer to it, or may do so.
    Needed,
    /// No other frame refers to it, so it can be left out without harm.
    Disposable,
}

impl Reference {
    /// Returns whether a decoder can begin at the frame. A chunk that starts with it does
    /// not need the chunk before.
    pub fn is_random_access(self) -> bool {
        matches!(self, Self::RandomAccess | Self::Refresh)
    }
}

/// One coded access unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    pub track: TrackKind,
    /// Presentation time in units of the stream's timescale. It starts anywhere and never wraps.
    pub pts: i64,
    /// Display duration in the same units, if the source gives it: files do, RTP does not.
    pub duration: Option<u32>,
    /// Whether decoding can begin here.
    pub reference: Reference,
    /// Time at which the frame was complete, on the gateway's
    /// monotonic clock ([`framepost_ports::Clock::monotonic`]).
    pub arrival: Duration,
    /// The access unit as a sample of the file format: NAL units with 4-byte lengths, or a raw AAC frame.
    pub data: Bytes,
}
