//! The crate's integration tests. One binary, so that it is linked once.
#![allow(clippy::unwrap_used, reason = "tests")]

mod contract;
mod inboxes;
mod ledger;
mod linked;
mod recovery;
mod removal;
mod support;
mod timetable;
