//! Exports: clips of several cameras and ranges of time, written beside the footage, with what proves years later that they are
//! what the cameras sent.
//!
//! ```text
//! exports/requests/ID.json      what was asked for, and the files that it makes        written first, once
//! exports/ID/NAME.mp4           a clip                                                  ┐
//! exports/ID/NAME.proof.json    the chunks it is made of: digests, signatures, chain   │ for each file, in this order
//! exports/ID/state/NUMBER.json  that both are there: their lengths and digests         ┘
//! exports/ID/index.html         a page that shows the clips without a server
//! exports/ID/manifest.json      what is in the export
//! exports/ID/state/end.json     how it ended                                            written last
//! ```
//!
//! - The bucket is the only memory. Every object is written once and never changed. An export that was interrupted continues
//!   with the first file that has no state. If two processes work on one export, they write the same bytes, and the second
//!   learns that they exist.
//! - A site may be called `exports`. Its chunks lie beside this, but the next part of their keys is a date, which neither
//!   `requests` nor an id can be ([`framepost_events::export::is_of_export`]).
//! - Ids sort from the newest to the oldest, so that a listing of requests does.
//! - A clip is a virtual file ([`crate::clip`]) of known length. Its chunks are read twice: for their digests and the clip's,
//!   and to write it. Nothing is kept on a disk.
//! - Who works: a task of this process ([`Work::Background`]), or where a process only runs during a request (Lambda, Cloud Run)
//!   each `GET` of a running export or of a list with one, which writes one file ([`Work::InCalls`]). Files are small enough there.

mod manifest;
mod page;
mod planning;
mod state;
mod store;
mod verify;
mod work;
mod write;
mod zip;

pub(crate) use planning::{Asked, Made};
pub(crate) use state::{End, Id, PlannedFile, Range, State, StoredGaps, Written};
pub use verify::{Report, verify};
pub(crate) use zip::Archive;

use framepost_events::manifest::PublicKey;
use framepost_ports::{Catalog, Clock, ObjectListing, ObjectRemoval, ObjectSink, ObjectSource};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use store::Store;
use tokio::sync::Notify;

/// When the files of an export are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// A task of this process, [`Exports::run`].
    Background,
    /// During requests for an export or a list with one: each writes one file.
    InCalls,
}

impl Work {
    /// The most bytes of one file: what is written in one request has to be done in its time, and a bucket takes 5 GB at once.
    pub(crate) fn file_bytes_max(self) -> u64 {
        match self {
            Self::Background => 4 << 30,
            Self::InCalls => 256 << 20,
        }
    }
}

/// The bucket in which exports are kept.
#[derive(Clone)]
pub struct ExportBucket {
    /// Its name, as the source knows it.
    pub name: String,
    /// Creates requests, clips, proofs and states; it replaces none.
    pub sink: Arc<dyn ObjectSink>,
    /// Lists requests, and the files of an export that is removed.
    pub listing: Arc<dyn ObjectListing>,
    /// Removes the files of an export when somebody deletes it.
    pub removal: Arc<dyn ObjectRemoval>,
}

/// What is needed to make exports.
#[derive(Clone)]
pub struct ExportParts {
    /// The database of the footage.
    pub catalog: Arc<dyn Catalog>,
    /// Reads the footage, and the files of exports.
    pub source: Arc<dyn ObjectSource>,
    /// The clock for ids and creation times, which tests replace.
    pub clock: Arc<dyn Clock>,
    /// The bucket in which exports are kept.
    pub bucket: ExportBucket,
    /// When files are written: in a task, or during requests.
    pub work: Work,
    /// The public keys of gateways, which each export contains for people who check it.
    pub public_keys: Vec<PublicKey>,
}

/// Makes exports. Clones share their state.
#[derive(Clone)]
pub struct Exports {
    inner: Arc<Inner>,
}

struct Inner {
    parts: ExportParts,
    store: Store,
    /// There is something to do.
    wake: Notify,
    /// Bytes of the file that is being written, by export.
    progress: Mutex<BTreeMap<Id, u64>>,
    /// The files known to be written, by export.
    known: Mutex<BTreeMap<Id, Vec<Written>>>,
    /// Only one file is written at a time.
    writing: tokio::sync::Mutex<()>,
}

impl Exports {
    /// Creates the maker of exports.
    pub fn new(parts: ExportParts) -> Self {
        let store = Store { source: parts.source.clone(), bucket: parts.bucket.clone() };
        let inner = Inner {
            parts,
            store,
            wake: Notify::new(),
            progress: Mutex::default(),
            known: Mutex::default(),
            writing: tokio::sync::Mutex::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    pub(crate) fn work(&self) -> Work {
        self.inner.parts.work
    }

    fn progress(&self, id: &Id) -> u64 {
        self.inner.progress.lock().unwrap_or_else(PoisonError::into_inner).get(id).copied().unwrap_or_default()
    }
}

impl std::fmt::Debug for Exports {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Exports({})", self.inner.parts.bucket.name)
    }
}
