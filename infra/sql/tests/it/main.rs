//! Both stores keep the contract.
#![allow(clippy::unwrap_used, reason = "tests")]

mod postgres;
mod server;
mod sqlite;
