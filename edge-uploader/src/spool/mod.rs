//! Chunks on disk. The file system is the truth: there is no database whose word could differ from the disk's.
//!
//! # Layout
//!
//! ```text
//! .lock                              flock, and the directory is locked too; one process a spool
//! .reserve                           zeros, given up when the disk is full so that the drop can be written down
//! cameras/<site>/<camera>.json       the open span: chunks closed, digest of the last manifest, end of the last sample; and what
//!                                    is known of the chunk being recorded: content type and metadata
//! objects/<key>.part                 being recorded
//! objects/<key>                      closed; its bytes never change again
//! objects/<key>.meta                 JSON: content type and metadata, with `Sha256`; and the file that it was made from, if it was
//! objects/<key>.draft                what an earlier version knew of a part; read, and not written any more
//! objects/<key>.try                  empty: a put was sent whole and not refused, the bucket may have it
//! objects/<key>.quarantine           why the object is not uploaded any more
//! objects/<key>.broken               a part that could not be repaired; nothing touches it
//! *.tmp                              a small file before its rename
//! ```
//!
//! Small files are written whole: temporary name, sync, rename. "Durable" below means whole, and the directory synced. Any
//! other name is foreign: left alone, and reported once at the start.
//!
//! Directories are 0700 and files 0600. Names are looked up from the directory's descriptor and no link is followed, nor is a
//! pipe or a device opened.
//!
//! # Steps
//!
//! Each step is complete before the next one begins; `P` is a part, `O` an object.
//!
//! | what | steps |
//! |---|---|
//! | chunk begins | camera's file durable, if it says otherwise of the chunk being recorded; `P` created with its init |
//! | fragment | appended to `P` |
//! | chunk closes | init overwritten, tail appended, `P` hashed and synced; `.meta` whole; camera's file durable; `P` renamed to `O` |
//! | settled, after each batch of these | directory synced, once for what closed and what began; uploader told; `P` synced ([`Durability::Fragment`]) |
//! | span ends | empty `P` synced; `.meta` durable; renamed; directory synced; camera's file durable, without a span; uploader told |
//! | gap | like a span's end; the camera's file says then that the time up to the gap's end is accounted for |
//! | upload | all but the last piece sent; `.try` made, directory synced; the rest sent; when it is known to be stored: `O` unlinked, directory synced; sidecars unlinked; empty directories pruned |
//! | refusal | heard; `.try` unlinked, directory synced |
//! | quarantine | `.quarantine` durable; back: `.try` unlinked, directory synced; `.quarantine` unlinked, directory synced |
//! | a file is read again | the quarantined `O` of a chunk that is about to begin again goes like an uploaded one |
//! | drop | gap durable, naming the chunk; chunk unlinked, directory synced; sidecars and the shorter gap it continues unlinked |
//!
//! # Recovery
//!
//! What a crash can leave, and what [`Spool::open`] does; each is repeatable, so a crash in the middle is one more crash.
//!
//! * `P` with a `.meta` that matches its length and digest: the missing rename is made.
//! * `O` without `.meta` that the camera's file calls the last chunk closed: of the two names only one survived. The uploader
//!   was not told yet; it is `P` again.
//! * `P` of a chunk alone: cut after its last whole fragment ([`Repair`]) and closed as a shorter chunk; without one
//!   whole fragment it is removed. The loss is the fragment being written.
//! * The same of a file that was being read: `P` is removed and its span forgotten. The file is read again from its start, and
//!   gives the same chunks under the same keys. So nothing is synced before such a chunk closes, its `.meta` is durable
//!   before the rename, and the camera's file only says that a file is read.
//! * `P` of a span end or gap: removed. The camera's file still asks for the span end; a gap's interval is not accounted for yet.
//! * A camera's file with a span: the span is over, its end object is written. [`Recovery`] says up to when each camera
//!   is accounted for, so that the time from there to its next frame becomes a gap.
//! * A gap that names a chunk: the chunk, and the shorter gap, are unlinked if they are still there.
//! * Sidecars and `.tmp` without object or part: removed.
//!
//! A part that cannot be closed now (a full disk) stays, and is closed when its camera records again; one that cannot
//! be read as a chunk at all is renamed to `.broken`. Neither keeps the gateway from starting.
//!
//! # A disk that takes no notes
//!
//! What the uploader cannot write down (a file that cannot be unlinked, a mark, a reason) it remembers in memory, and tries
//! again at growing intervals; see `debts`. What can be read is uploaded, once.
//!
//! # Space
//!
//! A quota for all files and a floor of free disk, both asked before each write. When there is no room, the camera that
//! holds the most loses its oldest chunk, until there is. A run of adjoining drops is one gap, which grows until it is uploaded,
//! and which goes after its camera's footage.

