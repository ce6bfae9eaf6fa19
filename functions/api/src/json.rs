//! The answers as JSON. Fields are only ever added.
//!
//! Times are RFC 3339 in UTC with up to six fraction digits. What is not known is absent.

use framepost_events::detection::Detection;
use framepost_events::gap::GapCause;
use framepost_events::record::{Chain, ChainState, ChunkProbed, Content, Model, Resolution, Signature, Skipped};
use framepost_events::report::GatewayReport;
use framepost_events::{Camera, Sha256, Site};
use framepost_ports::catalog::{Best, ChunkBrief, ChunkRow, GapRow, KnownCamera, LookRow, SightingRow};
use framepost_ports::url_path;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

/// Cameras that have footage.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Cameras {
    /// By site and name.
    pub(crate) cameras: Vec<CameraJson>,
    /// The server's time, for viewers whose clock is wrong.
    pub(crate) now: Timestamp,
}

/// A camera.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Camera)]
pub(crate) struct CameraJson {
    #[schema(value_type = String)]
    pub(crate) site: Site,
    #[schema(value_type = String)]
    pub(crate) camera: Camera,
    /// The start of its first chunk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) first: Option<Timestamp>,
    /// The end of its last chunk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) last: Option<Timestamp>,
    /// Its last chunk, whose last picture is the newest one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) last_chunk: Option<Segment>,
}

impl From<KnownCamera> for CameraJson {
    fn from(known: KnownCamera) -> Self {
        let KnownCamera { name, first, last } = known;
        let end = last.as_ref().map(|chunk| chunk.to);
        Self { site: name.site, camera: name.camera, first, last: end, last_chunk: last.map(|last| Segment::of(&last)) }
    }
}

/// What a player needs of a chunk.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Segment {
    /// The key in the bucket.
    pub(crate) key: String,
    /// Wall-clock time of the first sample.
    pub(crate) from: Timestamp,
    /// Wall-clock time of the end of the last sample.
    pub(crate) to: Timestamp,
    /// The media's own duration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) seconds: Option<f64>,
    /// Size of the object.
    pub(crate) size_bytes: u64,
    /// Where the initialization segment ends and the media begin; absent where the object is no fragmented MP4.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) init_bytes: Option<u64>,
    /// Behind the last fragment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) media_end: Option<u64>,
    /// For `MediaSource.isTypeSupported` and `addSourceBuffer`: `video/mp4; codecs="avc1.64001f, mp4a.40.2"`.
    pub(crate) mime_type: String,
    /// The chunks that have the same one in a row play with one initialization segment.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub(crate) sample_entry_digest: Option<Sha256>,
    /// Whether it starts with a picture that can be decoded by itself. If not, append it behind the one before, without an
    /// initialization segment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) starts_with_random_access: Option<bool>,
    /// How many times its quiet level the camera sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) activity: Option<f64>,
    /// Where the bytes are: a path on this server.
    pub(crate) media: String,
}

/// The path of a chunk's bytes on this server.
pub(crate) fn media_path(key: &str) -> String {
    format!("/v1/media/{}", url_path(key))
}

fn mime_type(codec: &str, audio: Option<&str>) -> String {
    match audio {
        Some(audio) => format!("video/mp4; codecs=\"{codec}, {audio}\""),
        None => format!("video/mp4; codecs=\"{codec}\""),
    }
}

impl Segment {
    pub(crate) fn of(brief: &ChunkBrief) -> Self {
        Self {
            key: brief.object.key.clone(),
            from: brief.from,
            to: brief.to,
            seconds: brief.seconds,
            size_bytes: brief.size_bytes,
            init_bytes: brief.init_bytes,
            media_end: brief.media_end,
            mime_type: mime_type(&brief.codec, brief.audio_codec.as_deref()),
            sample_entry_digest: brief.sample_entry_digest,
            starts_with_random_access: brief.starts_with_random_access,
            activity: brief.activity,
            media: media_path(&brief.object.key),
        }
    }
}

