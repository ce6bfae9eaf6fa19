//! Claims, for work that costs: whoever holds the claim does the work, everybody else leaves it alone.
//!
//! Work that is free to repeat takes no ledger. A piece of work is named by a text that is the same for every delivery of
//! its event: the function's name and the event's identity, say.
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
//! | working, its lease over | [`Claimed::Won`]: taken over, with the id of the job that the holder before may have left running |
//! | done | [`Claimed::Done`] |
//!
//! # What a crash in the middle means
//!
//! * After the claim, before the job is submitted: nobody works until the lease is over, then the next one to claim does.
//! * After the submission, before [`Ledger::submitted`]: nobody knows the job's id. So submit under a name that is the same
//!   for every attempt (a client token made of the work's name), and the service itself knows the job again.
//! * After `submitted`: the job's completion event goes on with [`Ledger::resume`]; where that never comes, whoever claims
//!   after the lease gets the job's id with the claim and asks for the job's fate before paying for another.
//! * After the work, before [`Ledger::done`]: the next one does it again. Its effect has to be that of one, as always.
//!
//! # Fencing
//!
//! Each write is conditional on the one before. A holder that was taken over while it slept cannot finish, extend, or add
//! a job: it is told [`Hold::Lost`] and must stop. [`Claim::attempts`] grows with each holder, for outside systems that
//! fence by number.
//!
//! Leases are compared with the clock of whoever asks, so they should be longer than clocks differ: minutes, not
//! milliseconds. A clock that is wrong costs a repetition, never a lost piece of work.
//!
//! # One document
//!
//! All of it is one small document for each piece of work, read and written conditionally: [`LedgerStore`], which is all that
//! a cloud has to give. The rules are here, once.

mod entry;

pub use entry::{Entry, State};

use crate::{Clock, Error, ErrorKind, Reason, Result};
use async_trait::async_trait;
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;

/// What an entry is kept for after its last change. Longer than any queue keeps a message, so that a late duplicate of
/// work that is done still meets it.
pub const RETENTION: Duration = Duration::from_hours(30 * 24);

/// Tries of one conditional write against others that write too, each decided by what is there then.
const MAX_ROUNDS: u32 = 16;

/// Which write an entry is of; only its store knows how to read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version(pub String);

/// How a conditional write ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Swap {
    /// The entry is there now, as this version.
    Written(Version),
    /// Something else is there than was expected.
    Refused,
}

/// One small document for each piece of work.
#[async_trait]
pub trait LedgerStore: Send + Sync {
    /// The entry of `work`, as the last write left it: no cache, no stale replica.
    async fn read(&self, work: &str) -> Result<Option<(Entry, Version)>>;

    /// Writes the entry if what is there is `expected` (`None`: nothing), in one indivisible step, durable on return. Of
    /// several that expect the same, one is `Written`.
    async fn swap(&self, work: &str, expected: Option<&Version>, entry: &Entry) -> Result<Swap>;
}

/// The right to do a piece of work, until its lease is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    work: String,
    version: Version,
    entry: Entry,
}

impl Claim {
    /// The work's name.
    pub fn work(&self) -> &str {
        &self.work
    }

    /// The how-manieth claim of this work this is; the first is 1.
    pub fn attempts(&self) -> u32 {
        self.entry.attempts
    }

    /// When the lease is over.
    pub fn until(&self) -> Timestamp {
        self.entry.until
    }

    /// The outside job, of this holder or of the one before: ask for its fate before paying for another.
    pub fn job(&self) -> Option<&str> {
        self.entry.job.as_deref()
    }
}

/// What [`Ledger::claim`] answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claimed {
    /// Do the work.
    Won(Claim),
    /// Somebody else does it; come again when the lease is over.
    Held {
        /// When that is.
        until: Timestamp,
        /// The outside job, where one is known.
        job: Option<String>,
    },
    /// It is done.
    Done,
    /// There is no such job to go on with: [`Ledger::resume`] alone answers this.
    Unknown,
}

/// Whether a claim still holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a holder that has lost its claim has to stop"]
pub enum Hold {
    /// It does, and what was asked is written.
    Kept,
    /// Somebody else has taken the work over: stop, and leave the ledger alone.
    Lost,
}

/// The claims of one store.
#[derive(Clone)]
pub struct Ledger {
    store: Arc<dyn LedgerStore>,
    clock: Arc<dyn Clock>,
}

impl Ledger {
    /// The claims that `store` keeps.
    pub fn new(store: Arc<dyn LedgerStore>, clock: Arc<dyn Clock>) -> Self {
        Self { store, clock }
    }

    /// Claims the work for this long.
    pub async fn claim(&self, work: &str, lease: Duration) -> Result<Claimed> {
        // Most work is new, and then one write is all it takes.
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

    /// Goes on with the work whose outside job is `job`, whoever holds the claim: the job's completion event is the holder's
    /// successor. The holder before is fenced off.
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

    /// Keeps the outside job's id, and the claim for as long as the job may take.
    pub async fn submitted(&self, claim: &mut Claim, job: &str, lease: Duration) -> Result<Hold> {
        let next = Entry { job: Some(job.to_owned()), ..claim.entry.extended(self.clock.now(), lease) };
        self.change(claim, next).await
    }

    /// Keeps the claim for this long from now on.
    pub async fn extend(&self, claim: &mut Claim, lease: Duration) -> Result<Hold> {
        let next = claim.entry.extended(self.clock.now(), lease);
        self.change(claim, next).await
    }

    /// The work is done, for good.
    pub async fn done(&self, claim: &mut Claim) -> Result<Hold> {
        let next = claim.entry.ended(State::Done, None, self.clock.now());
        self.change(claim, next).await
    }

    /// This attempt has come to nothing, its job included; the next one to claim may start at once.
    pub async fn failed(&self, claim: &mut Claim, reason: &Reason) -> Result<Hold> {
        let next = claim.entry.ended(State::Failed, Some(reason), self.clock.now());
        self.change(claim, next).await
    }

    async fn change(&self, claim: &mut Claim, next: Entry) -> Result<Hold> {
        if claim.entry.state != State::Working {
            // This claim has ended the work itself.
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

    /// A conditional write whose answer may get lost: what is there then says whose it was, because no two writes are equal.
    async fn write(&self, work: &str, expected: Option<&Version>, entry: &Entry) -> Result<Written> {
        let unanswered = match self.store.swap(work, expected, entry).await {
            Ok(Swap::Written(version)) => return Ok(Written::Mine(version)),
            // A request that was repeated on the way is refused because of itself.
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
    Error::new(ErrorKind::Busy, operation, work).because("others write this entry all the time")
}
