//! Uploads chunks to the bucket. Does not depend on cameras.
//!
//! Each object is uploaded with one conditional PUT. **An object leaves the spool only when the bucket is known
//! to hold it.** The proof is a checksum in the answer that matches, or "already exists" for an object that an
//! earlier put of this gateway may have stored. The spool remembers with the mark "tried" that such a put was
//! sent. The mark is written to disk before the last byte of a put is sent, removed when a refusing answer was
//! received, and survives a restart.
//!
//! | answer | and | then | tried |
//! |---|---|---|---|
//! | created | with the checksum of the object | done, the object leaves the spool | |
//! | created | with another checksum | like corrupt | no |
//! | created | without one, from a bucket that has them, or as a page | somebody else's answer | no |
//! | created | without one, from a bucket that never had any | put again: "already exists" is the proof, "created" somebody else's answer | yes |
//! | already exists | the bucket's checksum is ours | done | |
//! | already exists | its checksum is another | quarantine: something else is there | |
//! | already exists | it has none, or the credential cannot look; tried | done: the answer to that put got lost | |
//! | already exists | the same; not tried, made from a file that has not changed | done, and counted as not compared | |
//! | already exists | the same; not tried, a camera's | quarantine | no |
//! | already exists | the look gets no answer | again | as before |
//! | no answer, 500, 502, 504, one cut short | | again and again | yes |
//! | busy (503), denied, no such bucket, the clock is off | | again and again, never quarantine: it says nothing of the object | no |
//! | somebody else's: a page, a redirect, an error without the service's document | | again and again, never quarantine | by its status: 3xx, 4xx, 501 and 503 refuse |
//! | corrupt | the bytes here are still those that were closed | again and again | no |
//! | corrupt | they are not | quarantine | no |
//! | invalid, in the service's own words | | again, [`UploadSettings::refusals_before_quarantine`] times in all, then quarantine | no |
//!
//! A put whose last byte was not sent changes nothing. A file that no longer exists is forgotten, unless the
//! whole disk is gone. A file that is shorter than before, or repeatedly cannot be read, goes to quarantine. A
//! file that cannot be read for lack of descriptors or memory waits. Changes that cannot be written, because
//! the disk is read-only or full, are kept in memory ([`Spool::settle`]); nothing is put again because of them.
//!
//! Each failure delays the object by a full-jitter backoff of its own, so that a failing object does not block
//! others. Failures caused by the bucket, not the object, also open the [`circuit`]: then probes are sent one
//! after the other until one is answered. After that, all delayed objects are due, as many at a time as there
//! are workers. A failure is logged if it differs from the one before.
//!
//! Each camera's newest object goes first, one camera after the other, and what came since a camera's last turn before what was
//! left behind: on a line that is too short what arrives is new, and the rest is made up when there is room, at night. So that it is not put off for ever, every [`UploadSettings::backlog_share`]th slot
//! takes the oldest of all.
//!
//! A put that does not move is cancelled after a time determined by [`patience`].

mod bandwidth;
mod circuit;
mod content;
#[cfg(test)]
mod model;
mod object;
mod patience;
mod settings;
#[cfg(test)]
mod simulation;
mod stats;
#[cfg(test)]
mod tests;
mod verify;

pub use settings::{Backoff, UploadSettings};
pub use stats::{Retries, UploadStats};
pub use verify::{Absent, Verified, VerifyError, verify};

