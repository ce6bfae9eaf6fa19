//! What a gateway said of itself.

use super::{Integrity, ObjectRef, RecordType};
use crate::Site;
use crate::report::GatewayReport;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// `io.framepost.gateway.reported.v1`: what a gateway said of itself and its cameras.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GatewayReported {
    /// The gateway's words, as they are in the report's object.
    #[serde(flatten)]
    pub report: GatewayReport,
    /// Whether the report is what the gateway wrote. No chain holds reports.
    pub integrity: Integrity,
    /// The report's object in the bucket.
    pub object: ObjectRef,
}

impl RecordType for GatewayReported {
    const TYPE: &'static str = "io.framepost.gateway.reported.v1";
    const FUNCTION: &'static str = "probe";
    const MESSAGE: &'static str = "gateway reported";
    /// Each camera has a line of its own, so that a query or a filter names its fields and no place in a list.
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
