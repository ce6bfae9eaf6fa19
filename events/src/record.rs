//! Records: what a function says of an object, each a CloudEvent (1.0, JSON), a log line and a catalogue row with the
//! same fields.
//!
//! A record of `probe` is a pure function of the object and its event, its id included: probing twice gives the same
//! record, byte for byte.

use crate::attributes::ClockInfo;
use crate::finalized::{ObjectFinalized, Provider};
use crate::gap::Gap;
use crate::{Camera, ObjectKey, Sha256, Site};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The object that a record is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ObjectRef {
    /// Who keeps the bucket.
    pub provider: Provider,
    /// The bucket's name.
    pub bucket: String,
    /// The object's key.
    pub key: String,
    /// The object's version, as in the event.
    pub version: String,
}

impl From<&ObjectFinalized> for ObjectRef {
    fn from(event: &ObjectFinalized) -> Self {
        let ObjectFinalized { provider, bucket, key, version, .. } = event.clone();
        Self { provider, bucket, key, version }
    }
}

/// When, and for how long.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Duration {
    /// Wall clock of the first sample; absent where neither metadata, key nor file says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub from: Option<Timestamp>,
    /// Wall clock of the end of the last sample.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub to: Option<Timestamp>,
    /// The media's own duration, in seconds; absent where neither the file nor its metadata says it (live recordings).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
}

/// The picture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Resolution {
    /// Pixels, after cropping.
    pub width: u32,
    /// Pixels, after cropping.
    pub height: u32,
    /// Components of the pixel format: 1 for monochrome, 3 for colour, 4 with alpha.
    pub channels: u8,
    /// By how many degrees clockwise, 1 to 359, a player turns the picture; absent where it shows it as it is coded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotation: Option<u16>,
    /// Whether a player mirrors the picture, left to right, before it turns it; absent where it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mirrored: Option<bool>,
    /// The shape of a pixel; absent where it is square, or the container does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(rename = "pixelAspect")]
    pub pixel_aspect: Option<PixelAspect>,
}

/// The shape of a pixel as a proportion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PixelAspect {
    /// Its width.
    pub horizontal: u32,
    /// Its height.
    pub vertical: u32,
}

/// The sound.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Audio {
    /// RFC 6381.
    pub codec: String,
    /// Channels; 0 where the file does not say.
    pub channels: u16,
    /// Samples a second; 0 where the file does not say.
    pub sample_rate: u32,
}

/// Whether the signature holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Signature {
    /// A configured public key verifies it, and the object's key, size, times and (where checked) bytes are the signed ones.
    Valid,
    /// It does not verify, or what was signed is not this object.
    Invalid,
    /// There is none.
    Absent,
    /// There is one, by a key that is not configured.
    Unknown,
}

/// Whether the bytes are the ones that were hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Content {
    /// The digest is the writer's word; the object was not read as a whole.
    Claimed,
    /// The whole object was read and has this digest.
    Verified,
    /// The whole object was read and has another digest.
    Mismatch,
}

/// The object's place in its span's chain of manifests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Chain {
    /// The first of a span has no previous; every other one has. Anything else is broken in itself.
    pub state: ChainState,
    /// The digest of the manifest before this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Sha256>,
    /// The digest of this object's manifest; the next object's `previous`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<Sha256>,
}

/// What one object alone says of its chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ChainState {
    /// The first of its span.
    First,
    /// It points back.
    Linked,
    /// Its counter and its `Previous` contradict each other.
    Broken,
    /// It carries no manifest.
    Absent,
}

/// Whether the object is what its writer wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Integrity {
    /// The digest of the object's bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Sha256>,
    /// How far that digest was checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Content>,
    /// Whether the signature holds.
    pub signature: Signature,
    /// The key that signed.
    #[serde(default, skip_serializing_if = "Option::is_none", rename = "keyId")]
    pub key_id: Option<String>,
    /// The place in the chain.
    pub chain: Chain,
}

/// The video container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Container {
    /// ISO BMFF with samples in `moov`.
    Mp4,
    /// ISO BMFF in fragments.
    Fmp4,
    /// Matroska.
    Matroska,
    /// `WebM`.
    Webm,
}

