//! The record about an object that downstream functions must ignore.

use super::{ObjectRef, RecordType, Severity};
use crate::{Camera, ObjectFinalized, ObjectKey, Site};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `io.framepost.object.rejected.v1`: an object that downstream functions must ignore.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ObjectRejected {
    /// The reason as a stable word, for counting and alarms.
    pub reason: RejectReason,
    /// The reason as text for people.
    pub detail: String,
    /// The site, if the key has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<Site>,
    /// The camera, if the key has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub camera: Option<Camera>,
    /// The object's size in bytes, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size_bytes: Option<u64>,
    /// The object that the record is about.
    pub object: ObjectRef,
}

impl ObjectRejected {
    /// Creates the record for the event's object, with the site and the camera of its key.
    pub fn new(reason: RejectReason, detail: impl Into<String>, event: &ObjectFinalized) -> Self {
        let key = event.key.parse::<ObjectKey>().ok();
        let (site, camera) = key.map(|key| (key.site, key.camera)).unwrap_or_default();
        Self { reason, detail: detail.into(), site, camera, size_bytes: event.size, object: event.into() }
    }
}

/// Why an object was rejected. The words are stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RejectReason {
    /// The object has no bytes, and is not a span end.
    Empty,
    /// The object does not begin like a known container.
    NotMedia,
    /// The object ends before the part that describes its contents.
    Truncated,
    /// The structure of the container is inconsistent.
    Malformed,
    /// Parsing would exceed a limit: boxes too large, too many, or too deep.
    TooComplex,
    /// The video is encrypted.
    Encrypted,
    /// The container has no video track.
    NoVideo,
    /// The codec of the video track is unknown.
    UnsupportedCodec,
    /// The contents of a gap's object are invalid.
    BadGap,
    /// A gateway's report that is not one.
    BadReport,
}

impl RecordType for ObjectRejected {
    const TYPE: &'static str = "io.framepost.object.rejected.v1";
    const FUNCTION: &'static str = "probe";
    const MESSAGE: &'static str = "object rejected";
    const SEVERITY: Severity = Severity::Warning;

    fn site(&self) -> Option<&Site> {
        self.site.as_ref()
    }

    fn size_bytes(&self) -> Option<u64> {
        self.size_bytes
    }

    fn times(&mut self) -> Vec<&mut Timestamp> {
        vec![]
    }
}
