//! The API as its callers see it, over a catalogue and a bucket in memory.
#![allow(clippy::unwrap_used, reason = "tests")]

mod attacks;
mod console;
mod continuous;
mod described;
mod exports;
mod find;
mod functions;
mod gstreamer;
mod holds;
mod in_aws;
mod judged;
mod logged;
mod made;
mod oidc;
mod play;
mod redirected;
mod scrub;
mod support;
mod timed_text;
mod timeline;
mod tokens;
