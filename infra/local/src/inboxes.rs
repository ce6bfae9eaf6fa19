//! Subscriptions to a bucket's objects and to records: each subscriber has a
//! durable directory of waiting messages.
//!
//! ```text
//! inboxes/infer.json               the subscription: the topics of `infer`
//! inboxes/infer/waiting/<id>.json  a message that is not handled yet
//! inboxes/infer/dead/<id>.json     a message that `infer` could not handle, and the reason
//! inboxes/infer/schedules/sweep    the time up to which the schedule `sweep` has fired
//! inboxes/infer/lock               held by the process that takes its messages
//! inboxes/.tmp/                    messages that are being written
//! ```
//!
//! A subscription lasts from [`LocalInboxes::subscribe`] to [`LocalInboxes::unsubscribe`], whether or not its
//! subscriber runs; messages wait meanwhile. A message is durable in each inbox before the put or publish that
//! caused it returns, and leaves an inbox when it is done. Publishers and takers may be in different processes.

use crate::disk::{self, Link};
use crate::inbox::{BucketPlace, LocalInbox};
use crate::lock::LockFile;
use crate::note::new_id;
use async_trait::async_trait;
use framepost_events::record::Record;
use framepost_ports::{Bus, Error, ErrorKind, Result, Topic};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::sync::watch;

/// Changes of a directory within this time may have the same modification time.
const COARSEST_CLOCK: Duration = Duration::from_millis(50);

/// The inboxes of a bucket, and the bus that fills them with records. Clones are the same inboxes.
#[derive(Debug, Clone)]
pub struct LocalInboxes {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    dir: PathBuf,
    bucket: BucketPlace,
    known: Mutex<Known>,
    /// The inboxes from which this process takes messages.
    open: Mutex<BTreeMap<String, LocalInbox>>,
    /// Counts the changes of the inboxes in `open`, so that tasks can wait for one.
    changes: watch::Sender<u64>,
}

/// The subscriptions as last read from the directory.
#[derive(Debug, Default)]
struct Known {
    subscriptions: Vec<(String, Vec<Topic>)>,
    /// The directory's modification time at that read; `None` if it must be read again.
    as_of: Option<SystemTime>,
}

/// Checks that a subscriber's name is valid as a file name.
pub(crate) fn check_name(name: &str) -> Result<()> {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if !name.is_empty() && name.len() <= 63 && name.bytes().all(is_plain) && !name.starts_with('-') {
        return Ok(());
    }
    let rule = "a subscriber's name is 1 to 63 of a-z, 0-9 and -, and does not begin with -";
    Err(Error::new(ErrorKind::Invalid, "subscribe", name).because(rule))
}

