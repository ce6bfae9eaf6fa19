//! Reading an object.

use crate::LocalBucket;
use crate::disk;
use crate::note::Note;
use async_trait::async_trait;
use bytes::Bytes;
use framepost_events::Sha256;
use framepost_events::finalized::Provider;
use framepost_ports::{ByteRange, Error, ErrorKind, ObjectHead, ObjectRead, ObjectSource, Result};
use jiff::Timestamp;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};

/// What the bucket knows about an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stat {
    pub head: ObjectHead,
    /// Digest of the bytes; `None` for a file that was put there by hand.
    pub sha256: Option<Sha256>,
}

/// An object that is open for reading.
#[derive(Debug)]
pub struct OpenObject {
    pub stat: Stat,
    /// The file, positioned at its start.
    pub file: File,
}

impl LocalBucket {
    /// Returns what the bucket knows about the object.
    pub async fn stat(&self, key: &str) -> Result<Stat> {
        Ok(self.open_object("stat", key).await?.stat)
    }

    /// Whether the object was put into the bucket, and not laid into its directory by hand.
    pub async fn was_put(&self, key: &str) -> Result<bool> {
        self.inner.object("look at", key)?;
        let place = self.inner.note(key);
        disk::blocking(move || place.try_exists()).await.map_err(|error| disk::error("look at", key, error))
    }

    /// Opens the object for reading.
    pub async fn get(&self, key: &str) -> Result<OpenObject> {
        self.open_object("get", key).await
    }

    async fn open_object(&self, operation: &'static str, key: &str) -> Result<OpenObject> {
        let path = self.inner.object(operation, key)?;
        let place = self.inner.note(key);
        let open = disk::blocking(move || {
            let file = File::open(path)?;
            let file_metadata = file.metadata()?;
            if !file_metadata.is_file() {
                return Err(io::ErrorKind::NotFound.into());
            }
            let stat = match Note::read(&place) {
                Ok(note) if note.size == file_metadata.len() => Stat { head: note.head(), sha256: Some(note.sha256) },
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                // The file was put there, or changed, by hand.
                _ => {
                    let size = file_metadata.len();
                    let modified = file_metadata.modified().ok().and_then(|time| Timestamp::try_from(time).ok());
                    let head = ObjectHead { size, content_type: String::new(), metadata: vec![], modified };
                    Stat { head, sha256: None }
                }
            };
            Ok(OpenObject { stat, file })
        });
        open.await.map_err(|error| match error.kind() {
            io::ErrorKind::NotADirectory => Error::not_found(operation, key).because(error),
            _ => disk::error(operation, key, error),
        })
    }
}

#[async_trait]
impl ObjectSource for LocalBucket {
    async fn read(&self, bucket: &str, key: &str, version: Option<&str>, range: ByteRange) -> Result<ObjectRead> {
        if bucket != self.name() {
            return Err(Error::not_found("get", key).because(format!("this is bucket {:?}", self.name())));
        }
        let OpenObject { stat, mut file } = self.get(key).await?;
        if let Some(version) = version
            && !stat.sha256.is_some_and(|sha256| sha256.to_string().starts_with(version))
        {
            return Err(Error::new(ErrorKind::NotFound, "get", key).because("the object is of another version"));
        }
        let start = range.start.min(stat.head.size);
        let len = range.len.min(stat.head.size - start);
        let bytes = disk::blocking(move || {
            let mut bytes = Vec::with_capacity(usize::try_from(len).unwrap_or(0));
            file.seek(SeekFrom::Start(start))?;
            file.take(len).read_to_end(&mut bytes)?;
            Ok(Bytes::from(bytes))
        });
        let bytes = bytes.await.map_err(|error| disk::error("get", key, error))?;
        Ok(ObjectRead { head: stat.head, bytes })
    }

    fn provider(&self) -> Provider {
        Provider::Local
    }

    fn media_link(&self, _bucket: &str, key: &str, _version: Option<&str>) -> String {
        // Objects never change, so the link does not contain the version.
        self.link(key)
    }
}
