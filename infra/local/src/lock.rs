//! Locks among processes: `flock(2)` on an empty file.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;

/// An open lock file, and the lock on it while one is held.
///
/// Dropping it releases the lock explicitly instead of by closing the file. A process that is being started has
/// copies of all files of its parent until it runs its own program, and a lock lasts until the last copy is closed.
#[derive(Debug)]
pub(crate) struct LockFile(File);

impl LockFile {
    /// Opens the lock file and creates it if it does not exist. Takes no lock.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self(File::options().create(true).truncate(false).write(true).open(path)?))
    }

    /// Waits for the exclusive lock.
    pub(crate) fn exclusive(path: &Path) -> io::Result<Self> {
        let lock = Self::open(path)?;
        lock.0.lock()?;
        Ok(lock)
    }

    /// Takes the exclusive lock and returns `true`, or returns `false` at once if another open lock file has a lock.
    pub(crate) fn try_exclusive(&self) -> io::Result<bool> {
        match self.0.try_lock() {
            Ok(()) => Ok(true),
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Waits for the shared lock.
    pub(crate) fn shared(&self) -> io::Result<()> {
        self.0.lock_shared()
    }

    /// Releases the lock, exclusive or shared, and keeps the file open. Does nothing if no lock is held.
    pub(crate) fn release(&self) -> io::Result<()> {
        self.0.unlock()
    }
}

impl Drop for LockFile {
    fn drop(&mut self) {
        // The lock of a file that cannot be unlocked is released when the file is closed.
        let _ = self.release();
    }
}

#[cfg(test)]
mod tests {
    use super::LockFile;

    #[test]
    fn a_dropped_lock_is_released_although_a_copy_of_the_file_is_open() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let held = LockFile::exclusive(&path).unwrap();
        let other = LockFile::open(&path).unwrap();
        assert!(!other.try_exclusive().unwrap());
        // What a child has between fork and exec.
        let copy = held.0.try_clone().unwrap();
        drop(held);
        assert!(other.try_exclusive().unwrap());
        drop(copy);
    }
}
