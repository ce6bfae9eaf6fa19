//! Ports for objects in a bucket. Writing and reading are separate ports, because a
//! gateway's credential can only write.

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
use std::time::Duration;

/// The bytes of an object for one attempt to put it.
pub type ContentStream = BoxStream<'static, std::io::Result<Bytes>>;

/// Bytes that can be sent more than once.
pub trait Content: Send + Sync {
    /// Returns the number of bytes that [`open`](Self::open) yields.
    fn len_bytes(&self) -> u64;
    /// Returns the bytes, from the start.
    fn open(&self) -> ContentStream;
    /// Returns the path of a local file that holds exactly these bytes and is never written again, if there is
    /// one. A sink on the same file system may hard-link it instead of copying it.
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

/// An object to put: its key, metadata and content, and what is known of the content.
#[derive(Clone)]
pub struct NewObject {
    pub key: String,
    pub content_type: String,
    /// Metadata; names are written with the letter case given here.
    pub metadata: Metadata,
    /// SHA-256 of the bytes. It is sent with the put, and the service checks it where it can.
    pub sha256: Sha256,
    /// CRC-32C (Castagnoli) of the bytes, for the clouds that check it. If absent, an adapter
    /// that needs it computes it.
    pub crc32c: Option<u32>,
    /// Where the bytes come from; it is read again for each attempt to put them.
    pub content: Arc<dyn Content>,
}

impl NewObject {
    /// Creates an object from bytes in memory, without metadata.
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

/// The result of a put that did not fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Put {
    /// The object was created: the response has a checksum of the stored object and it matches the object's
    /// bytes, or the adapter itself stored it.
    Created,
    /// The service reports success without a checksum. A proxy could say the same, so this is a proof only
    /// together with an [`AlreadyExists`](Self::AlreadyExists) in response to a second, equal put.
    Unproven,
    /// An object with this key existed before; nothing was changed.
    AlreadyExists,
}

/// What a bucket knows about an object's bytes. Unknown values are `None`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Seen {
    /// Size of the object in bytes.
    pub bytes: Option<u64>,
    /// SHA-256 of the bytes.
    pub sha256: Option<Sha256>,
    /// CRC-32C (Castagnoli) of the bytes.
    pub crc32c: Option<u32>,
}

/// Whether an object in a bucket has the expected bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Likeness {
    /// At least one checksum matches, and nothing differs.
    Same,
    /// The length or a checksum differs.
    Other,
    /// The bucket has no checksum to compare with.
    Unknown,
}

impl Seen {
    /// Compares with the length and the checksums of the expected bytes.
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

/// A bucket to put objects into. It never overwrites.
#[async_trait]
pub trait ObjectSink: Send + Sync {
    /// Creates the object completely or not at all, with one conditional request. The
    /// object is durable on return.
    async fn put(&self, object: &NewObject) -> Result<Put>;

    /// Returns what the bucket knows about the bytes of the object, to distinguish an equal object from a
    /// different one. Fails with [`ErrorKind::NotFound`] if there is no object and with [`ErrorKind::Denied`]
    /// if the credential can only put.
    async fn look(&self, key: &str) -> Result<Seen>;

    /// Returns the bucket as a URL without credentials: `s3://bucket`, `file:///dir`.
    fn url(&self) -> String;
}

/// A range of an object's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByteRange {
    /// Position of the first byte.
    pub start: u64,
    /// Most bytes to read.
    pub len: u64,
}

/// What the bucket knows about an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectHead {
    /// Size of the whole object in bytes.
    pub size: u64,
    /// Media type; empty if the object has none.
    pub content_type: String,
    /// Metadata; the letter case of names depends on the cloud.
    pub metadata: Metadata,
    /// When the object was last changed.
    pub modified: Option<Timestamp>,
}

/// The result of a read: some of an object's bytes, and its head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectRead {
    pub head: ObjectHead,
    /// The bytes of the range, cut at the object's end; empty if the range starts at or after the end.
    pub bytes: Bytes,
}

/// A read of one object that somebody else makes, with a URL instead of a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PresignedGet<'a> {
    /// Name of the bucket that holds the object, without a scheme.
    pub bucket: &'a str,
    /// The object's key. Its newest version is read.
    pub key: &'a str,
    /// The media type of the response, whatever the object's own is.
    pub content_type: &'a str,
    /// How long the URL can be used. The clouds count whole seconds.
    pub lasts: Duration,
}

/// Reads objects of any bucket of one cloud.
#[async_trait]
pub trait ObjectSource: Send + Sync {
    /// Reads the bytes of `range` and the metadata with one request. `version` is
    /// [`ObjectFinalized::read_version`](framepost_events::ObjectFinalized); `None` reads the newest version.
    /// An empty object returns no bytes.
    async fn read(&self, bucket: &str, key: &str, version: Option<&str>, range: ByteRange) -> Result<ObjectRead>;

    /// Returns the cloud that stores the bucket.
    fn provider(&self) -> Provider;

    /// Returns a link to the object for people and programs with the right to read it. It contains no secret.
    fn media_link(&self, bucket: &str, key: &str, version: Option<&str>) -> String;

    /// Returns a URL with which anybody can `GET` the object, whole or by ranges, until it ends; `None` if this source has no
    /// such URLs. A browser that is sent there by a link saves the object and does not show it. Whether the object exists is
    /// not checked.
    async fn presigned(&self, _get: PresignedGet<'_>) -> Result<Option<String>> {
        Ok(None)
    }
}

/// Removes objects. A program removes only what it wrote itself. No gateway has this, and of the functions only the API, for the
/// files of exports.
#[async_trait]
pub trait ObjectRemoval: Send + Sync {
    /// Removes the newest version of an object. Afterwards its key is free. Fails with [`ErrorKind::NotFound`] if there is none,
    /// where the bucket says so; S3 does not.
    async fn remove(&self, key: &str) -> Result<()>;
}

impl Error {
    /// Creates the error for a missing object.
    pub fn not_found(operation: &'static str, key: &str) -> Self {
        Self::new(ErrorKind::NotFound, operation, key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_the_same_where_a_checksum_says_so_and_nothing_speaks_against_it() {
        let ours = Sha256::of(b"ours");
        let other = Sha256::of(b"other");
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
        // Without a CRC-32C to compare with, the bucket's CRC-32C proves nothing.
        assert_eq!(Seen { crc32c: Some(7), ..Seen::default() }.compare(4, ours, None), Likeness::Unknown);
    }
}
