//! Chunks on disk. The file system is the only state: there is no database that could disagree with it.
//!
//! # Layout
//!
//! ```text
//! .lock                              flock, as on the directory itself; one process for each spool
//! .reserve                           zeros; removed on a full disk to make room for recording a drop
//! cameras/<site>/<camera>.json       the open span: chunks closed, digest of the last manifest, end of the last sample, as they
//!                                    were when it was written; for the chunk being recorded: content type and metadata
//! objects/<key>.part                 being recorded
//! objects/<key>                      closed; its bytes never change again
//! objects/<key>.meta                 JSON: content type, metadata with `Sha256`, and the source file if there is one. Of the last
//!                                    closed chunk it stays when the chunk is uploaded, because it says how far the span is closed
//! objects/<key>.draft                attributes of a part, written by an earlier version; only read
//! objects/<key>.try                  a second name of `.meta`, or empty: a put was sent completely and not refused, so the
//!                                    bucket may hold the object. Only its existence counts
//! objects/<key>.quarantine           why the object is in quarantine
//! objects/<key>.broken               a part that could not be repaired; never touched again
//! *.tmp                              a small file before its rename
//! ```
//!
//! Small files are written atomically: temporary name, sync, rename. "Durable" below means that the directory
//! is synced as well. Files with other names are foreign: they are not touched, and reported once at the start.
//!
//! Directories have mode 0700 and files 0600. Names are looked up from the directory's descriptor without
//! following links. Pipes and devices are not opened.
//!
//! # Steps
//!
//! Each step is complete before the next one begins; `P` is a part, `O` an object.
//!
//! | what | steps |
//! |---|---|
//! | chunk begins | camera's file durable, if it is the first of its span or directory, or its data on the chunk being recorded change; `P` created with its init |
//! | fragment | appended to `P` |
//! | chunk closes | init overwritten, tail appended; directory synced, if the name of `P` is not durable or that of the `O` before; `P` hashed and synced; `.meta` written; `P` renamed to `O`; uploader notified |
//! | chunk of a file closes | init overwritten, tail appended, `P` hashed; uploader notified. See "Loose chunks" |
//! | settled, after each batch of these | `P` synced, and the directory if the name of `P` is not durable ([`Durability::Fragment`]) |
//! | span ends | empty `P` synced; `.meta` durable; renamed; directory synced; camera's file durable, without a span; uploader notified |
//! | gap | like a span's end; then the camera's file says that the time up to the gap's end is accounted for |
//! | upload | all but the last piece sent; `.try` created, directory synced; the rest sent; after proof of storage: `O` unlinked; directory synced, or while a camera records into it, synced for another reason; sidecars unlinked, see `names`; empty directories pruned |
//! | refusal | received; `.try` unlinked, directory synced |
//! | quarantine | `.quarantine` durable; on release: `.try` unlinked, directory synced; `.quarantine` unlinked, directory synced |
//! | a file is read again | the quarantined `O` of a chunk that begins again is removed like an uploaded one |
//! | drop | gap durable, naming the chunk; chunk unlinked, directory synced; sidecars and the shorter gap it continues unlinked |
//!
//! # What each sync is for
//!
//! A chunk of *n* fragments costs *n* + 3 syncs from its first fragment until it has left the spool:
//!
//! - `P` after each fragment but the last: its frames survive a power cut ([`Durability::Fragment`] only).
//! - `P` when its chunk closes: the last fragment, and the bytes that the sidecar describes. Without it, a name could survive
//!   whose content is torn.
//! - `.meta` before its rename: without it, a chunk could come back with half a sidecar.
//! - The directory when the first fragment of a chunk is written, or with [`Durability::Chunk`] when the chunk closes, before
//!   there is a sidecar: the name of `P`. Without it, the sidecar alone could survive, as that of an uploaded chunk does.
//! - The directory when a put is marked: without it, "already exists" could be the answer to a put that nobody remembers.
//!
//! The names `.meta` and `O` of a closed chunk become durable with one of the last two, whichever comes first. Until then, the
//! chunk survives as the part that it was, with all its frames, and may be closed again with other metadata. That does no harm:
//! the bucket cannot hold it without a mark, and the next chunk, which names its digest, is closed after it
//! is durable. It is made durable before a gap says that it was dropped, too.
//!
//! Not synced by itself is what only repeats work if it is lost. The unlink of an uploaded chunk: the chunk
//! comes back with its mark and is put again. The camera's file after each chunk: the last chunk's sidecar says the same.
//!
//! # Loose chunks
//!
//! A file that is being read holds the same bytes as its chunks. The uploader gets them as parts, with their
//! sidecars in memory, and nothing of them is synced until they are *kept*: `P` synced, `.meta` and `.try`
//! written, directory synced, `P` renamed to `O`, directory synced. A loose chunk is kept when the recording of
//! its file ends in any way but a crash, when the bucket refuses it, and when it is the oldest of too many.
//! Most are in the bucket before that.
//!
//! # Recovery
//!
//! The states that a crash can leave, and how [`Spool::open`] handles them. Each step can be repeated, so a
//! crash during recovery is harmless.
//!
//! - `P` with a `.meta` that matches its length and digest: it is renamed.
//! - `.meta` of a chunk, with `O` or without anything, that belongs to the open span of the camera's file and is newer: the
//!   camera's file is written again, up to this chunk. This comes first.
//! - `O` without `.meta` that is the last closed chunk, or the next one, according to the camera's file: only one of the two
//!   names survived. The uploader was not notified yet, so `O` becomes `P` again.
//! - `P` of a chunk without `.meta`: cut after its last complete fragment ([`Repair`]) and closed as a shorter
//!   chunk; removed if it has no complete fragment. The fragment being written is lost.
//! - The same for a source file: `P` is removed and its span forgotten. The file is read again from its start
//!   and gives the same chunks with the same keys. Therefore the camera's file only says that a file is
//!   being read.
//! - `P` of a span end or gap: removed. The camera's file still requires the span end, and the interval of a
//!   gap is not accounted for yet.
//! - A camera's file with a span: the span has ended, and its end object is written. [`Recovery`] says up to
//!   when each camera is accounted for, so that the time from there to its next frame becomes a gap.
//! - A gap that names a chunk: the chunk and the shorter gap are unlinked if they still exist.
//! - Sidecars and `.tmp` without object or part: removed.
//!
//! A part that cannot be closed now, for example on a full disk, stays and is closed when its
//! camera records again. A part that cannot be read as a chunk is renamed to `.broken`. Neither
//! prevents the gateway from starting.
//!
//! # A disk that refuses writes
//!
//! If the uploader cannot write a change (unlink a file, write a mark or a reason), it keeps the change in
//! memory and tries again at growing intervals; see `debts`. Objects that can be read are uploaded, each once.
//!
//! # Space
//!
//! There is a quota for all files, and a minimum of free disk space. Both are checked before each write.
//! If there is no room, the oldest chunk of the camera that uses the most space is dropped, until there
//! is enough. Adjoining drops form one gap, which is extended until it is uploaded, and which is
//! uploaded after its camera's footage.

