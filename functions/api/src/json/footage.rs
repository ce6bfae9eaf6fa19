//! Cameras, days and chunks.

use framepost_events::record::{Chain, ChunkProbed, Content, Resolution, Signature};
use framepost_events::{Camera, Sha256, Site};
use framepost_ports::catalog::{ChunkBrief, ChunkRow, KnownCamera};
use framepost_ports::url_path;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

/// Cameras that have footage.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Cameras {
    /// The cameras, ordered by site and name.
    pub(crate) cameras: Vec<CameraJson>,
    /// The server's time, for viewers whose clock is wrong.
    pub(crate) now: Timestamp,
}

/// A camera, and when its footage begins and ends.
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
    /// The media's own duration in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) seconds: Option<f64>,
    /// Size of the object in bytes.
    pub(crate) size_bytes: u64,
    /// Offset at which the initialization segment ends and the media begin; absent if the object is not a fragmented MP4.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) init_bytes: Option<u64>,
    /// Offset of the end of the last fragment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) media_end: Option<u64>,
    /// For `MediaSource.isTypeSupported` and `addSourceBuffer`: `video/mp4; codecs="avc1.64001f, mp4a.40.2"`.
    pub(crate) mime_type: String,
    /// Consecutive chunks with the same digest play with one initialization segment.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub(crate) sample_entry_digest: Option<Sha256>,
    /// Whether it starts with a picture that can be decoded by itself. If not, append it after the chunk before, without an
    /// initialization segment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) starts_with_random_access: Option<bool>,
    /// The camera's bit rate as a multiple of its quiet level; about 1 while nothing happens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) activity: Option<f64>,
    /// The path of its bytes on this server.
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

/// A chunk with its whole record.
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
    /// The source of its times: `gateway; uncertainty=900us`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) clock: Option<String>,
    /// The maximum error of its times in µs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) uncertainty_us: Option<u64>,
    /// Whether the object is what its gateway wrote.
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
    /// The result of checking that digest: `claimed` (not checked), `verified` or `mismatch`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub(crate) content: Option<Content>,
    /// The result of checking the gateway's signature: `valid`, `invalid`, `absent` or `unknown`.
    #[schema(value_type = String)]
    pub(crate) signature: Signature,
    /// The id of the key that signed.
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
    /// The date in the time zone: `2026-11-20`.
    pub(crate) day: String,
    /// Its first midnight, in the time zone.
    pub(crate) from: Timestamp,
    /// The next midnight: 23 to 25 hours later.
    pub(crate) to: Timestamp,
    /// The length of its footage in seconds, gaps not counted.
    pub(crate) seconds: f64,
    /// The size of its chunks in bytes.
    pub(crate) size_bytes: u64,
}
