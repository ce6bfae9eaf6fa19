//! An object that nothing downstream should touch.

use super::{ObjectRef, RecordType, Severity};
use crate::{Camera, ObjectFinalized, ObjectKey, Site};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `io.framepost.object.rejected.v1`: an object that nothing downstream should touch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ObjectRejected {
    /// Why; stable, for counting and alarms.
    pub reason: RejectReason,
    /// Why, for people.
    pub detail: String,
    /// The site, where the key names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<Site>,
    /// The camera, where the key names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub camera: Option<Camera>,
    /// The object's size, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size_bytes: Option<u64>,
    /// The object.
    pub object: ObjectRef,
}

impl ObjectRejected {
    /// The reject of the event's object; site and camera are the key's.
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
    /// No bytes, and not a span end.
    Empty,
    /// The bytes begin like no container that is known.
    NotMedia,
    /// The object ends before the part that says what it holds.
    Truncated,
    /// The structure contradicts itself.
    Malformed,
    /// Reading on would go beyond a limit: boxes too large, too many, or too deep.
    TooComplex,
    /// The video is encrypted.
    Encrypted,
    /// There is no video track.
    NoVideo,
    /// There is a video track whose codec is not known.
    UnsupportedCodec,
    /// A gap object that is not one.
    BadGap,
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
