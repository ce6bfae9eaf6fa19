//! Both stores keep the contract.
#![allow(clippy::unwrap_used, reason = "tests")]

mod postgres;
mod processes;
mod scale;
mod server;
mod sqlite;
