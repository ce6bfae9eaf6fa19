//! Space: the quota, the minimum of free disk space, and dropping chunks.

use super::close::Note;
use super::index::{ItemId, Status, Tried};
use super::layout::{CameraName, Suffix};
use super::names::Urgency;
use super::{Error, Inner, Result};
use framepost_events::attributes::Attributes;
use framepost_events::gap::{GAP_CONTENT_TYPE, Gap, GapCause};
use framepost_events::{KeyKind, ObjectKey};
use jiff::{SignedDuration, Timestamp};
use std::io::Write;
use std::sync::PoisonError;

/// Enough for a gap, its sidecar and the directories' new blocks, also on file systems with large blocks.
const RESERVE_BYTES: usize = 256 * 1024;

/// Chunks whose times differ by at most this adjoin: slewing changes the clock between one's end
/// and the next one's start.
const ADJOINING: SignedDuration = SignedDuration::from_millis(500);

/// Whether a reservation fits into the quota and leaves the free floor of the disk.
enum Fit {
    Reserved,
    /// There is none now, as this error says.
    Full(Error),
}

impl Inner {
    /// Adds `bytes` to what is reserved for `name`, and drops chunks if needed. A [`Reservation`](super::reservation::Reservation) gives them back.
    pub(super) fn reserve(&self, name: &CameraName, bytes: u64) -> Result<()> {
        if let Fit::Reserved = self.try_reserve(name, bytes)? {
            return Ok(());
        }
        let _dropping = self.dropping.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let Fit::Full(full) = self.try_reserve(name, bytes)? else { return Ok(()) };
            let victim = {
                let mut index = self.index();
                let Some((owner, id)) = index.victim() else { return Err(full) };
                if let Some(entry) = index.entry(&owner, id) {
                    let before = entry.status;
                    entry.status = Status::Dropping;
                    (owner, id, before)
                } else {
                    continue;
                }
            };
            let (owner, id, before) = victim;
            if let Err(error) = self.drop_chunk(&owner, id) {
                if let Some(entry) = self.index().entry(&owner, id) {
                    entry.status = before;
                }
                return Err(error);
            }
        }
    }

    fn try_reserve(&self, name: &CameraName, bytes: u64) -> Result<Fit> {
        let limits = self.options.limits;
        let dir = self.layout.dir();
        let free_bytes = self.fs.free_bytes(dir).map_err(Error::io("read the free space of", dir))?;
        let mut index = self.index();
        let used_bytes = index.used_bytes();
        let fits = used_bytes + bytes <= limits.quota_bytes && free_bytes >= limits.free_floor_bytes + bytes;
        if fits {
            index.shelf(name).open_bytes += bytes;
            return Ok(Fit::Reserved);
        }
        let quota_bytes = limits.quota_bytes;
        let free_floor_bytes = limits.free_floor_bytes;
        Ok(Fit::Full(Error::Full { wanted_bytes: bytes, used_bytes, quota_bytes, free_bytes, free_floor_bytes }))
    }

    /// Drops one chunk. The gap is written first, so that a crash in between leaves a chunk too many
    /// and never one too few.
    fn drop_chunk(&self, name: &CameraName, id: ItemId) -> Result<()> {
        let key = id.key(name);
        let attributes = self.read_meta(&key).ok().and_then(|meta| meta.attributes().ok()).unwrap_or_default();
        let from = attributes.from.unwrap_or(key.start);
        let to = attributes.to.unwrap_or(from);
        let grown = self.growing_gap(name, id, from);
        let gap = Gap {
            site: name.site.clone(),
            camera: name.camera.clone(),
            from: grown.as_ref().map_or(from, |(_, gap)| gap.from),
            to,
            cause: GapCause::SpoolFull,
            detail: Some(format!("quota {} bytes", self.options.limits.quota_bytes)),
            frames_dropped: None,
            chunks_dropped: Some(1 + grown.as_ref().and_then(|(_, gap)| gap.chunks_dropped).unwrap_or(0)),
            source_bytes: None,
        };
        let counter = grown.as_ref().map_or(0, |(key, _)| key.counter + 1);
        let gap_key = self.free_gap_key(name, &gap, counter);
        let body = gap.to_json();
        let superseded = grown.map(|(key, _)| key);
        let object = self.layout.file(&key, Suffix::Object);
        self.sync_closed(object.parent().unwrap_or(&object))?;
        let written = self.with_reserve(|| {
            let note = Note {
                drops: Some(key.to_string()),
                supersedes: superseded.as_ref().map(ToString::to_string),
                source: None,
            };
            let attributes = Attributes { from: Some(gap.from), to: Some(gap.to), ..Attributes::default() };
            self.write_small(&gap_key, &body, GAP_CONTENT_TYPE, attributes, note)
        });
        if let Err(error) = written {
            if let Some(superseded) = superseded
                && let Some(entry) = self.index().entry(name, ItemId::of(&superseded))
            {
                entry.status = Status::Waiting;
            }
            return Err(error);
        }
        self.finish_drop(name, &key)?;
        if let Some(superseded) = &superseded {
            self.finish_drop(name, superseded)?;
        }
        tracing::warn!(%key, gap = %gap_key, chunks = gap.chunks_dropped, "spool is full, dropped the oldest chunk");
        self.shelve(name, &gap_key, body.len() as u64, None);
        self.index().shelf(name).growing_gap = Some(ItemId::of(&gap_key));
        self.keep_reserve();
        self.tell();
        Ok(())
    }

    /// Returns the camera's last gap for lack of space if the chunk `victim` continues it. The uploader
    /// cannot take it any more.
    fn growing_gap(&self, name: &CameraName, victim: ItemId, from: Timestamp) -> Option<(ObjectKey, Gap)> {
        let id = {
            let mut index = self.index();
            let objects = index.shelf(name);
            let id = objects.growing_gap?;
            let entry = objects.entries.get(&id)?;
            // A gap that the bucket may hold must not change.
            let untouched = entry.status == Status::Waiting && entry.tried == Tried::Never;
            let between = objects.entries.range(id..victim).any(|(other, _)| other.kind == KeyKind::Chunk);
            if !untouched || between {
                return None;
            }
            id
        };
        let key = id.key(name);
        let gap = Gap::from_json(&self.read(&self.layout.file(&key, Suffix::Object)).ok()?).ok()?;
        if from.duration_since(gap.to).abs() > ADJOINING {
            return None;
        }
        let mut index = self.index();
        let entry = index.entry(name, id).filter(|entry| entry.status == Status::Waiting)?;
        entry.status = Status::Dropping;
        Some((key, gap))
    }

    /// Unlinks a dropped chunk, or a gap that another one replaces.
    pub(super) fn finish_drop(&self, name: &CameraName, key: &ObjectKey) -> Result<()> {
        self.remove_object(key, Urgency::Now)?;
        self.index().remove(name, ItemId::of(key));
        Ok(())
    }

    /// Returns the key of a new gap: the first counter from `counter` on that the spool does not use.
    pub(super) fn free_gap_key(&self, name: &CameraName, gap: &Gap, mut counter: u64) -> ObjectKey {
        let mut index = self.index();
        loop {
            let key = gap.key(counter);
            if index.entry(name, ItemId::of(&key)).is_none() {
                return key;
            }
            counter += 1;
        }
    }

    /// Runs `work`. On a full disk, removes the reserve and runs it again.
    pub(super) fn with_reserve(&self, work: impl Fn() -> Result<()>) -> Result<()> {
        match work() {
            Err(error) if error.is_full() => {
                tracing::warn!(%error, "disk is full, giving up the reserve");
                self.remove(&self.layout.reserve())?;
                work()
            }
            done => done,
        }
    }

    /// Writes the reserve if it does not exist. The spool also works without it, but then may be
    /// unable to record a drop.
    pub(super) fn keep_reserve(&self) {
        let path = self.layout.reserve();
        if self.fs.open_read(&path).is_ok() {
            return;
        }
        let written = self.fs.create(&path).and_then(|mut file| {
            file.write_all(&vec![0; RESERVE_BYTES])?;
            file.sync_data()
        });
        if let Err(error) = written {
            tracing::debug!(%error, "no room for the reserve");
            let _ = self.fs.remove_file(&path);
        }
    }
}
