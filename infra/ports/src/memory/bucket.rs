use crate::{
    ByteRange, Error, ErrorKind, NewObject, ObjectHead, ObjectListing, ObjectRead, ObjectRemoval, ObjectSink,
    ObjectSource, Put, Result, Seen, exact, url_path,
};
use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use framepost_events::attributes::Metadata;
use framepost_events::finalized::Provider;
use framepost_events::{ObjectFinalized, Sha256};
use futures::TryStreamExt as _;
use jiff::Timestamp;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// An operation that can be made to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Creating an object: [`ObjectSink::put`].
    Put,
    /// Asking what is there: [`ObjectSink::look`].
    Look,
    /// Reading a range: [`ObjectSource::read`].
    Read,
}

/// How an operation fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The request has no effect and returns an error of this kind.
    Fail(ErrorKind),
    /// The request has its effect, but the response is lost: the caller gets [`ErrorKind::Transport`].
    AnswerLost,
    /// The request has no effect and never returns. Only a time limit in the caller ends it.
    Stall,
}

#[derive(Debug, Clone)]
struct Stored {
    head: ObjectHead,
    sha256: Option<Sha256>,
    bytes: Bytes,
}

#[derive(Debug, Default)]
struct State {
    objects: BTreeMap<String, Stored>,
    faults: VecDeque<(Operation, Fault)>,
    reads: Vec<(String, ByteRange)>,
    puts: u64,
}

/// A bucket for tests: it keeps objects in memory, fails on request, and counts what it was asked.
#[derive(Debug)]
pub struct MemoryBucket {
    name: String,
    state: Mutex<State>,
}

