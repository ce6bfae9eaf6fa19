//! The gateway: records cameras as time-stamped fMP4 chunks on disk and uploads them to the bucket.
//!
//! ```text
//! camera ──CameraEvent──▶ gateway (queue, clock) ──Frame + wall──▶ segment ──Output──▶ spool ──chunk file──▶ upload
//! ```
//!
//! - [`camera`]: RTSP streams and files, as [`media::Frame`]s. Does not depend on chunks.
//! - [`clock`]: assigns wall-clock times to presentation times.
//! - [`segment`]: turns frames into ONVIF chunks. No I/O, no clock.
//! - [`spool`]: keeps chunks on disk. Its state is the file system, without a database.
//! - [`upload`]: uploads chunks to the bucket. Does not depend on cameras.
//! - [`gateway`]: combines these for many cameras.
//! - [`report`]: reports on the gateway and its cameras, as objects beside the footage.

#![cfg_attr(not(test), warn(clippy::print_stdout, clippy::print_stderr))]

pub mod camera;
pub mod clock;
pub mod config;
pub mod descriptors;
pub mod destination;
pub mod display;
pub mod gateway;
pub mod media;
pub mod metrics;
pub mod report;
pub mod segment;
pub mod signals;
pub mod spool;
pub mod terminal;
mod tick;
pub mod upload;
