//! Opening a bucket, and completing the puts that a crash interrupted.

use crate::disk::{self, Link};
use crate::inbox::BucketPlace;
use crate::inboxes::LocalInboxes;
use crate::key::{self, HIDDEN};
use crate::lock::LockFile;
use crate::note::{self, Note, RemovalNote};
use framepost_ports::{Error, ErrorKind, Result, url_path};
use jiff::Timestamp;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// A bucket in a directory. Clones refer to the same bucket.
#[derive(Debug, Clone)]
pub struct LocalBucket {
    pub(crate) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) root: PathBuf,
    pub(crate) name: String,
    pub(crate) inboxes: LocalInboxes,
    link_base: OnceLock<String>,
    /// The lock on the directory; released when the last clone is dropped.
    lock: LockFile,
}

impl LocalBucket {
    /// Opens the bucket in `dir` and creates it if it does not exist. The directory's name is the bucket's
    /// name. Completes or removes puts that a crash interrupted, unless another process has the bucket open.
    pub async fn open(dir: impl Into<PathBuf>) -> Result<Self> {
        let dir = dir.into();
        let what = dir.display().to_string();
        disk::blocking(move || open(&dir)).await.map_err(|error| disk::error("open", &what, error))
    }

    /// Returns the name of the bucket's directory.
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// Returns when its directory was made, or last changed where the file system does not know.
    pub fn created(&self) -> Option<Timestamp> {
        let metadata = fs::metadata(&self.inner.root).ok()?;
        Timestamp::try_from(metadata.created().or_else(|_| metadata.modified()).ok()?).ok()
    }

    /// Returns the inboxes that receive this bucket's object events, and records.
    pub fn inboxes(&self) -> LocalInboxes {
        self.inner.inboxes.clone()
    }

    /// Makes links to objects begin with `base` (`http://127.0.0.1:9000/footage`) instead of `file://`. Only
    /// the first call has an effect.
    pub fn set_link_base(&self, base: impl Into<String>) {
        let base: String = base.into();
        let _ = self.inner.link_base.set(base.trim_end_matches('/').to_owned());
    }

    pub(crate) fn link(&self, key: &str) -> String {
        match self.inner.link_base.get() {
            Some(base) => format!("{base}/{}", url_path(key)),
            None => format!("{}/{}", self.inner.url(), url_path(key)),
        }
    }
}

impl Inner {
    pub(crate) fn object(&self, operation: &'static str, key: &str) -> Result<PathBuf, Error> {
        Ok(self.root.join(key::path(operation, key)?))
    }

    pub(crate) fn hidden(&self, kind: &str) -> PathBuf {
        self.root.join(HIDDEN).join(kind)
    }

    pub(crate) fn staged(&self, id: &str) -> (PathBuf, PathBuf) {
        let tmp = self.hidden("tmp");
        (tmp.join(id), tmp.join(format!("{id}.json")))
    }

    pub(crate) fn note(&self, key: &str) -> PathBuf {
        note::place(&self.root, key)
    }

    /// Waits for the lock under which notes leave `meta`, among all processes, and holds it until the file is
    /// dropped.
    pub(crate) fn lock_notes(&self) -> io::Result<LockFile> {
        LockFile::exclusive(&self.hidden("notes-lock"))
    }

    pub(crate) fn url(&self) -> String {
        format!("file://{}", url_path(&self.root.to_string_lossy()))
    }

