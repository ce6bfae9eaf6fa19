//! The end of an unbroken run of recording.

use super::{Integrity, ObjectRef, RecordType};
use crate::{Camera, Site};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `io.framepost.span.ended.v1`: an unbroken run of recording is over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SpanEnded {
    /// The site, where the key names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<Site>,
    /// The camera, where the key names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub camera: Option<Camera>,
    /// The end of the span's last sample.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub end: Timestamp,
    /// How many chunks the span has.
    pub chunks: u64,
    /// The object.
    pub object: ObjectRef,
    /// Whether the object is what its writer wrote.
    pub integrity: Integrity,
}

impl RecordType for SpanEnded {
    const TYPE: &'static str = "io.framepost.span.ended.v1";
    const FUNCTION: &'static str = "probe";
    const MESSAGE: &'static str = "span ended";
    const NOT_LOGGED: &'static [&'static str] = &["integrity.chain.previous", "integrity.chain.manifest"];

    fn site(&self) -> Option<&Site> {
        self.site.as_ref()
    }

    fn times(&mut self) -> Vec<&mut Timestamp> {
        vec![&mut self.end]
    }
}
