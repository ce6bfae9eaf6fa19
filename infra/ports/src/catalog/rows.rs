//! What a catalogue returns.

use super::{Look, Sighting};
use framepost_events::gap::Gap;
use framepost_events::record::{
    ChainState, ChunkInferred, ChunkProbed, Content, GapRecorded, Model, ObjectRef, Record, RecordType as _, Signature,
    Skipped, SpanEnded,
};
use framepost_events::removed::Cause;
use framepost_events::{Camera, KeyKind, ObjectKey, Sha256, Site};
use jiff::{SignedDuration, Timestamp};

/// A camera of a site: the pair that tells it from all others.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CameraName {
    /// The site, which is the prefix of its keys.
    pub site: Site,
    /// Its name, which is unique within the site.
    pub camera: Camera,
}

impl CameraName {
    /// Combines the names, unless one is missing.
    pub fn of(site: Option<&Site>, camera: Option<&Camera>) -> Option<Self> {
        Some(Self { site: site?.clone(), camera: camera?.clone() })
    }
}

/// How much was recorded in an interval.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Amount {
    /// Number of chunks that start in it.
    pub chunks: u64,
    /// The length of these chunks together, in µs.
    pub length_us: u64,
    /// The size of their objects together.
    pub bytes: u64,
}

/// A camera of which the catalogue has a row.
#[derive(Debug, Clone, PartialEq)]
pub struct KnownCamera {
    /// Its site and its name there.
    pub name: CameraName,
    /// Wall-clock time of the start of its first chunk; `None` if it has no chunk.
    pub first: Option<Timestamp>,
    /// The chunk that starts last; `None` if it has no chunk.
    pub last: Option<ChunkBrief>,
}

/// What a timeline, a playlist or a clip needs of a chunk.
#[derive(Debug, Clone, PartialEq)]
pub struct ChunkBrief {
    /// The object that is the chunk.
    pub object: ObjectRef,
    /// When the object became complete.
    pub time: Timestamp,
    /// Wall-clock time of the first sample.
    pub from: Timestamp,
    /// Wall-clock time of the end of the last sample.
    pub to: Timestamp,
    /// The media's own duration in seconds.
    pub seconds: Option<f64>,
    /// Size of the object.
    pub size_bytes: u64,
    /// Length of its initialization segment in bytes: `ftyp` and `moov`.
    pub init_bytes: Option<u64>,
    /// Offset of the end of its last fragment in the object.
    pub media_end: Option<u64>,
    /// Units per second of the video's times.
    pub timescale: Option<u32>,
    /// Digest of the sample descriptions. If two chunks have the same, one can be played with the other's initialization segment.
    pub sample_entry_digest: Option<Sha256>,
    /// Codec of the video, as in RFC 6381: `avc1.64001f`.
    pub codec: String,
    /// Codec of the audio, as in RFC 6381; absent without audio.
    pub audio_codec: Option<String>,
    /// Whether it starts with a random access frame.
    pub starts_with_random_access: Option<bool>,
    /// The camera's bit rate as a multiple of its quiet level; about 1 while nothing happens.
    pub activity: Option<f64>,
    /// The result of checking the gateway's signature.
    pub signature: Signature,
    /// Whether the object's digest was checked.
    pub content: Option<Content>,
    /// Whether it continues the chain of the chunk before.
    pub chain: ChainState,
}

/// What a timeline needs of each of very many chunks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChunkOutline {
    /// Wall-clock time of the first sample.
    pub from: Timestamp,
    /// Wall-clock time of the end of the last sample.
    pub to: Timestamp,
    /// Size of the object.
    pub size_bytes: u64,
    /// The camera's bit rate as a multiple of its quiet level; about 1 while nothing happens.
    pub activity: Option<f64>,
    /// The result of checking the gateway's signature.
    pub signature: Signature,
    /// Whether the object's digest was checked.
    pub content: Option<Content>,
    /// Whether it continues the chain of the chunk before.
    pub chain: ChainState,
}

impl ChunkBrief {
    /// Returns the part that a timeline needs.
    pub fn outline(&self) -> ChunkOutline {
        ChunkOutline {
            from: self.from,
            to: self.to,
            size_bytes: self.size_bytes,
            activity: self.activity,
            signature: self.signature,
            content: self.content,
            chain: self.chain,
        }
    }

