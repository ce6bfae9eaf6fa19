//! The record about a playable object.

use super::{Integrity, ObjectRef, RecordType};
use crate::activity::Activity;
use crate::attributes::ClockInfo;
use crate::{Camera, Sha256, Site};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The time and the duration of a recording.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Duration {
    /// Wall-clock time of the first sample; absent if neither metadata, key nor file has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub from: Option<Timestamp>,
    /// Wall-clock time of the end of the last sample.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub to: Option<Timestamp>,
    /// The media's own duration in seconds; absent if neither the file nor its
    /// metadata has it (live recordings).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
}

/// The properties of the picture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Resolution {
    /// Width in pixels, after cropping.
    pub width: u32,
    /// Height in pixels, after cropping.
    pub height: u32,
    /// Number of components of the pixel format: 1 for monochrome, 3 for colour, 4 with alpha.
    pub channels: u8,
    /// Clockwise rotation for display in degrees, 1 to 359; absent without a rotation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotation: Option<u16>,
    /// Whether the picture is mirrored for display, left to right, before the rotation; absent if it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mirrored: Option<bool>,
    /// The pixel shape; absent if it is square, or the container does not specify it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(rename = "pixelAspect")]
    pub pixel_aspect: Option<PixelAspect>,
}

/// The shape of a pixel as a ratio.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PixelAspect {
    /// Relative width of a pixel.
    pub horizontal: u32,
    /// Relative height of a pixel.
    pub vertical: u32,
}

/// The properties of the audio.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Audio {
    /// The codec in the form of RFC 6381.
    pub codec: String,
    /// Number of channels; 0 if the file does not specify it.
    pub channels: u16,
    /// Samples per second; 0 if the file does not specify it.
    pub sample_rate: u32,
}

/// The type of the video container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Container {
    /// ISO BMFF with samples in `moov`.
    Mp4,
    /// ISO BMFF with samples in fragments.
    Fmp4,
    /// Matroska, without WebM's restrictions.
    Matroska,
    /// WebM, a subset of Matroska.
    Webm,
}

/// `io.framepost.chunk.probed.v1`: a playable object and its contents.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChunkProbed {
    /// The site, if the key has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<Site>,
    /// The camera, if the key has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub camera: Option<Camera>,
    /// The time and the duration of a recording.
    pub duration: Duration,
    /// The properties of the picture.
    pub resolution: Resolution,
    /// A link to the object's bytes.
    pub media_link: String,
    /// The video codec in the form of RFC 6381.
    pub codec: String,
    /// Frames per second; absent if the container's head does not specify it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frame_rate: Option<f64>,
    /// The properties of the audio, if there is any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audio: Option<Audio>,
    /// The type of the container.
    pub container: Container,
    /// Size of the object in bytes.
    pub size_bytes: u64,
    /// Length of the initialization segment (`ftyp`, `moov`) in bytes, after which the media begins; only for fragmented MP4.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub init_bytes: Option<u64>,
    /// Offset of the end of the last fragment, before the `mfra`; only for fragmented MP4, and absent if it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_end: Option<u64>,
    /// Units per second of the video's times; only for MP4.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timescale: Option<u32>,
    /// The SHA-256 of the sample descriptions (`stsd`) of video and then audio; only for MP4. Chunks of a camera with the same
    /// timescale and digest play with one initialization segment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample_entry_digest: Option<Sha256>,
    /// How much happens, as the gateway measured it; absent if the gateway could not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activity: Option<Activity>,
    /// The object that the record is about.
    pub object: ObjectRef,
    /// Whether the chunk starts with a random access frame, according to the gateway. If not, the chunk
    /// continues the one before it in its span. For objects of other writers, the container says
    /// it; absent if it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts_with_random_access: Option<bool>,
    /// The source of the times, according to the gateway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock: Option<ClockInfo>,
    /// Whether the object is what its writer wrote.
    pub integrity: Integrity,
}

impl RecordType for ChunkProbed {
    const TYPE: &'static str = "io.framepost.chunk.probed.v1";
    const FUNCTION: &'static str = "probe";
    const MESSAGE: &'static str = "chunk probed";
    const NOT_LOGGED: &'static [&'static str] =
        &["clock", "sampleEntryDigest", "integrity.chain.previous", "integrity.chain.manifest"];

    fn site(&self) -> Option<&Site> {
        self.site.as_ref()
    }

    fn size_bytes(&self) -> Option<u64> {
        Some(self.size_bytes)
    }

    fn times(&mut self) -> Vec<&mut Timestamp> {
        self.duration.from.iter_mut().chain(self.duration.to.as_mut()).collect()
    }

    /// Formats the clock as in the metadata.
    fn logged_besides(&self) -> Vec<(&'static str, Value)> {
        self.clock.iter().map(|clock| ("clock", clock.to_string().into())).collect()
    }
}