/// `io.framepost.chunk.probed.v1`: a playable object and what it holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChunkProbed {
    /// The site, where the key names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<Site>,
    /// The camera, where the key names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub camera: Option<Camera>,
    /// When, and for how long.
    pub duration: Duration,
    /// The picture.
    pub resolution: Resolution,
    /// Where the bytes can be had.
    pub media_link: String,
    /// The video codec, RFC 6381.
    pub codec: String,
    /// Frames a second; absent where the container's head does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frame_rate: Option<f64>,
    /// The sound, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audio: Option<Audio>,
    /// The container.
    pub container: Container,
    /// The object's size.
    pub size_bytes: u64,
    /// The object.
    pub object: ObjectRef,
    /// Whether the first frame is one that decoding can start at, as the gateway said. Where it is not, the chunk continues
    /// the one before it in its span. Absent for objects that are not a gateway's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts_with_random_access: Option<bool>,
    /// Where the times come from, as the gateway said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock: Option<ClockInfo>,
    /// Whether the object is what its writer wrote.
    pub integrity: Integrity,
}

/// `io.framepost.span.ended.v1`: an unbroken run of recording is over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SpanEnded {
    /// The site, where the key names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<Site>,
    /// The camera, where the key names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub camera: Option<Camera>,
    /// The end of the span's last sample.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub end: Timestamp,
    /// How many chunks the span has.
    pub chunks: u64,
    /// The object.
    pub object: ObjectRef,
    /// Whether the object is what its writer wrote.
    pub integrity: Integrity,
}

/// `io.framepost.gap.recorded.v1`: an interval without video.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GapRecorded {
    /// The gap itself.
    #[serde(flatten)]
    pub gap: Gap,
    /// The object.
    pub object: ObjectRef,
}

/// `io.framepost.object.rejected.v1`: an object that nothing downstream should touch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ObjectRejected {
    /// Why; stable, for counting and alarms.
    pub reason: RejectReason,
    /// Why, for people.
    pub detail: String,
    /// The site, where the key names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<Site>,
    /// The camera, where the key names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub camera: Option<Camera>,
    /// The object's size, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size_bytes: Option<u64>,
    /// The object.
    pub object: ObjectRef,
}

impl ObjectRejected {
    /// The reject of the event's object; site and camera are the key's.
    pub fn new(reason: RejectReason, detail: impl Into<String>, event: &ObjectFinalized) -> Self {
        let key = event.key.parse::<ObjectKey>().ok();
        let (site, camera) = key.map(|key| (key.site, key.camera)).unwrap_or_default();
        Self { reason, detail: detail.into(), site, camera, size_bytes: event.size, object: event.into() }
    }
}

/// Why an object was rejected. The words are stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RejectReason {
    /// No bytes, and not a span end.
    Empty,
    /// The bytes begin like no container that is known.
    NotMedia,
    /// The object ends before the part that says what it holds.
    Truncated,
    /// The structure contradicts itself.
    Malformed,
    /// Reading on would go beyond a limit: boxes too large, too many, or too deep.
    TooComplex,
    /// The video is encrypted.
    Encrypted,
    /// There is no video track.
    NoVideo,
    /// There is a video track whose codec is not known.
    UnsupportedCodec,
    /// A gap object that is not one.
    BadGap,
}

/// A playable object and what it holds: [`ChunkProbed`].
pub const CHUNK_PROBED: &str = "io.framepost.chunk.probed.v1";
/// An unbroken run of recording is over: [`SpanEnded`].
pub const SPAN_ENDED: &str = "io.framepost.span.ended.v1";
/// An interval without video: [`GapRecorded`].
pub const GAP_RECORDED: &str = "io.framepost.gap.recorded.v1";
/// An object that nothing downstream should touch: [`ObjectRejected`].
pub const OBJECT_REJECTED: &str = "io.framepost.object.rejected.v1";

/// Every type of record.
pub const TYPES: [&str; 4] = [CHUNK_PROBED, SPAN_ENDED, GAP_RECORDED, OBJECT_REJECTED];

/// What a function can say of an object. Which of them it is, the envelope's `type` says: read a [`Record`].
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Data {
    /// `io.framepost.chunk.probed.v1`
    ChunkProbed(Box<ChunkProbed>),
    /// `io.framepost.span.ended.v1`
    SpanEnded(Box<SpanEnded>),
    /// `io.framepost.gap.recorded.v1`
    GapRecorded(Box<GapRecorded>),
    /// `io.framepost.object.rejected.v1`
    ObjectRejected(Box<ObjectRejected>),
}

