use std::io;
use std::path::{Path, PathBuf};

/// Why the spool did not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Another process uses this directory.
    #[error("the spool directory {} is in use by another process", .dir.display())]
    Locked {
        /// The directory.
        dir: PathBuf,
    },
    /// The file system refused.
    #[error("cannot {operation} {}", .path.display())]
    Io {
        /// What was tried.
        operation: &'static str,
        /// On what.
        path: PathBuf,
        /// The system's own words.
        #[source]
        source: io::Error,
    },
    /// There is no room, and nothing more that may be dropped.
    #[error(
        "the spool is full: {wanted_bytes} bytes wanted, {used_bytes} of {quota_bytes} in use, \
         {free_bytes} free on the disk of which {free_floor_bytes} stay untouched"
    )]
    Full {
        /// What was to be written.
        wanted_bytes: u64,
        /// What the spool holds.
        used_bytes: u64,
        /// What it may hold.
        quota_bytes: u64,
        /// What the disk has left.
        free_bytes: u64,
        /// What is to be left of that.
        free_floor_bytes: u64,
    },
    /// Outputs came in an order that no span has.
    #[error("{output} does not follow here: {expected}")]
    Order {
        /// The output.
        output: &'static str,
        /// What could have come.
        expected: &'static str,
    },
    /// An object of this key is in the spool already.
    #[error("{key} is in the spool already and waits for its upload")]
    KeyTaken {
        /// The key.
        key: String,
    },
    /// Another object of this key was set aside.
    #[error(
        "another {key} is in the spool's quarantine: `edge-uploader quarantine` says why; record this under another camera \
         name or time, or use another spool"
    )]
    KeyInQuarantine {
        /// The key.
        key: String,
    },
    /// A put that is over asked for more of its content.
    #[error("the put of {key} is over")]
    TurnOver {
        /// The key.
        key: String,
    },
    /// This camera has a writer already.
    #[error("camera {camera} of site {site} is being recorded already")]
    WriterTaken {
        /// The site.
        site: String,
        /// The camera.
        camera: String,
    },
    /// Attributes that cannot be written, or a sidecar that cannot be read.
    #[error("the attributes of {key} cannot be used")]
    Attributes {
        /// The key.
        key: String,
        /// What is wrong with them.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Error {
    pub(super) fn io(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { operation, path, source }
    }

    /// Whether the cause is a lack of space: waiting, or dropping something, may help.
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
