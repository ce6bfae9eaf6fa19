//! Claims for work that costs money: whoever holds the claim does the work, and nobody else does.
//!
//! Work that is free to repeat needs no ledger. A piece of work is named by a text that is the same for every
//! delivery of its event, for example the function's name and the event's identity.
//!
//! # States
//!
//! ```text
//!            claim                      done
//!   (none) ─────────▶ working ──────────────────────▶ done      final
//!                     ▲  │  ▲ claim, once the lease
//!               claim │  │  └─ is over: attempts + 1
//!                     │  │ failed
//!                     └─ failed
//! ```
//!
//! | state | [`Ledger::claim`] answers |
//! |---|---|
//! | none, failed | [`Claimed::Won`] |
//! | working, its lease not over | [`Claimed::Held`], with the outside job's id |
//! | working, lease expired | [`Claimed::Won`]: taken over, with the id of the job that the holder before may have left running |
//! | done | [`Claimed::Done`] |
//!
//! # What a crash in the middle means
//!
//! - After the claim, before the job is submitted: nobody does the work until the lease expires;
//!   then the next claim wins.
//! - After the submission, before [`Ledger::submitted`]: the ledger does not know the job's id. Submit the
//!   job with a name that is the same for every attempt (a client token derived from the work's name), so
//!   that the service recognises the job.
//! - After `submitted`: the job's completion event continues with [`Ledger::resume`]. If that event
//!   never arrives, whoever claims after the lease gets the job's id with the claim, and must check the
//!   job's state before starting another.
//! - After the work, before [`Ledger::done`]: the next holder does the work again. It must have the effect
//!   of one run, as always.
//!
//! # Fencing
//!
//! Each write is conditional on the one before. A holder whose claim was taken over cannot finish, extend or
//! add a job: it gets [`Hold::Lost`] and must stop. [`Claim::attempts`] grows with each holder, for external
//! systems that fence by number.
//!
//! Leases are compared with the caller's clock, so they must be longer than the difference between clocks:
//! minutes, not milliseconds. A wrong clock causes repeated work, never lost work.
//!
//! # Quotas
//!
//! [`Ledger::take`] takes units of a [`Quota`], such as the calls that may be paid for in a day. It is never exceeded, however
//! many take from it at a time.
//!
//! # Storage
//!
//! The ledger keeps one small document for each piece of work, which it reads and writes conditionally.
//! [`LedgerStore`] is all that a cloud has to implement; this module implements the rules.

mod entry;
mod quota;

pub use entry::{Entry, State};
pub use quota::{Quota, Taken};

use crate::{Clock, Error, ErrorKind, Reason, Result};
use async_trait::async_trait;
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;

/// How long an entry is kept after its last change. Longer than any queue keeps a message, so that a late
/// duplicate of finished work still finds the entry.
pub const RETENTION: Duration = Duration::from_hours(30 * 24);

/// The longest text that a claim can keep as its job. Every store has room for an entry with it.
pub const NOTE_BYTES_MAX: usize = 200 * 1024;

/// Attempts of one operation against concurrent writers. Each attempt decides by the entry that it finds.
const MAX_ROUNDS: u32 = 16;

/// Identifies one write of an entry. Only the store that returned it can interpret it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version(pub String);

/// The result of a conditional write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Swap {
    /// The entry was written, with this version.
    Written(Version),
    /// The store holds a version other than the expected one.
    Refused,
}

/// Stores one small document for each piece of work.
#[async_trait]
pub trait LedgerStore: Send + Sync {
    /// Returns the entry of `work` as the last write left it. Must not use a cache or a stale replica.
    async fn read(&self, work: &str) -> Result<Option<(Entry, Version)>>;

    /// Writes the entry atomically if the store holds the version `expected` (`None`: no entry). The entry is
    /// durable on return. Of several concurrent calls with the same `expected`, exactly one returns `Written`.
    async fn swap(&self, work: &str, expected: Option<&Version>, entry: &Entry) -> Result<Swap>;
}

/// The right to do a piece of work until the lease expires.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    work: String,
    version: Version,
    entry: Entry,
}

impl Claim {
    /// Returns the name of the work.
    pub fn work(&self) -> &str {
        &self.work
    }

    /// Returns which attempt this is, starting at 1.
    pub fn attempts(&self) -> u32 {
        self.entry.attempts
    }

    /// Returns when the lease expires.
    pub fn until(&self) -> Timestamp {
        self.entry.until
    }

    /// Returns the id of the external job that this holder or the one before submitted. Check its
    /// state before starting another job.
    pub fn job(&self) -> Option<&str> {
        self.entry.job.as_deref()
    }
}

/// The result of [`Ledger::claim`] and [`Ledger::resume`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claimed {
    /// The caller holds the claim and does the work.
    Won(Claim),
    /// Somebody else holds the claim. Try again when the lease expires.
    Held {
        /// When the lease expires.
        until: Timestamp,
        /// The id of the external job, if one is known.
        job: Option<String>,
    },
    /// The work was done before.
    Done,
    /// There is no such job to resume. Only [`Ledger::resume`] returns this.
    Unknown,
}

/// Whether a claim is still valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a holder that has lost its claim has to stop"]
pub enum Hold {
    /// The claim is valid, and the change is written.
    Kept,
    /// Somebody else has taken over the work. Stop, and do not change the ledger.
    Lost,
}

