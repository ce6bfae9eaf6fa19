//! The crate's integration tests. One binary, so that it is linked once.
#![allow(clippy::unwrap_used, reason = "tests")]

mod http;
mod lambda;
mod log_bus;
mod push_token;
mod requests;
mod schedules;
mod settle;
mod support;
#[cfg(any(feature = "aws", feature = "gcp"))]
mod throughput;
mod worker_local;
mod worker_pubsub;
mod worker_sqs;
