//! The port for the database of the footage: cameras, chunks, gaps, and what detectors saw.
//!
//! A catalogue is filled with [`Change`]s (records, and removed objects) and answers questions about stretches of time. Its
//! answers depend only on the set of changes that it was given, and not on their order or repetition, because delivery is at
//! least once and unordered. Two catalogues of the same footage therefore give the same answers, and a lost one is rebuilt
//! by giving a function its objects again.
//!
//! - Rows are kept by (object, version, function, model). A repeated record replaces the one before.
//! - When an object is removed, its rows are removed too, even if the removal arrives before the record.
//! - An object without a site, a camera or a time is left out.
//! - A stretch of time is half open: it includes its start and excludes its end.
//!
//! It also keeps [`Hold`]s, which people make and which no change affects.

mod holds;
mod objects;
mod rows;
mod sightings;

pub use holds::{Hold, HoldPlace, HoldQuery, Whose};
pub use objects::{KnownObject, ObjectPage};
pub use rows::{
    Amount, CameraName, ChunkBrief, ChunkOutline, ChunkRow, GapRow, Happening, KnownCamera, LookRow, Looked,
    RemovedChunk, SightingRow, SpanEndRow,
};
pub use sightings::{Best, LONGEST_PAUSE, Look, Sighting, SightingFold, sightings};

use crate::Result;
use async_trait::async_trait;
use framepost_events::ObjectRemoved;
use framepost_events::record::{GatewayReported, Record};
use jiff::Timestamp;
use tokio::sync::watch;

/// A change of the footage.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// A function published a record about an object.
    Record(Box<Record>),
    /// An object was removed from its bucket.
    Removed(ObjectRemoved),
}

/// A half-open interval of wall-clock time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Interval {
    /// The first time in it.
    pub from: Timestamp,
    /// The first time after it.
    pub to: Timestamp,
}

impl Interval {
    /// The interval that includes every time.
    pub const ALWAYS: Self = Self { from: Timestamp::MIN, to: Timestamp::MAX };

    /// Returns whether the interval from `from` to `to` overlaps this one. An empty interval overlaps if it begins in this one.
    pub fn meets(&self, from: Timestamp, to: Timestamp) -> bool {
        from < self.to && (to > self.from || (from == to && from == self.from))
    }
}

/// The order of a list by time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Order {
    /// By ascending start: as footage is played.
    OldestFirst,
    /// By descending start: as footage is looked for.
    NewestFirst,
}

/// Selects a page of chunks.
#[derive(Debug, Clone)]
pub struct ChunkQuery {
    /// Only chunks of these cameras; of all cameras if absent.
    pub cameras: Option<Vec<CameraName>>,
    /// Only chunks that overlap this interval.
    pub within: Interval,
    /// By which end of the stretch the page begins.
    pub order: Order,
    /// The place of the last chunk of the page before; `None` for the first page.
    pub after: Option<ChunkPlace>,
    /// The most chunks on the page.
    pub limit: usize,
}

/// The place of a chunk in a list: by time, and by key where two start at the same time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ChunkPlace {
    /// Wall-clock time of its first sample.
    pub from: Timestamp,
    /// The key of its object.
    pub key: String,
}

/// Selects a page of sightings, the newest first.
#[derive(Debug, Clone)]
pub struct SightingQuery {
    /// Only sightings by these cameras; by all cameras if absent.
    pub cameras: Option<Vec<CameraName>>,
    /// Only sightings of these labels; of all labels if empty.
    pub labels: Vec<String>,
    /// Only sightings that overlap this interval.
    pub within: Interval,
    /// Only sightings with at least this score, 0 to 1.
    pub score_min: f64,
    /// The place of the last sighting of the page before; `None` for the first page.
    pub after: Option<SightingPlace>,
    /// The most sightings on the page.
    pub limit: usize,
}

impl SightingQuery {
    /// Selects the newest sightings by a camera that overlap an interval.
    pub fn of(camera: &CameraName, within: Interval, limit: usize) -> Self {
        Self { cameras: Some(vec![camera.clone()]), labels: vec![], within, score_min: 0.0, after: None, limit }
    }
}

/// The place of a sighting in a list: by its start, and by the other fields if two start at the same time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SightingPlace {
    /// The time of its first picture with the label.
    pub from: Timestamp,
    /// The camera that saw it.
    pub camera: CameraName,
    /// The label, in the words of the model.
    pub label: String,
    /// The model and settings that saw it: [`SightingRow::series`].
    pub series: String,
}

/// The database of the footage.
#[async_trait]
pub trait Catalog: Send + Sync {
    /// Applies all changes or none. They are durable on return.
    async fn apply(&self, changes: &[Change]) -> Result<()>;

    /// Returns every camera that has a row, ordered by site and name.
    async fn cameras(&self) -> Result<Vec<KnownCamera>>;

