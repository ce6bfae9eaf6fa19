//! The crate's integration tests. One binary, so that it is linked once.
#![allow(clippy::unwrap_used, reason = "tests")]

mod backfill;
mod commands;
mod damaged_files;
mod files;
mod files_as_stored;
mod gateway;
mod hand_made_files;
mod peers;
mod put_answers;
mod readme;
mod rtsp;