impl Data {
    /// The CloudEvents type.
    pub fn event_type(&self) -> &'static str {
        match self {
            Self::ChunkProbed(_) => CHUNK_PROBED,
            Self::SpanEnded(_) => SPAN_ENDED,
            Self::GapRecorded(_) => GAP_RECORDED,
            Self::ObjectRejected(_) => OBJECT_REJECTED,
        }
    }

    /// Its times without what is finer than a microsecond.
    fn in_microseconds(mut self) -> Self {
        let times: [Option<&mut Timestamp>; 2] = match &mut self {
            Self::ChunkProbed(data) => [data.duration.from.as_mut(), data.duration.to.as_mut()],
            Self::SpanEnded(data) => [Some(&mut data.end), None],
            Self::GapRecorded(data) => [Some(&mut data.gap.from), Some(&mut data.gap.to)],
            Self::ObjectRejected(_) => [None, None],
        };
        for time in times.into_iter().flatten() {
            *time = microseconds(*time);
        }
        self
    }

    /// The object that it is about.
    pub fn object(&self) -> &ObjectRef {
        match self {
            Self::ChunkProbed(data) => &data.object,
            Self::SpanEnded(data) => &data.object,
            Self::GapRecorded(data) => &data.object,
            Self::ObjectRejected(data) => &data.object,
        }
    }

    /// The site, where the object's key names one.
    pub fn site(&self) -> Option<&Site> {
        match self {
            Self::ChunkProbed(data) => data.site.as_ref(),
            Self::SpanEnded(data) => data.site.as_ref(),
            Self::GapRecorded(data) => Some(&data.gap.site),
            Self::ObjectRejected(data) => data.site.as_ref(),
        }
    }

    /// The object's size, where the record says it.
    pub fn size_bytes(&self) -> Option<u64> {
        match self {
            Self::ChunkProbed(data) => Some(data.size_bytes),
            Self::ObjectRejected(data) => data.size_bytes,
            Self::SpanEnded(_) | Self::GapRecorded(_) => None,
        }
    }
}

/// A record: the CloudEvents 1.0 envelope around [`Data`].
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Record {
    /// `"1.0"`.
    pub specversion: SpecVersion,
    /// The same for every redelivery of the same event.
    pub id: String,
    /// Which function says it: `framepost/probe`.
    pub source: String,
    /// One of the `io.framepost.….v1` types.
    #[serde(rename = "type")]
    pub event_type: String,
    /// The object's key.
    pub subject: String,
    /// When the object became complete.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub time: Timestamp,
    /// `"application/json"`.
    pub datacontenttype: ContentType,
    /// What is said.
    #[schemars(with = "serde_json::Value")]
    pub data: Data,
}

/// CloudEvents' `specversion`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum SpecVersion {
    /// CloudEvents 1.0.
    #[serde(rename = "1.0")]
    V1,
}

/// CloudEvents' `datacontenttype`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ContentType {
    /// JSON.
    #[serde(rename = "application/json")]
    Json,
}

impl Record {
    /// The record that `function` makes of `event`. Its times have microseconds and nothing finer, as the keys do: that is
    /// as much as the tables hold that records are written to.
    pub fn new(function: &str, event: &ObjectFinalized, data: Data) -> Self {
        let data = data.in_microseconds();
        let event_type = data.event_type().to_owned();
        let identity = format!("{event_type} {}", event.identity());
        Self {
            specversion: SpecVersion::V1,
            id: hex::encode(&Sha256::of(identity.as_bytes()).0[..16]),
            source: format!("framepost/{function}"),
            event_type,
            subject: event.key.clone(),
            time: microseconds(event.time),
            datacontenttype: ContentType::Json,
            data,
        }
    }
}

fn microseconds(time: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(time.as_microsecond()).unwrap_or(time)
}

impl<'de> Deserialize<'de> for Record {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error as _;

        /// The envelope, before its type says how to read the data.
        #[derive(Deserialize)]
        struct Envelope {
            specversion: SpecVersion,
            id: String,
            source: String,
            #[serde(rename = "type")]
            event_type: String,
            subject: String,
            time: Timestamp,
            datacontenttype: ContentType,
            data: serde_json::Value,
        }

        let Envelope { specversion, id, source, event_type, subject, time, datacontenttype, data } =
            Envelope::deserialize(deserializer)?;
        let data = match event_type.as_str() {
            CHUNK_PROBED => serde_json::from_value(data).map(Data::ChunkProbed),
            SPAN_ENDED => serde_json::from_value(data).map(Data::SpanEnded),
            GAP_RECORDED => serde_json::from_value(data).map(Data::GapRecorded),
            OBJECT_REJECTED => serde_json::from_value(data).map(Data::ObjectRejected),
            other => return Err(D::Error::custom(format!("unknown record type {other:?}"))),
        }
        .map_err(D::Error::custom)?;
        Ok(Self { specversion, id, source, event_type, subject, time, datacontenttype, data })
    }
}
