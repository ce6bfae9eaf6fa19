//! What happened at a camera.

use super::{Segment, SightingJson};
use framepost_events::gap::GapCause;
use framepost_events::record::{ChainState, Content, Signature, Skipped};
use framepost_events::{Camera, Site};
use framepost_ports::catalog::GapRow;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

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

/// How much the picture changed in an interval, as far as the camera's bit rate tells.
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

/// Why no detector has looked at the pictures of an interval.
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
