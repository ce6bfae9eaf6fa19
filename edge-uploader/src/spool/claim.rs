//! The uploader's interface: taking an object, and reporting the result.

use super::debts::Debt;
use super::digest::is_as_closed;
use super::fs::SpoolFile;
use super::index::{CameraStats, ItemId, Order, Status, Tried};
use super::layout::{CameraName, Suffix};
use super::sidecar::Meta;
use super::{Error, Inner, Result, SourceFile, Spool};
use framepost_events::attributes::Metadata;
use framepost_events::{Camera, ObjectKey, Sha256, Site};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, TryLockError};

/// An object that the uploader has taken. Dropping it returns the object to the queue.
pub struct Claim {
    spool: Arc<Inner>,
    name: CameraName,
    id: ItemId,
    key: ObjectKey,
    bytes: u64,
    tried: Tried,
    /// Read when it is first needed.
    description: OnceLock<Result<(Meta, Sha256), Error>>,
}

/// An object that the bucket refused for good, and that stays in the spool until somebody decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuarantinedObject {
    pub key: ObjectKey,
    /// Its size in bytes.
    pub bytes: u64,
    /// Why it is in quarantine.
    pub reason: String,
}

impl Spool {
    /// Takes the next object to upload. `skip` returns true for objects that are not due yet. Does not access the disk.
    pub fn claim(&self, order: Order, skip: &dyn Fn(&ObjectKey) -> bool) -> Option<Claim> {
        let (name, id, bytes, tried) = {
            let mut index = self.inner.index();
            let (name, id) = index.next(order, &|name, id| skip(&id.key(name)))?;
            let entry = index.entry(&name, id)?;
            entry.status = Status::Claimed;
            (name, id, entry.bytes, entry.tried)
        };
        let key = id.key(&name);
        Some(Claim { spool: self.inner.clone(), name, id, key, bytes, tried, description: OnceLock::new() })
    }

    /// Returns the number of objects that wait or are being uploaded, and their bytes.
    pub fn pending(&self) -> (u64, u64) {
        let stats = self.stats();
        (stats.iter().map(|s| s.waiting_objects).sum(), stats.iter().map(|s| s.waiting_bytes).sum())
    }

    /// Returns whether there may be something to [`claim`](Self::claim). Does not access the disk.
    pub fn has_waiting(&self) -> bool {
        self.inner.index().has_waiting()
    }

    /// Returns whether no object waits or is being uploaded.
    pub fn is_drained(&self) -> bool {
        self.inner.index().is_drained()
    }

    /// Returns whether objects of this camera wait for their upload.
    pub fn has_pending(&self, site: &Site, camera: &Camera) -> bool {
        let of_camera = |stats: &CameraStats| stats.site == *site && stats.camera == *camera;
        self.stats().iter().any(|stats| of_camera(stats) && stats.waiting_objects > 0)
    }

    /// Returns the objects in quarantine, for each camera oldest first.
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

    /// Reads an object's file and returns its length, SHA-256 and CRC-32C.
    pub fn digest(&self, key: &ObjectKey) -> Result<(u64, Sha256, Option<u32>)> {
        let path = self.inner.layout.file(key, Suffix::Object);
        let digest = self.inner.digest_path(&path).map_err(Error::io("read", &path))?;
        Ok((digest.bytes, digest.sha256, Some(digest.crc32c)))
    }

    /// Returns length, SHA-256 and CRC-32C from when the object was closed. Returns `None` if
    /// its sidecar cannot be read.
    pub fn closed_digest(&self, key: &ObjectKey) -> Option<(u64, Sha256, Option<u32>)> {
        let meta = self.inner.read_meta(key).ok()?;
        Some((meta.bytes, meta.sha256()?, meta.crc32c))
    }

    /// Removes an object from quarantine after a comparison has shown that the bucket holds the same bytes.
    pub fn known_stored(&self, key: &ObjectKey) -> Result<()> {
        self.inner.set_status(key, Status::Stored);
        let removed = self.inner.write_down(key, Debt::Remove);
        self.inner.tell();
        removed
    }

