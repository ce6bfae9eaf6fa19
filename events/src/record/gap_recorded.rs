//! The record about a gap.

use super::{ObjectRef, RecordType};
use crate::Site;
use crate::gap::Gap;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `io.framepost.gap.recorded.v1`: an interval without video.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GapRecorded {
    /// The contents of the gap's object.
    #[serde(flatten)]
    pub gap: Gap,
    /// The object that the record is about.
    pub object: ObjectRef,
}

impl RecordType for GapRecorded {
    const TYPE: &'static str = "io.framepost.gap.recorded.v1";
    const FUNCTION: &'static str = "probe";
    const MESSAGE: &'static str = "gap recorded";

    fn site(&self) -> Option<&Site> {
        Some(&self.gap.site)
    }

    fn times(&mut self) -> Vec<&mut Timestamp> {
        vec![&mut self.gap.from, &mut self.gap.to]
    }
}
