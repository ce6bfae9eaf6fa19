//! The state of the functions that fill the catalogue, if the host knows it.

use async_trait::async_trait;
use framepost_ports::Result;
use jiff::Timestamp;
use std::time::Duration;

/// Knows the state of functions. Only a host that runs them itself does.
#[async_trait]
pub trait Workings: Send + Sync {
    /// Returns the state of each function that runs here.
    async fn functions(&self) -> Result<Vec<FunctionState>>;
}

/// What a host knows about a function that it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionState {
    /// The function's name, as in its `function.yaml`.
    pub name: String,
    /// Number of messages that wait for it, including those in hand.
    pub waiting: u64,
    /// Number of messages that it could not handle, which are parked.
    pub parked: u64,
    /// The time for which the oldest waiting message has been there; `None` if none waits.
    pub oldest_waiting: Option<Duration>,
    /// Time and text of its last failure; `None` if it has not failed.
    pub last_error: Option<(Timestamp, String)>,
    /// Whether it still works.
    pub health: FunctionHealth,
}

/// Whether a function handles its messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FunctionHealth {
    /// It handles its messages, or has none.
    Good,
    /// What it was given last went wrong, or it has ended.
    Failing,
}
