//! What is kept of a piece of work, and how it changes.

use super::RETENTION;
use crate::Reason;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How far the work is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Somebody does it, until the lease is over.
    Working,
    /// For good.
    Done,
    /// The last attempt came to nothing.
    Failed,
}

/// The document of one piece of work. As JSON it is less than a kilobyte.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// How far the work is.
    pub state: State,
    /// Claims so far.
    pub attempts: u32,
    /// When the lease is over.
    pub until: Timestamp,
    /// The outside job's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// Why the last attempt failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When the entry may be cleaned away.
    pub keep_until: Timestamp,
    /// No two writes have the same one, so that a writer knows its own again.
    pub write: String,
}

/// Long enough to say why, short enough for any store.
const REASON_CHARS: usize = 200;

impl Entry {
    pub(super) fn first(now: Timestamp, lease: Duration) -> Self {
        let until = after(now, lease);
        Self {
            state: State::Working,
            attempts: 1,
            until,
            job: None,
            reason: None,
            keep_until: after(until, RETENTION),
            write: unique(),
        }
    }

    /// The next holder's. The job of a holder that vanished may still run; that of an attempt that failed does not.
    pub(super) fn taken_over(&self, now: Timestamp, lease: Duration) -> Self {
        let job = if self.state == State::Working { self.job.clone() } else { None };
        let attempts = self.attempts.saturating_add(1);
        Self { attempts, job, reason: self.reason.clone(), ..Self::first(now, lease) }
    }

    pub(super) fn extended(&self, now: Timestamp, lease: Duration) -> Self {
        let until = after(now, lease);
        Self { until, keep_until: after(until, RETENTION), write: unique(), ..self.clone() }
    }

    pub(super) fn ended(&self, state: State, reason: Option<&Reason>, now: Timestamp) -> Self {
        let words =
            |reason: &Reason| format!("{}: {}", reason.code, reason.detail).chars().take(REASON_CHARS).collect();
        Self {
            state,
            until: now,
            reason: reason.map(words),
            keep_until: after(now, RETENTION),
            write: unique(),
            ..self.clone()
        }
    }
}

fn after(time: Timestamp, by: Duration) -> Timestamp {
    time.checked_add(by).unwrap_or(Timestamp::MAX)
}

fn unique() -> String {
    format!("{:016x}{:016x}", fastrand::u64(..), fastrand::u64(..))
}
