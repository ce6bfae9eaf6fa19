//! The answers as JSON. Fields are only ever added.
//!
//! Times are RFC 3339 in UTC with up to nine fraction digits. What is not known is absent.

mod exports;
mod footage;
mod functions;
mod gateways;
mod holds;
mod seen;
mod timeline;

pub(crate) use exports::{ExportJson, ExportsJson};
pub(crate) use footage::{CameraJson, Cameras, Chunk, Chunks, Day, Days, Segment};
pub(crate) use functions::{FunctionJson, FunctionList};
pub(crate) use gateways::{Gateway, Gateways};
pub(crate) use holds::{HoldJson, Holds, NewHold};
pub(crate) use seen::{Detections, LookedAt, SightingJson, Sightings};
pub(crate) use timeline::{
    ActivityJson, Count, Gap, IntegrityStretch, NotLookedAt, Reason, Recorded, RemovedStretch, Timeline,
};
