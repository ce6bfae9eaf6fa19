//! Both stores keep the contract.
#![allow(clippy::unwrap_used, reason = "tests")]

mod postgres;
mod processes;
mod server;
mod sqlite;
