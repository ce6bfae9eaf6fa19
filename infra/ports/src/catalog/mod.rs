//! The port for what is known of the footage: cameras, chunks, gaps, and what was seen.
//!
//! A catalogue is filled with [`Change`]s (records, and removed objects) and asked for stretches of time. What it answers
//! depends only on the set of changes that it was given: neither their order nor how often each came matters, since delivery
//! is at least once and unordered. Two catalogues that were given the same footage answer the same, so a lost one is rebuilt
//! by giving a function's objects again.
//!
//! - Rows are kept by (object, version, function, model). A record that comes again takes the place of the one before.
//! - A removed object takes its rows with it, also where its removal comes first.
//! - An object without a site, a camera or a time has no place in the catalogue.
//! - A stretch of time is half open: it has its start and not its end.
//!
//! Beside the rows it keeps [`Hold`]s, which people make and which depend on no change.

mod holds;
mod rows;
mod sightings;

pub use holds::{Hold, HoldPlace, HoldQuery, Whose};
pub use rows::{
    Amount, CameraName, ChunkBrief, ChunkRow, GapRow, Happening, KnownCamera, LookRow, Looked, SightingRow, SpanEndRow,
};
pub use sightings::{Best, LONGEST_PAUSE, Look, Sighting, SightingFold, sightings};

use crate::Result;
use async_trait::async_trait;
use framepost_events::ObjectRemoved;
use framepost_events::record::{GatewayReported, Record};
use jiff::Timestamp;

/// Something that the catalogue is told.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// A function said something of an object.
    Record(Box<Record>),
    /// An object is gone.
    Removed(ObjectRemoved),
}

/// A stretch of time, without its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Interval {
    /// The first time in it.
    pub from: Timestamp,
    /// The first time after it.
    pub to: Timestamp,
}

impl Interval {
    /// Every time that can be written.
    pub const ALWAYS: Self = Self { from: Timestamp::MIN, to: Timestamp::MAX };

    /// Whether something from `from` to `to` has a part in it. What has no length counts where it stands.
    pub fn meets(&self, from: Timestamp, to: Timestamp) -> bool {
        from < self.to && (to > self.from || (from == to && from == self.from))
    }
}

/// Which way a list goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Order {
    /// By ascending start: as footage is played.
    OldestFirst,
    /// By descending start: as footage is looked for.
    NewestFirst,
}

/// A page of chunks.
#[derive(Debug, Clone)]
pub struct ChunkQuery {
    /// Of these cameras; of all where absent.
    pub cameras: Option<Vec<CameraName>>,
    /// With a part in this stretch of time.
    pub within: Interval,
    /// By which end of the stretch the page begins.
    pub order: Order,
    /// The place in the list of the last one that is known already.
    pub after: Option<ChunkPlace>,
    /// The most that are wanted.
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

/// A page of sightings, the newest first.
#[derive(Debug, Clone)]
pub struct SightingQuery {
    /// Of these cameras; of all where absent.
    pub cameras: Option<Vec<CameraName>>,
    /// Of these labels; of all where empty.
    pub labels: Vec<String>,
    /// With a part in this stretch of time.
    pub within: Interval,
    /// With at least this score.
    pub score_min: f64,
    /// The place in the list of the last one that is known already.
    pub after: Option<SightingPlace>,
    /// The most that are wanted.
    pub limit: usize,
}

/// The place of a sighting in a list: by its start, and where two start at the same time by the rest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SightingPlace {
    /// The time of its first picture with the label.
    pub from: Timestamp,
    /// The camera that saw it.
    pub camera: CameraName,
    /// The label, in the words of the model.
    pub label: String,
    /// Which model and settings saw it: [`SightingRow::series`].
    pub series: String,
}

/// What is known of the footage.
#[async_trait]
pub trait Catalog: Send + Sync {
    /// Takes all of these or none. Durable on return.
    async fn apply(&self, changes: &[Change]) -> Result<()>;

    /// Every camera that has a row, by site and name.
    async fn cameras(&self) -> Result<Vec<KnownCamera>>;

    /// The chunks of a camera with a part in this stretch of time, the oldest first, `limit` at most: what a timeline, a playlist
    /// or a clip needs of each. Of a key with several versions only the newest.
    async fn briefs(&self, camera: &CameraName, within: Interval, limit: usize) -> Result<Vec<ChunkBrief>>;

    /// How much was recorded of a camera in each of these stretches of time. A chunk counts where it starts.
    async fn recorded(&self, camera: &CameraName, within: &[Interval]) -> Result<Vec<Amount>>;

    /// A page of chunks with all that is known of them.
    async fn chunks(&self, query: &ChunkQuery) -> Result<Vec<ChunkRow>>;

    /// The newest version of the chunk with this key.
    async fn chunk(&self, key: &str) -> Result<Option<ChunkRow>>;

    /// The gaps of a camera with a part in this stretch of time, the oldest first.
    async fn gaps(&self, camera: &CameraName, within: Interval, limit: usize) -> Result<Vec<GapRow>>;

    /// The ends of a camera's spans in this stretch of time, the oldest first.
    async fn span_ends(&self, camera: &CameraName, within: Interval, limit: usize) -> Result<Vec<SpanEndRow>>;

    /// What detectors said of a camera's chunks with a part in this stretch of time, the oldest first: of each chunk what the newest
    /// model said.
    async fn looks(&self, camera: &CameraName, within: Interval, limit: usize) -> Result<Vec<LookRow>>;

    /// The same in short: whether the chunks were looked at.
    async fn looked(&self, camera: &CameraName, within: Interval, limit: usize) -> Result<Vec<Looked>>;

    /// A page of sightings. Where a newer model has looked at the moment in which a sighting begins, only its sightings are
    /// shown. Of two models that one is newer whose last chunk became complete later.
    async fn sightings(&self, query: &SightingQuery) -> Result<Vec<SightingRow>>;

    /// The last report of each site.
    async fn reports(&self) -> Result<Vec<GatewayReported>>;

    /// What was written after the happening with this number, the oldest first, `limit` at most. A record that came twice may be
    /// there twice, and old ones are forgotten.
    async fn happenings(&self, after: i64, limit: usize) -> Result<Vec<Happening>>;

    /// The number of the last happening; 0 before the first.
    async fn last_happening(&self) -> Result<i64>;

    /// Forgets removals that are older than this: nothing about their objects comes any more.
    async fn forget_removals(&self, before: Timestamp) -> Result<()>;

    /// Keeps a hold; one of the same id takes its place. Durable on return.
    async fn hold(&self, hold: &Hold) -> Result<()>;

    /// The hold with this id.
    async fn held(&self, id: &str) -> Result<Option<Hold>>;

    /// A page of holds.
    async fn holds(&self, query: &HoldQuery) -> Result<Vec<Hold>>;

    /// Ends the hold with this id. Does nothing if there is none.
    async fn release(&self, id: &str) -> Result<()>;
}