/// A page of chunks.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Chunks {
    pub(crate) chunks: Vec<Chunk>,
    /// The `cursor` of the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next: Option<String>,
}

/// A chunk with all that is known of it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Chunk {
    #[schema(value_type = Option<String>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) site: Option<Site>,
    #[schema(value_type = Option<String>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) camera: Option<Camera>,
    #[serde(flatten)]
    pub(crate) segment: Segment,
    /// Width, height, rotation and pixel shape of the picture.
    #[schema(value_type = Object)]
    pub(crate) resolution: Resolution,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) frame_rate: Option<f64>,
    /// Where its times are from: `gateway; uncertainty=900us`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) clock: Option<String>,
    /// How far its times may be off, in µs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) uncertainty_us: Option<u64>,
    /// Whether it is what its gateway wrote.
    pub(crate) integrity: Integrity,
}

/// Whether an object is what its writer wrote.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Integrity {
    /// The digest of its bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub(crate) sha256: Option<Sha256>,
    /// How far that digest was checked: `claimed`, `verified` or `mismatch`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub(crate) content: Option<Content>,
    /// `valid`, `invalid`, `absent` or `unknown`.
    #[schema(value_type = String)]
    pub(crate) signature: Signature,
    /// The key that signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) key_id: Option<String>,
    /// Its place in the chain of its span: `state` is `first`, `linked`, `broken` or `absent`.
    #[schema(value_type = Object)]
    pub(crate) chain: Chain,
}

impl From<ChunkRow> for Chunk {
    fn from(row: ChunkRow) -> Self {
        let segment = Segment::of(&row.brief());
        let ChunkProbed { site, camera, resolution, frame_rate, clock, integrity, .. } = row.chunk;
        let framepost_events::record::Integrity { sha256, content, signature, key_id, chain } = integrity;
        let uncertainty_us = clock.as_ref().and_then(|clock| clock.uncertainty_us);
        Self {
            site,
            camera,
            segment,
            resolution,
            frame_rate,
            clock: clock.map(|clock| clock.to_string()),
            uncertainty_us,
            integrity: Integrity { sha256, content, signature, key_id, chain },
        }
    }
}

/// The days on which a camera has footage.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Days {
    pub(crate) days: Vec<Day>,
}

/// A day with footage.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Day {
    /// `2026-11-20`
    pub(crate) day: String,
    /// Its midnight in the time zone.
    pub(crate) from: Timestamp,
    /// The next midnight: 23 to 25 hours later.
    pub(crate) to: Timestamp,
    /// Seconds of footage.
    pub(crate) seconds: f64,
    /// Bytes of footage.
    pub(crate) size_bytes: u64,
}

/// What happened at one camera in a stretch of time.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Timeline {
    #[schema(value_type = String)]
    pub(crate) site: Site,
    #[schema(value_type = String)]
    pub(crate) camera: Camera,
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
    /// The server's time. Nothing is known of what is later.
    pub(crate) now: Timestamp,
    /// Stretches with video, that are closer to each other than this, are one. Gaps are never left out.
    pub(crate) resolution_seconds: f64,
    /// Bytes of all chunks that are in it.
    pub(crate) size_bytes: u64,
    /// The number of those chunks.
    pub(crate) chunks: u64,
    /// Where there is video.
    pub(crate) recorded: Vec<Recorded>,
    /// Where there is none, and why.
    pub(crate) gaps: Vec<Gap>,
    /// How much happens: of each chunk, or where there are many of each bin. Where it is not known there is none.
    pub(crate) activity: Vec<ActivityJson>,
    /// Whether it is what the gateway wrote, in stretches.
    pub(crate) integrity: Vec<IntegrityStretch>,
    /// What was seen, the oldest first; at most 2000, the newest.
    pub(crate) sightings: Vec<SightingJson>,
    /// Whether there are more sightings than are listed.
    pub(crate) sightings_truncated: bool,
    /// The number of sightings that begin in each bin, where `countSeconds` was asked for.
    pub(crate) counts: Vec<Count>,
    /// Where nobody looked, and why. Elsewhere no sighting means that nothing was seen.
    pub(crate) not_looked_at: Vec<NotLookedAt>,
    /// The borders of chunks, where there are no more than 2000.
    pub(crate) segments: Vec<Segment>,
}

