//! The uploader's side: taking an object, and saying what became of it.

use super::debts::Debt;
use super::fs::SpoolFile;
use super::index::{CameraStats, ItemId, Order, Status, Tried};
use super::layout::{CameraName, Suffix};
use super::sidecar::Meta;
use super::{Error, Inner, Result, SourceFile, Spool};
use framepost_events::attributes::Metadata;
use framepost_events::{Camera, ObjectKey, Sha256, Site};
use std::sync::{Arc, Mutex, PoisonError};

/// An object that the uploader has taken. Dropping it gives the object back.
pub struct Claim {
    spool: Arc<Inner>,
    name: CameraName,
    id: ItemId,
    key: ObjectKey,
    bytes: u64,
    tried: Tried,
    description: Result<(Meta, Sha256), Error>,
}

/// An object set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuarantinedObject {
    /// Its key.
    pub key: ObjectKey,
    /// Its size.
    pub bytes: u64,
    /// Why.
    pub reason: String,
}

impl Spool {
    /// Takes the next object; `skip` says which ones are not due yet.
    pub fn claim(&self, order: Order, skip: &dyn Fn(&ObjectKey) -> bool) -> Option<Claim> {
        let (name, id, bytes, tried) = {
            let mut index = self.inner.index();
            let (name, id) = index.next(order, &|name, id| skip(&id.key(name)))?;
            let entry = index.entry(&name, id)?;
            entry.status = Status::Claimed;
            (name, id, entry.bytes, entry.tried)
        };
        let key = id.key(&name);
        let description = self.inner.read_meta(&key).and_then(|meta| {
            let sha256 = meta.sha256().ok_or_else(|| super::close::unusable(&key)("the sidecar has no digest"))?;
            Ok((meta, sha256))
        });
        Some(Claim { spool: self.inner.clone(), name, id, key, bytes, tried, description })
    }

    /// Objects that wait for their upload or are being uploaded, and their bytes.
    pub fn pending(&self) -> (u64, u64) {
        let stats = self.stats();
        (stats.iter().map(|s| s.waiting_objects).sum(), stats.iter().map(|s| s.waiting_bytes).sum())
    }

    /// Whether there may be something to [`claim`](Self::claim). Asks the memory only, and does not block on the disk.
    pub fn has_waiting(&self) -> bool {
        self.inner.index().has_waiting()
    }

    /// Whether nothing waits or is being uploaded.
    pub fn is_drained(&self) -> bool {
        self.inner.index().is_drained()
    }

    /// Whether objects of this camera wait for their upload.
    pub fn has_pending(&self, site: &Site, camera: &Camera) -> bool {
        let of_camera = |stats: &CameraStats| stats.site == *site && stats.camera == *camera;
        self.stats().iter().any(|stats| of_camera(stats) && stats.waiting_objects > 0)
    }

    /// What was set aside, oldest first of each camera.
    pub fn quarantined(&self) -> Vec<QuarantinedObject> {
        let mut objects = Vec::new();
        for (name, shelf) in &self.inner.index().cameras {
            let set_aside = shelf.entries.iter().filter(|(_, entry)| entry.status == Status::Quarantined);
            objects.extend(set_aside.map(|(id, entry)| (id.key(name), entry.bytes)));
        }
        let reason = |key: &ObjectKey| {
            if let Some(reason) = self.inner.debts().reason(key) {
                return reason.to_owned();
            }
            let reason = self.inner.read(&self.inner.layout.file(key, Suffix::Quarantine));
            reason.map_or_else(|error| error.to_string(), |text| String::from_utf8_lossy(&text).trim().to_owned())
        };
        let objects = objects.into_iter();
        objects.map(|(key, bytes)| QuarantinedObject { reason: reason(&key), key, bytes }).collect()
    }

    /// Length, SHA-256 and CRC-32C of an object's file as it is now.
    pub fn digest(&self, key: &ObjectKey) -> Result<(u64, Sha256, Option<u32>)> {
        let path = self.inner.layout.file(key, Suffix::Object);
        let digest = self.inner.digest_path(&path).map_err(Error::io("read", &path))?;
        Ok((digest.bytes, digest.sha256, Some(digest.crc32c)))
    }

    /// The same as of its closing, where its sidecar can be read.
    pub fn closed_digest(&self, key: &ObjectKey) -> Option<(u64, Sha256, Option<u32>)> {
        let meta = self.inner.read_meta(key).ok()?;
        Some((meta.bytes, meta.sha256()?, meta.crc32c))
    }

    /// Somebody compared an object that was set aside with what is in the bucket, and found the same: it goes.
    pub fn known_stored(&self, key: &ObjectKey) -> Result<()> {
        self.inner.set_status(key, Status::Stored);
        let removed = self.inner.write_down(key, Debt::Remove);
        self.inner.tell();
        removed
    }

    /// Gives what was set aside back to the uploader: all of it, or one object. Says how many that were.
    ///
    /// Its next put is its first: what is under its key by then is not taken for an earlier put of its own.
    pub fn release_quarantine(&self, only: Option<&ObjectKey>) -> Result<u64> {
        let mut released = 0;
        for object in self.quarantined() {
            if only.is_some_and(|only| *only != object.key) {
                continue;
            }
            // The mark first: set aside and never tried is what a crash in between may leave.
            self.inner.unmark(&object.key)?;
            let path = self.inner.layout.file(&object.key, Suffix::Quarantine);
            self.inner.remove(&path)?;
            self.inner.sync_parent(&path)?;
            self.inner.debts().forgive(&object.key);
            let Some(name) = super::layout::owner(&object.key) else { continue };
            if let Some(entry) = self.inner.index().entry(&name, ItemId::of(&object.key)) {
                entry.status = Status::Waiting;
                entry.tried = Tried::Never;
                released += 1;
            }
        }
        self.inner.tell();
        Ok(released)
    }
}

