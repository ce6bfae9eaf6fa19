//! Tests of the function with real footage, a real ffmpeg, and programs that pretend to be one.
#![expect(clippy::unwrap_used, clippy::similar_names, reason = "what is not as expected fails the test")]

mod cost;
mod damaged;
mod decoding;
mod foreign;
mod gated;
mod handling;
mod hostile;
#[cfg(all(feature = "host", feature = "aws"))]
mod killed;
mod outcomes;
mod regions;
mod served;
mod shared;
mod support;
