//! One subscriber's messages, each a file until it is done.
//!
//! What is in memory is when each message is due and how often it was handed out. That is forgotten when the process ends,
//! and every message is then due. Messages that other processes put there are found by a look at the directory, once a
//! second while nothing is due.

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

/// How often the directory is looked at for messages of other processes.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A message of a put that another process has not finished waits this long before it is looked at again.
const UNFINISHED: Duration = Duration::from_millis(100);

/// After this long the object of a message that is not there will not come.
const UNFINISHED_MAX: Duration = Duration::from_secs(30);

/// One subscriber's inbox, oldest message first, and its dead letters. Clones are the same inbox.
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
    /// Released when the inbox is closed, or the last clone goes.
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
    /// `None` while somebody has it in hand.
    due: Option<Instant>,
    deliveries: u32,
}

impl LocalInbox {
    /// Takes up what waits in `place`. `changes` is counted up with every change.
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

    /// How many messages are not done.
    pub fn len(&self) -> usize {
        self.inner.state().messages.len()
    }

    /// Whether every message is done.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether messages wait that this inbox still hands out.
    pub(crate) fn has_work(&self) -> bool {
        let state = self.inner.state();
        !state.is_closed && !state.messages.is_empty()
    }

    /// A message of this id may be there now.
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

    /// The ids of up to `max` messages that are due, in the order of their ids, which begin with the time.
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

    /// Takes up messages that are not known yet, where the directory has changed since the last look.
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

    /// What the file of a message says; `None` when it is gone.
    fn load(&self, id: &str) -> io::Result<Option<Loaded>> {
        let path = self.path("waiting", id);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        // A bucket links its own note of the object. Anything else is the message itself.
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
    /// The put that raised it is between two of its steps.
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
            // From here on a call that is cancelled gives back what it took.
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
            // The sender lives in `self`, so the channel cannot close.
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
    /// `None` once it is answered.
    id: Option<String>,
}

impl LocalReceipt {
    /// The delivery; `None` where the message is gone, or not to be handed out yet.
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
