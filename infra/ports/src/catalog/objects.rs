//! What the catalogue has rows of, for whoever compares it with a bucket.

use framepost_events::record::ObjectRef;
use jiff::Timestamp;

/// An object that has a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownObject {
    /// The object, in one of its versions.
    pub object: ObjectRef,
    /// When it became complete.
    pub time: Timestamp,
}

/// Some of the objects that have rows, in the order of their keys' bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ObjectPage {
    /// Each with all of its versions.
    pub objects: Vec<KnownObject>,
    /// The key up to which they are all; absent where there are no others.
    pub until: Option<String>,
}
