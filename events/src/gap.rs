//! Gaps: intervals without video, each with its cause. A gap's object contains the [`Gap`] as JSON.

use crate::{Camera, Error, KeyKind, ObjectKey, Site};
use jiff::Timestamp;

/// Why there is no video for a while.
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
    /// The spool could not be written: the disk was full for other reasons, or broken.
    SpoolFailed,
    /// The time of the camera or of the gateway jumped.
    ClockJump,
    /// A part of the source file is damaged, and its contents could not be read.
    SourceDamaged,
    /// The source file is intact and has no pictures for this time: its recorder paused.
    NotInSource,
}

/// A range of bytes in a source file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct SourceBytes {
    /// The first byte's offset in the file.
    pub start: u64,
    /// The offset after the last byte.
    pub end: u64,
}

/// An interval without video.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Gap {
    /// The site of the camera.
    pub site: Site,
    /// The name of the camera.
    pub camera: Camera,
    /// The end of the last sample before the gap.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub from: Timestamp,
    /// The first sample after the gap.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub to: Timestamp,
    /// Why there is no video in it.
    pub cause: GapCause,
    /// The error message of the component that noticed the gap, or the quota.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Number of frames that were received and dropped, if counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frames_dropped: Option<u64>,
    /// Number of closed chunks that were dropped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chunks_dropped: Option<u64>,
    /// The damaged range of the source file; covers all ranges if there are several in one gap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_bytes: Option<SourceBytes>,
}

/// The content type of a gap's object.
pub const GAP_CONTENT_TYPE: &str = "application/json";

impl Gap {
    /// Returns the key of the gap's object. `counter` distinguishes gaps with the same start.
    pub fn key(&self, counter: u64) -> ObjectKey {
        ObjectKey::new(self.site.clone(), self.camera.clone(), self.from, counter, KeyKind::Gap)
    }

    /// Returns the bytes of the gap's object.
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Parses a gap's object.
    pub fn from_json(bytes: &[u8]) -> Result<Self, Error> {
        serde_json::from_slice(bytes).map_err(|error| Error::Event(format!("not a gap: {error}")))
    }
}