mod claim;
mod close;
mod debts;
mod error;
mod fs;
mod index;
mod layout;
mod recover;
mod repair;
mod scan;
mod sidecar;
mod source;
mod space;
#[cfg(test)]
pub(crate) mod tests;
mod writer;

pub(crate) use claim::ClaimReader;
pub use claim::{Claim, QuarantinedObject};
pub use debts::Presence;
pub use error::Error;
pub use index::{CameraStats, Order, Tried};
pub use recover::{CameraRecovery, Recovery, SpanRecovery};
pub use repair::{ReadSeek, Repair, RepairFailure, RepairedPart};
pub use source::SourceFile;
pub use writer::SpoolWriter;

use framepost_events::manifest::ManifestSigner;
use framepost_events::{Camera, ObjectKey, Site};
use fs::{DiskFs, Fs, Lock, SpoolFile};
use index::Index;
use layout::{CameraName, Layout, Suffix, temporary};
use std::io::{self, Read};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// The result of a spool operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// How much room the spool may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// All its files together.
    pub quota_bytes: u64,
    /// What it leaves free on the disk.
    pub free_floor_bytes: u64,
}

/// When footage survives a power cut. A crash of the process alone never costs more than the fragment being written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Durability {
    /// From the moment its fragment is written: one `fdatasync` a fragment.
    #[default]
    Fragment,
    /// From the moment its chunk is closed: for cards and disks that are slow to sync.
    Chunk,
}

/// What a spool is opened with.
pub struct Options {
    /// How much room it may take.
    pub limits: Limits,
    /// When footage survives a power cut.
    pub durability: Durability,
    /// Signs every object, if there is one.
    pub signer: Option<Arc<ManifestSigner>>,
    /// Cuts parts after their last whole fragment.
    pub repair: Arc<dyn Repair>,
}

impl Default for Options {
    /// No quota, no floor, no signatures; the segmenter repairs.
    fn default() -> Self {
        Self {
            limits: Limits { quota_bytes: u64::MAX, free_floor_bytes: 0 },
            durability: Durability::default(),
            signer: None,
            repair: Arc::new(repair::segment),
        }
    }
}

/// The spool of one gateway: a handle, cheap to clone. Its methods block on the disk; see [`crate::spool`].
#[derive(Clone)]
pub struct Spool {
    inner: Arc<Inner>,
}

struct Inner {
    fs: Arc<dyn Fs>,
    layout: Layout,
    options: Options,
    index: Mutex<Index>,
    /// Held while a directory is made and something put into it, and while empty ones are pruned.
    tree: Mutex<()>,
    /// Held while room is made, so that two cameras do not drop twice what one needs.
    dropping: Mutex<()>,
    debts: Mutex<debts::Debts>,
    changes: watch::Sender<u64>,
    _lock: Lock,
}

impl Spool {
    /// Opens the directory, which is made if it is not there, and repairs what a crash left. See the module's
    /// "Recovery".
    pub fn open(dir: &Path, options: Options) -> Result<(Self, Recovery)> {
        Self::open_on(Arc::new(DiskFs::new(dir)), dir, options)
    }

    /// Opens a directory to look at what is in it and to give back what was set aside. What a crash left stays as it is:
    /// mending it is for a gateway that knows how its chunks are signed.
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
            changes: watch::Sender::new(0),
            _lock: lock,
        }))
    }

    /// The one writer of a camera. Heals first what an earlier one of this process left.
    pub fn writer(&self, site: Site, camera: Camera) -> Result<SpoolWriter> {
        SpoolWriter::new(self.inner.clone(), CameraName { site, camera })
    }

    /// Counts up whenever an object is closed, uploaded, set aside or dropped.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.inner.changes.subscribe()
    }

    /// What each camera has here.
    pub fn stats(&self) -> Vec<CameraStats> {
        self.inner.index().stats()
    }

    /// What counts against the quota.
    pub fn used_bytes(&self) -> u64 {
        self.inner.index().used_bytes()
    }
}

