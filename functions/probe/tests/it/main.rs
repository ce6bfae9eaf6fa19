//! The crate's integration tests. One binary, so that it is linked once.
#![allow(clippy::unwrap_used, reason = "tests")]

mod foreign;
mod function;
mod judges;
mod malformed;
mod support;
