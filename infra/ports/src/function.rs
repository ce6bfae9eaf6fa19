//! The interface of a function: it takes an event and returns the outcome.

use crate::{Error, ErrorKind, chain};
use async_trait::async_trait;
use std::num::NonZeroUsize;
use std::time::Duration;

/// A short, stable code for logs and counters, and a text for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// Kebab-case and stable: `not-media`, `test-event`.
    pub code: String,
    /// Text for people; may change between releases.
    pub detail: String,
}

impl Reason {
    pub fn new(code: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { code: code.into(), detail: detail.into() }
    }
}

/// The outcome of handling one event. The host turns it into the answer for that message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Done,
    /// There was nothing to do.
    Skip(Reason),
    /// Handling failed now and may succeed later.
    Retry {
        /// Shortest time to wait before the next attempt.
        after: Duration,
        /// Why the attempt failed.
        reason: Reason,
    },
    /// Handling can never succeed: park the message and do not repeat it.
    Reject(Reason),
}

impl Outcome {
    /// Decides when a request that failed is repeated. `code` says what it was: `read-failed`, `publish-failed`.
    pub fn of_failure(code: &str, error: &Error) -> Self {
        let after = match error.kind() {
            ErrorKind::Transport | ErrorKind::Intercepted | ErrorKind::Corrupt => Duration::from_secs(5),
            ErrorKind::Busy | ErrorKind::Io => Duration::from_secs(30),
            ErrorKind::Invalid => return Self::Reject(Reason::new(code, chain(error))),
            // A missing grant or topic, or a wrong clock, is a mistake that somebody will fix; the
            // object is not at fault.
            ErrorKind::Denied | ErrorKind::NotFound | ErrorKind::ClockSkew => Duration::from_mins(15),
        };
        Self::Retry { after, reason: Reason::new(code, chain(error)) }
    }
}

/// The handler of one function. It is called concurrently. A panic affects only the event that caused it.
#[async_trait]
pub trait Function<E>: Send + Sync {
    /// Returns the name of the function, which is also that of its directory.
    fn name(&self) -> &'static str;

    /// Returns the name of the metric that counts handled chunks, such as `ChunksProbed`.
    fn done_metric(&self) -> &'static str {
        "ChunksDone"
    }

    /// Returns how many events the function works on at a time; `None` if it has no limit of its own. A worker holds no more
    /// messages than that: one that only waits would run out of time, and lose a delivery when the process is killed, for the
    /// sake of the messages that it waits for.
    fn at_once(&self) -> Option<NonZeroUsize> {
        None
    }

    /// Handles one event. Handling it again must have the same effect as handling it once.
    async fn handle(&self, event: E) -> Outcome;
}