    /// Returns all objects in quarantine, or one, to the uploader. Returns their number.
    ///
    /// The next put of such an object counts as its first: an object that then exists under its key is not
    /// taken for the result of an earlier put.
    pub fn release_quarantine(&self, only: Option<&ObjectKey>) -> Result<u64> {
        let mut released = 0;
        for object in self.quarantined() {
            if only.is_some_and(|only| *only != object.key) {
                continue;
            }
            // Remove the mark first. A crash in between leaves an object in quarantine
            // that counts as never tried.
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
    /// Returns the key under which the object is put into the bucket.
    pub fn key(&self) -> &ObjectKey {
        &self.key
    }

    /// Returns the object's size in bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Returns whether an earlier put may have stored the object.
    pub fn tried(&self) -> Tried {
        self.tried
    }

    /// Returns content type, metadata and digest, or an error if the sidecar cannot be used. Reads the sidecar at the
    /// first call; [`source`](Self::source), [`crc32c`](Self::crc32c) and [`is_intact`](Self::is_intact) need it as well.
    pub fn description(&self) -> Result<(&str, &Metadata, Sha256), &Error> {
        self.described().map(|(meta, sha256)| (meta.content_type.as_str(), &meta.metadata, *sha256))
    }

    fn described(&self) -> Result<&(Meta, Sha256), &Error> {
        let read = || {
            let meta = self.spool.read_meta(&self.key)?;
            let without = || super::error::unusable(&self.key)("the sidecar has no digest");
            let sha256 = meta.sha256().ok_or_else(without)?;
            Ok((meta, sha256))
        };
        self.description.get_or_init(read).as_ref()
    }

    /// Returns the file that the object was made from, if there is one: see [`SourceFile::is_unchanged`].
    pub fn source(&self) -> Option<&SourceFile> {
        self.described().ok()?.0.source.as_ref()
    }

    /// Returns the CRC-32C of the content, if it was stored.
    pub fn crc32c(&self) -> Option<u32> {
        self.described().ok()?.0.crc32c
    }

    /// Must be called before the last byte is sent, because from then on the bucket may hold the object. If the
    /// disk does not accept the mark, it is kept in memory and an error is returned.
    pub fn mark_tried(&self) -> Result<()> {
        self.reader().mark_tried()
    }

    /// Returns a reader for the content during this attempt.
    pub(crate) fn reader(&self) -> ClaimReader {
        ClaimReader {
            spool: self.spool.clone(),
            name: self.name.clone(),
            id: self.id,
            key: self.key.clone(),
            turn: Mutex::new(Turn::Open),
        }
    }

    /// Returns whether the bytes on disk are still those that were closed.
    pub fn is_intact(&self) -> std::io::Result<bool> {
        let Ok((meta, _)) = self.described() else { return Ok(false) };
        is_as_closed(&mut *self.spool.open_content(&self.key)?, meta)
    }

    /// Removes the object from the spool after its upload. If the disk refuses, returns an error; the object
    /// is still not uploaded again.
    pub fn uploaded(self) -> Result<()> {
        let removed = self.spool.write_down(&self.key, Debt::Remove);
        if removed.is_err() {
            self.spool.set_status(&self.key, Status::Stored);
        }
        removed
    }

    /// Forgets an object whose file has disappeared, because somebody removed it or the disk is gone. If the
    /// file comes back, the next start finds it.
    pub fn vanished(self) {
        // The memory alone knows of a loose one.
        let _ = self.spool.remove_loose(&self.key);
        self.spool.index().remove(&self.name, self.id);
    }

    /// Moves the object to quarantine, permanently or until [`Spool::release_quarantine`]. The state is only in
    /// memory if the disk does not accept it.
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

/// Opens the content of a claimed object, once for each time it is sent.
pub(crate) struct ClaimReader {
    spool: Arc<Inner>,
    name: CameraName,
    id: ItemId,
    key: ObjectKey,
    /// Locked while the mark is made, so that no mark is made after the attempt has ended.
    turn: Mutex<Turn>,
}

/// Whether the put that reads the content is in progress. A connection may continue to send after an early
/// response; those bytes must no longer count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    Open,
    Over,
}

impl ClaimReader {
    /// Returns the path of the content, for a bucket that links the file. Makes the object's name durable before: recovery would
    /// write into a part, whatever links it. Blocks on the disk for that; `None` if the disk refuses.
    pub(crate) fn path(&self) -> Option<std::path::PathBuf> {
        let path = self.spool.content(&self.key);
        self.spool.sync_closed(path.parent()?).ok()?;
        Some(path)
    }

    pub(crate) fn open(&self) -> std::io::Result<Box<dyn std::io::Read + Send>> {
        struct Reading(Box<dyn SpoolFile>);
        impl std::io::Read for Reading {
            fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
                self.0.read(buffer)
            }
        }
        Ok(Box::new(Reading(self.spool.open_content(&self.key)?)))
    }

    /// Like [`end`](Self::end), if no mark is being made at the moment. Does not block. Returns whose turn it is then.
    pub(crate) fn try_end(&self) -> Turn {
        match self.turn.try_lock() {
            Ok(mut turn) => *turn = Turn::Over,
            Err(TryLockError::Poisoned(turn)) => *turn.into_inner() = Turn::Over,
            Err(TryLockError::WouldBlock) => return Turn::Open,
        }
        Turn::Over
    }

    /// Ends the attempt: no more of the content is sent, and no mark is made for it. Waits while a mark is being made, on the disk.
    pub(crate) fn end(&self) {
        *self.turn.lock().unwrap_or_else(PoisonError::into_inner) = Turn::Over;
    }

    /// Called when the bucket has refused the object: its next put counts as its first. Ends the attempt.
    pub(crate) fn refused(&self) {
        self.end();
        let before = {
            let mut index = self.spool.index();
            let Some(entry) = index.entry(&self.name, self.id) else { return };
            std::mem::replace(&mut entry.tried, Tried::Never)
        };
        if before != Tried::Never {
            // If unlinking fails, it becomes a debt, which is logged.
            let _ = self.spool.write_down(&self.key, Debt::Unmark);
        }
    }

    /// Implements [`Claim::mark_tried`]. Fails with [`Error::TurnOver`] after the attempt has ended.
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
        // A loose one gets its mark when it is kept. If it never is, it is made again from its file.
        if before == Tried::Before || self.spool.loose().meta(&self.key).is_some() {
            return Ok(());
        }
        let object = self.spool.layout.file(&self.key, Suffix::Object);
        let marked =
            self.spool.with_reserve(|| self.spool.make_mark(&self.key).and_then(|()| self.spool.sync_parent(&object)));
        if let Err(error) = marked {
            self.spool.complain(&error);
            return Err(error);
        }
        if let Some(entry) = self.spool.index().entry(&self.name, self.id) {
            entry.tried = Tried::Before;
        }
        Ok(())
    }
}
