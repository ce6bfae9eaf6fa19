//! The gateway: cameras in, time-stamped fMP4 chunks on disk, then in the bucket.
//!
//! ```text
//! camera ──CameraEvent──▶ pipeline (clock, queue) ──Frame + wall──▶ segment ──Output──▶ spool ──chunk file──▶ upload
//! ```
//!
//! * [`camera`]: RTSP streams and files, as [`media::Frame`]s. Knows nothing of chunks.
//! * [`clock`]: which wall-clock time a presentation time is.
//! * [`segment`]: frames into ONVIF chunks. No I/O, no clock.
//! * [`spool`]: chunks on disk. The file system is the truth.
//! * [`upload`]: chunks into the bucket. Knows nothing of cameras.
//! * [`gateway`]: all of it together, for many cameras.

#![cfg_attr(not(test), warn(clippy::print_stdout, clippy::print_stderr))]

pub mod camera;
pub mod clock;
pub mod config;
pub mod descriptors;
pub mod destination;
pub mod display;
pub mod gateway;
pub mod listener;
pub mod media;
pub mod metrics;
pub mod segment;
pub mod signals;
pub mod spool;
pub mod terminal;
pub mod upload;
