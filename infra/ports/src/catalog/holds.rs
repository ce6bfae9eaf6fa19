//! Holds: stretches of a camera's footage that retention on one machine does not remove.
//!
//! A hold is not made of records: a catalogue that is rebuilt from its bucket has none. Its times are whole microseconds.

use super::{CameraName, Interval};
use framepost_events::{Camera, Site};
use jiff::Timestamp;

/// A stretch of a camera's footage that is not removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// A random text that the API assigned; the last part of its path.
    pub id: String,
    /// The camera whose footage is held.
    pub camera: CameraName,
    /// The interval. Every chunk that overlaps it is held.
    pub within: Interval,
    /// Why, as the person who made it wrote.
    pub reason: String,
    /// When it was made.
    pub created: Timestamp,
    /// Who made it, where that is known.
    pub created_by: Option<String>,
}

impl Hold {
    /// Returns its place in a list.
    pub fn place(&self) -> HoldPlace {
        HoldPlace { created: self.created, id: self.id.clone() }
    }

    /// Returns whether it holds footage of this camera from `from` to `to`.
    pub fn covers(&self, camera: &CameraName, from: Timestamp, to: Timestamp) -> bool {
        self.camera == *camera && self.within.meets(from, to)
    }
}

/// The place of a hold in a list: by the time at which it was made, and by id where two were made at the same time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct HoldPlace {
    /// When it was made.
    pub created: Timestamp,
    /// The hold's id, for holds that were made at the same time.
    pub id: String,
}

/// A camera, or all cameras of a site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whose {
    /// The site that the camera belongs to.
    pub site: Site,
    /// The camera; all of the site if absent.
    pub camera: Option<Camera>,
}

impl Whose {
    /// Returns whether this camera is included.
    pub fn has(&self, name: &CameraName) -> bool {
        self.site == name.site && self.camera.as_ref().is_none_or(|camera| *camera == name.camera)
    }
}

/// Selects a page of holds, the newest first.
#[derive(Debug, Clone)]
pub struct HoldQuery {
    /// Only holds of these cameras; of all if absent. A camera may have no footage yet.
    pub among: Option<Vec<Whose>>,
    /// Only holds that overlap this interval.
    pub within: Interval,
    /// The place of the last hold of the page before; `None` for the first page.
    pub after: Option<HoldPlace>,
    /// The most holds on the page.
    pub limit: usize,
}