impl LocalInboxes {
    pub(crate) fn open(dir: PathBuf, bucket: BucketPlace) -> io::Result<Self> {
        disk::make_dirs(&dir.join(".tmp"))?;
        let (changes, _) = watch::channel(0);
        let inner = Inner { dir, bucket, known: Mutex::default(), open: Mutex::default(), changes };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Subscribes `name` to `topics` from now on, replacing its earlier topics, and opens its inbox. The inbox
    /// hands out messages that wait already and those that arrive later.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Busy`] if another taker has the inbox open; [`ErrorKind::Invalid`] if the name has
    /// characters other than `a-z`, `0-9` and `-`.
    pub async fn subscribe(&self, name: &str, topics: Vec<Topic>) -> Result<LocalInbox> {
        check_name(name)?;
        let inner = self.inner.clone();
        let owned = name.to_owned();
        let opened = disk::blocking(move || {
            let place = inner.make_place(&owned)?;
            let lock = LockFile::open(&place.join("lock"))?;
            if !lock.try_exclusive()? {
                return Ok(None);
            }
            inner.write_subscription(&owned, &topics)?;
            let inbox = LocalInbox::open(place, inner.bucket.clone(), lock, inner.changes.clone())?;
            inner.open().insert(owned, inbox.clone());
            Ok(Some(inbox))
        });
        let opened = opened.await.map_err(|error| disk::error("subscribe", name, error))?;
        opened.ok_or_else(|| {
            Error::new(ErrorKind::Busy, "subscribe", name)
                .because("another process receives this subscriber's messages")
        })
    }

    /// Subscribes `name` to `topics` from now on, in place of what it was subscribed to before, without taking its messages:
    /// they wait for whoever does.
    pub async fn keep(&self, name: &str, topics: Vec<Topic>) -> Result<()> {
        check_name(name)?;
        let inner = self.inner.clone();
        let owned = name.to_owned();
        let kept = disk::blocking(move || {
            inner.make_place(&owned)?;
            inner.write_subscription(&owned, &topics)
        });
        kept.await.map_err(|error| disk::error("subscribe", name, error))
    }

    /// Ends the subscription of `name`. Waiting messages stay and are delivered if it subscribes again.
    pub async fn unsubscribe(&self, name: &str) -> Result<()> {
        check_name(name)?;
        let file = self.inner.subscription(name);
        let removed = disk::blocking(move || {
            disk::remove(&file)?;
            file.parent().map_or(Ok(()), disk::sync_dir)
        });
        self.inner.open().remove(name);
        removed.await.map_err(|error| disk::error("unsubscribe", name, error))
    }

    /// Waits until all open inboxes of this process are empty. Inboxes that are closed do not count.
    pub async fn drained(&self) {
        let mut changes = self.inner.changes.subscribe();
        while self.inner.open().values().any(LocalInbox::has_work) {
            if changes.changed().await.is_err() {
                return;
            }
        }
    }

    /// The inboxes that this process takes messages from: their names and places.
    pub(crate) fn open_places(&self) -> Vec<(String, PathBuf)> {
        self.inner.open().keys().map(|name| (name.clone(), self.inner.dir.join(name))).collect()
    }

    /// Puts messages into the inbox of `name`, each under an id of its own; one that waits there already is not there twice.
    pub(crate) async fn give(&self, name: &str, messages: Vec<(String, Vec<u8>)>) -> Result<()> {
        let inboxes = self.clone();
        let owned = name.to_owned();
        let given = disk::blocking(move || {
            let inner = &inboxes.inner;
            let place = inner.dir.join(&owned).join("waiting");
            for (id, json) in messages {
                inner.give(&place, &id, &json)?;
                inboxes.tell(&id);
            }
            Ok(())
        });
        given.await.map_err(|error| disk::error("give", name, error))
    }

    /// Returns the file with the time up to which a schedule of the subscriber `name` is settled.
    pub(crate) fn schedule(&self, name: &str, schedule: &str) -> PathBuf {
        self.inner.dir.join(name).join("schedules").join(schedule)
    }

    /// Puts the message into the inbox of `name`, if there is one, and settles the schedule up to `time`.
    pub(crate) async fn settle_schedule(
        &self,
        name: &str,
        schedule: &str,
        time: Timestamp,
        message: Option<(String, Vec<u8>)>,
    ) -> Result<()> {
        let place = self.schedule(name, schedule);
        let waiting = self.inner.dir.join(name).join("waiting");
        let inboxes = self.clone();
        let settled = disk::blocking(move || {
            let inner = &inboxes.inner;
            if let Some((id, json)) = &message {
                inner.give(&waiting, id, json)?;
            }
            let above = place.parent().ok_or(io::ErrorKind::NotFound)?;
            disk::make_dirs(above)?;
            fs::rename(inner.stage(time.to_string().as_bytes())?, &place)?;
            disk::sync_dir(above)?;
            // Only now, so that no message is handled whose time would be fired again after a crash.
            if let Some((id, _)) = &message {
                inboxes.tell(id);
            }
            Ok(())
        });
        settled.await.map_err(|error| disk::error("schedule", schedule, error))
    }

    /// Returns the subscribers with a topic for which `is_about` holds.
    pub(crate) fn interested(&self, is_about: impl Fn(&Topic) -> bool) -> io::Result<Vec<String>> {
        self.inner.subscribers(is_about)
    }

    /// Links `message` into the inbox of each of the subscribers, durable on return. Does not notify the takers.
    pub(crate) fn link(&self, message: &Path, id: &str, subscribers: &[String]) -> io::Result<()> {
        self.inner.link(message, id, subscribers)
    }

    /// Notifies the takers in this process that a message was linked.
    pub(crate) fn tell(&self, id: &str) {
        for inbox in self.inner.open().values() {
            inbox.look_for(id);
        }
    }
}

impl Inner {
    fn open(&self) -> MutexGuard<'_, BTreeMap<String, LocalInbox>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn subscription(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{name}.json"))
    }