/// A stretch with video.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct Recorded {
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
    /// The number of its chunks.
    pub(crate) chunks: u64,
}

/// A stretch without video.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Gap {
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
    /// `camera-lost`, `not-running`, `receiver-overrun`, `spool-full`, `spool-failed`, `clock-jump`, `source-damaged` or
    /// `not-in-source`; absent where none was recorded.
    #[schema(value_type = Option<String>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cause: Option<GapCause>,
    /// What noticed it says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) detail: Option<String>,
    /// The key of its object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<String>,
}

impl From<GapRow> for Gap {
    fn from(row: GapRow) -> Self {
        let gap = row.gap;
        Self { from: gap.from, to: gap.to, cause: Some(gap.cause), detail: gap.detail, key: Some(row.object.key) }
    }
}

/// How much happens.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Activity)]
pub(crate) struct ActivityJson {
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
    /// How many times its quiet level the camera sent, at most: about 1 while nothing happens.
    pub(crate) level: f64,
}

/// A stretch whose chunks are all as sound as each other.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct IntegrityStretch {
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
    /// `valid`, `invalid`, `absent` or `unknown`.
    #[schema(value_type = String)]
    pub(crate) signature: Signature,
    /// `claimed`, `verified` or `mismatch`.
    #[schema(value_type = Option<String>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) content: Option<Content>,
    /// `linked` (the first of a span counts as that), `broken` or `absent`.
    #[schema(value_type = String)]
    pub(crate) chain: ChainState,
}

/// A number of sightings.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct Count {
    /// The start of the bin.
    pub(crate) from: Timestamp,
    pub(crate) label: String,
    pub(crate) count: u64,
}

/// A stretch that no detector looked at.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct NotLookedAt {
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
    /// `still` (nothing moved, so what was seen before is still there), `budget`, `interrupted`, `no-picture`, or `not-asked`: no
    /// detector has said anything about it, because none runs, or not yet.
    pub(crate) reason: Reason,
}

/// Why nobody looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Reason {
    Still,
    Budget,
    Interrupted,
    NoPicture,
    NotAsked,
}

impl From<Skipped> for Reason {
    fn from(skipped: Skipped) -> Self {
        match skipped {
            Skipped::Still => Self::Still,
            Skipped::Budget => Self::Budget,
            Skipped::Interrupted => Self::Interrupted,
            Skipped::NoPicture => Self::NoPicture,
        }
    }
}

/// A page of sightings.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Sightings {
    /// The newest first.
    pub(crate) sightings: Vec<SightingJson>,
    /// The `cursor` of the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next: Option<String>,
}

/// An interval in which a camera saw a label without a longer pause.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Sighting)]
pub(crate) struct SightingJson {
    #[schema(value_type = String)]
    pub(crate) site: Site,
    #[schema(value_type = String)]
    pub(crate) camera: Camera,
    /// What was seen.
    pub(crate) label: String,
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
    /// The highest score, 0 to 1.
    pub(crate) score: f64,
    /// The number of pictures that it was seen in.
    pub(crate) pictures: u64,
    /// The most that were seen in one picture.
    pub(crate) most: u32,
    /// The zones in which it was seen.
    pub(crate) zones: Vec<String>,
    /// The picture with the highest score.
    pub(crate) best: BestJson,
    /// The model that saw it.
    #[schema(value_type = Object)]
    pub(crate) model: Model,
}

