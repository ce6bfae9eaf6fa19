//! The notes of a bucket: one for each object, kept beside its bytes, and one for a removal that is under way. Each also serves as
//! the event.

use crate::key::HIDDEN;
use framepost_events::attributes::Metadata;
use framepost_events::finalized::Provider;
use framepost_events::removed::{Cause, Removal};
use framepost_events::{ObjectFinalized, ObjectRemoved, Sha256};
use framepost_ports::ObjectHead;
use jiff::Timestamp;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Returns an id that is unique among all puts, removals and messages of a bucket. Ids sort by time, as far as
/// the clock does not jump.
pub(crate) fn new_id() -> String {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let micros = Timestamp::now().as_microsecond();
    format!("{micros:016x}-{:x}-{:x}", std::process::id(), COUNTER.fetch_add(1, Ordering::Relaxed))
}

/// Returns the place of an object's note in the bucket at `root`.
pub(crate) fn place(root: &Path, key: &str) -> PathBuf {
    let digest = Sha256::of(key.as_bytes()).to_string();
    root.join(HIDDEN).join("meta").join(&digest[..2]).join(format!("{digest}.json"))
}

/// The note of an object.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Note {
    /// The id of the put that wrote the object.
    pub(crate) id: String,
    pub(crate) key: String,
    pub(crate) size: u64,
    pub(crate) sha256: Sha256,
    pub(crate) content_type: String,
    pub(crate) metadata: Metadata,
    pub(crate) created: Timestamp,
}

impl Note {
    pub(crate) fn read(path: &Path) -> io::Result<Self> {
        Ok(serde_json::from_slice(&fs::read(path)?)?)
    }

    pub(crate) fn head(&self) -> ObjectHead {
        ObjectHead {
            size: self.size,
            content_type: self.content_type.clone(),
            metadata: self.metadata.clone(),
            modified: Some(self.created),
        }
    }

    /// Returns the object's version, which is derived from its content: objects never change.
    pub(crate) fn version(&self) -> String {
        self.sha256.to_string()[..16].to_owned()
    }

    pub(crate) fn finalized(&self, bucket: &str) -> ObjectFinalized {
        ObjectFinalized {
            provider: Provider::Local,
            bucket: bucket.to_owned(),
            key: self.key.clone(),
            version: self.version(),
            size: Some(self.size),
            time: self.created,
            media_link: None,
            region: None,
            read_version: Some(self.version()),
        }
    }
}

/// The note of a removal. It also serves as the removal's event.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RemovalNote {
    /// The id of the removal, made like that of a put.
    pub(crate) removal: String,
    pub(crate) removed: Timestamp,
    /// The note of the object that is removed.
    pub(crate) object: Note,
}

impl RemovalNote {
    /// The extension of a removal's file in `tmp`.
    pub(crate) const EXTENSION: &str = "removal";

    pub(crate) fn read(path: &Path) -> io::Result<Self> {
        Ok(serde_json::from_slice(&fs::read(path)?)?)
    }

    pub(crate) fn event(&self, bucket: &str) -> ObjectRemoved {
        ObjectRemoved {
            provider: Provider::Local,
            bucket: bucket.to_owned(),
            key: self.object.key.clone(),
            version: Some(self.object.version()),
            // The same bytes may be put and removed again, so the version does not tell two removals apart.
            sequence: self.object.id.clone(),
            removal: Removal::Deleted,
            cause: Some(Cause::Request),
            time: self.removed,
        }
    }
}