    /// Returns the counter in its key, which is 0 at the start of a span; `None` if the key has none.
    pub fn counter(&self) -> Option<u64> {
        self.object.key.parse::<ObjectKey>().ok().map(|key| key.counter)
    }

    /// Returns whether a player can go on from `before` to this chunk with the same initialization segment and without a jump.
    pub fn continues(&self, before: &Self) -> bool {
        let same_init = self.sample_entry_digest.is_some()
            && (self.sample_entry_digest, self.timescale) == (before.sample_entry_digest, before.timescale);
        let next = match (before.counter(), self.counter()) {
            (Some(before), Some(here)) => before.checked_add(1) == Some(here),
            _ => false,
        };
        same_init && next
    }
}

/// A chunk with its whole record.
#[derive(Debug, Clone, PartialEq)]
pub struct ChunkRow {
    /// When the object became complete.
    pub time: Timestamp,
    /// Wall-clock time of the first sample.
    pub from: Timestamp,
    /// Wall-clock time of the end of the last sample.
    pub to: Timestamp,
    /// The data of its `chunk.probed` record.
    pub chunk: ChunkProbed,
}

impl ChunkRow {
    /// Creates the row of a chunk that became complete at `time`; `None` if its record has no time of its own.
    pub fn new(time: Timestamp, chunk: ChunkProbed) -> Option<Self> {
        let (from, to) = stretch(&chunk.duration)?;
        Some(Self { time, from, to, chunk })
    }

    /// Returns its camera; `None` if the object's key names none.
    pub fn camera(&self) -> Option<CameraName> {
        CameraName::of(self.chunk.site.as_ref(), self.chunk.camera.as_ref())
    }

    /// Returns the part that a timeline, a playlist or a clip needs.
    pub fn brief(&self) -> ChunkBrief {
        let chunk = &self.chunk;
        ChunkBrief {
            object: chunk.object.clone(),
            time: self.time,
            from: self.from,
            to: self.to,
            seconds: chunk.duration.seconds,
            size_bytes: chunk.size_bytes,
            init_bytes: chunk.init_bytes,
            media_end: chunk.media_end,
            timescale: chunk.timescale,
            sample_entry_digest: chunk.sample_entry_digest,
            codec: chunk.codec.clone(),
            audio_codec: chunk.audio.as_ref().map(|audio| audio.codec.clone()),
            starts_with_random_access: chunk.starts_with_random_access,
            activity: chunk.activity.map(|activity| activity.level),
            signature: chunk.integrity.signature,
            content: chunk.integrity.content,
            chain: chunk.integrity.chain.state,
        }
    }
}

/// Returns start and end. If the record has no end, it is the start plus the media's duration.
fn stretch(duration: &framepost_events::record::Duration) -> Option<(Timestamp, Timestamp)> {
    let from = duration.from?;
    let lasts =
        duration.seconds.and_then(|seconds| SignedDuration::try_from_secs_f64(seconds).ok()).unwrap_or_default();
    let to = duration.to.or_else(|| from.checked_add(lasts).ok()).unwrap_or(from);
    Some((from, to.max(from)))
}

/// An interval without video.
#[derive(Debug, Clone, PartialEq)]
pub struct GapRow {
    /// The gap's own object in the bucket.
    pub object: ObjectRef,
    /// When the object became complete.
    pub time: Timestamp,
    /// The gap as the gateway described it, with its cause.
    pub gap: Gap,
}

impl GapRow {
    /// Creates the row of a gap whose object became complete at `time`.
    pub fn new(time: Timestamp, recorded: GapRecorded) -> Self {
        let GapRecorded { gap, object } = recorded;
        Self { object, time, gap }
    }

    /// Returns the camera that has no footage there.
    pub fn camera(&self) -> CameraName {
        CameraName { site: self.gap.site.clone(), camera: self.gap.camera.clone() }
    }
}

