//! What a camera gives: the parameters of its streams, and frames.

use bytes::Bytes;
use std::time::Duration;

/// Which stream a frame belongs to. A camera has one video stream and at most one audio stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TrackKind {
    /// The video stream.
    Video,
    /// The audio stream.
    Audio,
}

/// The video codecs that are recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VideoCodec {
    /// ITU-T H.264.
    H264,
    /// ITU-T H.265.
    H265,
}

/// The parameters of a video stream. A change of any of them closes the span.
#[derive(Debug, Clone, PartialEq)]
pub struct VideoParameters {
    /// The codec.
    pub codec: VideoCodec,
    /// The decoder configuration record (ISO/IEC 14496-15): the body of `avcC` or `hvcC`.
    pub config: Bytes,
    /// RFC 6381: `avc1.64001F`, `hvc1.1.6.L120.90`.
    pub rfc6381: String,
    /// Pixels, after cropping.
    pub width: u16,
    /// Pixels, after cropping.
    pub height: u16,
    /// The sample aspect ratio, width to height, where it is not 1:1.
    pub pixel_aspect: Option<(u32, u32)>,
    /// Units a second of the frames' `pts`.
    pub timescale: u32,
}

/// The parameters of an AAC stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AudioParameters {
    /// The AudioSpecificConfig (ISO/IEC 14496-3).
    pub config: Bytes,
    /// RFC 6381: `mp4a.40.2`.
    pub rfc6381: String,
    /// Channels.
    pub channels: u16,
    /// Samples a second.
    pub sample_rate: u32,
    /// Units a second of the frames' `pts`.
    pub timescale: u32,
}

/// The parameters of all of a camera's streams.
#[derive(Debug, Clone, PartialEq)]
pub struct StreamParameters {
    /// The video stream.
    pub video: VideoParameters,
    /// The audio stream, if there is one that can be recorded.
    pub audio: Option<AudioParameters>,
}

/// What a frame is to the frames around it. Ask [`Reference::is_random_access`] whether decoding can begin there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reference {
    /// Decoding can begin here, and this picture is whole at once: IDR, an IRAP picture of H.265 (IDR, CRA, BLA), or a
    /// recovery point that names this very picture. Every audio frame.
    RandomAccess,
    /// Decoding can begin here, and pictures are whole some frames later: a recovery point of a gradual refresh. It refers
    /// to frames before it, and those after it refer to it.
    Refresh,
    /// Other frames refer to it, or may.
    Needed,
    /// Nothing refers to it: it can be left out without harm to any other frame.
    Disposable,
}

impl Reference {
    /// Whether a decoder can begin at the frame: a chunk that starts with it needs no chunk before it.
    pub fn is_random_access(self) -> bool {
        matches!(self, Self::RandomAccess | Self::Refresh)
    }
}

/// One coded access unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Its stream.
    pub track: TrackKind,
    /// Presentation time in units of its stream's timescale; starts anywhere, never wraps.
    pub pts: i64,
    /// How long it is shown, in the same units, where the source says so (files do, RTP does not).
    pub duration: Option<u32>,
    /// Whether decoding can begin here.
    pub reference: Reference,
    /// When it was complete, on the gateway's monotonic clock ([`framepost_ports::Clock::monotonic`]).
    pub arrival: Duration,
    /// The access unit as a sample of the file format: NAL units with 4-byte lengths, or a raw AAC frame.
    pub data: Bytes,
}
