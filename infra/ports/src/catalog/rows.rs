//! What a catalogue answers with.

use super::{Look, Sighting};
use framepost_events::gap::Gap;
use framepost_events::record::{
    ChainState, ChunkInferred, ChunkProbed, Content, GapRecorded, Model, ObjectRef, Record, RecordType as _, Signature,
    Skipped, SpanEnded,
};
use framepost_events::{Camera, ObjectKey, Sha256, Site};
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
    /// Both names, or `None` where one is missing.
    pub fn of(site: Option<&Site>, camera: Option<&Camera>) -> Option<Self> {
        Some(Self { site: site?.clone(), camera: camera?.clone() })
    }
}

/// How much was recorded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Amount {
    /// Number of chunks.
    pub chunks: u64,
    /// Their length together, in µs.
    pub length_us: u64,
    /// The size of their objects together.
    pub bytes: u64,
}

/// A camera that has a row.
#[derive(Debug, Clone, PartialEq)]
pub struct KnownCamera {
    /// Its site and its name there.
    pub name: CameraName,
    /// The start of its first chunk.
    pub first: Option<Timestamp>,
    /// Its last chunk by start; `None` if it has none that is left.
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
    /// Bytes of its initialization segment.
    pub init_bytes: Option<u64>,
    /// Offset behind its last fragment.
    pub media_end: Option<u64>,
    /// Units a second of the video's times.
    pub timescale: Option<u32>,
    /// Of the sample descriptions.
    pub sample_entry_digest: Option<Sha256>,
    /// Codec of the video, as in RFC 6381: `avc1.64001f`.
    pub codec: String,
    /// RFC 6381; absent without sound.
    pub audio_codec: Option<String>,
    /// Whether it starts with a random access frame.
    pub starts_with_random_access: Option<bool>,
    /// How many times its quiet level the camera sent.
    pub activity: Option<f64>,
    /// The result of checking the signature.
    pub signature: Signature,
    /// How far the digest was checked.
    pub content: Option<Content>,
    /// The position in the chain.
    pub chain: ChainState,
}

impl ChunkBrief {
    /// The object's number in its span, if its key has one. 0 begins a span.
    pub fn counter(&self) -> Option<u64> {
        self.object.key.parse::<ObjectKey>().ok().map(|key| key.counter)
    }

    /// Whether a player goes on from `before` to this chunk with the same initialization segment and without a jump.
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

/// A chunk with all that is known of it.
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
    /// The row of a chunk that became complete at `time`; `None` for one without a place in time.
    pub fn new(time: Timestamp, chunk: ChunkProbed) -> Option<Self> {
        let (from, to) = stretch(&chunk.duration)?;
        Some(Self { time, from, to, chunk })
    }

    /// Returns its camera; `None` if the object's key names none.
    pub fn camera(&self) -> Option<CameraName> {
        CameraName::of(self.chunk.site.as_ref(), self.chunk.camera.as_ref())
    }

    /// What others need of it.
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

/// From where to where it goes; the end follows from the start and the media's duration where nothing says it.
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
    /// The JSON object in the bucket that says it.
    pub object: ObjectRef,
    /// When the object became complete.
    pub time: Timestamp,
    /// The gap as the gateway described it, with its cause.
    pub gap: Gap,
}

impl GapRow {
    /// The row of a gap whose object became complete at `time`.
    pub fn new(time: Timestamp, recorded: GapRecorded) -> Self {
        let GapRecorded { gap, object } = recorded;
        Self { object, time, gap }
    }

    /// Returns the camera that has no footage there.
    pub fn camera(&self) -> CameraName {
        CameraName { site: self.gap.site.clone(), camera: self.gap.camera.clone() }
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

/// What a detector said of a chunk.
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
    /// The row of a chunk that became complete at `time`; `None` for one without a place in time.
    pub fn new(time: Timestamp, inferred: ChunkInferred) -> Option<Self> {
        let (from, to) = stretch(&inferred.duration)?;
        Some(Self { time, from, to, inferred })
    }

    /// Returns the chunk's camera; `None` if the object's key names none.
    pub fn camera(&self) -> Option<CameraName> {
        CameraName::of(self.inferred.site.as_ref(), self.inferred.camera.as_ref())
    }

    /// The model and the settings in one text.
    pub fn series(&self) -> String {
        self.inferred.made_with().unwrap_or_default()
    }

    /// Why it was not looked at.
    pub fn skipped(&self) -> Option<Skipped> {
        self.inferred.skipped
    }

    /// What sightings are built from.
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
    /// Why it was not; absent if it was.
    pub skipped: Option<Skipped>,
}

/// Something that was written.
#[derive(Debug, Clone, PartialEq)]
pub struct Happening {
    /// Its number: a later one has a larger one.
    pub number: i64,
    /// What a function said.
    pub record: Record,
}

/// A sighting, and who saw it.
#[derive(Debug, Clone, PartialEq)]
pub struct SightingRow {
    /// The camera that saw it.
    pub camera: CameraName,
    /// The model that saw it, without the arm of a comparison: both arms have the same sightings.
    pub model: Model,
    /// The model and the settings in one text.
    pub series: String,
    /// The label, the interval and the best picture.
    pub sighting: Sighting,
}

impl SightingRow {
    /// Its place in a list.
    pub fn place(&self) -> super::SightingPlace {
        super::SightingPlace {
            from: self.sighting.from,
            camera: self.camera.clone(),
            label: self.sighting.label.clone(),
            series: self.series.clone(),
        }
    }
}
