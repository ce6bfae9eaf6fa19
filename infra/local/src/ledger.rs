//! Claims as files in a directory.
//!
//! ```text
//! <dir>/3f/3fb4…e1.json     the entry of one piece of work, by the SHA-256 of its name
//! <dir>/lock                held exclusively during each write, by the process that writes
//! <dir>/next.json           the entry that is being written
//! ```
//!
//! An entry is written to `next.json`, synced, and renamed over the entry before it; then its directory
//! is synced. After a power cut, either the old or the new entry is there. Opening the directory
//! removes entries that have expired.

use crate::disk;
use crate::lock::LockFile;
use async_trait::async_trait;
use framepost_events::Sha256;
use framepost_ports::Result;
use framepost_ports::ledger::{Entry, LedgerStore, Swap, Version};
use jiff::Timestamp;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The claims of all processes on one machine.
#[derive(Debug, Clone)]
pub struct LocalLedger {
    dir: Arc<PathBuf>,
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Document {
    /// The name of the work, for people who read the file; the file's name is a hash.
    work: String,
    entry: Entry,
}

impl LocalLedger {
    /// Opens the ledger in `dir` and creates it if it does not exist.
    pub async fn open(dir: impl Into<PathBuf>) -> Result<Self> {
        let dir = dir.into();
        let what = dir.display().to_string();
        let opened = disk::blocking(move || {
            disk::make_dirs(&dir)?;
            let lock = lock(&dir)?;
            clean(&dir, Timestamp::now())?;
            drop(lock);
            Ok(Self { dir: Arc::new(dir) })
        });
        opened.await.map_err(|error| disk::error("open", &what, error))
    }

    fn path(&self, work: &str) -> PathBuf {
        let digest = Sha256::of(work.as_bytes()).to_string();
        self.dir.join(&digest[..2]).join(format!("{digest}.json"))
    }
}

/// Waits for the lock, which is held until the file is dropped.
fn lock(dir: &Path) -> io::Result<LockFile> {
    LockFile::exclusive(&dir.join("lock"))
}

fn read(path: &Path) -> io::Result<Option<Document>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn clean(dir: &Path, now: Timestamp) -> io::Result<()> {
    for below in fs::read_dir(dir)? {
        let below = below?;
        if !below.file_type()?.is_dir() {
            continue;
        }
        for file in fs::read_dir(below.path())? {
            let path = file?.path();
            // Keep entries that cannot be read, so that a person can inspect them.
            if read(&path).is_ok_and(|document| document.is_some_and(|document| document.entry.keep_until < now)) {
                disk::remove(&path)?;
            }
        }
    }
    Ok(())
}

fn version(entry: &Entry) -> Version {
    Version(entry.write.clone())
}

#[async_trait]
impl LedgerStore for LocalLedger {
    async fn read(&self, work: &str) -> Result<Option<(Entry, Version)>> {
        let path = self.path(work);
        let document = disk::blocking(move || read(&path)).await;
        let document = document.map_err(|error| disk::error("read a claim", work, error))?;
        Ok(document.map(|Document { entry, .. }| (entry.clone(), version(&entry))))
    }

    async fn swap(&self, work: &str, expected: Option<&Version>, entry: &Entry) -> Result<Swap> {
        let dir = self.dir.clone();
        let path = self.path(work);
        let expected = expected.cloned();
        let document = Document { work: work.to_owned(), entry: entry.clone() };
        let swap = disk::blocking(move || {
            let _lock = lock(&dir)?;
            if read(&path)?.map(|there| version(&there.entry)) != expected {
                return Ok(Swap::Refused);
            }
            let next = dir.join("next.json");
            let mut file = File::create(&next)?;
            file.write_all(&serde_json::to_vec(&document)?)?;
            file.sync_all()?;
            let below = path.parent().unwrap_or(&dir);
            disk::make_dirs(below)?;
            fs::rename(&next, &path)?;
            disk::sync_dir(below)?;
            Ok(Swap::Written(version(&document.entry)))
        });
        swap.await.map_err(|error| disk::error("write a claim", work, error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use framepost_ports::ledger::Claimed;
    use framepost_ports::memory::SimulatedClock;
    use framepost_ports::{Ledger, ledger};
    use std::time::Duration;

    #[tokio::test]
    async fn a_claim_outlives_its_process_and_is_cleaned_away_in_time() {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(SimulatedClock::new(Timestamp::now()));
        let open = async || Arc::new(LocalLedger::open(dir.path().join("claims")).await.unwrap());
        let claim = async |store: Arc<LocalLedger>| {
            Ledger::new(store, clock.clone()).claim("w", Duration::from_mins(5)).await.unwrap()
        };
        assert!(matches!(claim(open().await).await, Claimed::Won(_)));
        assert!(matches!(claim(open().await).await, Claimed::Held { .. }), "another process");
        let files = || {
            let below = fs::read_dir(dir.path().join("claims")).unwrap().map(|entry| entry.unwrap().path());
            below.filter(|path| path.is_dir()).flat_map(|path| fs::read_dir(path).unwrap()).count()
        };
        let long_after = Timestamp::now() + ledger::RETENTION;
        clean(&dir.path().join("claims"), long_after).unwrap();
        assert_eq!(files(), 1, "the lease counts from its end");
        clean(&dir.path().join("claims"), long_after + Duration::from_hours(1)).unwrap();
        assert_eq!(files(), 0);
    }
}
