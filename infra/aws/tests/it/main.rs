//! The crate's integration tests. One binary, so that it is linked once.
#![allow(clippy::unwrap_used, reason = "tests")]

mod answers;
mod rekognition;
mod removal;
mod services;