    /// Does steps 3 to 5 of a put that is committed. Each step may already be done, or another writer
    /// may be doing it now.
    pub(crate) fn finish(&self, note: &Note) -> io::Result<()> {
        let (bytes, staged_note) = self.staged(&note.id);
        if staged_note.is_file() {
            let subscribers = self.inboxes.interested(|topic| topic.is_about_object(&note.key))?;
            if !subscribers.is_empty() {
                // A subscriber that hears of an object must find it, so from here on the put must survive a power cut.
                disk::sync_dir(&self.hidden("tmp"))?;
                self.inboxes.link(&staged_note, &note.id, &subscribers)?;
            }
        }
        let object = self.root.join(&note.key);
        loop {
            if let Some(above) = object.parent() {
                disk::make_dirs(above)?;
            }
            match disk::link(&bytes, &object)? {
                // A removal of the last object beside this one took the directory away.
                Link::Gone if bytes.is_file() => {}
                Link::Made | Link::Gone => break,
                Link::Taken if object.is_file() => {
                    // The writer that linked it may not have synced the directory.
                    object.parent().map_or(Ok(()), disk::sync_dir)?;
                    break;
                }
                Link::Taken => return Err(io::ErrorKind::IsADirectory.into()),
            }
        }
        // Remove the note first: bytes without a note are known to be garbage.
        disk::remove(&staged_note)?;
        disk::remove(&bytes)?;
        self.inboxes.tell(&note.id);
        Ok(())
    }
}

fn open(dir: &Path) -> io::Result<LocalBucket> {
    disk::make_dirs(dir)?;
    let root = dir.canonicalize()?;
    let name = root.file_name().map_or_else(|| "root".to_owned(), |name| name.to_string_lossy().into_owned());
    let hidden = root.join(HIDDEN);
    for kind in ["tmp", "meta"] {
        disk::make_dirs(&hidden.join(kind))?;
    }
    let lock_path = hidden.join("lock");
    let lock = LockFile::open(&lock_path)?;
    let alone = lock.try_exclusive()?;
    let place = BucketPlace { root: root.clone(), name: name.clone() };
    let inboxes = LocalInboxes::open(hidden.join("inboxes"), place)?;
    let inner = Inner { root, name, inboxes, link_base: OnceLock::new(), lock };
    if alone {
        let probe = hidden.join("tmp/hard-link");
        disk::remove(&probe)?;
        fs::hard_link(&lock_path, &probe).map_err(|error| {
            io::Error::new(error.kind(), format!("the bucket's file system must have hard links: {error}"))
        })?;
        disk::remove(&probe)?;
        recover(&inner)?;
        inner.lock.release()?;
    }
    inner.lock.shared()?;
    Ok(LocalBucket { inner: Arc::new(inner) })
}

/// Completes each put and each removal that was committed, and drops the others.
fn recover(inner: &Inner) -> io::Result<()> {
    let mut left: Vec<PathBuf> = vec![];
    for entry in fs::read_dir(inner.hidden("tmp"))? {
        left.push(entry?.path());
    }
    // Handle notes first, because they decide about the bytes with the same name.
    left.sort_by_key(|path| path.extension().is_none());
    for path in left {
        if path.extension().is_some_and(|extension| extension == RemovalNote::EXTENSION) {
            recover_removal(inner, &path)?;
            continue;
        }
        let note = if path.extension().is_some() { Note::read(&path).ok() } else { None };
        if let Some(note) = note
            && Note::read(&inner.note(&note.key)).is_ok_and(|committed| committed.id == note.id)
        {
            // A crash between the two removals of step 5 leaves a note whose bytes are already in place.
            match inner.finish(&note) {
                Ok(()) => tracing::info!(key = note.key, "finished a put that a crash had cut short"),
                Err(error) => {
                    let error = Error::new(ErrorKind::Io, "recover", &note.key).because(error);
                    tracing::warn!(error = framepost_ports::chain(&error), "cannot finish a put, its bytes are kept");
                }
            }
        } else if path.extension().is_some() || !path.with_extension("json").exists() {
            disk::remove(&path)?;
        }
    }
    Ok(())
}

/// Completes the removal whose note is at `path`, or drops it if the note was not written to its end.
fn recover_removal(inner: &Inner, path: &Path) -> io::Result<()> {
    let Ok(removal) = RemovalNote::read(path) else { return disk::remove(path) };
    let key = &removal.object.key;
    let _lock = inner.lock_notes()?;
    match inner.finish_removal(&removal) {
        Ok(()) => tracing::info!(key, "finished a removal that a crash had cut short"),
        Err(error) => {
            let error = Error::new(ErrorKind::Io, "recover", key).because(error);
            tracing::warn!(error = framepost_ports::chain(&error), "cannot finish a removal, it is tried again later");
        }
    }
    Ok(())
}
