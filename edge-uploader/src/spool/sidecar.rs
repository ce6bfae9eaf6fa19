//! The small JSON files: the attributes of each object, and the state of each camera's span.

use super::source::SourceFile;
use crate::segment::Quiet;
use framepost_events::attributes::{Attributes, ClockSource, Metadata};
use framepost_events::{Error, KeyKind, ObjectKey, Sha256};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The content of `<key>.meta`, which is written before the object gets its final name. Also of `<key>.draft`,
/// without a digest, which an earlier version wrote during recording.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Meta {
    pub(super) content_type: String,
    /// The metadata for the object's put.
    pub(super) metadata: Metadata,
    /// Length of the closed object in bytes.
    pub(super) bytes: u64,
    /// CRC-32C of the closed object, for the bucket to check. Absent in sidecars of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) crc32c: Option<u32>,
    /// Only for a gap for lack of space: the chunk that was dropped last, to be
    /// unlinked if that was interrupted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) drops: Option<String>,
    /// Only for a gap for lack of space: the shorter gap that this one replaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) supersedes: Option<String>,
    /// The file that the object was made from and can be made from again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) source: Option<SourceFile>,
    /// Only for a chunk of a camera: [`RecordingState::began`] when it was closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) span: Option<Timestamp>,
}

impl Meta {
    pub(super) fn attributes(&self) -> Result<Attributes, Error> {
        Attributes::from_metadata(self.metadata.iter().map(|(name, value)| (name.as_str(), value.as_str())))
    }

    /// Returns the digest, which only a final sidecar has.
    pub(super) fn sha256(&self) -> Option<Sha256> {
        self.attributes().ok()?.sha256
    }
}

/// State of a camera's open span.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OpenSpan {
    /// Number of closed chunks, which is the next chunk's counter.
    pub(super) chunks: u64,
    /// Digest of the last closed chunk's manifest.
    pub(super) previous: Sha256,
    /// The end of its last sample.
    pub(super) end: Timestamp,
    /// Whether footage that a crash cuts off is lost.
    #[serde(default)]
    pub(super) origin: Origin,
    /// The last closed chunk. Absent in files of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) last: Option<LastChunk>,
}

/// Identifies the last closed chunk for recovery, and holds what is needed to close it again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LastChunk {
    /// The time in its key.
    pub(super) start: Timestamp,
    /// Digest of the manifest before its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) previous: Option<Sha256>,
}

/// Known attributes of the chunk being recorded, except those that differ between the chunks of a span.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Draft {
    pub(super) content_type: String,
    pub(super) metadata: Metadata,
    pub(super) origin: Origin,
}

impl Draft {
    pub(super) fn of(attributes: Attributes) -> Result<Self, Error> {
        let own = Attributes { from: None, to: None, previous: None, ..attributes };
        let content_type = own.full_content_type.clone().unwrap_or_default();
        Ok(Self { content_type, metadata: own.to_metadata()?, origin: Origin::of(&own) })
    }

    /// Returns whether a recovery may use this for `other`. The clock's uncertainty may be
    /// that of an earlier chunk.
    pub(super) fn stands_for(&self, other: &Self) -> bool {
        let without_clock =
            |draft: &Self| -> Metadata { draft.metadata.iter().filter(|(name, _)| name != "Clock").cloned().collect() };
        (&self.content_type, self.origin) == (&other.content_type, other.origin)
            && without_clock(self) == without_clock(other)
    }
}

/// The type of a span's source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Origin {
    /// A camera: every existing fragment must be kept.
    #[default]
    Camera,
    /// A file: it will be read again from its start, and its chunks then have the same keys. A partial chunk,
    /// or an early end of the span, would conflict with them.
    File,
}

impl Origin {
    /// Derives the origin from the clock of a chunk.
    pub(super) fn of(attributes: &Attributes) -> Self {
        match attributes.clock.map(|clock| clock.source) {
            Some(ClockSource::File | ClockSource::Given) => Self::File,
            _ => Self::Camera,
        }
    }
}

/// Where the recording of a camera stands: the content of `cameras/<site>/<camera>.json`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RecordingState {
    /// The open span; `None` between spans, and before the first chunk of a span is closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) span: Option<OpenSpan>,
    /// Start of the first chunk of the camera's span, from when this chunk begins until the span has ended. While it is set, the
    /// sidecar of a later chunk with the same time may say that more of the span is closed: see [`may_miss`](Self::may_miss).
    /// Absent for files, and in files of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) began: Option<Timestamp>,
    /// Everything before this time is accounted for by chunks or gaps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) recorded_to: Option<Timestamp>,
    /// Attributes of the chunk being recorded, or of the last one. They are on disk before that chunk's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) draft: Option<Draft>,
    /// Start and counter of the last gap, so that two gaps with one start get different keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) last_gap: Option<(Timestamp, u64)>,
    /// What the camera sends while nothing happens. Written with what is written for other reasons.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) quiet: Option<Quiet>,
    /// The source file that is being read, if any. It is not stored, because the next
    /// start reads the file again.
    #[serde(skip)]
    pub(super) source: Option<SourceFile>,
}

impl RecordingState {
    /// Returns the known attributes of the part `key`.
    pub(super) fn draft_of(&self, key: &ObjectKey) -> Attributes {
        let draft = self.draft.as_ref().and_then(|draft| {
            let entries = draft.metadata.iter().map(|(name, value)| (name.as_str(), value.as_str()));
            Attributes::from_metadata(entries).ok()
        });
        let previous = self.span.as_ref().and_then(|span| {
            let last = span.last.as_ref().filter(|_| self.closed_last(key));
            last.map_or_else(|| (span.chunks == key.counter).then_some(span.previous), |last| last.previous)
        });
        Attributes { previous, ..draft.unwrap_or_default() }
    }

    /// Returns whether `key` may be a chunk of the open span that was closed after this was written.
    pub(super) fn may_miss(&self, key: &ObjectKey) -> bool {
        let chunks = self.span.as_ref().map_or(0, |span| span.chunks);
        key.kind == KeyKind::Chunk && key.counter >= chunks && self.began.is_some_and(|began| key.start >= began)
    }

    /// Returns whether `key` may be the chunk after the last closed one.
    pub(super) fn comes_next(&self, key: &ObjectKey) -> bool {
        self.may_miss(key) && key.counter == self.span.as_ref().map_or(0, |span| span.chunks)
    }

    /// Returns whether `key` is the last closed chunk of the open span.
    pub(super) fn closed_last(&self, key: &ObjectKey) -> bool {
        self.span.as_ref().is_some_and(|span| {
            span.chunks == key.counter + 1 && span.last.as_ref().is_some_and(|last| last.start == key.start)
        })
    }
}
