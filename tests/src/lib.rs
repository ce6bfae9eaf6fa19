//! The harness of the end-to-end tests: real programs, real media, a judge, and deliberate faults.
//!
//! * [`binaries`]: start the built programs, read what they say, kill them.
//! * [`onebox`], [`edge`]: the command lines of `framepost` and `edge-uploader`.
//! * [`media`]: clips, made by ffmpeg from synthetic sources; the shared test data.
//! * [`rtsp`]: a live RTSP server (GStreamer) that can be killed and come back.
//! * [`plain_camera`]: an honest one that costs next to nothing.
//! - [`hostile_rtsp`]: cameras that attack their client.
//! * [`bucket`]: the objects on disk, as `framepost` and `file://` destinations keep them.
//! - [`judge`]: checks chunks with ffprobe, ffmpeg and our own parser for boxes.
//! * [`fault_proxy`]: a proxy before the bucket that answers 503, resets, stalls, truncates, and is as slow as a trace.
//! - [`load`]: many cameras and a bucket, cheap enough to measure the gateway between them.
//! - [`lying_bucket`]: an S3 bucket whose responses do not match what it did.
//! - [`lying_server`]: any HTTP server, with answers of no length, no end or no sense.
//! - [`answers`]: what every cloud's adapter makes of such answers.
//! * [`google_emulators`]: Cloud Storage and Pub/Sub on this machine; [`cloud_run`]: a function that is pushed to, or pulls.
//! - [`gateway`]: a gateway that is killed and restarted, and a ledger of what must not be lost.
//! * [`range_server`]: files over HTTP, with every request and byte counted.
//! * [`aws`]: an account at a moto server, Terraform's root applied to it, and the Lambda service.
//! - [`postgres`]: a PostgreSQL server of a test's own.
//! * [`machine`]: a clean Debian system that boots, for what is installed.
//! - [`paid_service`]: a service that counts what it is paid for.
//! - [`nowhere`]: a network that leads nowhere, and counts who tries to reach something.
//! * [`measure`]: what a program costs, for the benchmark.
//!
//! Harness code panics when it cannot continue, which fails the test with the reason.
#![allow(clippy::missing_panics_doc)]

pub mod answers;
pub mod aws;
pub mod binaries;
pub mod bucket;
mod camera_side;
pub mod cloud_run;
pub mod edge;
pub mod fault_proxy;
pub mod gateway;
pub mod google_emulators;
pub mod hostile_rtsp;
pub mod http;
pub mod images;
pub mod judge;
pub mod load;
pub mod lying_bucket;
pub mod lying_server;
pub mod machine;
pub mod measure;
pub mod media;
pub mod nowhere;
pub mod onebox;
pub mod paid_service;
pub mod plain_camera;
pub mod postgres;
pub mod range_server;
pub mod rtsp;

/// Logs that a test is skipped, or a part of it. `tests/run` counts these lines, and fails
/// if nothing may be skipped.
pub fn skip(reason: &str) {
    eprintln!("skipped: {reason}");
}
