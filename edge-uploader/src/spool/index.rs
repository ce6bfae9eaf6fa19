//! The contents of the spool, in memory. The index mirrors the directory and is rebuilt by a scan at the start.
//!
//! An entry needs about 100 bytes. A day of backlog of one camera (29 000 chunks) takes 3 MiB.

use super::layout::CameraName;
use framepost_events::{KeyKind, ObjectKey};
use jiff::Timestamp;
use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;

/// Disk usage of an object besides its bytes: its sidecars, one block each.
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
        // `start_us` always comes from a timestamp.
        let start = Timestamp::from_microsecond(self.start_us).unwrap_or(Timestamp::UNIX_EPOCH);
        ObjectKey::new(name.site.clone(), name.camera.clone(), start, self.counter, self.kind)
    }
}

/// State of a closed object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    /// It waits for its upload.
    Waiting,
    /// The uploader has taken it.
    Claimed,
    /// It is in quarantine with a reason.
    Quarantined,
    /// It is in the bucket, and the disk refuses to unlink it.
    Stored,
    /// It is about to be unlinked because space is needed.
    Dropping,
}

/// Whether an earlier put, of this process or another one, may have stored the object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tried {
    /// No complete put was sent, or the bucket has refused the object since.
    Never,
    /// The bucket may hold it, and the disk did not accept the mark for that.
    Unmarked,
    /// The bucket may hold it, as its mark on disk says.
    Before,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub(super) bytes: u64,
    pub(super) status: Status,
    pub(super) tried: Tried,
}

/// The objects of one camera.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    pub(super) entries: BTreeMap<ItemId, Entry>,
    /// The objects in order of arrival: those found at the start by their own time, then each as it was closed.
    /// This order does not let a camera with a wrong clock go first. Removed objects may still be in it.
    arrivals: VecDeque<(u64, ItemId)>,
    /// The highest arrival number that was taken in its camera's turn.
    newest_served: u64,
    /// Bytes of the part file that is being recorded.
    pub(super) open_bytes: u64,
    closed_bytes: u64,
    /// The gap for lack of space that can still be extended.
    pub(super) growing_gap: Option<ItemId>,
    pub(super) has_writer: bool,
    /// The directory into which the writer writes. It is kept even when it is empty for a moment.
    pub(super) occupied: Option<PathBuf>,
}

impl Shelf {
    fn bytes(&self) -> u64 {
        self.open_bytes + self.closed_bytes
    }

    fn may_go(&self, id: ItemId) -> bool {
        // A gap that can still be extended goes last, so that a long lack of space is one
        // gap and not a thousand.
        self.growing_gap != Some(id)
            || !self.entries.iter().any(|(other, e)| *other != id && e.status == Status::Waiting)
    }

    /// Removes arrivals whose object is gone: at both ends immediately, in between when they are the majority.
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

/// From which end of the backlog to take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// The newest object of a camera, taking turns between cameras.
    Newest,
    /// The oldest object of all cameras.
    Oldest,
}

#[derive(Debug, Default)]
pub(super) struct Index {
    pub(super) cameras: BTreeMap<CameraName, Shelf>,
    /// The camera from which the newest object was taken last.
    served: Option<CameraName>,
    /// Number of objects that have arrived so far.
    arrived: u64,
}

/// The spool's counts for one camera.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CameraStats {
    pub site: framepost_events::Site,
    pub camera: framepost_events::Camera,
    /// Number of objects that wait for their upload or are being uploaded.
    pub waiting_objects: u64,
    /// Bytes of the waiting objects.
    pub waiting_bytes: u64,
    /// Number of objects in quarantine.
    pub quarantined_objects: u64,
    /// Bytes of the chunk being recorded.
    pub open_bytes: u64,
    /// The start of the oldest waiting object.
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

    /// Returns the oldest chunk of the camera that uses the most space. Ignores chunks that are being uploaded.
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

    /// Returns the next object to upload. `skip` returns true for objects that are not due yet.
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
                // Objects that arrived since their camera's last turn go before older ones of any camera.
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

    /// Tries every camera once, beginning after the one that was served last.
    fn round<T>(
        &self,
        served: Option<&CameraName>,
        pick: impl Fn(&CameraName, &Shelf) -> Option<T>,
    ) -> Option<(CameraName, T)> {
        let after = self.cameras.iter().filter(|(name, _)| served.is_some_and(|served| *name > served));
        let rest = self.cameras.iter().filter(|(name, _)| served.is_none_or(|served| *name <= served));
        after.chain(rest).find_map(|(name, shelf)| pick(name, shelf).map(|found| (name.clone(), found)))
    }

    /// Returns whether an object waits for its upload.
    pub(super) fn has_waiting(&self) -> bool {
        self.cameras.values().any(|shelf| shelf.entries.values().any(|entry| entry.status == Status::Waiting))
    }

    /// Returns whether no object waits or is being uploaded.
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
