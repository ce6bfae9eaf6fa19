//! The file system as the spool sees it: few operations, each of which may fail or be the last one.
//!
//! A trait, so that the tests can put a model in its place that crashes, loses what was not synced, or is full, at
//! every single operation.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
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
    /// Takes the lock of `path` without waiting; `WouldBlock` when another process has it.
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

/// The machine's own.
pub(super) struct DiskFs;

impl SpoolFile for File {
    fn set_len(&mut self, bytes: u64) -> io::Result<()> {
        File::set_len(self, bytes)
    }

    fn sync_data(&mut self) -> io::Result<()> {
        File::sync_data(self)
    }
}

impl Fs for DiskFs {
    fn lock(&self, path: &Path) -> io::Result<Lock> {
        use nix::fcntl::{Flock, FlockArg};
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(path)?;
        let lock = Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, errno)| io::Error::from(errno))?;
        Ok(Box::new(lock))
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn SpoolFile>> {
        Ok(Box::new(OpenOptions::new().create(true).truncate(true).read(true).write(true).open(path)?))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn SpoolFile>> {
        Ok(Box::new(OpenOptions::new().read(true).write(true).open(path)?))
    }

    fn open_read(&self, path: &Path) -> io::Result<Box<dyn SpoolFile>> {
        Ok(Box::new(File::open(path)?))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        std::fs::create_dir(path)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_dir(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Listed>> {
        std::fs::read_dir(path)?
            .map(|entry| {
                let entry = entry?;
                let kind = entry.file_type()?;
                let kind = match () {
                    () if kind.is_file() => EntryKind::File,
                    () if kind.is_dir() => EntryKind::Dir,
                    () => EntryKind::Other,
                };
                let bytes = if kind == EntryKind::File { entry.metadata()?.len() } else { 0 };
                Ok(Listed { name: entry.file_name(), kind, bytes })
            })
            .collect()
    }

    fn free_bytes(&self, path: &Path) -> io::Result<u64> {
        let stat = nix::sys::statvfs::statvfs(path)?;
        // Types differ between platforms: u32 or u64.
        #[allow(clippy::useless_conversion)]
        let (blocks, block_bytes) = (u64::from(stat.blocks_available()), u64::from(stat.fragment_size()));
        Ok(blocks.saturating_mul(block_bytes))
    }
}

/// Whether an error is that of a full disk, or of a user's quota there.
pub(super) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