/// The claims in one store.
#[derive(Clone)]
pub struct Ledger {
    store: Arc<dyn LedgerStore>,
    clock: Arc<dyn Clock>,
}

impl Ledger {
    /// Creates a ledger over the claims in `store`.
    pub fn new(store: Arc<dyn LedgerStore>, clock: Arc<dyn Clock>) -> Self {
        Self { store, clock }
    }

    /// Claims the work for the time `lease`.
    pub async fn claim(&self, work: &str, lease: Duration) -> Result<Claimed> {
        // Most work is new. Then one write is sufficient.
        let now = self.clock.now();
        let first = Entry::first(now, lease);
        let mut there = match self.write(work, None, &first).await? {
            Written::Mine(version) => return Ok(won(work, version, first)),
            Written::Other(there) => there,
        };
        for _ in 0..MAX_ROUNDS {
            let now = self.clock.now();
            let (expected, next) = match &there {
                None => (None, Entry::first(now, lease)),
                Some((entry, version)) => match entry.state {
                    State::Done => return Ok(Claimed::Done),
                    State::Working if entry.until > now => {
                        return Ok(Claimed::Held { until: entry.until, job: entry.job.clone() });
                    }
                    State::Working | State::Failed => (Some(version.clone()), entry.taken_over(now, lease)),
                },
            };
            match self.write(work, expected.as_ref(), &next).await? {
                Written::Mine(version) => return Ok(won(work, version, next)),
                Written::Other(other) => there = other,
            }
        }
        Err(contended("claim", work))
    }

    /// Continues the work whose external job is `job`, whoever holds the claim. The handler of the job's
    /// completion event becomes the new holder, and the holder before is fenced off.
    pub async fn resume(&self, work: &str, job: &str, lease: Duration) -> Result<Claimed> {
        let mut there = self.store.read(work).await?;
        for _ in 0..MAX_ROUNDS {
            let Some((entry, version)) = &there else { return Ok(Claimed::Unknown) };
            match entry.state {
                State::Done => return Ok(Claimed::Done),
                State::Working if entry.job.as_deref() == Some(job) => {}
                State::Working | State::Failed => return Ok(Claimed::Unknown),
            }
            let next = entry.extended(self.clock.now(), lease);
            match self.write(work, Some(version), &next).await? {
                Written::Mine(version) => return Ok(won(work, version, next)),
                Written::Other(other) => there = other,
            }
        }
        Err(contended("resume", work))
    }

    /// Stores the id of the external job, and extends the claim to `lease` from now.
    pub async fn submitted(&self, claim: &mut Claim, job: &str, lease: Duration) -> Result<Hold> {
        let next = Entry { job: Some(job.to_owned()), ..claim.entry.extended(self.clock.now(), lease) };
        self.change(claim, next).await
    }

    /// Extends the claim to `lease` from now.
    pub async fn extend(&self, claim: &mut Claim, lease: Duration) -> Result<Hold> {
        let next = claim.entry.extended(self.clock.now(), lease);
        self.change(claim, next).await
    }

    /// Marks the work as done. This is final.
    pub async fn done(&self, claim: &mut Claim) -> Result<Hold> {
        let next = claim.entry.ended(State::Done, None, self.clock.now());
        self.change(claim, next).await
    }

    /// Marks the attempt and its job as failed. The next claim wins at once.
    pub async fn failed(&self, claim: &mut Claim, reason: &Reason) -> Result<Hold> {
        let next = claim.entry.ended(State::Failed, Some(reason), self.clock.now());
        self.change(claim, next).await
    }

    async fn change(&self, claim: &mut Claim, next: Entry) -> Result<Hold> {
        if claim.entry.state != State::Working {
            // This claim has already ended the work.
            return Ok(Hold::Lost);
        }
        Ok(match self.write(&claim.work, Some(&claim.version), &next).await? {
            Written::Mine(version) => {
                claim.version = version;
                claim.entry = next;
                Hold::Kept
            }
            Written::Other(_) => Hold::Lost,
        })
    }

    /// Does a conditional write. If the response is lost, reads the entry to find out whose write succeeded;
    /// each write has an id of its own.
    async fn write(&self, work: &str, expected: Option<&Version>, entry: &Entry) -> Result<Written> {
        let unanswered = match self.store.swap(work, expected, entry).await {
            Ok(Swap::Written(version)) => return Ok(Written::Mine(version)),
            // A request that was repeated on the way may be refused because its first copy succeeded.
            Ok(Swap::Refused) => None,
            Err(error) if error.kind().is_transient() => Some(error),
            Err(error) => return Err(error),
        };
        match (self.store.read(work).await?, unanswered) {
            (Some((there, version)), _) if there == *entry => Ok(Written::Mine(version)),
            (_, Some(error)) => Err(error),
            (there, None) => Ok(Written::Other(there)),
        }
    }
}

enum Written {
    Mine(Version),
    Other(Option<(Entry, Version)>),
}

fn won(work: &str, version: Version, entry: Entry) -> Claimed {
    Claimed::Won(Claim { work: work.to_owned(), version, entry })
}

fn contended(operation: &'static str, work: &str) -> Error {
    Error::new(ErrorKind::Busy, operation, work).because("the entry is contended")
}
