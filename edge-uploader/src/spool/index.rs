//! What the spool holds, in memory: a mirror of the directory, rebuilt by a scan at the start and never the truth.
//!
//! About 60 bytes an object, so that a day of backlog of one camera (29 000 chunks) takes 2 MiB.

use super::layout::CameraName;
use framepost_events::{KeyKind, ObjectKey};
use jiff::Timestamp;
use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::time::Duration;
use tokio::time::Instant;

/// What an object costs beyond its bytes: its sidecars, a block each.
pub(super) const OVERHEAD_BYTES: u64 = 8 * 1024;

/// A key without its camera's name. Ordered by time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ItemId {
    pub(super) start_us: i64,
    counter: u64,
    pub(super) kind: KeyKind,
}

impl ItemId {
    pub(super) fn of(key: &ObjectKey) -> Self {
        Self { start_us: key.start.as_microsecond(), counter: key.counter, kind: key.kind }
    }

    pub(super) fn key(self, name: &CameraName) -> ObjectKey {
        // Only keys that were timestamps once get here.
        let start = Timestamp::from_microsecond(self.start_us).unwrap_or(Timestamp::UNIX_EPOCH);
        ObjectKey::new(name.site.clone(), name.camera.clone(), start, self.counter, self.kind)
    }
}

/// Who has to do with a closed object now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    /// Waits for its upload.
    Waiting,
    /// The uploader has it.
    Claimed,
    /// Set aside with a reason.
    Quarantined,
    /// About to be unlinked for want of space.
    Dropping,
}

/// Whether a put of an object was begun before, in this process or an earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tried {
    /// No byte of it has left this machine.
    Never,
    /// The bucket may have it.
    Before,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub(super) bytes: u64,
    pub(super) status: Status,
    pub(super) tried: Tried,
}

/// One camera's objects.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    pub(super) entries: BTreeMap<ItemId, Entry>,
    /// Closed in this process, in this order; those older than the freshness fall off at its front.
    fresh: VecDeque<(Instant, ItemId)>,
    /// The part that is being recorded.
    pub(super) open_bytes: u64,
    closed_bytes: u64,
    /// The gap for want of space that can still grow.
    pub(super) growing_gap: Option<ItemId>,
    pub(super) has_writer: bool,
    /// The directory that the writer puts its files into: it stays when it is empty for a moment.
    pub(super) occupied: Option<PathBuf>,
}

impl Shelf {
    fn bytes(&self) -> u64 {
        self.open_bytes + self.closed_bytes
    }

    fn may_go(&self, id: ItemId) -> bool {
        // A gap that can still grow goes last, so that a long want of space is one gap and not a thousand.
        self.growing_gap != Some(id)
            || !self.entries.iter().any(|(other, e)| *other != id && e.status == Status::Waiting)
    }

    fn is_waiting(&self, id: ItemId) -> bool {
        self.entries.get(&id).is_some_and(|entry| entry.status == Status::Waiting)
    }
}

/// Which end of the backlog to take from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// What was closed within the freshness, oldest of that first; the backlog when there is nothing fresh.
    Fresh,
    /// The oldest.
    Backlog,
}

#[derive(Debug, Default)]
pub(super) struct Index {
    pub(super) cameras: BTreeMap<CameraName, Shelf>,
    /// The camera that was served last, of each order.
    served_fresh: Option<CameraName>,
    served_backlog: Option<CameraName>,
}

/// What a camera has in the spool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CameraStats {
    /// The site.
    pub site: framepost_events::Site,
    /// The camera.
    pub camera: framepost_events::Camera,
    /// Objects that wait for their upload or are being uploaded.
    pub waiting_objects: u64,
    /// Their bytes.
    pub waiting_bytes: u64,
    /// Objects set aside.
    pub quarantined_objects: u64,
    /// Bytes of the chunk being recorded.
    pub open_bytes: u64,
    /// The start of the oldest object that waits.
    pub oldest: Option<Timestamp>,
}

impl Index {
    pub(super) fn used_bytes(&self) -> u64 {
        self.cameras.values().map(Shelf::bytes).sum()
    }

    pub(super) fn shelf(&mut self, name: &CameraName) -> &mut Shelf {
        if !self.cameras.contains_key(name) {
            self.cameras.insert(name.clone(), Shelf::default());
        }
        self.cameras.entry(name.clone()).or_default()
    }

    pub(super) fn entry(&mut self, name: &CameraName, id: ItemId) -> Option<&mut Entry> {
        self.cameras.get_mut(name)?.entries.get_mut(&id)
    }

