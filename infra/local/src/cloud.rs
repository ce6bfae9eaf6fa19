//! The directories of this machine as a cloud.

use crate::{LocalBucket, LocalFeed, LocalLedger, LocalTimetable, MotionDetector};
use async_trait::async_trait;
use framepost_ports::location::Place;
use framepost_ports::{
    Cloud, DeadLetters, Detector, Error, ErrorKind, Feed, Inbox, LedgerStore, Location, ObjectListing, ObjectRemoval,
    ObjectSink, ObjectSource, Result, Subscriber, Subscription, not_one,
};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::Mutex;

/// How often a local inbox hands out a message on which the function panics. A queue's redrive policy decides elsewhere.
pub const LOCAL_PANICS_MAX: u32 = 3;

/// Messages that a function handles at a time beside a local inbox: it shares the machine with whatever writes to it.
pub const LOCAL_CONCURRENCY: usize = 4;

/// Makes adapters for directories. Whatever is of one bucket shares it.
#[derive(Debug, Default)]
pub struct LocalCloud {
    buckets: Mutex<BTreeMap<PathBuf, LocalBucket>>,
}

impl LocalCloud {
    async fn bucket(&self, at: &Location) -> Result<LocalBucket> {
        let dir = directory(at, "a bucket")?;
        let mut buckets = self.buckets.lock().await;
        if let Some(bucket) = buckets.get(dir) {
            return Ok(bucket.clone());
        }
        let bucket = LocalBucket::open(dir).await?;
        buckets.insert(dir.to_owned(), bucket.clone());
        Ok(bucket)
    }
}

fn directory<'a>(at: &'a Location, what: &str) -> Result<&'a Path> {
    match at.place() {
        Place::Directory(dir) => Ok(dir),
        _ => Err(not_one(at, what)),
    }
}

/// Fails where there is no bucket. Opening one creates it, and whoever asks for what is in one that is not there has misspelt it.
async fn is_there(operation: &'static str, at: &Location) -> Result<()> {
    let dir = directory(at, "a bucket")?;
    let is_there = tokio::fs::metadata(dir).await.is_ok_and(|found| found.is_dir());
    if is_there { Ok(()) } else { Err(Error::not_found(operation, &at.to_string())) }
}

#[async_trait]
impl Cloud for LocalCloud {
    async fn source(&self, beside: Option<&Location>) -> Result<Arc<dyn ObjectSource>> {
        let nowhere = || Error::new(ErrorKind::Invalid, "connect", "objects").because("no directory is named");
        Ok(Arc::new(self.bucket(beside.ok_or_else(nowhere)?).await?))
    }

    async fn sink(&self, at: &Location) -> Result<Arc<dyn ObjectSink>> {
        Ok(Arc::new(self.bucket(at).await?))
    }

    async fn subscribe(&self, at: &Location, subscriber: Subscriber) -> Result<Subscription> {
        let inboxes = self.bucket(at).await?.inboxes();
        let inbox = Arc::new(inboxes.subscribe(&subscriber.name, subscriber.topics).await?);
        let timetable = Arc::new(LocalTimetable::new(&inboxes, &subscriber.name)?);
        Ok(Subscription {
            inbox: inbox.clone() as Arc<dyn Inbox>,
            dead_letters: Some(inbox as Arc<dyn DeadLetters>),
            panics_max: Some(LOCAL_PANICS_MAX),
            concurrency: Some(LOCAL_CONCURRENCY),
            timetable: Some(timetable),
        })
    }

    async fn listing(&self, at: &Location) -> Result<Arc<dyn ObjectListing>> {
        is_there("list", at).await?;
        Ok(Arc::new(self.bucket(at).await?))
    }

    async fn removal(&self, at: &Location) -> Result<Arc<dyn ObjectRemoval>> {
        is_there("remove", at).await?;
        Ok(Arc::new(self.bucket(at).await?))
    }

    async fn feed(&self, at: &Location, function: &str) -> Result<Arc<dyn Feed>> {
        Ok(Arc::new(LocalFeed::new(&self.bucket(at).await?.inboxes(), function)?))
    }

    async fn detector(&self, at: &Location) -> Result<Arc<dyn Detector>> {
        match at.place() {
            Place::Only => Ok(Arc::new(MotionDetector::default())),
            _ => Err(not_one(at, "a detector")),
        }
    }

    async fn ledger(&self, at: &Location) -> Result<Arc<dyn LedgerStore>> {
        Ok(Arc::new(LocalLedger::open(directory(at, "a ledger")?).await?))
    }
}
