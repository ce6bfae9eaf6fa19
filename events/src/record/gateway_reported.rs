//! The record of a gateway's report.

use super::{Integrity, ObjectRef, RecordType};
use crate::Site;
use crate::report::GatewayReport;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// `io.framepost.gateway.reported.v1`: a gateway's report of itself and its cameras.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GatewayReported {
    /// The report as the gateway wrote it.
    #[serde(flatten)]
    pub report: GatewayReport,
    /// Whether the report is what the gateway wrote. Reports are in no chain.
    pub integrity: Integrity,
    /// The report's object in the bucket.
    pub object: ObjectRef,
}

impl RecordType for GatewayReported {
    const TYPE: &'static str = "io.framepost.gateway.reported.v1";
    const FUNCTION: &'static str = "probe";
    const MESSAGE: &'static str = "gateway reported";
    /// Each camera has a log line of its own, so that a query can name its fields instead of places in a list.
    const NOT_LOGGED: &'static [&'static str] = &["cameras", "integrity.chain"];

    fn site(&self) -> Option<&Site> {
        Some(&self.report.site)
    }

    fn times(&mut self) -> Vec<&mut Timestamp> {
        let cameras = self.report.cameras.iter_mut().filter_map(|camera| camera.last_frame.as_mut());
        [&mut self.report.at].into_iter().chain(self.report.spool.oldest.as_mut()).chain(cameras).collect()
    }

    fn logged_apart(&self) -> Vec<(&'static str, Map<String, Value>)> {
        let line = |camera| match serde_json::to_value(camera) {
            Ok(Value::Object(mut fields)) => {
                fields.insert("event".to_owned(), "camera".into());
                fields.insert("site".to_owned(), self.report.site.as_str().into());
                Some(("camera reported", fields))
            }
            _ => None,
        };
        self.report.cameras.iter().filter_map(line).collect()
    }
}
