//! Why an operation of the spool failed.

use framepost_events::ObjectKey;
use std::io;
use std::path::{Path, PathBuf};

/// Why a spool operation failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Another process uses the spool's directory.
    #[error("the spool directory {} is in use by another process", .dir.display())]
    Locked { dir: PathBuf },
    /// The file system returned an error.
    #[error("cannot {operation} {}", .path.display())]
    Io {
        /// The operation that failed.
        operation: &'static str,
        path: PathBuf,
        /// The operating system's error.
        #[source]
        source: io::Error,
    },
    /// There is no space, and nothing more may be dropped.
    #[error(
        "the spool is full: {wanted_bytes} bytes wanted, {used_bytes} of {quota_bytes} in use, \
         {free_bytes} free on the disk, of which {free_floor_bytes} are reserved"
    )]
    Full {
        /// Bytes that were to be written.
        wanted_bytes: u64,
        /// Bytes that the spool uses.
        used_bytes: u64,
        /// Bytes that the spool may use.
        quota_bytes: u64,
        /// Free bytes on the disk.
        free_bytes: u64,
        /// Bytes that must stay free.
        free_floor_bytes: u64,
    },
    /// The segmenter's outputs arrived in an invalid order.
    #[error("{output} does not follow here: {expected}")]
    Order {
        output: &'static str,
        /// The outputs that were possible.
        expected: &'static str,
    },
    /// The spool already holds an object with this key.
    #[error("{key} is already in the spool, waiting for its upload")]
    KeyTaken { key: String },
    /// Another object with this key is in quarantine.
    #[error(
        "another {key} is in the spool's quarantine: `edge-uploader quarantine` says why; record this under another camera \
         name or time, or use another spool"
    )]
    KeyInQuarantine { key: String },
    /// An attempt that has ended asked for more of its content.
    #[error("the upload of {key} has already ended")]
    TurnOver { key: String },
    /// The camera already has a writer.
    #[error("camera {camera} of site {site} is already being recorded")]
    WriterTaken { site: String, camera: String },
    /// Attributes cannot be written, or a sidecar cannot be read.
    #[error("the attributes of {key} cannot be used")]
    Attributes {
        key: String,
        /// Why: JSON that cannot be read, or attributes that no metadata can hold.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Error {
    pub(super) fn io(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { operation, path, source }
    }

    /// Returns whether the cause is a lack of space, so that waiting or dropping objects may help.
    pub fn is_full(&self) -> bool {
        match self {
            Self::Full { .. } => true,
            Self::Io { source, .. } => super::fs::is_full(source),
            _ => false,
        }
    }

    pub(super) fn is_not_found(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }
}

/// Returns what makes an [`Error::Attributes`] for this object of its source.
pub(super) fn unusable<E>(key: &ObjectKey) -> impl FnOnce(E) -> Error
where
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let key = key.to_string();
    move |source| Error::Attributes { key, source: source.into() }
}