    /// Returns the chunks of a camera that overlap this interval, the oldest first, `limit` at most: of each, what a timeline, a
    /// playlist or a clip needs. If a key has several versions, only the newest is returned.
    async fn briefs(&self, camera: &CameraName, within: Interval, limit: usize) -> Result<Vec<ChunkBrief>>;

    /// Like [`briefs`](Self::briefs), with less of each chunk, for stretches of time with very many of them.
    async fn outlines(&self, camera: &CameraName, within: Interval, limit: usize) -> Result<Vec<ChunkOutline>>;

    /// Returns how much was recorded of a camera in each of these intervals. A chunk counts where it starts.
    async fn recorded(&self, camera: &CameraName, within: &[Interval]) -> Result<Vec<Amount>>;

    /// Returns a page of chunks, with the whole record of each.
    async fn chunks(&self, query: &ChunkQuery) -> Result<Vec<ChunkRow>>;

    /// Returns the newest version of the chunk with this key.
    async fn chunk(&self, key: &str) -> Result<Option<ChunkRow>>;

    /// Returns the gaps of a camera that overlap this interval, the oldest first.
    async fn gaps(&self, camera: &CameraName, within: Interval, limit: usize) -> Result<Vec<GapRow>>;

    /// Returns the chunks of a camera that were removed and overlap this interval, the oldest first, as far as their keys name
    /// the camera and the time. A key that has a chunk again is left out. So is what was removed before
    /// [`forget_removals`](Self::forget_removals).
    async fn removed(&self, camera: &CameraName, within: Interval, limit: usize) -> Result<Vec<RemovedChunk>>;

    /// Returns the ends of a camera's spans in this interval, the oldest first.
    async fn span_ends(&self, camera: &CameraName, within: Interval, limit: usize) -> Result<Vec<SpanEndRow>>;

    /// Returns what detectors found in a camera's chunks that overlap this interval, the oldest first: for each chunk the
    /// result of the newest model. Results that give a chunk different starts are all returned.
    async fn looks(&self, camera: &CameraName, within: Interval, limit: usize) -> Result<Vec<LookRow>>;

    /// Like [`looks`](Self::looks), but says only whether each chunk was looked at.
    async fn looked(&self, camera: &CameraName, within: Interval, limit: usize) -> Result<Vec<Looked>>;

    /// Returns a page of sightings. If a newer model has looked at the moment in which a sighting begins, only that model's
    /// sightings are returned. The newer of two models is the one whose last chunk became complete later.
    async fn sightings(&self, query: &SightingQuery) -> Result<Vec<SightingRow>>;

    /// Like [`sightings`](Self::sightings) of one camera, for stretches of time of some days, with as many of them as there may be:
    /// the newest first, `limit` at most.
    async fn seen(&self, camera: &CameraName, within: Interval, limit: usize) -> Result<Vec<SightingRow>>;

    /// Returns the last report of each site.
    async fn reports(&self) -> Result<Vec<GatewayReported>>;

    /// Returns records in the order in which they were written, after the one with this number, `limit` at most. A record that
    /// was delivered twice may be returned twice, and old ones are no longer there.
    async fn happenings(&self, after: i64, limit: usize) -> Result<Vec<Happening>>;

    /// Returns what changes when this process has written records, so that [`happenings`](Self::happenings) has more; `None` where
    /// that is not told. What other processes write is never told.
    fn written(&self) -> Option<watch::Receiver<u64>> {
        None
    }

    /// Returns the number of the last record written; 0 before the first.
    async fn last_happening(&self) -> Result<i64>;

    /// Forgets removals before this time, whose objects can get no more records.
    async fn forget_removals(&self, before: Timestamp) -> Result<()>;

    /// Prepares rows that have not changed lately for questions about long stretches of time. No answer depends on it. What it
    /// does not get done within a while is left for the next call.
    async fn pack(&self, _now: Timestamp) -> Result<()> {
        Ok(())
    }

    /// Stores a hold, and replaces the one with the same id. It is durable on return.
    async fn hold(&self, hold: &Hold) -> Result<()>;

    /// Returns the hold with this id; `None` if there is none.
    async fn held(&self, id: &str) -> Result<Option<Hold>>;

    /// Returns a page of holds, the newest first.
    async fn holds(&self, query: &HoldQuery) -> Result<Vec<Hold>>;

    /// Ends the hold with this id. Does nothing if there is none.
    async fn release(&self, id: &str) -> Result<()>;

    /// Objects that have a row as a chunk, a gap, the end of a span, a reject or a look, with keys after this one: about `limit`
    /// of them, and one at least where there are any.
    async fn objects(&self, after: &str, limit: usize) -> Result<ObjectPage>;

    /// What was noted under this name.
    async fn mark(&self, name: &str) -> Result<Option<String>>;

    /// Notes something that depends on no change: how far some work over the catalogue is.
    async fn set_mark(&self, name: &str, text: &str) -> Result<()>;
}
