//! Chunks into the bucket. Knows nothing of cameras.
//!
//! One conditional PUT an object. **Bytes leave the spool only when they are known to be in the bucket**: by a checksum in the
//! answer that is theirs, or by an "already exists" for an object whose own earlier put may have been stored. "Tried" is
//! that memory. It is kept as a mark on the disk, made before the last byte of a put leaves, and forgotten when an
//! answer that refuses was heard; what is tried outlives the process.
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
//! | invalid, in the service's own words | | again, [`Settings::refusals_before_quarantine`] times in all, then quarantine | no |
//!
//! A put whose last byte never left changes nothing. A file that is gone is forgotten, unless the whole disk is away; one that is shorter than it was, or cannot be read
//! so many times, is set aside; one that cannot be read for want of descriptors or memory waits. What cannot be
//! written down, because the disk is read-only or full, is remembered in memory ([`Spool::settle`]): nothing is put again for it.
//!
//! Each failure puts the object off by a full-jitter backoff of its own, so that a stuck one never blocks those behind
//! it. Failures that are the bucket's, not the object's, also open the [`circuit`]: then probes go out, one after the other,
//! until one is answered. From then on everything that was put off is due, as many at a time as there are workers. A
//! failure is logged when it differs from the one before.
//!
//! Each camera's newest object goes first, one camera after the other, and what came since a camera's last turn before what was
//! left behind: on a line that is too short what arrives is new, and the rest is made up when there is room, at night. So that it is not put off for ever, every [`Settings::backlog_share`]th slot
//! takes the oldest of all.
//!
//! A put that stands still is broken off; for how long it may is what its [`patience`] says.

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

pub use settings::{Backoff, Settings};
pub use stats::{Retries, UploadStats};
pub use verify::{Absent, Verified, VerifyError, verify};

use crate::spool::{Claim, Order, Spool};
use bandwidth::Bandwidth;
use circuit::Circuit;
use framepost_events::ObjectKey;
use framepost_ports::ObjectSink;
use patience::Patience;
use stats::StatsCell;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How a [`Uploader::drain`] ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drained {
    /// Nothing waits any more.
    Empty,
    /// The deadline came first. What is left stays in the spool for the next start.
    Left {
        /// How many objects.
        objects: u64,
        /// Their bytes.
        bytes: u64,
    },
}

/// Takes objects from the spool to the bucket. A handle, cheap to clone.
#[derive(Clone)]
pub struct Uploader {
    inner: Arc<Inner>,
}

struct Inner {
    spool: Spool,
    sink: Arc<dyn ObjectSink>,
    settings: Settings,
    circuit: Circuit,
    patience: Patience,
    bandwidth: Arc<Bandwidth>,
    stats: Arc<StatsCell>,
    random: Mutex<fastrand::Rng>,
    /// What failed before, until it is done or set aside.
    trouble: Mutex<HashMap<ObjectKey, Trouble>>,
    slots: Mutex<u32>,
}

/// An object's own history of failures.
#[derive(Debug, Clone, Copy)]
struct Trouble {
    not_before: Instant,
    /// The outages that were over by then. An answer after another one makes the object due at once: what put it off was the
    /// way, or may have been.
    outages: u64,
    failures: u32,
    refusals: u32,
    /// Whether a put of it was answered by a success that proves nothing.
    bare: Bare,
}

/// A success that proves nothing, for an object.
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
    /// An uploader that does nothing until it is [`run`](Self::run). `random` is the source of its jitter.
    pub fn new(spool: Spool, sink: Arc<dyn ObjectSink>, settings: Settings, mut random: fastrand::Rng) -> Self {
        let inner = Inner {
            spool,
            sink,
            circuit: Circuit::new(settings.backoff, random.fork()),
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

    /// Uploads until `shutdown`. Puts that are under way then are broken off; the spool remembers that they were begun.
    pub async fn run(&self, shutdown: CancellationToken) {
        let mut workers = JoinSet::new();
        for _ in 0..self.inner.settings.workers.max(1) {
            workers.spawn(self.inner.clone().work(shutdown.clone()));
        }
        let debts = tokio::spawn(shutdown.clone().run_until_cancelled_owned(self.inner.clone().settle_debts()));
        while let Some(ended) = workers.join_next().await {
            if let Err(error) = ended
                && !shutdown.is_cancelled()
            {
                // A panic costs the object's turn, not the uploader.
                tracing::error!(%error, "upload worker ended, starting another");
                // Nor may one that panics every time take a whole core.
                tokio::time::sleep(self.inner.settings.backoff.base).await;
                workers.spawn(self.inner.clone().work(shutdown.clone()));
            }
        }
        let _ = debts.await;
    }

    /// Waits, while [`run`](Self::run) goes on, until nothing is left to upload.
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

    /// How it goes.
    pub fn stats(&self) -> UploadStats {
        self.inner.stats.snapshot(self.inner.circuit.is_open())
    }
}

impl Inner {
    async fn work(self: Arc<Self>, shutdown: CancellationToken) {
        // Cancelled from outside, a put is dropped at its next await; its claim gives the object back.
        shutdown.run_until_cancelled(self.work_forever()).await;
    }

    async fn work_forever(self: &Arc<Self>) {
        let mut news = self.spool.changes();
        loop {
            news.borrow_and_update();
            let permit = self.circuit.permit().await;
            let now = Instant::now();
            if let Some(claim) = self.claim(now).await {
                self.upload(claim, permit).await;
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

    async fn claim(self: &Arc<Self>, now: Instant) -> Option<Claim> {
        // Every change wakes every worker; most find that another one was there first, which needs no thread.
        if !self.spool.has_waiting() {
            return None;
        }
        let inner = self.clone();
        let claimed = tokio::task::spawn_blocking(move || {
            let order = inner.next_order();
            let outages = inner.circuit.outages();
            let skip = |key: &ObjectKey| inner.trouble().get(key).is_some_and(|trouble| trouble.holds(now, outages));
            inner.spool.claim(order, &skip)
        });
        claimed.await.ok().flatten()
    }

    fn next_order(&self) -> Order {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        *slots = slots.wrapping_add(1);
        if slots.is_multiple_of(self.settings.backlog_share.max(1)) { Order::Oldest } else { Order::Newest }
    }

    /// When the first of those that were not due at `now` will be.
    fn next_due(&self, now: Instant) -> Option<Instant> {
        let outages = self.circuit.outages();
        self.trouble().values().filter(|trouble| trouble.holds(now, outages)).map(|trouble| trouble.not_before).min()
    }

    fn trouble(&self) -> MutexGuard<'_, HashMap<ObjectKey, Trouble>> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts an object off; says how often it was refused for good by now.
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

    /// A put of the object was answered by a success that proves nothing. Whether it is the first one.
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