impl Claim {
    /// Its key.
    pub fn key(&self) -> &ObjectKey {
        &self.key
    }

    /// Its size.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether the bucket may have it by a put before this turn.
    pub fn tried(&self) -> Tried {
        self.tried
    }

    /// Content type, metadata and digest; an error when the sidecar cannot be used.
    pub fn description(&self) -> Result<(&str, &Metadata, Sha256), &Error> {
        self.description.as_ref().map(|(meta, sha256)| (meta.content_type.as_str(), &meta.metadata, *sha256))
    }

    /// The file that it was made from, if it was: see [`SourceFile::is_unchanged`].
    pub fn source(&self) -> Option<&SourceFile> {
        self.description.as_ref().ok()?.0.source.as_ref()
    }

    /// CRC-32C of the content, where it was kept.
    pub fn crc32c(&self) -> Option<u32> {
        self.description.as_ref().ok()?.0.crc32c
    }

    /// To be called before the last byte leaves: from then on the bucket may have it. Where the disk takes no mark, the
    /// memory keeps it, and the error says why.
    pub fn mark_tried(&self) -> Result<()> {
        self.reader().mark_tried()
    }

    /// How the content is read, in one turn.
    pub(crate) fn reader(&self) -> ClaimReader {
        ClaimReader {
            spool: self.spool.clone(),
            name: self.name.clone(),
            id: self.id,
            key: self.key.clone(),
            turn: Mutex::new(Turn::Open),
        }
    }

    /// Whether the bytes on the disk are still those that were closed.
    pub fn is_intact(&self) -> std::io::Result<bool> {
        let Ok((meta, _)) = &self.description else { return Ok(false) };
        self.spool.is_as_closed(&self.spool.layout.file(&self.key, Suffix::Object), meta)
    }

    /// The bucket has it: it goes. Where the disk keeps it, it is not put again all the same; the error says why.
    pub fn uploaded(self) -> Result<()> {
        let removed = self.spool.write_down(&self.key, Debt::Remove);
        if removed.is_err() {
            self.spool.set_status(&self.key, Status::Stored);
        }
        removed
    }

    /// It is not on the disk any more: somebody else removed it, or took the disk away. What comes back with the disk is
    /// found by the next start.
    pub fn vanished(self) {
        self.spool.index().remove(&self.name, self.id);
    }

    /// Sets it aside, for good or until [`Spool::release_quarantine`]; in memory only where the disk takes no note of it.
    pub fn quarantine(self, reason: &str) -> Result<()> {
        let noted = self.spool.write_down(&self.key, Debt::Quarantine(reason.to_owned()));
        self.spool.set_status(&self.key, Status::Quarantined);
        noted
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if let Some(entry) = self.spool.index().entry(&self.name, self.id)
            && entry.status == Status::Claimed
        {
            entry.status = Status::Waiting;
        }
        self.spool.tell();
    }
}

/// Opens a claimed object's content, as often as it has to be sent.
pub(crate) struct ClaimReader {
    spool: Arc<Inner>,
    name: CameraName,
    id: ItemId,
    key: ObjectKey,
    /// Held while the mark is made, so that none is made after the turn.
    turn: Mutex<Turn>,
}

/// Whether the put that reads the content still goes on. A connection sends on after an early answer; by then its
/// bytes are nobody's any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    Open,
    Over,
}

impl ClaimReader {
    /// Where the content lies.
    pub(crate) fn path(&self) -> std::path::PathBuf {
        self.spool.layout.file(&self.key, Suffix::Object)
    }

    pub(crate) fn open(&self) -> std::io::Result<Box<dyn std::io::Read + Send>> {
        struct Reading(Box<dyn SpoolFile>);
        impl std::io::Read for Reading {
            fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
                self.0.read(buffer)
            }
        }
        let file = self.spool.fs.open_read(&self.spool.layout.file(&self.key, Suffix::Object))?;
        Ok(Box::new(Reading(file)))
    }

    /// The put is over: nothing more of the content goes out, and no mark is made for it.
    pub(crate) fn end(&self) {
        *self.turn.lock().unwrap_or_else(PoisonError::into_inner) = Turn::Over;
    }

    /// The bucket refused the object, and that was heard: its next put is the first one. Ends the turn.
    pub(crate) fn refused(&self) {
        self.end();
        let before = {
            let mut index = self.spool.index();
            let Some(entry) = index.entry(&self.name, self.id) else { return };
            std::mem::replace(&mut entry.tried, Tried::Never)
        };
        if before != Tried::Never {
            // What cannot be unlinked now is a debt, of which the log knows.
            let _ = self.spool.write_down(&self.key, Debt::Unmark);
        }
    }

    /// See [`Claim::mark_tried`]. An error of the kind [`Error::TurnOver`] when the put is over.
    pub(crate) fn mark_tried(&self) -> Result<()> {
        let turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        if *turn == Turn::Over {
            return Err(Error::TurnOver { key: self.key.to_string() });
        }
        let before = {
            let mut index = self.spool.index();
            let Some(entry) = index.entry(&self.name, self.id) else { return Ok(()) };
            let before = entry.tried;
            entry.tried = before.max(Tried::Unmarked);
            before
        };
        if before == Tried::Before {
            return Ok(());
        }
        let path = self.spool.layout.file(&self.key, Suffix::Try);
        if let Err(error) = self.spool.with_reserve(|| self.spool.make_mark(&path)) {
            self.spool.complain(&error);
            return Err(error);
        }
        if let Some(entry) = self.spool.index().entry(&self.name, self.id) {
            entry.tried = Tried::Before;
        }
        Ok(())
    }
}
