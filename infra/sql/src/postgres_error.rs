//! Errors of PostgreSQL.

use framepost_ports::{Error, ErrorKind};
use tokio_postgres::error::SqlState;

/// What an answer of the server, or the lack of one, means for whoever asked.
pub(crate) fn failed(operation: &'static str, error: tokio_postgres::Error) -> Error {
    let kind = match error.code() {
        None => ErrorKind::Transport,
        Some(
            &SqlState::INVALID_PASSWORD
            | &SqlState::INVALID_AUTHORIZATION_SPECIFICATION
            | &SqlState::INSUFFICIENT_PRIVILEGE,
        ) => ErrorKind::Denied,
        Some(&SqlState::INVALID_CATALOG_NAME) => ErrorKind::NotFound,
        // Class 22 and 42: the statement or a value is at fault; it will be so the next time.
        Some(code) if code.code().starts_with("22") || code.code().starts_with("42") => ErrorKind::Invalid,
        Some(_) => ErrorKind::Busy,
    };
    Error::new(kind, operation, "the catalogue").because(error)
}
