//! The note that the bucket keeps for each object beside its bytes. It also serves as the object's event.

use crate::key::HIDDEN;
use framepost_events::attributes::Metadata;
use framepost_events::finalized::Provider;
use framepost_events::{ObjectFinalized, Sha256};
use framepost_ports::ObjectHead;
use jiff::Timestamp;
use std::io;
use std::path::{Path, PathBuf};

/// Returns the place of an object's note in the bucket at `root`.
pub(crate) fn place(root: &Path, key: &str) -> PathBuf {
    let digest = Sha256::of(key.as_bytes()).to_string();
    root.join(HIDDEN).join("meta").join(&digest[..2]).join(format!("{digest}.json"))
}

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
        Ok(serde_json::from_slice(&std::fs::read(path)?)?)
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
