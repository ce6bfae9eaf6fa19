//! The events of a bucket as a queue: at least once, also across a crash.
//!
//! Each event that waits is a file in `events`, which only an acknowledgement (or parking) removes. What is in memory is
//! when each is due and how often it was tried; that is forgotten when the process ends, and every event is then due.

use crate::disk;
use crate::note::Note;
use framepost_events::ObjectFinalized;
use framepost_ports::{Reason, Result};
use jiff::Timestamp;
use std::collections::HashMap;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// The events of one bucket. Clones are the same queue.
#[derive(Debug, Clone)]
pub struct LocalQueue {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    hidden: PathBuf,
    bucket: String,
    waiting: Mutex<HashMap<String, Waiting>>,
    /// Counts the changes of `waiting`, so that whoever waits for one sees it.
    changes: watch::Sender<u64>,
}

#[derive(Debug, Clone, Copy)]
struct Waiting {
    /// `None` while somebody holds it.
    due: Option<Instant>,
    attempts: u32,
}

impl LocalQueue {
    pub(crate) fn new(hidden: PathBuf, bucket: String) -> Self {
        let (changes, _) = watch::channel(0);
        Self { inner: Arc::new(Inner { hidden, bucket, waiting: Mutex::default(), changes }) }
    }

    /// Takes up what earlier processes left.
    pub(crate) fn load(&self) -> io::Result<()> {
        for entry in std::fs::read_dir(self.inner.hidden.join("events"))? {
            if let Ok(name) = entry?.file_name().into_string()
                && let Some(id) = name.strip_suffix(".json")
            {
                self.push(id);
            }
        }
        Ok(())
    }

    /// The event's file is there now.
    pub(crate) fn push(&self, id: &str) {
        let now = Waiting { due: Some(Instant::now()), attempts: 0 };
        self.inner.change(|waiting| {
            waiting.entry(id.to_owned()).or_insert(now);
        });
    }

    /// How many events are not acknowledged.
    pub fn len(&self) -> usize {
        self.inner.waiting().len()
    }

    /// Whether every event is acknowledged.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Waits until every event is acknowledged or parked.
    pub async fn drained(&self) {
        let mut changes = self.inner.changes.subscribe();
        while !self.is_empty() {
            if changes.changed().await.is_err() {
                return;
            }
        }
    }

    /// The next event that is due, oldest first; waits for one. Cancel safe.
    pub async fn receive(&self) -> Result<Message> {
        let mut changes = self.inner.changes.subscribe();
        loop {
            changes.mark_unchanged();
            let next = match self.inner.take_due() {
                Take::Message(id, attempts) => {
                    let mut message = Message { queue: self.clone(), id, attempts, event: None, settled: false };
                    match message.load().await? {
                        Loaded::Event => return Ok(message),
                        Loaded::Nothing => continue,
                    }
                }
                Take::Wait(until) => until,
            };
            // The sender lives in `self`, so the channel cannot close.
            let _ = match next {
                Some(until) => tokio::time::timeout_at(until, changes.changed()).await.unwrap_or(Ok(())),
                None => changes.changed().await,
            };
        }
    }
}

enum Take {
    Message(String, u32),
    Wait(Option<Instant>),
}

impl Inner {
    fn waiting(&self) -> MutexGuard<'_, HashMap<String, Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut HashMap<String, Waiting>)) {
        change(&mut self.waiting());
        self.changes.send_modify(|count| *count = count.wrapping_add(1));
    }

    fn take_due(&self) -> Take {
        let now = Instant::now();
        let mut waiting = self.waiting();
        // Ids begin with the time of the put, so their order is that of the objects.
        let due = waiting.iter_mut().filter(|(_, w)| w.due.is_some_and(|due| due <= now)).min_by(|a, b| a.0.cmp(b.0));
        if let Some((id, entry)) = due {
            entry.due = None;
            entry.attempts += 1;
            return Take::Message(id.clone(), entry.attempts);
        }
        Take::Wait(waiting.values().filter_map(|entry| entry.due).min())
    }
}

enum Loaded {
    Event,
    /// The file has gone, or was no event and is parked.
    Nothing,
}

/// An event that somebody has in hand. Dropped without a word it is due again at once.
#[derive(Debug)]
pub struct Message {
    queue: LocalQueue,
    id: String,
    attempts: u32,
    event: Option<ObjectFinalized>,
    settled: bool,
}

impl Message {
    /// The event.
    ///
    /// # Panics
    ///
    /// Never: a message is only handed out with its event.
    pub fn event(&self) -> &ObjectFinalized {
        self.event.as_ref().expect("loaded before it is handed out")
    }

    /// How often it was handed out since the process started, this time included.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// It is handled.
    pub async fn ack(mut self) -> Result<()> {
        let path = self.path("events");
        let removed = disk::blocking(move || disk::remove(&path)).await;
        removed.map_err(|error| disk::error("acknowledge", &self.id, error))?;
        self.settle();
        Ok(())
    }

    /// It is to come again, not before this long.
    pub fn nack(mut self, after: Duration) {
        self.settled = true;
        self.queue.inner.change(|waiting| {
            if let Some(entry) = waiting.get_mut(&self.id) {
                entry.due = Some(Instant::now() + after);
            }
        });
    }

    /// It will never work: it goes to the dead letters, with the reason.
    pub async fn park(mut self, reason: &Reason) -> Result<()> {
        self.bury(reason).await
    }

    async fn bury(&mut self, reason: &Reason) -> Result<()> {
        let letter = serde_json::json!({
            "event": self.event,
            "reason": reason.code,
            "detail": reason.detail,
            "attempts": self.attempts,
            "parked": Timestamp::now(),
        });
        let (event, dead) = (self.path("events"), self.path("dead"));
        let moved = disk::blocking(move || {
            let mut file = std::fs::File::create(&dead)?;
            file.write_all(letter.to_string().as_bytes())?;
            file.sync_all()?;
            dead.parent().map_or(Ok(()), disk::sync_dir)?;
            disk::remove(&event)
        });
        moved.await.map_err(|error| disk::error("park", &self.id, error))?;
        self.settle();
        Ok(())
    }

    async fn load(&mut self) -> Result<Loaded> {
        let path = self.path("events");
        match disk::blocking(move || Note::read(&path)).await {
            Ok(note) => {
                self.event = Some(note.finalized(&self.queue.inner.bucket));
                Ok(Loaded::Event)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.settle();
                Ok(Loaded::Nothing)
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof) => {
                tracing::error!(id = self.id, %error, "an event cannot be read and is parked");
                self.bury(&Reason::new("unreadable-event", error.to_string())).await?;
                Ok(Loaded::Nothing)
            }
            Err(error) => Err(disk::error("receive", &self.id, error)),
        }
    }

    fn path(&self, kind: &str) -> PathBuf {
        self.queue.inner.hidden.join(kind).join(format!("{}.json", self.id))
    }

    fn settle(&mut self) {
        self.settled = true;
        self.queue.inner.change(|waiting| {
            waiting.remove(&self.id);
        });
    }
}

impl Drop for Message {
    fn drop(&mut self) {
        if !self.settled {
            self.queue.inner.change(|waiting| {
                if let Some(entry) = waiting.get_mut(&self.id) {
                    entry.due = Some(Instant::now());
                    // A receive that was cancelled while it loaded the event handed nothing out.
                    entry.attempts -= u32::from(self.event.is_none());
                }
            });
        }
    }
}