use crate::spool::{Claim, Order, Spool};
use bandwidth::Bandwidth;
use circuit::{Circuit, Permit};
use framepost_events::ObjectKey;
use framepost_ports::ObjectSink;
use futures::FutureExt as _;
use patience::Patience;
use stats::StatsCell;
use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The result of [`Uploader::drain`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drained {
    /// No object is waiting any more.
    Empty,
    /// The deadline was reached. The remaining objects stay in the spool for the next start.
    Left {
        /// Number of remaining objects.
        objects: u64,
        /// Bytes of the remaining objects.
        bytes: u64,
    },
}

/// Uploads objects from the spool to the bucket. A handle that is cheap to clone.
#[derive(Clone)]
pub struct Uploader {
    inner: Arc<Inner>,
}

struct Inner {
    spool: Spool,
    sink: Arc<dyn ObjectSink>,
    settings: UploadSettings,
    circuit: Arc<Circuit>,
    patience: Patience,
    bandwidth: Arc<Bandwidth>,
    stats: Arc<StatsCell>,
    random: Mutex<fastrand::Rng>,
    /// The failures of each object, until it is uploaded or in quarantine.
    trouble: Mutex<HashMap<ObjectKey, Trouble>>,
    slots: Mutex<u32>,
}

/// The failures of one object.
#[derive(Debug, Clone, Copy)]
struct Trouble {
    not_before: Instant,
    /// Number of outages that had ended by then. After a later outage has ended, the object is due immediately,
    /// because its failure may have been caused by the outage.
    outages: u64,
    failures: u32,
    refusals: u32,
    /// Whether a put of it was answered with a success that proves nothing.
    bare: Bare,
}

/// Number of successes without proof for an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bare {
    First,
    Again,
}

impl Trouble {
    fn holds(&self, now: Instant, outages: u64) -> bool {
        self.not_before > now && self.outages == outages
    }
}

impl Uploader {
    /// Creates an uploader that does nothing until [`run`](Self::run) is called. `random` is
    /// the source of its jitter.
    pub fn new(spool: Spool, sink: Arc<dyn ObjectSink>, settings: UploadSettings, mut random: fastrand::Rng) -> Self {
        let inner = Inner {
            spool,
            sink,
            circuit: Arc::new(Circuit::new(settings.backoff, random.fork())),
            patience: Patience::new(settings.stall),
            bandwidth: Arc::new(Bandwidth::new(settings.bandwidth_bytes_per_second)),
            stats: Arc::default(),
            random: Mutex::new(random),
            trouble: Mutex::default(),
            slots: Mutex::new(0),
            settings,
        };
        Self { inner: Arc::new(inner) }
    }

    /// Uploads until `shutdown`. Puts in progress are then cancelled; the spool remembers that they were sent.
    pub async fn run(&self, shutdown: CancellationToken) {
        let debts = tokio::spawn(shutdown.clone().run_until_cancelled_owned(self.inner.clone().settle_debts()));
        let mut puts = JoinSet::new();
        shutdown.run_until_cancelled(self.inner.hand_out(&mut puts)).await;
        // A put that is cancelled is dropped at its next await, and its claim returns the object.
        puts.shutdown().await;
        let _ = debts.await;
    }

    /// Waits until nothing is left to upload. Needs [`run`](Self::run) to be running.
    pub async fn drain(&self, deadline: Option<Instant>) -> Drained {
        let mut changes = self.inner.spool.changes();
        let emptied = async {
            while !self.inner.spool.is_drained() {
                if changes.changed().await.is_err() {
                    break;
                }
            }
        };
        let in_time = if let Some(deadline) = deadline {
            tokio::time::timeout_at(deadline, emptied).await.is_ok()
        } else {
            emptied.await;
            true
        };
        match self.inner.spool.pending() {
            _ if in_time => Drained::Empty,
            (objects, bytes) => Drained::Left { objects, bytes },
        }
    }

    /// Returns the current counters.
    pub fn stats(&self) -> UploadStats {
        self.inner.stats.snapshot(self.inner.circuit.is_open())
    }
}

