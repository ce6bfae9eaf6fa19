//! Reads and writes the objects of exports in the bucket.

use super::ExportBucket;
use bytes::Bytes;
use framepost_ports::{ByteRange, Error, ErrorKind, Likeness, NewObject, ObjectSource, Put};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// The largest object that is read at once, in bytes.
const WHOLE_BYTES_MAX: u64 = 64 << 20;
/// The most objects of one listing request.
const PAGE: usize = 1000;

pub(super) struct Store {
    pub(super) source: Arc<dyn ObjectSource>,
    pub(super) bucket: ExportBucket,
}

impl Store {
    /// Returns an object's bytes; `None` if there is none.
    pub(super) async fn get(&self, key: &str) -> Result<Option<Bytes>, Error> {
        let range = ByteRange { start: 0, len: WHOLE_BYTES_MAX };
        match self.source.read(&self.bucket.name, key, None, range).await {
            Ok(read) if read.head.size > WHOLE_BYTES_MAX => {
                Err(Error::new(ErrorKind::Corrupt, "get", key).because("it is too large"))
            }
            Ok(read) => Ok(Some(read.bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            // S3 says "denied" where there is none to whoever may not list the whole bucket.
            Err(error) if error.kind() == ErrorKind::Denied => {
                let found = self.keys(key, "", 1).await?;
                if found.first().is_some_and(|found| found == key) { Err(error) } else { Ok(None) }
            }
            Err(error) => Err(error),
        }
    }

    /// Parses an object as JSON; `None` if there is none.
    pub(super) async fn json<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, Error> {
        let Some(bytes) = self.get(key).await? else { return Ok(None) };
        let read = serde_json::from_slice(&bytes);
        read.map(Some).map_err(|error| Error::new(ErrorKind::Corrupt, "get", key).because(error))
    }

    /// Writes an object, unless it exists with the same bytes.
    pub(super) async fn put(&self, object: &NewObject) -> Result<(), Error> {
        if self.bucket.sink.put(object).await? == Put::Created {
            return Ok(());
        }
        let seen = self.bucket.sink.look(&object.key).await?;
        match seen.compare(object.content.len_bytes(), object.sha256, object.crc32c) {
            Likeness::Same | Likeness::Unknown => Ok(()),
            Likeness::Other => {
                Err(Error::new(ErrorKind::Corrupt, "put", &object.key).because("something else is there"))
            }
        }
    }

    /// Writes an object that another process may have written with other bytes: the first one counts.
    pub(super) async fn put_first(&self, object: &NewObject) -> Result<(), Error> {
        self.bucket.sink.put(object).await.map(drop)
    }

    /// Returns the keys with this prefix after `after`, at most `max`.
    pub(super) async fn keys(&self, prefix: &str, after: &str, max: usize) -> Result<Vec<String>, Error> {
        let found = self.bucket.listing.list(prefix, after, max.min(PAGE)).await?;
        Ok(found.into_iter().map(|object| object.key).collect())
    }

    /// Removes an object, if it exists.
    pub(super) async fn remove(&self, key: &str) -> Result<(), Error> {
        match self.bucket.removal.remove(key).await {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Removes all objects with this prefix.
    pub(super) async fn remove_all(&self, prefix: &str) -> Result<(), Error> {
        loop {
            let keys = self.keys(prefix, "", PAGE).await?;
            if keys.is_empty() {
                return Ok(());
            }
            for key in keys {
                self.remove(&key).await?;
            }
        }
    }
}

/// Makes an object of a text.
pub(super) fn document(key: String, content_type: &str, bytes: impl Into<Bytes>) -> NewObject {
    NewObject::of_bytes(key, content_type, bytes)
}

/// Formats a value as JSON for people.
pub(super) fn json_bytes(what: &str, value: &impl Serialize) -> Result<Vec<u8>, Error> {
    serde_json::to_vec_pretty(value).map_err(|error| Error::new(ErrorKind::Corrupt, "write", what).because(error))
}