mod claim;
mod close;
mod debts;
mod digest;
mod error;
mod files;
mod fs;
mod index;
mod layout;
mod loose;
mod names;
mod recover;
mod repair;
mod reservation;
mod scan;
mod sidecar;
mod source;
mod space;
#[cfg(test)]
pub(crate) mod tests;
mod writer;

pub use claim::{Claim, QuarantinedObject};
pub(crate) use claim::{ClaimReader, Turn};
pub use debts::Presence;
pub use error::Error;
pub use fs::DiskSpace;
pub use index::{CameraStats, Order, Tried};
pub use recover::{CameraRecovery, Recovery, SpanRecovery};
pub use repair::{ReadSeek, Repair, RepairFailure, RepairedPart};
pub use source::SourceFile;
pub use writer::SpoolWriter;

use files::create_dirs;
use framepost_events::manifest::ManifestSigner;
use framepost_events::{Camera, Site};
use fs::{DiskFs, Fs, Lock};
use index::Index;
use layout::{CameraName, Layout};
use sidecar::RecordingState;
use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, watch};

/// The result of a spool operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// How much space the spool may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpoolLimits {
    /// Limit for all its files together, in bytes.
    pub quota_bytes: u64,
    /// Bytes that stay free on the disk.
    pub free_floor_bytes: u64,
}

/// When footage is safe from a power cut. A crash of the process alone costs at
/// most the fragment being written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Durability {
    /// As soon as its fragment is written: one `fdatasync` for each fragment.
    #[default]
    Fragment,
    /// As soon as its chunk is closed: for cards and disks that sync slowly.
    Chunk,
}

/// Options for opening a spool.
pub struct Options {
    /// How much space it may use.
    pub limits: SpoolLimits,
    /// When footage is safe from a power cut.
    pub durability: Durability,
    /// Signs every object if set.
    pub signer: Option<Arc<ManifestSigner>>,
    /// Cuts parts after their last complete fragment.
    pub repair: Arc<dyn Repair>,
}

impl Default for Options {
    /// No quota, no minimum of free space, no signatures, and the segmenter's repair.
    fn default() -> Self {
        Self {
            limits: SpoolLimits { quota_bytes: u64::MAX, free_floor_bytes: 0 },
            durability: Durability::default(),
            signer: None,
            repair: Arc::new(repair::segment),
        }
    }
}

