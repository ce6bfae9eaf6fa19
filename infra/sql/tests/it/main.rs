//! Both stores keep the contract.

mod postgres;
mod server;
mod sqlite;
