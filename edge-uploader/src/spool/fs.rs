//! The file system as the spool sees it: few operations, each of which may fail or be the last one.
//!
//! A trait, so that the tests can put a model in its place that crashes, loses what was not synced, or is full, at
//! every single operation. [`DiskFs`] is the machine's own.

mod disk;

pub(super) use disk::DiskFs;

use std::ffi::OsString;
use std::io::{self, Read, Seek, Write};
use std::path::Path;

/// An open file.
pub(super) trait SpoolFile: Read + Write + Seek + Send {
    /// Cuts the file.
    fn set_len(&mut self, bytes: u64) -> io::Result<()>;
    /// On return the content and the length survive a power cut; the name only after [`Fs::sync_dir`].
    fn sync_data(&mut self) -> io::Result<()>;
}

/// What a directory entry is. Links are not followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EntryKind {
    File,
    Dir,
    Other,
}

/// One entry of a directory.
pub(super) struct Listed {
    pub(super) name: OsString,
    pub(super) kind: EntryKind,
    pub(super) bytes: u64,
}

/// Held as long as the spool is open.
pub(super) type Lock = Box<dyn Send + Sync>;

/// The operations.
pub(super) trait Fs: Send + Sync {
    /// Takes the lock of the spool whose lock file is `path` without waiting; `WouldBlock` when another process has it.
    fn lock(&self, path: &Path) -> io::Result<Lock>;
    /// A new, empty file, in the place of an old one if there is one.
    fn create(&self, path: &Path) -> io::Result<Box<dyn SpoolFile>>;
    /// For reading and writing.
    fn open(&self, path: &Path) -> io::Result<Box<dyn SpoolFile>>;
    /// For reading only.
    fn open_read(&self, path: &Path) -> io::Result<Box<dyn SpoolFile>>;
    /// Replaces `to`.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    fn remove_file(&self, path: &Path) -> io::Result<()>;
    fn create_dir(&self, path: &Path) -> io::Result<()>;
    /// Fails when it is not empty.
    fn remove_dir(&self, path: &Path) -> io::Result<()>;
    /// On return the names in `path` survive a power cut.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;
    fn list(&self, path: &Path) -> io::Result<Vec<Listed>>;
    /// What an ordinary user may still write.
    fn free_bytes(&self, path: &Path) -> io::Result<u64>;
}

/// Whether an error is that of a full disk, or of a user's quota there.
pub(super) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
