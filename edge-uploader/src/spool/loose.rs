//! Chunks of a file that is being read: the uploader's from the moment they are whole, and durable only later or never.
//!
//! The file holds their bytes. Should the power fail, it is read again from its start, and gives the same chunks under the same
//! keys. So nothing of such a chunk is synced, its sidecar stays in memory, and on the disk it stays a part, which the recovery
//! removes. Most are in the bucket, and gone, before it would be worth the disk's while to keep them.
//!
//! A loose chunk is *kept*, which makes it an object like any other, when the recording of its file ends in any way but a
//! crash, when the bucket refuses it, and when there are more of them than [`LOOSE_MAX`].

use super::fs::SpoolFile;
use super::index::{ItemId, Tried};
use super::layout::{CameraName, Suffix, owner};
use super::reservation::Reservation;
use super::sidecar::Meta;
use super::{Error, Inner, Result};
use framepost_events::ObjectKey;
use std::io;
use std::path::PathBuf;
use std::sync::{MutexGuard, PoisonError};

/// How many may be loose at a time: their sidecars, of 2 KiB each, are in memory.
const LOOSE_MAX: usize = 64;

/// The loose chunks of all cameras, in the order in which they were made.
#[derive(Debug, Default)]
pub(super) struct Loose {
    chunks: Vec<(ObjectKey, Meta)>,
}

impl Loose {
    /// The sidecar of a loose chunk; `None` for any other object.
    pub(super) fn meta(&self, key: &ObjectKey) -> Option<&Meta> {
        self.chunks.iter().find(|(loose, _)| loose == key).map(|(_, meta)| meta)
    }

    fn remove(&mut self, key: &ObjectKey) {
        self.chunks.retain(|(loose, _)| loose != key);
    }
}

impl Inner {
    /// The names of loose chunks change under this lock, and only so.
    pub(super) fn loose(&self) -> MutexGuard<'_, Loose> {
        self.loose.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives a whole part of a file to the uploader.
    pub(super) fn lay_loose(&self, name: &CameraName, key: &ObjectKey, meta: Meta, room: Reservation) -> Result<()> {
        let bytes = meta.bytes;
        let oldest = {
            let mut loose = self.loose();
            loose.chunks.push((key.clone(), meta));
            loose.chunks.first().filter(|_| loose.chunks.len() > LOOSE_MAX).map(|(key, _)| key.clone())
        };
        self.shelve(name, key, bytes, Some(room));
        self.tell();
        oldest.map_or(Ok(()), |oldest| self.keep(&oldest))
    }

    /// Where an object's content is. For a loose one it may be elsewhere a moment later: see [`open_content`](Self::open_content).
    pub(super) fn content(&self, key: &ObjectKey) -> PathBuf {
        let suffix = if self.loose().meta(key).is_some() { Suffix::Part } else { Suffix::Object };
        self.layout.file(key, suffix)
    }

    /// Opens an object's content for reading, whatever becomes of its name meanwhile.
    pub(super) fn open_content(&self, key: &ObjectKey) -> io::Result<Box<dyn SpoolFile>> {
        let loose = self.loose();
        let suffix = if loose.meta(key).is_some() { Suffix::Part } else { Suffix::Object };
        self.fs.open_read(&self.layout.file(key, suffix))
    }

    /// Removes a loose chunk that the bucket has; says whether it was one. Should it come back after a power cut, the recovery
    /// removes it.
    pub(super) fn remove_loose(&self, key: &ObjectKey) -> Result<bool> {
        let mut loose = self.loose();
        if loose.meta(key).is_none() {
            return Ok(false);
        }
        let part = self.layout.file(key, Suffix::Part);
        self.remove(&part)?;
        loose.remove(key);
        drop(loose);
        self.prune(&part);
        Ok(true)
    }

    /// Makes all loose chunks of a camera durable.
    pub(super) fn keep_all(&self, name: &CameraName) -> Result<()> {
        let keys: Vec<ObjectKey> = {
            let loose = self.loose();
            let of_camera = loose.chunks.iter().filter(|(key, _)| owner(key).as_ref() == Some(name));
            of_camera.map(|(key, _)| key.clone()).collect()
        };
        keys.iter().try_for_each(|key| self.keep(key))
    }

    /// Makes a loose chunk durable, if it still is one.
    pub(super) fn keep(&self, key: &ObjectKey) -> Result<()> {
        let mut loose = self.loose();
        let Some(meta) = loose.meta(key) else { return Ok(()) };
        let part = self.layout.file(key, Suffix::Part);
        match self.fs.open(&part) {
            Ok(mut file) => file.sync_data().map_err(Error::io("sync", &part))?,
            // The uploader finds out.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(Error::io("open", &part)(error)),
        }
        self.write_sidecar(key, Suffix::Meta, meta)?;
        let entry = owner(key).and_then(|name| self.index().entry(&name, ItemId::of(key)).copied());
        let tried = entry.map_or(Tried::Never, |entry| entry.tried);
        if tried != Tried::Never {
            self.make_mark(key)?;
        }
        // Before the object's name: without them it would be nobody's.
        self.sync_parent(&part)?;
        let object = self.layout.file(key, Suffix::Object);
        self.rename_durable(&part, &object)?;
        loose.remove(key);
        if tried != Tried::Never
            && let Some(name) = owner(key)
            && let Some(entry) = self.index().entry(&name, ItemId::of(key))
        {
            entry.tried = entry.tried.max(Tried::Before);
        }
        Ok(())
    }
}
