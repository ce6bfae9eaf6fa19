//! The crate's integration tests. One binary, so that it is linked once.
#![allow(clippy::unwrap_used, reason = "tests")]

mod functions;
mod killed;
mod replay;
mod retention;
mod s3_endpoint;
mod serve;
mod sweeper;
