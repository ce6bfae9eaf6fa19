//! What the spool holds, in memory: a mirror of the directory, rebuilt by a scan at the start and never the truth.
//!
//! About 100 bytes an object, so that a day of backlog of one camera (29 000 chunks) takes 3 MiB.

use super::layout::CameraName;
use framepost_events::{KeyKind, ObjectKey};
use jiff::Timestamp;
use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;

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
    /// In the bucket; the disk does not let go of it.
    Stored,
    /// About to be unlinked for want of space.
    Dropping,
}

/// Whether the bucket may have an object by an earlier put, of this process or another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tried {
    /// It never left this machine whole, or the bucket refused it since.
    Never,
    /// The bucket may have it, and the disk took no mark of it.
    Unmarked,
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
    /// The objects by when they came here: those that lay here at the start by their own time, then each as it was closed.
    /// A camera whose clock lies does not come before its turn. May still hold some that are gone.
    arrivals: VecDeque<(u64, ItemId)>,
    /// The latest arrival that had its camera's turn.
    newest_served: u64,
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

    /// Drops arrivals whose object is gone: at both ends at once, in between when they are the most of all.
    fn forget_gone(&mut self) {
        let entries = &self.entries;
        while self.arrivals.front().is_some_and(|(_, id)| !entries.contains_key(id)) {
            self.arrivals.pop_front();
        }
        while self.arrivals.back().is_some_and(|(_, id)| !entries.contains_key(id)) {
            self.arrivals.pop_back();
        }
        if self.arrivals.len() > 2 * entries.len() {
            self.arrivals.retain(|(_, id)| entries.contains_key(id));
        }
    }

    fn is_waiting(&self, id: ItemId) -> bool {
        self.entries.get(&id).is_some_and(|entry| entry.status == Status::Waiting)
    }
}

/// Which end of the backlog to take from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// A camera's newest, one camera after the other.
    Newest,
    /// The oldest of all cameras.
    Oldest,
}

#[derive(Debug, Default)]
pub(super) struct Index {
    pub(super) cameras: BTreeMap<CameraName, Shelf>,
    /// The camera whose newest was taken last.
    served: Option<CameraName>,
    /// How many objects came here so far.
    arrived: u64,
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

    pub(super) fn insert(&mut self, name: &CameraName, id: ItemId, entry: Entry) {
        self.arrived += 1;
        let arrived = self.arrived;
        let objects = self.shelf(name);
        if objects.entries.insert(id, entry).is_none() {
            objects.closed_bytes += entry.bytes + OVERHEAD_BYTES;
            objects.arrivals.push_back((arrived, id));
        }
    }

    pub(super) fn remove(&mut self, name: &CameraName, id: ItemId) {
        let objects = self.shelf(name);
        if let Some(entry) = objects.entries.remove(&id) {
            objects.closed_bytes -= entry.bytes + OVERHEAD_BYTES;
            objects.forget_gone();
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

    /// The next object to upload; `skip` says which ones are not due yet.
    pub(super) fn next(
        &mut self,
        order: Order,
        skip: &dyn Fn(&CameraName, ItemId) -> bool,
    ) -> Option<(CameraName, ItemId)> {
        let due =
            |name: &CameraName, shelf: &Shelf, id: ItemId| shelf.is_waiting(id) && shelf.may_go(id) && !skip(name, id);
        match order {
            Order::Newest => {
                let latest = |name: &CameraName, shelf: &Shelf| {
                    shelf.arrivals.iter().rev().find(|(_, id)| due(name, shelf, *id)).copied()
                };
                // What came since its camera's last turn, before what was left behind in any.
                let before = self.served.as_ref();
                let recent = |name: &CameraName, shelf: &Shelf| {
                    latest(name, shelf).filter(|(arrived, _)| *arrived > shelf.newest_served)
                };
                let (name, (arrived, id)) = self.round(before, recent).or_else(|| self.round(before, latest))?;
                let of_camera = self.shelf(&name);
                of_camera.newest_served = of_camera.newest_served.max(arrived);
                self.served = Some(name.clone());
                Some((name, id))
            }
            Order::Oldest => {
                let oldest = self.cameras.iter().filter_map(|(name, shelf)| {
                    let (arrived, id) = shelf.arrivals.iter().find(|(_, id)| due(name, shelf, *id))?;
                    Some((*arrived, name, *id))
                });
                oldest.min_by_key(|(arrived, ..)| *arrived).map(|(_, name, id)| (name.clone(), id))
            }
        }
    }

    /// Asks every camera once, beginning after the one served last.
    fn round<T>(
        &self,
        served: Option<&CameraName>,
        pick: impl Fn(&CameraName, &Shelf) -> Option<T>,
    ) -> Option<(CameraName, T)> {
        let after = self.cameras.iter().filter(|(name, _)| served.is_some_and(|served| *name > served));
        let rest = self.cameras.iter().filter(|(name, _)| served.is_none_or(|served| *name <= served));
        after.chain(rest).find_map(|(name, shelf)| pick(name, shelf).map(|found| (name.clone(), found)))
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
