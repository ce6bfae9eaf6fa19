//! Objects in a bucket. Writing and reading are two ports, because the gateway's credential can only write.

use crate::{Error, ErrorKind, Result};
use async_trait::async_trait;
use bytes::Bytes;
use framepost_events::Sha256;
use framepost_events::attributes::Metadata;
use framepost_events::finalized::Provider;
use futures::stream::BoxStream;
use jiff::Timestamp;
use std::path::PathBuf;
use std::sync::Arc;

/// The bytes of one try to put an object.
pub type ContentStream = BoxStream<'static, std::io::Result<Bytes>>;

/// Bytes that can be sent more than once.
pub trait Content: Send + Sync {
    /// How many bytes [`open`](Self::open) yields.
    fn len_bytes(&self) -> u64;
    /// The bytes, from the start.
    fn open(&self) -> ContentStream;
    /// A file of this machine that holds exactly these bytes and is never written again, if there is one: a sink on the same
    /// file system may give it a second name instead of copying it.
    fn file(&self) -> Option<PathBuf> {
        None
    }
}

impl Content for Bytes {
    fn len_bytes(&self) -> u64 {
        self.len() as u64
    }

    fn open(&self) -> ContentStream {
        Box::pin(futures::stream::iter([Ok(self.clone())]))
    }
}

/// An object to be put.
#[derive(Clone)]
pub struct NewObject {
    /// Its key.
    pub key: String,
    /// Its media type.
    pub content_type: String,
    /// Its metadata, names in the letter case they are to be written in.
    pub metadata: Metadata,
    /// The digest of its bytes; sent along, and checked on the other side.
    pub sha256: Sha256,
    /// CRC-32C (Castagnoli) of its bytes, for the clouds that check that one; computed by those that need it when absent.
    pub crc32c: Option<u32>,
    /// Its bytes.
    pub content: Arc<dyn Content>,
}

impl NewObject {
    /// An object of bytes that are at hand, without metadata.
    pub fn of_bytes(key: impl Into<String>, content_type: impl Into<String>, bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self {
            key: key.into(),
            content_type: content_type.into(),
            metadata: Metadata::new(),
            sha256: Sha256::of(&bytes),
            crc32c: None,
            content: Arc::new(bytes),
        }
    }
}

/// How a put that did not fail ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Put {
    /// The object is there now, and was not before: the answer has a checksum of what was stored, and it is that of the
    /// object's bytes; or the adapter stored it itself.
    Created,
    /// "Created", from a service whose answers have no checksum. Anybody can say that: it is a proof only together with
    /// an [`AlreadyExists`](Self::AlreadyExists) in answer to the same put made again.
    Unproven,
    /// There was an object of this key before; nothing was changed.
    AlreadyExists,
}

/// What a bucket knows of an object's bytes. What it does not know is absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Seen {
    /// How many there are.
    pub bytes: Option<u64>,
    /// Their digest.
    pub sha256: Option<Sha256>,
    /// Their CRC-32C (Castagnoli).
    pub crc32c: Option<u32>,
}

/// Whether an object in a bucket has the bytes that one expects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Likeness {
    /// A checksum says so, and nothing speaks against it.
    Same,
    /// Length or checksum are others.
    Other,
    /// The bucket has no checksum that could be compared.
    Unknown,
}

impl Seen {
    /// Compares with the length and checksums that one knows oneself.
    pub fn compare(&self, bytes: u64, sha256: Sha256, crc32c: Option<u32>) -> Likeness {
        let digest = self.sha256.map(|there| there == sha256);
        let crc = self.crc32c.zip(crc32c).map(|(there, ours)| there == ours);
        match (self.bytes.is_none_or(|there| there == bytes), digest, crc) {
            (false, ..) | (_, Some(false), _) | (_, _, Some(false)) => Likeness::Other,
            (true, None, None) => Likeness::Unknown,
            (true, ..) => Likeness::Same,
        }
    }
}

/// Where objects are put. Never overwrites.
#[async_trait]
pub trait ObjectSink: Send + Sync {
    /// One conditional request: the object is created whole, or not at all. On return it is durable.
    async fn put(&self, object: &NewObject) -> Result<Put>;

    /// What the bucket knows of the object's bytes, to tell "already there" from "something else is there".
    /// [`ErrorKind::NotFound`] where there is none, [`ErrorKind::Denied`] where the credential can only put.
    async fn look(&self, key: &str) -> Result<Seen>;

    /// The bucket as a URL: `s3://bucket`, `file:///dir`. No credentials.
    fn url(&self) -> String;
}

/// Which bytes of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByteRange {
    /// The first.
    pub start: u64,
    /// How many at most.
    pub len: u64,
}

/// What the bucket knows of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectHead {
    /// The whole object's size.
    pub size: u64,
    /// Its media type; empty where it has none.
    pub content_type: String,
    /// Its metadata, names in whatever letter case they come.
    pub metadata: Metadata,
    /// When it was last changed.
    pub modified: Option<Timestamp>,
}

/// Some of an object's bytes, and what came with them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectRead {
    /// What the bucket knows of the object.
    pub head: ObjectHead,
    /// The bytes: the range, cut at the object's end; empty when the range starts there or beyond.
    pub bytes: Bytes,
}

/// Where objects are read.
#[async_trait]
pub trait ObjectSource: Send + Sync {
    /// One request: the bytes of `range` and the metadata with them. `version` is
    /// [`ObjectFinalized::read_version`](framepost_events::ObjectFinalized), the newest when absent.
    /// An empty object answers with no bytes.
    async fn read(&self, bucket: &str, key: &str, version: Option<&str>, range: ByteRange) -> Result<ObjectRead>;

    /// Who keeps the bucket.
    fn provider(&self) -> Provider;

    /// A link to the object's bytes for people and programs with the right to read them; no secret in it.
    fn media_link(&self, bucket: &str, key: &str, version: Option<&str>) -> String;
}

impl Error {
    /// A missing object.
    pub fn not_found(operation: &'static str, key: &str) -> Self {
        Self::new(ErrorKind::NotFound, operation, key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_the_same_where_a_checksum_says_so_and_nothing_speaks_against_it() {
        let (ours, other) = (Sha256::of(b"ours"), Sha256::of(b"other"));
        for (bytes, sha256, crc32c, expected) in [
            (None, Some(ours), None, Likeness::Same),
            (Some(4), Some(ours), Some(7), Likeness::Same),
            (Some(4), None, Some(7), Likeness::Same),
            (Some(5), Some(ours), Some(7), Likeness::Other),
            (Some(4), Some(other), Some(7), Likeness::Other),
            (Some(4), Some(ours), Some(8), Likeness::Other),
            (Some(5), None, None, Likeness::Other),
            (Some(4), None, None, Likeness::Unknown),
            (None, None, None, Likeness::Unknown),
        ] {
            let seen = Seen { bytes, sha256, crc32c };
            assert_eq!(seen.compare(4, ours, Some(7)), expected, "{seen:?}");
        }
        // Where nobody has computed the CRC here, the one that is there says nothing.
        assert_eq!(Seen { crc32c: Some(7), ..Seen::default() }.compare(4, ours, None), Likeness::Unknown);
    }
}