/// A chunk whose object was removed.
#[derive(Debug, Clone, PartialEq)]
pub struct RemovedChunk {
    /// Wall-clock time of its first sample, as its key says.
    pub from: Timestamp,
    /// Wall-clock time of the end of its last sample. The same as `from` if no record of it ever came.
    pub to: Timestamp,
    /// When it was removed: the last time, if it was several times.
    pub at: Timestamp,
    /// Why it was, if the bucket says.
    pub cause: Option<Cause>,
}

impl RemovedChunk {
    /// Returns the camera and the start of a chunk that its key names; `None` for other objects and other people's keys.
    pub fn named_by(key: &str) -> Option<(CameraName, Timestamp)> {
        let key: ObjectKey = key.parse().ok()?;
        let camera = CameraName::of(key.site.as_ref(), key.camera.as_ref())?;
        (key.kind == KeyKind::Chunk).then_some((camera, key.start))
    }
}

/// The end of an unbroken run of one camera's recording.
#[derive(Debug, Clone, PartialEq)]
pub struct SpanEndRow {
    /// When the object became complete.
    pub time: Timestamp,
    /// The data of its `span.ended` record.
    pub end: SpanEnded,
}

impl SpanEndRow {
    /// Returns its camera; `None` if the object's key names none.
    pub fn camera(&self) -> Option<CameraName> {
        CameraName::of(self.end.site.as_ref(), self.end.camera.as_ref())
    }
}

/// A detector's result for a chunk.
#[derive(Debug, Clone, PartialEq)]
pub struct LookRow {
    /// When the chunk became complete.
    pub time: Timestamp,
    /// Wall-clock time of the chunk's first sample.
    pub from: Timestamp,
    /// Wall-clock time of the end of its last sample.
    pub to: Timestamp,
    /// The data of its `chunk.inferred` record.
    pub inferred: ChunkInferred,
}

impl LookRow {
    /// Creates the row for a chunk that became complete at `time`; `None` if its record has no time of its own.
    pub fn new(time: Timestamp, inferred: ChunkInferred) -> Option<Self> {
        let (from, to) = stretch(&inferred.duration)?;
        Some(Self { time, from, to, inferred })
    }

    /// Returns the chunk's camera; `None` if the object's key names none.
    pub fn camera(&self) -> Option<CameraName> {
        CameraName::of(self.inferred.site.as_ref(), self.inferred.camera.as_ref())
    }

    /// Returns the model and the settings as one text, by which their sightings are kept apart.
    pub fn series(&self) -> String {
        self.inferred.made_with().unwrap_or_default()
    }

    /// Returns why the chunk was not looked at; `None` if it was.
    pub fn skipped(&self) -> Option<Skipped> {
        self.inferred.skipped
    }

    /// Returns the part from which sightings are built.
    pub fn look(&self) -> Look<'_> {
        Look {
            from: self.from,
            to: self.to,
            key: &self.inferred.object.key,
            skipped: self.inferred.skipped,
            frames: &self.inferred.frames,
        }
    }
}

/// Whether a chunk was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Looked {
    /// Wall-clock time of the chunk's first sample.
    pub from: Timestamp,
    /// Wall-clock time of the end of its last sample.
    pub to: Timestamp,
    /// Why it was not looked at; `None` if it was.
    pub skipped: Option<Skipped>,
}

/// A record, in the order of writing.
#[derive(Debug, Clone, PartialEq)]
pub struct Happening {
    /// A number that grows from record to record.
    pub number: i64,
    /// The record as it was published.
    pub record: Record,
}

/// A sighting, with the camera and the model that saw it.
#[derive(Debug, Clone, PartialEq)]
pub struct SightingRow {
    /// The camera that saw it.
    pub camera: CameraName,
    /// The model that saw it, without the arm of a comparison: both arms have the same sightings.
    pub model: Model,
    /// The model and the settings as one text: [`LookRow::series`].
    pub series: String,
    /// The label, the interval and the best picture.
    pub sighting: Sighting,
}

impl SightingRow {
    /// Returns its place in a list.
    pub fn place(&self) -> super::SightingPlace {
        super::SightingPlace {
            from: self.sighting.from,
            camera: self.camera.clone(),
            label: self.sighting.label.clone(),
            series: self.series.clone(),
        }
    }
}
