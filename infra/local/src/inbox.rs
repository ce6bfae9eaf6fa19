//! One subscriber's messages, each in a file until it is handled.
//!
//! The time at which each message is due and the number of its deliveries are kept in memory only. After a
//! restart every message is due. Messages that other processes add are found by reading the directory once a
//! second.

use crate::disk;
use crate::lock::LockFile;
use crate::note::{self, Note, RemovalNote};
use async_trait::async_trait;
use framepost_ports::{
    Carrier, DeadLetter, DeadLetters, Delivery, InHand, Inbox, Message, Receipt, Result, WaitingList,
};
use jiff::Timestamp;
use std::fs;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::sync::watch;
use tokio::time::Instant;

/// How often the directory is read to find messages of other processes.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Pause before a message is looked at again whose put or removal another process has not finished.
const UNFINISHED: Duration = Duration::from_millis(100);

/// After this long, an object is not expected to appear or to go any more, and its message is handed out.
const UNFINISHED_MAX: Duration = Duration::from_secs(30);

/// The location of the objects that the messages refer to.
#[derive(Debug, Clone)]
pub(crate) struct BucketPlace {
    pub(crate) root: PathBuf,
    pub(crate) name: String,
}

/// One subscriber's inbox, oldest message first, and its dead letters. Clones refer to the same inbox.
#[derive(Debug, Clone)]
pub struct LocalInbox {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    place: PathBuf,
    bucket: BucketPlace,
    waiting: Arc<WaitingList<String, ()>>,
    looks: Mutex<Looks>,
    /// The lock on the inbox; released when the inbox is closed or the last clone is dropped.
    lock: LockFile,
}

#[derive(Debug)]
struct Looks {
    /// The directory's modification time at the last look; `None` where it has to be read again.
    as_of: Option<SystemTime>,
    /// When to look next.
    next: Instant,
}

impl LocalInbox {
    /// Opens the inbox in `place` with the messages that wait there. Every change increments `changes`.
    pub(crate) fn open(
        place: PathBuf,
        bucket: BucketPlace,
        lock: LockFile,
        changes: watch::Sender<u64>,
    ) -> io::Result<Self> {
        let looks = Mutex::new(Looks { as_of: None, next: Instant::now() });
        let inner = Inner { place, bucket, waiting: WaitingList::new(changes), looks, lock };
        let inbox = Self { inner: Arc::new(inner) };
        inbox.inner.look()?;
        Ok(inbox)
    }

    /// Returns the number of messages that are not done.
    pub fn len(&self) -> usize {
        self.inner.waiting.len()
    }

    /// Returns whether every message is done.
    pub fn is_empty(&self) -> bool {
        self.inner.waiting.is_empty()
    }

    /// Returns the time at which the oldest message that is not done came in.
    pub async fn oldest(&self) -> Result<Option<Timestamp>> {
        let Some(id) = self.inner.waiting.first() else { return Ok(None) };
        // Ids begin with the time in µs, in hexadecimal digits; those of replays do not.
        let micros = id.get(..16).and_then(|digits| i64::from_str_radix(digits, 16).ok());
        if let Some(time) = micros.and_then(|micros| Timestamp::from_microsecond(micros).ok()) {
            return Ok(Some(time));
        }
        let path = self.inner.path("waiting", &id);
        let modified = disk::blocking(move || match fs::metadata(path) {
            Ok(metadata) => Ok(Timestamp::try_from(metadata.modified()?).ok()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        });
        modified.await.map_err(|error| disk::error("look at", &self.inner.place.to_string_lossy(), error))
    }

    /// Returns the number of messages that are parked.
    pub async fn parked(&self) -> Result<usize> {
        let dead = self.inner.place.join("dead");
        let counted = disk::blocking(move || Ok(fs::read_dir(dead)?.count()));
        counted.await.map_err(|error| disk::error("look at", &self.inner.place.to_string_lossy(), error))
    }

    /// Returns whether messages are waiting, unless the inbox is closed.
    pub(crate) fn has_work(&self) -> bool {
        self.inner.waiting.has_work()
    }

    /// Adds the message with this id if its file exists.
    pub(crate) fn look_for(&self, id: &str) {
        if self.inner.path("waiting", id).is_file() {
            self.inner.waiting.add([(id.to_owned(), ())]);
        }
    }
}

impl Inner {
    fn path(&self, kind: &str, id: &str) -> PathBuf {
        self.place.join(kind).join(format!("{id}.json"))
    }

    fn looks(&self) -> MutexGuard<'_, Looks> {
        self.looks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds messages that are not known yet, if the directory has changed since it was last read.
    fn look(&self) -> io::Result<()> {
        let waiting = self.place.join("waiting");
        let modified = fs::metadata(&waiting)?.modified()?;
        let mut looks = self.looks();
        looks.next = Instant::now() + LOOK_EVERY;
        if looks.as_of == Some(modified) {
            return Ok(());
        }
        let mut found = Vec::new();
        for entry in fs::read_dir(&waiting)? {
            if let Ok(name) = entry?.file_name().into_string()
                && let Some(id) = name.strip_suffix(".json")
            {
                found.push((id.to_owned(), ()));
            }
        }
        let is_settled = modified.elapsed().is_ok_and(|age| age > LOOK_EVERY);
        looks.as_of = is_settled.then_some(modified);
        drop(looks);
        self.waiting.add(found);
        Ok(())
    }

