//! The crate's integration tests. One binary, so that it is linked once.
#![allow(clippy::unwrap_used, reason = "tests")]

mod blurred;
#[cfg(feature = "onnx")]
mod confined;
#[cfg(feature = "onnx")]
mod detectors;
mod drawn;
mod functions;
mod gated;
mod killed;
#[cfg(feature = "onnx")]
mod model;
#[cfg(feature = "onnx")]
mod proxied;
mod rebuilt;
mod replay;
mod retention;
mod s3_endpoint;
mod serve;
mod sweeper;
mod terminal;
