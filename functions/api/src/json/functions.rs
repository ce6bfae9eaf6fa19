//! The state of functions.

use crate::workings::{FunctionHealth, FunctionState};
use jiff::Timestamp;
use serde::Serialize;
use std::time::Duration;
use utoipa::ToSchema;

/// Longer than a message waits for a function that keeps up.
const BEHIND: Duration = Duration::from_mins(1);

/// The functions that run on this host.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FunctionList {
    pub(crate) functions: Vec<FunctionJson>,
}

/// The state of a function.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Function)]
pub(crate) struct FunctionJson {
    pub(crate) name: String,
    pub(crate) state: State,
    /// Number of messages that it has not handled yet.
    pub(crate) waiting: u64,
    /// Number of messages that it could not handle, which are parked.
    pub(crate) parked: u64,
    /// The time for which the oldest waiting message has been there, in ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) oldest_waiting_ms: Option<u64>,
    /// Its last failure, even if the message was handled since.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) last_error: Option<LastError>,
}

/// Whether a function handles its messages in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = FunctionState)]
pub(crate) enum State {
    /// It handles its messages as they come.
    Running,
    /// The oldest of its messages has waited for more than a minute.
    Behind,
    /// Its last message failed, or it has ended.
    Failing,
}

/// The last failure of a function, and when it was.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LastError {
    pub(crate) time: Timestamp,
    pub(crate) message: String,
}

impl From<FunctionState> for FunctionJson {
    fn from(state: FunctionState) -> Self {
        let FunctionState { name, waiting, parked, oldest_waiting, last_error, health } = state;
        let state = match health {
            FunctionHealth::Failing => State::Failing,
            FunctionHealth::Good if oldest_waiting.is_some_and(|oldest| oldest > BEHIND) => State::Behind,
            FunctionHealth::Good => State::Running,
        };
        let oldest_waiting_ms = oldest_waiting.map(|oldest| u64::try_from(oldest.as_millis()).unwrap_or(u64::MAX));
        let last_error = last_error.map(|(time, message)| LastError { time, message });
        Self { name, state, waiting, parked, oldest_waiting_ms, last_error }
    }
}
