//! One subscriber's messages, each in a file until it is handled.
//!
//! The time at which each message is due and the number of its deliveries are kept in memory only. After a
//! restart every message is due. Messages that other processes add are found by reading the directory once a
//! second while no message is due.

use crate::disk;
use crate::inboxes::BucketPlace;
use crate::note::Note;
use async_trait::async_trait;
use framepost_ports::{Carrier, DeadLetter, DeadLetters, Delivery, Inbox, Message, Receipt, Result};
use jiff::Timestamp;
use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::sync::watch;
use tokio::time::Instant;

/// How often the directory is read to find messages of other processes.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Pause before a message is looked at again whose put another process has not finished.
const UNFINISHED: Duration = Duration::from_millis(100);

/// After this long, the missing object of a message is not expected to appear any more.
const UNFINISHED_MAX: Duration = Duration::from_secs(30);

/// One subscriber's inbox, oldest message first, and its dead letters. Clones refer to the same inbox.
#[derive(Debug, Clone)]
pub struct LocalInbox {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    place: PathBuf,
    bucket: BucketPlace,
    state: Mutex<State>,
    changes: watch::Sender<u64>,
    /// The lock on the inbox; released when the inbox is closed or the last clone is dropped.
    lock: File,
}

#[derive(Debug, Default)]
struct State {
    messages: HashMap<String, Waiting>,
    is_closed: bool,
    looked_at: Option<SystemTime>,
}

#[derive(Debug, Clone, Copy)]
struct Waiting {
    /// `None` while a taker has the message in hand.
    due: Option<Instant>,
    deliveries: u32,
}

impl LocalInbox {
    /// Opens the inbox in `place` with the messages that wait there. Every change increments `changes`.
    pub(crate) fn open(
        place: PathBuf,
        bucket: BucketPlace,
        lock: File,
        changes: watch::Sender<u64>,
    ) -> io::Result<Self> {
        let inner = Inner { place, bucket, state: Mutex::default(), changes, lock };
        let inbox = Self { inner: Arc::new(inner) };
        inbox.inner.look()?;
        Ok(inbox)
    }

    /// Returns the number of messages that are not done.
    pub fn len(&self) -> usize {
        self.inner.state().messages.len()
    }

    /// Returns whether every message is done.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns whether messages are waiting, unless the inbox is closed.
    pub(crate) fn has_work(&self) -> bool {
        let state = self.inner.state();
        !state.is_closed && !state.messages.is_empty()
    }

    /// Adds the message with this id if its file exists.
    pub(crate) fn look_for(&self, id: &str) {
        if self.inner.path("waiting", id).is_file() {
            self.inner.change(|state| state.add(id));
        }
    }
}

impl State {
    fn add(&mut self, id: &str) {
        let now = Waiting { due: Some(Instant::now()), deliveries: 0 };
        self.messages.entry(id.to_owned()).or_insert(now);
    }

    /// Takes up to `max` messages that are due and returns their ids and delivery counts. The order is that of
    /// the ids, which begin with the time.
    fn take_due(&mut self, max: usize) -> Vec<(String, u32)> {
        let now = Instant::now();
        let is_due = |waiting: &Waiting| waiting.due.is_some_and(|due| due <= now);
        let mut due: Vec<String> =
            self.messages.iter().filter(|(_, waiting)| is_due(waiting)).map(|(id, _)| id.clone()).collect();
        due.sort_unstable();
        due.truncate(max);
        let mut taken = Vec::new();
        for id in due {
            if let Some(waiting) = self.messages.get_mut(&id) {
                waiting.due = None;
                waiting.deliveries += 1;
                taken.push((id, waiting.deliveries));
            }
        }
        taken
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.state());
        self.changes.send_modify(|count| *count = count.wrapping_add(1));
        result
    }

    fn path(&self, kind: &str, id: &str) -> PathBuf {
        self.place.join(kind).join(format!("{id}.json"))
    }

    /// Adds messages that are not known yet, if the directory has changed since it was last read.
    fn look(&self) -> io::Result<()> {
        let waiting = self.place.join("waiting");
        let modified = fs::metadata(&waiting)?.modified()?;
        if self.state().looked_at == Some(modified) {
            return Ok(());
        }
        let mut ids = Vec::new();
        for entry in fs::read_dir(&waiting)? {
            if let Ok(name) = entry?.file_name().into_string()
                && let Some(id) = name.strip_suffix(".json")
            {
                ids.push(id.to_owned());
            }
        }
        let is_settled = modified.elapsed().is_ok_and(|age| age > LOOK_EVERY);
        self.change(|state| {
            for id in &ids {
                state.add(id);
            }
            state.looked_at = is_settled.then_some(modified);
        });
        Ok(())
    }

    fn give_back(&self, id: &str, after: Duration) {
        self.change(|state| {
            if let Some(waiting) = state.messages.get_mut(id) {
                waiting.due = Some(Instant::now() + after);
            }
        });
    }

    /// Reads the file of a message. Returns `None` if the file is gone.
    fn load(&self, id: &str) -> io::Result<Option<Loaded>> {
        let path = self.path("waiting", id);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        // The message of an object is a link to the bucket's note of it. Any other
        // file holds the message itself.
        let Ok(note) = serde_json::from_slice::<Note>(&bytes) else {
            return Ok(Some(Loaded::Body(bytes)));
        };
        let is_there = self.bucket.root.join(&note.key).exists();
        let is_old = fs::metadata(&path)?.modified()?.elapsed().is_ok_and(|age| age > UNFINISHED_MAX);
        if !is_there && !is_old {
            return Ok(Some(Loaded::Unfinished));
        }
        Ok(Some(Loaded::Body(note.finalized(&self.bucket.name).to_json())))
    }
}

