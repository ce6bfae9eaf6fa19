//! The ledger's entry for a piece of work, and its changes.

use super::RETENTION;
use crate::Reason;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// State of a piece of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// A holder is working on it, until the lease expires.
    Working,
    /// Done; this state is final.
    Done,
    /// The last attempt failed.
    Failed,
}

/// The document for one piece of work. Its JSON is smaller than a kilobyte, apart from [`job`](Self::job).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    pub state: State,
    /// Number of claims so far.
    pub attempts: u32,
    /// When the lease expires.
    pub until: Timestamp,
    /// The id of the external job, or what a holder noted so that the next one does not do it again. At most
    /// [`NOTE_BYTES_MAX`](super::NOTE_BYTES_MAX).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// Why the last attempt failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When the entry may be deleted.
    pub keep_until: Timestamp,
    /// A random id, different for every write, by which a writer recognises its own write.
    pub write: String,
}

/// Longest reason that is stored; keeps entries small enough for every store.
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

    /// Returns the entry of the next holder. It keeps the job of a holder that vanished, which may still run,
    /// and drops the job of a failed attempt.
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

pub(super) fn after(time: Timestamp, by: Duration) -> Timestamp {
    time.checked_add(by).unwrap_or(Timestamp::MAX)
}

pub(super) fn unique() -> String {
    format!("{:016x}{:016x}", fastrand::u64(..), fastrand::u64(..))
}
