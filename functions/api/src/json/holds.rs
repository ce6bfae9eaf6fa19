//! Holds.

use framepost_events::{Camera, Site};
use framepost_ports::catalog::{CameraName, Hold, Interval};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Holds on ranges of cameras, and where the next page begins.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Holds {
    /// The holds of this page, the newest first.
    pub(crate) holds: Vec<HoldJson>,
    /// The `cursor` of the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next: Option<String>,
}

/// A stretch of a camera's footage that is not removed, whatever its age.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Hold)]
pub(crate) struct HoldJson {
    pub(crate) id: String,
    #[schema(value_type = String)]
    pub(crate) site: Site,
    #[schema(value_type = String)]
    pub(crate) camera: Camera,
    /// Start of the interval. Every chunk that overlaps the interval is held.
    pub(crate) from: Timestamp,
    /// End of the interval.
    pub(crate) to: Timestamp,
    /// Why, as the person who made it wrote.
    pub(crate) reason: String,
    pub(crate) created_at: Timestamp,
    /// The id of the token with which it was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) created_by: Option<String>,
}

impl From<Hold> for HoldJson {
    fn from(hold: Hold) -> Self {
        let Hold { id, camera: CameraName { site, camera }, within, reason, created, created_by } = hold;
        let Interval { from, to } = within;
        Self { id, site, camera, from, to, reason, created_at: created, created_by }
    }
}

/// A hold to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewHold {
    pub(crate) site: String,
    pub(crate) camera: String,
    pub(crate) from: Timestamp,
    /// End of the interval, at most 400 days after `from`.
    pub(crate) to: Timestamp,
    /// Why, in at most 1000 characters.
    #[serde(default)]
    #[schema(max_length = 1000)]
    pub(crate) reason: String,
}
