//! The small JSON files beside the objects: an object's attributes, and a camera's place in its span.

use super::source::SourceFile;
use framepost_events::attributes::{Attributes, ClockSource, Metadata};
use framepost_events::{Error, ObjectKey, Sha256};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// `<key>.meta`, from before the object gets its own name. `<key>.draft`, without a digest, is what an earlier version wrote while
/// it recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Meta {
    pub(super) content_type: String,
    /// The object's metadata as they will be put.
    pub(super) metadata: Metadata,
    /// How long the closed object is.
    pub(super) bytes: u64,
    /// CRC-32C of the closed object, for the bucket to check; absent in sidecars from before it was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) crc32c: Option<u32>,
    /// On a gap for want of space: the chunk that was dropped last, to be unlinked if that was cut short.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) drops: Option<String>,
    /// On a gap for want of space: the shorter gap that this one takes the place of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) supersedes: Option<String>,
    /// The file that the object was made from, and can be made from again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) source: Option<SourceFile>,
}

impl Meta {
    pub(super) fn attributes(&self) -> Result<Attributes, Error> {
        Attributes::from_metadata(self.metadata.iter().map(|(name, value)| (name.as_str(), value.as_str())))
    }

    /// The digest, if this is final.
    pub(super) fn sha256(&self) -> Option<Sha256> {
        self.attributes().ok()?.sha256
    }
}

/// Where a camera's open span stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OpenSpan {
    /// How many chunks are closed; the next one's counter.
    pub(super) chunks: u64,
    /// The digest of the last one's manifest.
    pub(super) previous: Sha256,
    /// The end of its last sample.
    pub(super) end: Timestamp,
    /// Whether what a crash cuts off is lost.
    #[serde(default)]
    pub(super) origin: Origin,
    /// The last chunk closed; absent in files from before it was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) last: Option<LastChunk>,
}

/// By what a recovery knows the last chunk that was closed, and closes it again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LastChunk {
    /// Its key's time.
    pub(super) start: Timestamp,
    /// The digest of the manifest before its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) previous: Option<Sha256>,
}

/// The attributes of the chunk being recorded, as far as they are known, without those that each chunk of a span has for itself.
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

    /// Whether a recovery may take this for `other`: how far the clock is off, as it was a chunk before, is as good.
    pub(super) fn stands_for(&self, other: &Self) -> bool {
        let without_clock =
            |draft: &Self| -> Metadata { draft.metadata.iter().filter(|(name, _)| name != "Clock").cloned().collect() };
        (&self.content_type, self.origin) == (&other.content_type, other.origin)
            && without_clock(self) == without_clock(other)
    }
}

/// Where a span's footage comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Origin {
    /// A camera: every fragment there is must be kept.
    #[default]
    Camera,
    /// A file: it will be read again from its start, and its chunks then have the same keys. Half a chunk, or an end in its
    /// middle, would stand in their way.
    File,
}

impl Origin {
    /// By the clock that a chunk's times come from.
    pub(super) fn of(attributes: &Attributes) -> Self {
        match attributes.clock.map(|clock| clock.source) {
            Some(ClockSource::File | ClockSource::Given) => Self::File,
            _ => Self::Camera,
        }
    }
}

/// `cameras/<site>/<camera>.json`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CameraState {
    /// The span that is not ended yet; absent between spans, and before the first chunk of one is closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) span: Option<OpenSpan>,
    /// Everything before this is accounted for, by chunks or by gaps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) recorded_to: Option<Timestamp>,
    /// Of the chunk being recorded, or of the last one. On the disk before that chunk's name is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) draft: Option<Draft>,
    /// Start and counter of the last gap, so that two with one start do not meet at one key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) last_gap: Option<(Timestamp, u64)>,
    /// The file that is being read, where it is one. Not kept: the next start reads it again, as it is then.
    #[serde(skip)]
    pub(super) source: Option<SourceFile>,
}

impl CameraState {
    /// What is known of the part `key`.
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

    /// Whether `key` is the chunk that was closed last in the open span.
    pub(super) fn closed_last(&self, key: &ObjectKey) -> bool {
        self.span.as_ref().is_some_and(|span| {
            span.chunks == key.counter + 1 && span.last.as_ref().is_some_and(|last| last.start == key.start)
        })
    }
}
