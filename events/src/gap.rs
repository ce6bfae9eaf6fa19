//! Gaps: intervals without video, each with its cause. A gap's object holds the [`Gap`] as JSON.

use crate::{Camera, Error, KeyKind, ObjectKey, Site};
use jiff::Timestamp;

/// Why there is no video.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum GapCause {
    /// The camera could not be reached, or its stream ended or fell silent.
    CameraLost,
    /// The gateway program was not running.
    NotRunning,
    /// The disk was slower than the camera: whole groups of pictures were dropped before they were written.
    ReceiverOverrun,
    /// The spool was full: whole chunks were dropped, oldest first.
    SpoolFull,
    /// The spool could not be written: the disk is full for other reasons, or broken.
    SpoolFailed,
    /// The camera's time or the gateway's made a jump.
    ClockJump,
    /// A part of the source file is damaged, and what it held could not be read.
    SourceDamaged,
    /// The source file is whole and has no pictures for this time: its recorder paused.
    NotInSource,
}

/// Bytes of a source file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct SourceBytes {
    /// The first byte's offset in the file.
    pub start: u64,
    /// The offset behind the last byte.
    pub end: u64,
}

/// An interval with no video.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Gap {
    /// The site whose camera it is.
    pub site: Site,
    /// The camera.
    pub camera: Camera,
    /// The end of the last sample before the gap.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub from: Timestamp,
    /// The first sample after it.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub to: Timestamp,
    /// Why.
    pub cause: GapCause,
    /// In the words of whoever noticed: the transport's error, the quota.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Frames that were received and dropped, where they were counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frames_dropped: Option<u64>,
    /// Closed chunks that were dropped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chunks_dropped: Option<u64>,
    /// The damaged part of the source file that the frames are lost by; all of it, where several lie in one gap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_bytes: Option<SourceBytes>,
}

/// The content type of a gap's object.
pub const GAP_CONTENT_TYPE: &str = "application/json";

impl Gap {
    /// Where the gap's object lies. `counter` tells gaps with the same start apart.
    pub fn key(&self, counter: u64) -> ObjectKey {
        ObjectKey::new(self.site.clone(), self.camera.clone(), self.from, counter, KeyKind::Gap)
    }

    /// The object's bytes.
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Reads a gap's object.
    pub fn from_json(bytes: &[u8]) -> Result<Self, Error> {
        serde_json::from_slice(bytes).map_err(|error| Error::Event(format!("not a gap: {error}")))
    }
}
