//! The contract of Framepost: object keys, chunk attributes, finalized events and records.
//!
//! This crate defines everything that crosses a process boundary, so that the gateway, the functions
//! and readers of the bucket use the same definitions. It does no I/O and reads no clock: it converts
//! bytes and times to values.
//!
//! * [`key`]: where an object lies (ONVIF Recording Control, annex "Object storage recording format").
//! * [`attributes`]: what the object's metadata says of it.
//! * [`activity`]: how much happens in a chunk.
//! * [`detection`]: what is to be seen in a picture.
//! * [`gap`], [`report`]: what objects beside the footage hold.
//! * [`export`]: which objects belong to exports, which are no footage.
//! * [`manifest`]: the canonical text that is signed and chained.
//! * [`finalized`]: "this object is complete", from every sender that can say so; [`removed`]: "it is gone"; [`due`]: "it is time".
//! * [`record`]: what a function says of an object, as a CloudEvent; [`envelope`]: out of whatever carries it; [`pubsub`]: one of
//!   these carriers.
//! * [`schema`]: JSON Schemas of those CloudEvents, made from the types; [`bigquery`], [`glue`]: the tables that hold
//!   them.

pub mod activity;
pub mod attributes;
pub mod bigquery;
pub mod detection;
mod digest;
pub mod due;
pub mod envelope;
mod error;
pub mod export;
pub mod finalized;
pub mod gap;
pub mod glue;
mod json_schema;
pub mod key;
mod lanes;
pub mod manifest;
pub mod name;
mod object;
pub mod pubsub;
pub mod record;
pub mod removed;
pub mod report;
pub mod schema;

pub use digest::{Sha256, Sha256Hasher};
pub use error::Error;
pub use key::{KeyKind, ObjectKey};
pub use lanes::Sha256Lane;
pub use name::{Camera, Site};
pub use object::ObjectFinalized;
pub use removed::ObjectRemoved;
