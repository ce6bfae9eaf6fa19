//! The harness of the end-to-end tests: real programs, real media, a judge that can fail, and faults on purpose.
//!
//! * [`binaries`]: start the built programs, read what they say, kill them.
//! * [`onebox`], [`edge`]: the command lines of `framepost` and `edge-uploader`.
//! * [`media`]: clips, made by ffmpeg from synthetic sources; the shared test data.
//! * [`rtsp`]: a live RTSP server (GStreamer) that can be killed and come back.
//! * [`hostile_rtsp`]: cameras that attack whoever records them.
//! * [`bucket`]: the objects on disk, as `framepost` and `file://` destinations keep them.
//! * [`judge`]: whether chunks are what they have to be, by ffprobe, ffmpeg and our own reading of the boxes.
//! * [`fault_proxy`]: a proxy before the bucket that answers 503, resets, stalls, truncates, and is as slow as a trace.
//! * [`lying_bucket`]: an S3 bucket whose answers are not what became of the objects.
//! * [`google_emulators`]: Cloud Storage and Pub/Sub on this machine; [`cloud_run`]: a function that is pushed to, or pulls.
//! * [`gateway`]: a gateway that is killed and started again, and a ledger of what may not be lost.
//! * [`range_server`]: files over HTTP, with every request and byte counted.
//! * [`aws`]: an account at a moto server, Terraform's root applied to it, and the Lambda service.
//! * [`measure`]: what a program costs, for the benchmark.
//!
//! Everything here panics when it cannot go on: a panic in a harness is a failed test with its reason.
#![allow(clippy::missing_panics_doc)]

pub mod aws;
pub mod binaries;
pub mod bucket;
pub mod cloud_run;
pub mod edge;
pub mod fault_proxy;
pub mod gateway;
pub mod google_emulators;
pub mod hostile_rtsp;
pub mod http;
pub mod images;
pub mod judge;
pub mod lying_bucket;
pub mod measure;
pub mod media;
pub mod onebox;
pub mod range_server;
pub mod rtsp;

/// Says loudly that a test leaves something out. `tests/run` counts these lines, and fails on them where nothing may be
/// skipped.
pub fn skip(reason: &str) {
    eprintln!("skipped: {reason}");
}
