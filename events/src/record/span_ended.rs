//! The record about the end of a span.

use super::{Integrity, ObjectRef, RecordType};
use crate::{Camera, Site};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `io.framepost.span.ended.v1`: the end of an unbroken run of recording.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SpanEnded {
    /// The site, if the key has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<Site>,
    /// The camera, if the key has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub camera: Option<Camera>,
    /// The end of the span's last sample.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub end: Timestamp,
    /// Number of chunks in the span.
    pub chunks: u64,
    /// The object that the record is about.
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