    /// Reads the file of a message. Returns `None` if the file is gone.
    fn load(&self, id: &str) -> io::Result<Option<Loaded>> {
        let path = self.path("waiting", id);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        // The message of an object is a link to the bucket's note of it, and that of a removal to the removal's. Any
        // other file holds the message itself.
        let (note, expected, body) = if let Ok(note) = serde_json::from_slice::<Note>(&bytes) {
            let body = note.finalized(&self.bucket.name).to_json();
            (note, Object::There, body)
        } else if let Ok(removal) = serde_json::from_slice::<RemovalNote>(&bytes) {
            let body = removal.event(&self.bucket.name).to_json();
            (removal.object, Object::Gone, body)
        } else {
            return Ok(Some(Loaded::Body(bytes)));
        };
        let is_old = fs::metadata(&path)?.modified()?.elapsed().is_ok_and(|age| age > UNFINISHED_MAX);
        let is_unfinished = !is_old && self.object(&note) != expected && self.is_noted(&note);
        Ok(Some(if is_unfinished { Loaded::Unfinished } else { Loaded::Body(body) }))
    }

    fn object(&self, note: &Note) -> Object {
        if self.bucket.root.join(&note.key).exists() { Object::There } else { Object::Gone }
    }

    /// Returns whether the key still belongs to the put that wrote this note. Both a put and a removal have other
    /// steps to do where the bucket and the message say different things while this holds.
    fn is_noted(&self, note: &Note) -> bool {
        Note::read(&note::place(&self.bucket.root, &note.key)).is_ok_and(|there| there.id == note.id)
    }
}

enum Loaded {
    Body(Vec<u8>),
    /// The put or the removal that created the message has not finished.
    Unfinished,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Object {
    There,
    Gone,
}

#[async_trait]
impl Inbox for LocalInbox {
    async fn receive(&self, max: usize) -> Result<Vec<Delivery>> {
        let inner = &self.inner;
        loop {
            if inner.looks().next <= Instant::now() {
                let looking = inner.clone();
                let looked = disk::blocking(move || looking.look()).await;
                looked.map_err(|error| disk::error("receive", &inner.place.to_string_lossy(), error))?;
            }
            let mut mark = inner.waiting.mark();
            let Some(taken) = inner.waiting.take_due(max) else { return Ok(Vec::new()) };
            let mut deliveries = Vec::new();
            for in_hand in taken {
                let receipt = LocalReceipt { inner: inner.clone(), in_hand };
                deliveries.extend(receipt.load().await?);
            }
            if !deliveries.is_empty() {
                return Ok(deliveries);
            }
            let next_look = inner.looks().next;
            inner.waiting.changed(&mut mark, next_look).await;
        }
    }

    async fn close(&self) {
        self.inner.waiting.close().await;
        if let Err(error) = self.inner.lock.release() {
            tracing::warn!(place = %self.inner.place.display(), %error, "cannot release an inbox's lock before the process ends");
        }
    }
}

/// Dropped unanswered, it gives its message back.
struct LocalReceipt {
    inner: Arc<Inner>,
    in_hand: InHand<String, ()>,
}

impl LocalReceipt {
    /// Loads the delivery. Returns `None` if the message is gone or must not be handed out yet.
    async fn load(self) -> Result<Option<Delivery>> {
        let Some(id) = self.in_hand.id().cloned() else { return Ok(None) };
        let inner = self.inner.clone();
        let name = id.clone();
        let loaded = disk::blocking(move || inner.load(&name)).await;
        match loaded.map_err(|error| disk::error("receive", &id, error))? {
            Some(Loaded::Body(body)) => {
                let deliveries = Some(self.in_hand.deliveries());
                let message = Message { deliveries, ..Message::new(id, Carrier::Queue, body) };
                Ok(Some(Delivery::new(message, Box::new(self))))
            }
            Some(Loaded::Unfinished) => {
                self.in_hand.again(UNFINISHED);
                Ok(None)
            }
            None => {
                self.in_hand.done();
                Ok(None)
            }
        }
    }
}

#[async_trait]
impl Receipt for LocalReceipt {
    async fn done(self: Box<Self>) -> Result<()> {
        let Some(id) = self.in_hand.id().cloned() else { return Ok(()) };
        let path = self.inner.path("waiting", &id);
        let removed = disk::blocking(move || disk::remove(&path)).await;
        removed.map_err(|error| disk::error("acknowledge", &id, error))?;
        self.in_hand.done();
        Ok(())
    }

    async fn again(self: Box<Self>, after: Duration) -> Result<()> {
        self.in_hand.again(after);
        Ok(())
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