/// The spool of one gateway. A handle that is cheap to clone. Its methods block
/// on the disk; see [`crate::spool`].
#[derive(Clone)]
pub struct Spool {
    inner: Arc<Inner>,
}

struct Inner {
    fs: Arc<dyn Fs>,
    layout: Layout,
    options: Options,
    index: Mutex<Index>,
    /// Locked while a directory is created and filled, and while empty ones are removed.
    tree: Mutex<()>,
    /// Locked while room is made, so that two cameras do not drop twice what one needs.
    dropping: Mutex<()>,
    debts: Mutex<debts::Debts>,
    loose: Mutex<loose::Loose>,
    names: Mutex<names::Names>,
    /// Where cameras stand whose files say less: their writer was dropped within a span, or the disk did not accept the file at
    /// the start.
    unwritten: Mutex<HashMap<CameraName, RecordingState>>,
    changes: watch::Sender<u64>,
    /// Notified of each debt.
    owing: Notify,
    _lock: Lock,
}

impl Spool {
    /// Opens the directory, creates it if it does not exist, and repairs what a crash left: see
    /// "Recovery" in the module documentation.
    pub fn open(dir: &Path, options: Options) -> Result<(Self, Recovery)> {
        Self::open_on(Arc::new(DiskFs::new(dir)), dir, options)
    }

    /// Opens a directory to inspect it and to release objects from quarantine. Does not repair what a crash
    /// left, because that needs the gateway's signing key.
    pub fn open_unmended(dir: &Path) -> Result<Self> {
        Self::open_unmended_on(Arc::new(DiskFs::new(dir)), dir)
    }

    fn open_unmended_on(fs: Arc<dyn Fs>, dir: &Path) -> Result<Self> {
        let inner = Self::lock(fs, dir, Options::default())?;
        let scan = inner.scan();
        for (name, key, entry) in scan.objects.iter().chain(&scan.bare) {
            inner.index().insert(name, index::ItemId::of(key), *entry);
        }
        Ok(Self { inner })
    }

    fn open_on(fs: Arc<dyn Fs>, dir: &Path, options: Options) -> Result<(Self, Recovery)> {
        let inner = Self::lock(fs, dir, options)?;
        inner.keep_reserve();
        let recovery = inner.recover()?;
        Ok((Self { inner }, recovery))
    }

    fn lock(fs: Arc<dyn Fs>, dir: &Path, options: Options) -> Result<Arc<Inner>> {
        let layout = Layout::new(dir);
        create_dirs(&*fs, dir)?;
        let lock = fs.lock(&layout.lock()).map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => Error::Locked { dir: dir.to_owned() },
            _ => Error::io("lock", &layout.lock())(error),
        })?;
        create_dirs(&*fs, &layout.objects())?;
        create_dirs(&*fs, &layout.cameras())?;
        Ok(Arc::new(Inner {
            fs,
            layout,
            options,
            index: Mutex::default(),
            tree: Mutex::default(),
            dropping: Mutex::default(),
            debts: Mutex::default(),
            loose: Mutex::default(),
            names: Mutex::default(),
            unwritten: Mutex::default(),
            changes: watch::Sender::new(0),
            owing: Notify::new(),
            _lock: lock,
        }))
    }

    /// Creates the only writer of a camera. Before, closes what an earlier writer of this process left open.
    pub fn writer(&self, site: Site, camera: Camera) -> Result<SpoolWriter> {
        SpoolWriter::new(self.inner.clone(), CameraName { site, camera })
    }

    /// Returns a counter that increases whenever an object is closed, uploaded,
    /// dropped, or moved to quarantine.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.inner.changes.subscribe()
    }

    /// Returns how many receivers of [`changes`](Self::changes) there are, each of which a change wakes.
    #[cfg(test)]
    pub(crate) fn listeners(&self) -> usize {
        self.inner.changes.receiver_count()
    }

    /// Returns the counts for each camera.
    pub fn stats(&self) -> Vec<CameraStats> {
        self.inner.index().stats()
    }

    /// How much room the disk has that it is on, where the system says.
    pub fn disk_space(&self) -> Option<DiskSpace> {
        DiskSpace::at(self.inner.layout.dir()).ok()
    }

    /// Returns the bytes that count against the quota.
    pub fn used_bytes(&self) -> u64 {
        self.inner.index().used_bytes()
    }
}

impl Inner {
    fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn names(&self) -> MutexGuard<'_, names::Names> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn unwritten(&self) -> MutexGuard<'_, HashMap<CameraName, RecordingState>> {
        self.unwritten.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self) {
        self.changes.send_modify(|count| *count = count.wrapping_add(1));
    }
}
