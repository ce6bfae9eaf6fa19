//! How the functions are that fill the catalogue, where the host can tell.

use async_trait::async_trait;
use framepost_ports::Result;
use jiff::Timestamp;
use std::time::Duration;

/// Knows how functions are. Only a host that runs them itself does.
#[async_trait]
pub trait Workings: Send + Sync {
    /// Each function that runs here.
    async fn functions(&self) -> Result<Vec<FunctionState>>;
}

/// How a function is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionState {
    /// Its name.
    pub name: String,
    /// Messages that wait for it, those in hand included.
    pub waiting: u64,
    /// Messages that it could not handle, which are kept aside.
    pub parked: u64,
    /// How long the oldest of the waiting messages has been there.
    pub oldest_waiting: Option<Duration>,
    /// What went wrong last, and when.
    pub last_error: Option<(Timestamp, String)>,
    /// Whether it still works.
    pub health: FunctionHealth,
}

/// Whether a function works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FunctionHealth {
    /// It handles its messages, or has none.
    Good,
    /// What it was given last went wrong, or it has ended.
    Failing,
}