/// The picture in which something was seen best.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Best)]
pub(crate) struct BestJson {
    pub(crate) time: Timestamp,
    /// The key of its chunk.
    pub(crate) key: String,
    /// Its time in the chunk in seconds.
    pub(crate) offset: f64,
    /// `left`, `top`, `width` and `height` in fractions of the picture.
    #[serde(rename = "box")]
    pub(crate) bounds: Bounds,
    /// Where the chunk's bytes are: a path on this server.
    pub(crate) media: String,
}

/// A rectangle in fractions of the picture as a person sees it.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub(crate) struct Bounds {
    pub(crate) left: f64,
    pub(crate) top: f64,
    pub(crate) width: f64,
    pub(crate) height: f64,
}

impl From<framepost_events::detection::Bounds> for Bounds {
    fn from(bounds: framepost_events::detection::Bounds) -> Self {
        let framepost_events::detection::Bounds { left, top, width, height } = bounds;
        Self { left, top, width, height }
    }
}

impl From<SightingRow> for SightingJson {
    fn from(row: SightingRow) -> Self {
        let SightingRow { camera, model, sighting, .. } = row;
        let Best { time, key, offset, bounds } = sighting.best;
        let best = BestJson { time, media: media_path(&key), key, offset, bounds: bounds.into() };
        Self {
            site: camera.site,
            camera: camera.camera,
            label: sighting.label,
            from: sighting.from,
            to: sighting.to,
            score: sighting.score,
            pictures: sighting.pictures,
            most: sighting.most,
            zones: sighting.zones.into_iter().collect(),
            best,
            model,
        }
    }
}

/// What detectors saw, picture by picture.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Detections {
    /// By chunk, the oldest first.
    pub(crate) chunks: Vec<LookedAt>,
    /// Whether there are more chunks in the stretch of time: ask again from the end of the last one.
    pub(crate) truncated: bool,
}

/// What a detector said of a chunk.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LookedAt {
    pub(crate) key: String,
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
    /// Why it was not looked at; absent if it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) skipped: Option<Reason>,
    #[schema(value_type = Object)]
    pub(crate) model: Model,
    /// The pictures that were looked at.
    pub(crate) frames: Vec<Frame>,
}

/// A picture that was looked at.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Frame {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) time: Option<Timestamp>,
    /// Its time in the chunk in seconds.
    pub(crate) offset: f64,
    pub(crate) detections: Vec<DetectionJson>,
}

/// Something that was seen in a picture.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Detection)]
pub(crate) struct DetectionJson {
    pub(crate) label: String,
    pub(crate) score: f64,
    #[serde(rename = "box")]
    pub(crate) bounds: Bounds,
    pub(crate) zones: Vec<String>,
}

impl From<LookRow> for LookedAt {
    fn from(row: LookRow) -> Self {
        let seen = |seen: Detection| {
            let Detection { label, score, bounds, zones } = seen;
            DetectionJson { label, score, bounds: bounds.into(), zones }
        };
        let skipped = row.skipped().map(Reason::from);
        let frames = row.inferred.frames.into_iter().map(|frame| Frame {
            time: frame.time,
            offset: frame.offset,
            detections: frame.detections.into_iter().map(seen).collect(),
        });
        Self {
            key: row.inferred.object.key,
            from: row.from,
            to: row.to,
            skipped,
            model: row.inferred.model,
            frames: frames.collect(),
        }
    }
}

/// The last report of each gateway.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Gateways {
    pub(crate) gateways: Vec<Gateway>,
    /// The server's time, to tell how old a report is.
    pub(crate) now: Timestamp,
}

/// What a gateway said of itself and its cameras.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Gateway {
    #[schema(value_type = String)]
    pub(crate) site: Site,
    /// The report's signature: `valid`, `invalid`, `absent` or `unknown`.
    #[schema(value_type = String)]
    pub(crate) signature: Signature,
    /// The report: see `io.framepost.gateway.reported.v1`.
    #[schema(value_type = Object)]
    pub(crate) report: GatewayReport,
}
