//! Both stores keep the contract.
#![allow(clippy::unwrap_used, reason = "tests")]

mod full;
mod migrated;
mod postgres;
mod processes;
mod scale;
mod sqlite;

use framepost_tests::postgres as server;
