//! The crate's integration tests. One binary, so that it is linked once.
#![allow(clippy::unwrap_used, reason = "tests")]

mod bench;
mod grpc;
mod hostile;
mod judge;
mod openvino;
mod python;
mod servers;