/// Files, with the path and the operation in each error.
impl Inner {
    fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self) {
        self.changes.send_modify(|count| *count = count.wrapping_add(1));
    }

    fn create(&self, path: &Path) -> Result<Box<dyn SpoolFile>> {
        let _tree = self.tree.lock().unwrap_or_else(PoisonError::into_inner);
        match (self.fs.create(path), path.parent()) {
            (Err(error), Some(dir)) if error.kind() == io::ErrorKind::NotFound => {
                create_dirs(&*self.fs, dir)?;
                self.fs.create(path).map_err(Error::io("create", path))
            }
            (created, _) => created.map_err(Error::io("create", path)),
        }
    }

    /// An empty file, durable. It has no content that could be torn or late, so that its name is all there is to sync.
    fn make_mark(&self, path: &Path) -> Result<()> {
        self.create(path)?;
        self.sync_parent(path)
    }

    /// Writes a small file whole.
    fn write_durable(&self, path: &Path, bytes: &[u8]) -> Result<()> {
        self.write_whole(path, bytes)?;
        self.sync_parent(path)
    }

    /// The same, but for its name: that is durable when its directory is synced next.
    fn write_whole(&self, path: &Path, bytes: &[u8]) -> Result<()> {
        let new = temporary(path);
        let mut file = self.create(&new)?;
        file.write_all(bytes).map_err(Error::io("write", &new))?;
        file.sync_data().map_err(Error::io("sync", &new))?;
        drop(file);
        self.fs.rename(&new, path).map_err(Error::io("rename", &new))
    }

    fn rename_durable(&self, from: &Path, to: &Path) -> Result<()> {
        self.fs.rename(from, to).map_err(Error::io("rename", from))?;
        self.sync_parent(to)
    }

    fn sync_parent(&self, path: &Path) -> Result<()> {
        let dir = path.parent().unwrap_or(path);
        self.fs.sync_dir(dir).map_err(Error::io("sync the directory", dir))
    }

    fn read(&self, path: &Path) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut file = self.fs.open_read(path).map_err(Error::io("open", path))?;
        file.read_to_end(&mut bytes).map_err(Error::io("read", path))?;
        Ok(bytes)
    }

    /// Unlinks a file; that it is not there is as good.
    fn remove(&self, path: &Path) -> Result<()> {
        match self.fs.remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::io("remove", path)(error)),
            _ => Ok(()),
        }
    }

    /// Unlinks an object so that it cannot come back without its sidecars, then these.
    fn remove_object(&self, key: &ObjectKey) -> Result<()> {
        let path = self.layout.file(key, Suffix::Object);
        self.remove(&path)?;
        self.sync_parent(&path)?;
        for suffix in [Suffix::Quarantine, Suffix::Try, Suffix::Meta] {
            self.remove(&self.layout.file(key, suffix))?;
        }
        self.prune(&path);
        Ok(())
    }

    /// Says which file a camera's writer writes; what it wrote into before may go when it is empty.
    fn occupy(&self, name: &CameraName, path: Option<&Path>) {
        let dir = path.and_then(Path::parent);
        let mut index = self.index();
        let occupied = &mut index.shelf(name).occupied;
        if occupied.as_deref() == dir {
            return;
        }
        let before = std::mem::replace(occupied, dir.map(Path::to_owned));
        drop(index);
        if let Some(before) = before {
            self.prune(&before.join("any"));
        }
    }

    /// Removes the directories above `path` that are empty now. That of a camera that records stays: it would come again a
    /// second later, and each of its levels would be synced anew.
    fn prune(&self, path: &Path) {
        let occupied = |shelf: &index::Shelf| shelf.occupied.as_deref() == path.parent();
        if self.index().cameras.values().any(occupied) {
            return;
        }
        let _tree = self.tree.lock().unwrap_or_else(PoisonError::into_inner);
        let root = self.layout.objects();
        for dir in path.ancestors().skip(1).take_while(|dir| *dir != root) {
            if self.fs.remove_dir(dir).is_err() {
                break;
            }
        }
    }
}

/// Makes `dir` and what is missing above it, each name durable.
fn create_dirs(fs: &dyn Fs, dir: &Path) -> Result<()> {
    match fs.create_dir(dir) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let parent = dir.parent().filter(|parent| !parent.as_os_str().is_empty());
            let Some(parent) = parent else { return Err(Error::io("create the directory", dir)(error)) };
            create_dirs(fs, parent)?;
            fs.create_dir(dir).map_err(Error::io("create the directory", dir))?;
        }
        Err(error) => return Err(Error::io("create the directory", dir)(error)),
    }
    match dir.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => {
            fs.sync_dir(parent).map_err(Error::io("sync the directory", parent))
        }
        _ => fs.sync_dir(Path::new(".")).map_err(Error::io("sync the directory", Path::new("."))),
    }
}