impl MemoryBucket {
    /// Creates an empty bucket.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), state: Mutex::default() }
    }

    /// Makes the next `operation` that has no fault assigned yet fail with `fault`. Faults apply in
    /// the order of the calls.
    pub fn inject(&self, operation: Operation, fault: Fault) {
        self.state().faults.push_back((operation, fault));
    }

    /// Stores an object as another program would: without a digest, and replacing an existing object.
    pub fn insert(&self, key: &str, content_type: &str, metadata: Metadata, bytes: impl Into<Bytes>) {
        let bytes = bytes.into();
        let size = bytes.len() as u64;
        let modified = Some(Timestamp::UNIX_EPOCH);
        let head = ObjectHead { size, content_type: content_type.to_owned(), metadata, modified };
        self.state().objects.insert(key.to_owned(), Stored { head, sha256: None, bytes });
    }

    /// Returns the keys of all objects, sorted.
    pub fn keys(&self) -> Vec<String> {
        self.state().objects.keys().cloned().collect()
    }

    /// Returns an object's bytes, or `None` if there is no such object.
    pub fn bytes(&self, key: &str) -> Option<Bytes> {
        self.state().objects.get(key).map(|stored| stored.bytes.clone())
    }

    /// Returns an object's head, or `None` if there is no such object.
    pub fn head(&self, key: &str) -> Option<ObjectHead> {
        self.state().objects.get(key).map(|stored| stored.head.clone())
    }

    /// Returns every read so far, including those that failed. Tests use it to check a request budget.
    pub fn reads(&self) -> Vec<(String, ByteRange)> {
        self.state().reads.clone()
    }

    /// Returns the number of puts so far, including those that failed.
    pub fn puts(&self) -> u64 {
        self.state().puts
    }

    /// Returns the event that a real bucket would send for the object.
    pub fn finalized(&self, key: &str) -> Option<ObjectFinalized> {
        let state = self.state();
        let stored = state.objects.get(key)?;
        let digest = Sha256::of(&stored.bytes).to_string();
        Some(ObjectFinalized {
            provider: Provider::Local,
            bucket: self.name.clone(),
            key: key.to_owned(),
            version: digest[..16].to_owned(),
            size: Some(stored.head.size),
            time: stored.head.modified.unwrap_or_default(),
            media_link: None,
            region: None,
            read_version: None,
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_fault(&self, operation: Operation) -> Option<Fault> {
        let mut state = self.state();
        let index = state.faults.iter().position(|(of, _)| *of == operation)?;
        state.faults.remove(index).map(|(_, fault)| fault)
    }

    /// Fails if the next fault prevents the effect. Otherwise returns what happens to the response.
    async fn before(&self, operation: Operation, name: &'static str, key: &str) -> Result<Answer> {
        match self.take_fault(operation) {
            None => Ok(Answer::Arrives),
            Some(Fault::AnswerLost) => Ok(Answer::Lost),
            Some(Fault::Fail(kind)) => Err(Error::new(kind, name, key)),
            Some(Fault::Stall) => std::future::pending().await,
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Answer {
    Arrives,
    Lost,
}

impl Answer {
    fn with<T>(self, result: Result<T>, name: &'static str, key: &str) -> Result<T> {
        match self {
            Self::Arrives => result,
            Self::Lost => Err(Error::new(ErrorKind::Transport, name, key)),
        }
    }
}

#[async_trait]
impl ObjectSink for MemoryBucket {
    async fn put(&self, object: &NewObject) -> Result<Put> {
        self.state().puts += 1;
        let answer = self.before(Operation::Put, "put", &object.key).await?;
        let fail = |kind| Error::new(kind, "put", &object.key);
        let bytes: BytesMut =
            exact(&*object.content).try_collect().await.map_err(|error| fail(ErrorKind::Io).because(error))?;
        let bytes = bytes.freeze();
        let result = if Sha256::of(&bytes) == object.sha256 {
            let mut state = self.state();
            if state.objects.contains_key(&object.key) {
                Ok(Put::AlreadyExists)
            } else {
                let head = ObjectHead {
                    size: bytes.len() as u64,
                    content_type: object.content_type.clone(),
                    metadata: object.metadata.clone(),
                    modified: Some(Timestamp::UNIX_EPOCH),
                };
                state.objects.insert(object.key.clone(), Stored { head, sha256: Some(object.sha256), bytes });
                Ok(Put::Created)
            }
        } else {
            Err(fail(ErrorKind::Corrupt))
        };
        answer.with(result, "put", &object.key)
    }

    async fn look(&self, key: &str) -> Result<Seen> {
        let answer = self.before(Operation::Look, "look", key).await?;
        let found = self.state().objects.get(key).map(|stored| Seen {
            bytes: Some(stored.bytes.len() as u64),
            sha256: stored.sha256,
            crc32c: None,
        });
        answer.with(found.ok_or_else(|| Error::not_found("look", key)), "look", key)
    }

    fn url(&self) -> String {
        format!("memory://{}", self.name)
    }
}

#[async_trait]
impl ObjectSource for MemoryBucket {
    async fn read(&self, bucket: &str, key: &str, _version: Option<&str>, range: ByteRange) -> Result<ObjectRead> {
        self.state().reads.push((key.to_owned(), range));
        let answer = self.before(Operation::Read, "get", key).await?;
        let stored = if bucket == self.name { self.state().objects.get(key).cloned() } else { None };
        let read = stored.ok_or_else(|| Error::not_found("get", key)).map(|stored| {
            let len = stored.bytes.len();
            let start = usize::try_from(range.start).unwrap_or(len).min(len);
            let end = start.saturating_add(usize::try_from(range.len).unwrap_or(len)).min(len);
            ObjectRead { bytes: stored.bytes.slice(start..end), head: stored.head }
        });
        answer.with(read, "get", key)
    }

    fn provider(&self) -> Provider {
        Provider::Local
    }

    fn media_link(&self, bucket: &str, key: &str, _version: Option<&str>) -> String {
        format!("memory://{bucket}/{}", url_path(key))
    }
}

#[async_trait]
impl ObjectListing for MemoryBucket {
    async fn list(&self, prefix: &str, after: &str, max: usize) -> Result<Vec<ObjectFinalized>> {
        let keys = self.keys().into_iter().filter(|key| key.starts_with(prefix) && key.as_str() > after);
        Ok(keys.take(max).filter_map(|key| self.finalized(&key)).collect())
    }
}

#[async_trait]
impl ObjectRemoval for MemoryBucket {
    async fn remove(&self, key: &str) -> Result<()> {
        self.state().objects.remove(key).map(drop).ok_or_else(|| Error::not_found("remove", key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::{self, Subject};
    use std::sync::Arc;

    #[tokio::test]
    async fn it_keeps_the_contract() {
        let bucket = Arc::new(MemoryBucket::new("footage"));
        let subject = Subject { sink: bucket.clone(), source: bucket.clone(), bucket: "footage".to_owned() };
        contract::sink_and_source(&subject).await;
        contract::removal(&subject, &*bucket, &*bucket).await;
    }

    #[tokio::test]
    async fn a_lost_answer_leaves_its_effect() {
        let bucket = MemoryBucket::new("b");
        bucket.inject(Operation::Put, Fault::Fail(ErrorKind::Busy));
        bucket.inject(Operation::Put, Fault::AnswerLost);
        let object = NewObject::of_bytes("k", "video/mp4", "v");
        assert_eq!(bucket.put(&object).await.unwrap_err().kind(), ErrorKind::Busy);
        assert_eq!(bucket.keys(), [""; 0]);
        assert_eq!(bucket.put(&object).await.unwrap_err().kind(), ErrorKind::Transport);
        assert_eq!(bucket.keys(), ["k"]);
        assert_eq!(bucket.put(&object).await.unwrap(), Put::AlreadyExists);
        assert_eq!(bucket.puts(), 3);
    }
}
