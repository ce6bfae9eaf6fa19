//! A function: takes an event, says how that ended.

use async_trait::async_trait;
use std::time::Duration;

/// A short, stable word for logs and counters, and the words for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// Kebab-case and stable: `not-media`, `test-event`.
    pub code: String,
    /// For people.
    pub detail: String,
}

impl Reason {
    /// A reason.
    pub fn new(code: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { code: code.into(), detail: detail.into() }
    }
}

/// How the handling of one event ended. The host turns it into its cloud's answer for that one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The work is done.
    Done,
    /// There was nothing to do.
    Skip(Reason),
    /// It may work later.
    Retry {
        /// Not before this long.
        after: Duration,
        /// Why it did not work now.
        reason: Reason,
    },
    /// It will never work: park the message, do not repeat it.
    Reject(Reason),
}

/// The handler of one function. Called concurrently; a panic costs the one event.
#[async_trait]
pub trait Function<E>: Send + Sync {
    /// The function's name, that of its directory.
    fn name(&self) -> &'static str;

    /// The metric that counts the chunks it is done with: `ChunksProbed`.
    fn done_metric(&self) -> &'static str {
        "ChunksDone"
    }

    /// Handles one event. Doing it twice has the effect of once.
    async fn handle(&self, event: E) -> Outcome;
}
