//! Parameter sets (SPS, PPS, and H.265's VPS) within the frames.
//!
//! A container normally has them once. `avc3` and `hev1` (ISO/IEC 14496-15) leave them out, and a recorder that
//! copies a camera's stream continues when the camera changes its resolution. Therefore each random access
//! frame's own sets take precedence over those of the container. If the container has none, the first sets in
//! any frame are used, because a stream may have no random access frame at all.

use super::nal::{self, Referencing, units};
use crate::media::{DisplayMatrix, Reference, VideoCodec, VideoParameters};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use framepost_media::config;
use retina::codec::{Depacketizer, ParametersRef, VideoParametersCodec};

/// The parameters of a video track, updated from frame to frame.
pub(super) struct InForce {
    parameters: VideoParameters,
    referencing: Referencing,
    complete: bool,
}

/// A random access frame without known parameter sets.
#[derive(Debug)]
pub(super) struct Undescribed;

impl InForce {
    /// Starts with the parameters from the container.
    pub(super) fn new(parameters: VideoParameters) -> Self {
        let referencing = Referencing::new(parameters.codec, &parameters.config);
        let complete = config::is_complete(parameters.codec, &parameters.config);
        Self { parameters, referencing, complete }
    }

    /// Returns how other frames depend on the next frame, which has 4-byte lengths, and the parameters
    /// if they change with it.
    pub(super) fn see(&mut self, frame: &[u8]) -> Result<(Reference, Option<&VideoParameters>), Undescribed> {
        let reference = self.referencing.of(frame);
        if !reference.is_random_access() && self.complete {
            return Ok((reference, None));
        }
        match changed(&self.parameters, frame) {
            Some(parameters) => {
                *self = Self::new(parameters);
                Ok((reference, Some(&self.parameters)))
            }
            None if self.complete || !reference.is_random_access() => Ok((reference, None)),
            None => Err(Undescribed),
        }
    }
}

/// Returns the parameters from a random access frame on, if its own sets differ from the current ones. Sets
/// that cannot be parsed change nothing.
fn changed(before: &VideoParameters, frame: &[u8]) -> Option<VideoParameters> {
    let sets = Sets::first_of(before.codec, || units(frame))?;
    if config::sets(before.codec, &before.config).contains(&sets.sequence) {
        return None;
    }
    let parameters = read(before.codec, &sets, before.timescale)?;
    // Keep what only the container specifies.
    let pixel_aspect = parameters.pixel_aspect.or(before.pixel_aspect);
    let parameters = VideoParameters { matrix: before.matrix, pixel_aspect, ..parameters };
    (parameters != *before).then_some(parameters)
}

/// Reads picture size and pixel shape from the first sets in a decoder configuration record (the VUI parameters
/// of the SPS, H.264 and H.265 Table E-1). Returns `None` if they are missing or cannot be parsed.
pub(super) fn told_by(codec: VideoCodec, record: &[u8], timescale: u32) -> Option<VideoParameters> {
    let sets = config::sets(codec, record);
    read(codec, &Sets::first_of(codec, || sets.iter().copied())?, timescale)
}

/// Parses the sets with retina, in the form of a session description.
fn read(codec: VideoCodec, sets: &Sets<'_>, timescale: u32) -> Option<VideoParameters> {
    let (encoding, description) = match codec {
        VideoCodec::H264 => {
            let sets = [sets.sequence, sets.picture].map(|set| STANDARD.encode(set)).join(",");
            ("h264", format!("sprop-parameter-sets={sets}"))
        }
        VideoCodec::H265 => {
            let [vps, sps, pps] = [sets.video?, sets.sequence, sets.picture].map(|set| STANDARD.encode(set));
            ("h265", format!("sprop-vps={vps};sprop-sps={sps};sprop-pps={pps}"))
        }
    };
    let reader = Depacketizer::new("video", encoding, 90_000, None, Some(&description)).ok()?;
    let Some(ParametersRef::Video(video)) = reader.parameters() else { return None };
    described(video, timescale)
}

/// Converts retina's parameters to ours.
pub(super) fn described(video: &retina::codec::VideoParameters, timescale: u32) -> Option<VideoParameters> {
    let codec = match video.codec_params() {
        VideoParametersCodec::H264 { .. } => VideoCodec::H264,
        VideoParametersCodec::H265 { .. } => VideoCodec::H265,
        _ => return None,
    };
    let (width, height) = video.pixel_dimensions();
    Some(VideoParameters {
        codec,
        config: Bytes::copy_from_slice(video.extra_data()),
        rfc6381: video.rfc6381_codec().to_owned(),
        width: u16::try_from(width).ok()?,
        height: u16::try_from(height).ok()?,
        pixel_aspect: video.pixel_aspect_ratio().filter(|(across, down)| across != down && *across > 0 && *down > 0),
        matrix: DisplayMatrix::IDENTITY,
        timescale,
    })
}

/// The first sets of each kind in a frame.
struct Sets<'a> {
    video: Option<&'a [u8]>,
    sequence: &'a [u8],
    picture: &'a [u8],
}

impl<'a> Sets<'a> {
    /// Finds the first set of each kind among NAL units.
    fn first_of<I: Iterator<Item = &'a [u8]>>(codec: VideoCodec, all: impl Fn() -> I) -> Option<Self> {
        let first = |kind| all().find(|unit| nal::kind(codec, unit) == Some(kind));
        Some(match codec {
            VideoCodec::H264 => Self { video: None, sequence: first(7)?, picture: first(8)? },
            VideoCodec::H265 => Self { video: first(32), sequence: first(33)?, picture: first(34)? },
        })
    }
}
