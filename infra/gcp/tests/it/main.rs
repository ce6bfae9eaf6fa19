//! The crate's integration tests. One binary, so that it is linked once.
#![allow(clippy::unwrap_used, reason = "tests")]

mod answers;
mod bus;
mod contract;
mod inbox;
mod replay;
mod vision;
