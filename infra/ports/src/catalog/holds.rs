//! Holds: stretches of a camera's footage that local retention leaves where they are.
//!
//! A hold is not made of records: a catalogue that is rebuilt from its bucket has none. Its times are whole microseconds.

use super::{CameraName, Interval};
use framepost_events::{Camera, Site};
use jiff::Timestamp;

/// A stretch of a camera's footage that is not removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// What it is called.
    pub id: String,
    /// The camera.
    pub camera: CameraName,
    /// The stretch of time. What has a part in it stays.
    pub within: Interval,
    /// Why, in somebody's words.
    pub reason: String,
    /// When it was made.
    pub created: Timestamp,
    /// Who made it, where that is known.
    pub created_by: Option<String>,
}

impl Hold {
    /// Its place in a list.
    pub fn place(&self) -> HoldPlace {
        HoldPlace { created: self.created, id: self.id.clone() }
    }

    /// Whether footage of this camera from `from` to `to` stays because of it.
    pub fn covers(&self, camera: &CameraName, from: Timestamp, to: Timestamp) -> bool {
        self.camera == *camera && self.within.meets(from, to)
    }
}

/// The place of a hold in a list: by the time at which it was made, and by id where two were made at the same time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct HoldPlace {
    /// When it was made.
    pub created: Timestamp,
    /// Its id.
    pub id: String,
}

/// A camera of a site, or each of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whose {
    /// The site.
    pub site: Site,
    /// The camera; any of the site where absent.
    pub camera: Option<Camera>,
}

impl Whose {
    /// Whether this camera is meant.
    pub fn has(&self, name: &CameraName) -> bool {
        self.site == name.site && self.camera.as_ref().is_none_or(|camera| *camera == name.camera)
    }
}

/// A page of holds, the newest first.
#[derive(Debug, Clone)]
pub struct HoldQuery {
    /// Of these; of all where absent. Their cameras need not have a row.
    pub among: Option<Vec<Whose>>,
    /// Having a part in this stretch of time.
    pub within: Interval,
    /// The place in the list of the last one that is known already.
    pub after: Option<HoldPlace>,
    /// The most that are wanted.
    pub limit: usize,
}
