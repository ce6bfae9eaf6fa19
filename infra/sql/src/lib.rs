//! The catalogue in SQL: [`SqliteCatalog`] in one file of this machine, [`PostgresCatalog`] on a server.
//!
//! Both understand the statements that this crate uses, and parameters are written `$1` in both. What differs is small:
//! how a transaction begins, and how an id is made. So the rules are written once, over an [`Executor`]:
//!
//! ```text
//! write   changes ─▶ rows, in one transaction
//! build   detections ─▶ sightings, of the days that changed
//! read    questions ─▶ rows
//! hours   what is packed by the hour; stretch: the questions that it answers
//! hold    what is not removed
//! objects what has rows, to be compared with a bucket; removal: what no longer has
//! schema  versions of the tables, forward only
//! known   what many changes need to know of the rows that are there, asked at once
//! sqlite, postgres, pipeline    connections, and what a statement's value is there
//! login, tls          who connects to a server, and how it is known
//! ```
//!
//! Times are whole microseconds since 1970, as in keys. What nothing is asked by is kept as the record's JSON.

mod about;
mod batch;
mod build;
mod cloud;
mod executor;
mod hold;
mod hours;
mod known;
#[cfg(feature = "postgres")]
mod login;
mod objects;
mod packed;
#[cfg(feature = "postgres")]
mod pipeline;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "postgres")]
mod postgres_error;
mod read;
mod removal;
mod schema;
#[cfg(feature = "sqlite")]
mod sqlite;
mod stretch;
#[cfg(feature = "postgres")]
mod tls;
mod write;

pub use cloud::{Passwords, SqlCloud};
#[cfg(feature = "postgres")]
pub use postgres::PostgresCatalog;
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteCatalog;