enum Loaded {
    Body(Vec<u8>),
    /// The put that created the message has not finished.
    Unfinished,
}

#[async_trait]
impl Inbox for LocalInbox {
    async fn receive(&self, max: usize) -> Result<Vec<Delivery>> {
        let mut changes = self.inner.changes.subscribe();
        loop {
            changes.mark_unchanged();
            if self.inner.state().is_closed {
                return Ok(Vec::new());
            }
            let taken = self.inner.state().take_due(max);
            // If the call is cancelled from here on, dropping the receipts returns the messages.
            let receipts: Vec<(LocalReceipt, u32)> = taken
                .into_iter()
                .map(|(id, deliveries)| (LocalReceipt { inner: self.inner.clone(), id: Some(id) }, deliveries))
                .collect();
            let mut deliveries = Vec::new();
            for (receipt, count) in receipts {
                deliveries.extend(receipt.load(count).await?);
            }
            if !deliveries.is_empty() {
                return Ok(deliveries);
            }
            let next_due = self.inner.state().messages.values().filter_map(|waiting| waiting.due).min();
            let next_look = Instant::now() + LOOK_EVERY;
            let until = next_due.map_or(next_look, |due| due.min(next_look));
            // `self` owns the sender, so the channel cannot close.
            if tokio::time::timeout_at(until, changes.changed()).await.is_err() && until == next_look {
                let inner = self.inner.clone();
                let looked = disk::blocking(move || inner.look()).await;
                looked.map_err(|error| disk::error("receive", &self.inner.place.to_string_lossy(), error))?;
            }
        }
    }

    async fn close(&self) {
        self.inner.change(|state| state.is_closed = true);
        let mut changes = self.inner.changes.subscribe();
        while self.inner.state().messages.values().any(|waiting| waiting.due.is_none()) {
            let _ = changes.changed().await;
        }
        if let Err(error) = self.inner.lock.unlock() {
            tracing::warn!(place = %self.inner.place.display(), %error, "cannot let go of an inbox before the process ends");
        }
    }
}

struct LocalReceipt {
    inner: Arc<Inner>,
    /// `None` after the message is answered.
    id: Option<String>,
}

impl LocalReceipt {
    /// Loads the delivery. Returns `None` if the message is gone or must not be handed out yet.
    async fn load(mut self, deliveries: u32) -> Result<Option<Delivery>> {
        let Some(id) = self.id.clone() else { return Ok(None) };
        let inner = self.inner.clone();
        let name = id.clone();
        let loaded = disk::blocking(move || inner.load(&name)).await;
        match loaded.map_err(|error| disk::error("receive", &id, error))? {
            Some(Loaded::Body(body)) => {
                let message = Message { deliveries: Some(deliveries), ..Message::new(id, Carrier::Queue, body) };
                Ok(Some(Delivery::new(message, Box::new(self))))
            }
            Some(Loaded::Unfinished) => {
                self.id = None;
                self.inner.give_back(&id, UNFINISHED);
                Ok(None)
            }
            None => {
                self.id = None;
                self.inner.change(|state| state.messages.remove(&id));
                Ok(None)
            }
        }
    }
}

#[async_trait]
impl Receipt for LocalReceipt {
    async fn done(mut self: Box<Self>) -> Result<()> {
        let Some(id) = self.id.clone() else { return Ok(()) };
        let path = self.inner.path("waiting", &id);
        let removed = disk::blocking(move || disk::remove(&path)).await;
        removed.map_err(|error| disk::error("acknowledge", &id, error))?;
        self.id = None;
        self.inner.change(|state| state.messages.remove(&id));
        Ok(())
    }

    async fn again(mut self: Box<Self>, after: Duration) -> Result<()> {
        if let Some(id) = self.id.take() {
            self.inner.give_back(&id, after);
        }
        Ok(())
    }
}

impl Drop for LocalReceipt {
    fn drop(&mut self) {
        if let Some(id) = self.id.take() {
            self.inner.give_back(&id, Duration::ZERO);
        }
    }
}

#[async_trait]
impl DeadLetters for LocalInbox {
    async fn park(&self, letter: &DeadLetter) -> Result<()> {
        let json = serde_json::json!({
            "function": letter.function,
            "reason": letter.reason.code,
            "detail": letter.reason.detail,
            "parked": Timestamp::now(),
            "attributes": letter.attributes.iter().map(|(name, value)| [name, value]).collect::<Vec<_>>(),
            "body": String::from_utf8_lossy(&letter.body),
        });
        let place = self.inner.path("dead", &letter.id);
        let parked = disk::blocking(move || {
            let mut file = disk::replace_private(&place)?;
            file.write_all(json.to_string().as_bytes())?;
            file.sync_all()?;
            place.parent().map_or(Ok(()), disk::sync_dir)
        });
        parked.await.map_err(|error| disk::error("park", &letter.id, error))
    }
}