    fn make_place(&self, name: &str) -> io::Result<PathBuf> {
        let place = self.dir.join(name);
        for kind in ["waiting", "dead"] {
            disk::make_dirs(&place.join(kind))?;
        }
        Ok(place)
    }

    fn write_subscription(&self, name: &str, topics: &[Topic]) -> io::Result<()> {
        let place = self.subscription(name);
        let json = serde_json::to_vec(topics)?;
        if fs::read(&place).is_ok_and(|there| there == json) {
            return Ok(());
        }
        let staged = self.stage(&json)?;
        fs::rename(staged, place)?;
        disk::sync_dir(&self.dir)
    }

    /// Writes `bytes` to a temporary file. The bytes are durable, its name is not.
    fn stage(&self, bytes: &[u8]) -> io::Result<PathBuf> {
        let staged = self.dir.join(".tmp").join(new_id());
        let mut file = disk::create_private(&staged)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        Ok(staged)
    }

    /// Adds a message to the waiting ones in `place`, durable on return, unless it waits there already.
    fn give(&self, place: &Path, id: &str, json: &[u8]) -> io::Result<()> {
        let staged = self.stage(json)?;
        let linked = disk::link(&staged, &place.join(format!("{id}.json")));
        disk::remove(&staged)?;
        if linked? == Link::Gone {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok(())
    }

    fn link(&self, message: &Path, id: &str, subscribers: &[String]) -> io::Result<()> {
        for name in subscribers {
            let place = self.dir.join(name).join("waiting").join(format!("{id}.json"));
            if disk::link(message, &place)? == Link::Gone {
                // Another writer finished this put and has linked the message into every inbox.
                return Ok(());
            }
        }
        Ok(())
    }

    /// Returns the subscribers with a topic for which `is_about` holds. Reads the subscriptions again
    /// if their directory has changed.
    fn subscribers(&self, is_about: impl Fn(&Topic) -> bool) -> io::Result<Vec<String>> {
        let modified = fs::metadata(&self.dir)?.modified()?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.as_of != Some(modified) {
            known.subscriptions = self.read_subscriptions()?;
            let is_settled = modified.elapsed().is_ok_and(|age| age > COARSEST_CLOCK);
            known.as_of = is_settled.then_some(modified);
        }
        let interested = known.subscriptions.iter().filter(|(_, topics)| topics.iter().any(&is_about));
        Ok(interested.map(|(name, _)| name.clone()).collect())
    }

    fn read_subscriptions(&self) -> io::Result<Vec<(String, Vec<Topic>)>> {
        let mut subscriptions = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            let path = entry?.path();
            let name = path.file_stem().and_then(|name| name.to_str());
            let (Some(name), Some("json")) = (name, path.extension().and_then(|suffix| suffix.to_str())) else {
                continue;
            };
            match fs::read(&path) {
                Ok(json) => subscriptions.push((name.to_owned(), serde_json::from_slice(&json)?)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(subscriptions)
    }
}

#[async_trait]
impl Bus for LocalInboxes {
    async fn publish(&self, record: &Record) -> Result<()> {
        let inboxes = self.clone();
        let failed = |error| disk::error("publish", &record.id, error);
        let json = serde_json::to_vec(record).map_err(|error| failed(error.into()))?;
        let about = record.clone();
        let published = disk::blocking(move || {
            let inner = &inboxes.inner;
            let subscribers = inner.subscribers(|topic| topic.is_about_record(&about))?;
            if subscribers.is_empty() {
                return Ok(());
            }
            let staged = inner.stage(&json)?;
            let id = new_id();
            let linked = inner.link(&staged, &id, &subscribers);
            disk::remove(&staged)?;
            linked?;
            inboxes.tell(&id);
            Ok(())
        });
        published.await.map_err(failed)
    }
}