impl Inner {
    /// Gives each object that is due to a task of its own in `puts`, at most [`UploadSettings::workers`] at a time.
    ///
    /// Only this task waits for changes of the spool, so a change wakes one task, however many puts are allowed at a time. It
    /// waits only after a search that found nothing, and then for everything that can make an object due:
    ///
    /// - An object that is closed, released from quarantine, or returned by its put changes the spool. The counter of
    ///   changes is marked as seen before the search. A change during or after the search therefore ends the wait at once.
    /// - The delay of an object ends at `next_due`, computed for the time of the search. An object that is put off later
    ///   belongs to a put, which returns it after that and so changes the spool.
    /// - After an outage all delayed objects are due. The put that ended the outage reports it to the circuit before its claim
    ///   ends, which changes the spool.
    ///
    /// While all slots are taken or the circuit is open, it does not search. It does once a put has ended, or when the circuit
    /// permits the next put.
    async fn hand_out(self: &Arc<Self>, puts: &mut JoinSet<()>) {
        let mut news = self.spool.changes();
        loop {
            while puts.len() >= self.settings.workers.max(1) {
                puts.join_next().await;
            }
            while puts.try_join_next().is_some() {}
            news.borrow_and_update();
            let permit = self.circuit.permit().await;
            let now = Instant::now();
            if let Some(claim) = self.claim(now) {
                puts.spawn(self.clone().attempt(claim, permit));
                continue;
            }
            drop(permit);
            let due = self.next_due(now);
            tokio::select! {
                told = news.changed() => if told.is_err() { return },
                () = sleep_until(due) => {}
            }
        }
    }

    /// Does one attempt. A panic ends the attempt, not the uploader.
    async fn attempt(self: Arc<Self>, claim: Claim, permit: Permit) {
        let key = claim.key().clone();
        if AssertUnwindSafe(self.upload(claim, permit)).catch_unwind().await.is_err() {
            tracing::error!(%key, "the upload failed because of a defect in the program, retrying");
            self.put_off(&key, self.settings.backoff, 0);
            // Keeps its slot, which limits the CPU use of an object that panics every time.
            tokio::time::sleep(self.settings.backoff.base).await;
        }
    }

    fn claim(&self, now: Instant) -> Option<Claim> {
        // Many changes leave nothing to upload, which costs no slot.
        if !self.spool.has_waiting() {
            return None;
        }
        let order = self.next_order();
        let outages = self.circuit.outages();
        self.spool.claim(order, &|key| self.trouble().get(key).is_some_and(|trouble| trouble.holds(now, outages)))
    }

    fn next_order(&self) -> Order {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        *slots = slots.wrapping_add(1);
        if slots.is_multiple_of(self.settings.backlog_share.max(1)) { Order::Oldest } else { Order::Newest }
    }

    /// Returns when the first object that was not due at `now` will be due.
    fn next_due(&self, now: Instant) -> Option<Instant> {
        let outages = self.circuit.outages();
        self.trouble().values().filter(|trouble| trouble.holds(now, outages)).map(|trouble| trouble.not_before).min()
    }

    fn trouble(&self) -> MutexGuard<'_, HashMap<ObjectKey, Trouble>> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Delays an object. Returns how often it has been refused as invalid.
    fn put_off(&self, key: &ObjectKey, backoff: Backoff, refused: u32) -> u32 {
        let mut all = self.trouble();
        let now = Instant::now();
        let fresh = Trouble { not_before: now, outages: 0, failures: 0, refusals: 0, bare: Bare::First };
        let trouble = all.entry(key.clone()).or_insert(fresh);
        trouble.outages = self.circuit.outages();
        let mut random = self.random.lock().unwrap_or_else(PoisonError::into_inner);
        trouble.not_before = now + backoff.delay(trouble.failures, &mut random);
        trouble.failures = trouble.failures.saturating_add(1);
        trouble.refusals += refused;
        trouble.refusals
    }

    /// Records a success that proves nothing, and returns whether it was the first for the object.
    fn bare_success(&self, key: &ObjectKey) -> Bare {
        let now = Instant::now();
        let mut all = self.trouble();
        let fresh = Trouble { not_before: now, outages: 0, failures: 0, refusals: 0, bare: Bare::First };
        std::mem::replace(&mut all.entry(key.clone()).or_insert(fresh).bare, Bare::Again)
    }

    fn delay(&self, failures: u32) -> Duration {
        let mut random = self.random.lock().unwrap_or_else(PoisonError::into_inner);
        self.settings.backoff.delay(failures, &mut random)
    }

    fn is_over(&self, key: &ObjectKey) {
        self.trouble().remove(key);
    }
}

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due.max(Instant::now() + Duration::from_millis(1))).await,
        None => std::future::pending().await,
    }
}
