//! The spool's interface to the file system: a few operations, each of which may fail or be
//! the last before a crash.
//!
//! It is a trait, so that tests can use a model that crashes, loses unsynced data, or is full at any operation.
//! [`DiskFs`] is the real file system.

mod disk;

pub(super) use disk::DiskFs;
pub use disk::DiskSpace;

use std::ffi::OsString;
use std::io::{self, Read, Seek, Write};
use std::path::Path;

pub(super) trait SpoolFile: Read + Write + Seek + Send {
    /// Truncates the file to this length.
    fn set_len(&mut self, bytes: u64) -> io::Result<()>;
    /// Makes content and length survive a power cut. The name survives only after [`Fs::sync_dir`].
    fn sync_data(&mut self) -> io::Result<()>;
}

/// The type of a directory entry. Links are not followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EntryKind {
    File,
    Dir,
    Other,
}

pub(super) struct Listed {
    pub(super) name: OsString,
    pub(super) kind: EntryKind,
    pub(super) bytes: u64,
}

/// Held while the spool is open.
pub(super) type Lock = Box<dyn Send + Sync>;

/// The operations that the spool uses.
pub(super) trait Fs: Send + Sync {
    /// Takes the lock of the spool whose lock file is `path` without waiting. Fails with `WouldBlock`
    /// if another process holds it.
    fn lock(&self, path: &Path) -> io::Result<Lock>;
    /// Creates an empty file. Replaces an existing one, whose other names keep their content.
    fn create(&self, path: &Path) -> io::Result<Box<dyn SpoolFile>>;
    /// Opens a file for reading and writing.
    fn open(&self, path: &Path) -> io::Result<Box<dyn SpoolFile>>;
    /// Opens a file for reading only.
    fn open_read(&self, path: &Path) -> io::Result<Box<dyn SpoolFile>>;
    /// Renames a file and replaces `to`.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Gives a file a second name in its own directory. Fails with `AlreadyExists` if there is a file with this name.
    fn link(&self, file: &Path, name: &Path) -> io::Result<()>;
    fn remove_file(&self, path: &Path) -> io::Result<()>;
    fn create_dir(&self, path: &Path) -> io::Result<()>;
    /// Removes a directory. Fails if it is not empty.
    fn remove_dir(&self, path: &Path) -> io::Result<()>;
    /// Makes the names in the directory `path` survive a power cut.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;
    fn list(&self, path: &Path) -> io::Result<Vec<Listed>>;
    /// Returns the bytes that an ordinary user can still write.
    fn free_bytes(&self, path: &Path) -> io::Result<u64>;
}

/// Returns whether an error means a full disk or an exhausted user quota.
pub(super) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