    pub(super) fn insert(&mut self, name: &CameraName, id: ItemId, entry: Entry, closed_at: Option<Instant>) {
        let objects = self.shelf(name);
        if objects.entries.insert(id, entry).is_none() {
            objects.closed_bytes += entry.bytes + OVERHEAD_BYTES;
        }
        if let Some(now) = closed_at {
            objects.fresh.push_back((now, id));
        }
    }

    pub(super) fn remove(&mut self, name: &CameraName, id: ItemId) {
        let objects = self.shelf(name);
        if let Some(entry) = objects.entries.remove(&id) {
            objects.closed_bytes -= entry.bytes + OVERHEAD_BYTES;
        }
        if objects.growing_gap == Some(id) {
            objects.growing_gap = None;
        }
    }

    /// The oldest chunk of the camera that holds the most, not counting what is being uploaded.
    pub(super) fn victim(&self) -> Option<(CameraName, ItemId)> {
        self.cameras
            .iter()
            .filter_map(|(name, shelf)| {
                let droppable = |(id, entry): &(&ItemId, &Entry)| {
                    id.kind == KeyKind::Chunk && matches!(entry.status, Status::Waiting | Status::Quarantined)
                };
                let (id, _) = shelf.entries.iter().find(droppable)?;
                Some((shelf.bytes(), name, *id))
            })
            .max_by_key(|(bytes, ..)| *bytes)
            .map(|(_, name, id)| (name.clone(), id))
    }

    /// The next object to upload, camera after camera; `skip` says which ones are not due yet.
    pub(super) fn next(
        &mut self,
        order: Order,
        freshness: Duration,
        skip: &dyn Fn(&CameraName, ItemId) -> bool,
    ) -> Option<(CameraName, ItemId)> {
        if order == Order::Fresh {
            self.forget_stale(freshness);
            let found = self.round(self.served_fresh.as_ref(), |name, shelf| {
                shelf
                    .fresh
                    .iter()
                    .map(|(_, id)| *id)
                    .find(|id| shelf.is_waiting(*id) && shelf.may_go(*id) && !skip(name, *id))
            });
            if let Some((name, _)) = &found {
                self.served_fresh = Some(name.clone());
                return found;
            }
        }
        let found = self.round(self.served_backlog.as_ref(), |name, shelf| {
            let due = |id: ItemId| shelf.may_go(id) && !skip(name, id);
            shelf.entries.iter().find(|(id, e)| e.status == Status::Waiting && due(**id)).map(|(id, _)| *id)
        });
        if let Some((name, _)) = &found {
            self.served_backlog = Some(name.clone());
        }
        found
    }

    fn forget_stale(&mut self, freshness: Duration) {
        let now = Instant::now();
        for shelf in self.cameras.values_mut() {
            while let Some((closed_at, id)) = shelf.fresh.front() {
                let gone = !shelf.entries.contains_key(id);
                if !gone && now.saturating_duration_since(*closed_at) <= freshness {
                    break;
                }
                shelf.fresh.pop_front();
            }
        }
    }

    /// Asks every camera once, beginning after the one served last.
    fn round(
        &self,
        served: Option<&CameraName>,
        pick: impl Fn(&CameraName, &Shelf) -> Option<ItemId>,
    ) -> Option<(CameraName, ItemId)> {
        let after = self.cameras.iter().filter(|(name, _)| served.is_some_and(|served| *name > served));
        let rest = self.cameras.iter().filter(|(name, _)| served.is_none_or(|served| *name <= served));
        after.chain(rest).find_map(|(name, shelf)| pick(name, shelf).map(|id| (name.clone(), id)))
    }

    /// Whether anything waits for its upload.
    pub(super) fn has_waiting(&self) -> bool {
        self.cameras.values().any(|shelf| shelf.entries.values().any(|entry| entry.status == Status::Waiting))
    }

    /// Whether nothing waits or is being uploaded.
    pub(super) fn is_drained(&self) -> bool {
        let pending = |entry: &Entry| matches!(entry.status, Status::Waiting | Status::Claimed);
        !self.cameras.values().any(|shelf| shelf.entries.values().any(pending))
    }

    pub(super) fn stats(&self) -> Vec<CameraStats> {
        self.cameras
            .iter()
            .map(|(name, shelf)| {
                let waiting =
                    || shelf.entries.iter().filter(|(_, e)| matches!(e.status, Status::Waiting | Status::Claimed));
                let quarantined = shelf.entries.values().filter(|e| e.status == Status::Quarantined).count();
                CameraStats {
                    site: name.site.clone(),
                    camera: name.camera.clone(),
                    waiting_objects: waiting().count() as u64,
                    waiting_bytes: waiting().map(|(_, e)| e.bytes).sum(),
                    quarantined_objects: quarantined as u64,
                    open_bytes: shelf.open_bytes,
                    oldest: waiting().next().map(|(id, _)| id.key(name).start),
                }
            })
            .collect()
    }
}
