//! JSON Schemas (draft 2020-12) of Framepost's CloudEvents, one for each type, derived from the Rust types.
//!
//! They are in `events/schemas`. A test fails if one is outdated, and `cargo run -p framepost-events --example
//! schemas -- --write` writes them again.

use crate::finalized::{FINALIZED_EVENT_TYPE, ObjectFinalized};
use crate::json_schema;
use crate::record::{self, Record};
use crate::removed::{self, ObjectRemoved};
use schemars::Schema;

/// Returns the schema of every CloudEvent that Framepost writes, with its type.
pub fn schemas() -> Vec<(&'static str, Schema)> {
    let records =
        record::DECLARED.iter().map(|declared| (declared.event_type, (declared.event_schema)(declared.event_type)));
    let events = [
        (FINALIZED_EVENT_TYPE, json_schema::of::<Record, ObjectFinalized>(FINALIZED_EVENT_TYPE)),
        (removed::EVENT_TYPE, json_schema::of::<Record, ObjectRemoved>(removed::EVENT_TYPE)),
    ];
    records.chain(events).collect()
}
