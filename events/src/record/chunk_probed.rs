//! A playable object and what it holds.

use super::{Integrity, ObjectRef, RecordType};
use crate::attributes::ClockInfo;
use crate::{Camera, Site};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// When, and for how long.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Duration {
    /// Wall clock of the first sample; absent where neither metadata, key nor file says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub from: Option<Timestamp>,
    /// Wall clock of the end of the last sample.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub to: Option<Timestamp>,
    /// The media's own duration, in seconds; absent where neither the file nor its metadata says it (live recordings).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
}

/// The picture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Resolution {
    /// Pixels, after cropping.
    pub width: u32,
    /// Pixels, after cropping.
    pub height: u32,
    /// Components of the pixel format: 1 for monochrome, 3 for colour, 4 with alpha.
    pub channels: u8,
    /// By how many degrees clockwise, 1 to 359, a player turns the picture; absent where it shows it as it is coded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotation: Option<u16>,
    /// Whether a player mirrors the picture, left to right, before it turns it; absent where it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mirrored: Option<bool>,
    /// The shape of a pixel; absent where it is square, or the container does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(rename = "pixelAspect")]
    pub pixel_aspect: Option<PixelAspect>,
}

/// The shape of a pixel as a proportion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PixelAspect {
    /// Its width.
    pub horizontal: u32,
    /// Its height.
    pub vertical: u32,
}

/// The sound.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Audio {
    /// RFC 6381.
    pub codec: String,
    /// Channels; 0 where the file does not say.
    pub channels: u16,
    /// Samples a second; 0 where the file does not say.
    pub sample_rate: u32,
}

/// The video container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Container {
    /// ISO BMFF with samples in `moov`.
    Mp4,
    /// ISO BMFF in fragments.
    Fmp4,
    /// Matroska.
    Matroska,
    /// `WebM`.
    Webm,
}

/// `io.framepost.chunk.probed.v1`: a playable object and what it holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChunkProbed {
    /// The site, where the key names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<Site>,
    /// The camera, where the key names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub camera: Option<Camera>,
    /// When, and for how long.
    pub duration: Duration,
    /// The picture.
    pub resolution: Resolution,
    /// Where the bytes can be had.
    pub media_link: String,
    /// The video codec, RFC 6381.
    pub codec: String,
    /// Frames a second; absent where the container's head does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frame_rate: Option<f64>,
    /// The sound, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audio: Option<Audio>,
    /// The container.
    pub container: Container,
    /// The object's size.
    pub size_bytes: u64,
    /// The object.
    pub object: ObjectRef,
    /// Whether the first frame is one that decoding can start at, as the gateway said. Where it is not, the chunk continues
    /// the one before it in its span. Absent for objects that are not a gateway's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts_with_random_access: Option<bool>,
    /// Where the times come from, as the gateway said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock: Option<ClockInfo>,
    /// Whether the object is what its writer wrote.
    pub integrity: Integrity,
}

impl RecordType for ChunkProbed {
    const TYPE: &'static str = "io.framepost.chunk.probed.v1";
    const FUNCTION: &'static str = "probe";
    const MESSAGE: &'static str = "chunk probed";
    const NOT_LOGGED: &'static [&'static str] = &["clock", "integrity.chain.previous", "integrity.chain.manifest"];

    fn site(&self) -> Option<&Site> {
        self.site.as_ref()
    }

    fn size_bytes(&self) -> Option<u64> {
        Some(self.size_bytes)
    }

    fn times(&mut self) -> Vec<&mut Timestamp> {
        self.duration.from.iter_mut().chain(self.duration.to.as_mut()).collect()
    }

    /// The clock in the words of the metadata.
    fn logged_besides(&self) -> Vec<(&'static str, Value)> {
        self.clock.iter().map(|clock| ("clock", clock.to_string().into())).collect()
    }
}
