//! The API as its callers see it, over a catalogue and a bucket in memory.
#![allow(clippy::unwrap_used, reason = "tests")]

mod attacks;
mod console;
mod find;
mod functions;
mod holds;
mod play;
mod support;
mod tokens;
