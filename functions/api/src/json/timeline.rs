//! What happened at one camera.

use super::{Segment, SightingJson};
use framepost_events::gap::GapCause;
use framepost_events::record::{ChainState, Content, Signature, Skipped};
use framepost_events::removed::Cause;
use framepost_events::{Camera, Site};
use framepost_ports::catalog::GapRow;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

/// What happened at one camera in an interval.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Timeline {
    #[schema(value_type = String)]
    pub(crate) site: Site,
    #[schema(value_type = String)]
    pub(crate) camera: Camera,
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
    /// The server's time. The catalogue knows nothing later.
    pub(crate) now: Timestamp,
    /// Stretches with video that are closer to each other than this are joined. Gaps are never left out.
    pub(crate) resolution_seconds: f64,
    /// The size of all chunks in the interval, in bytes.
    pub(crate) size_bytes: u64,
    /// Number of chunks in the interval.
    pub(crate) chunks: u64,
    /// Stretches with video, joined as `resolutionSeconds` says.
    pub(crate) recorded: Vec<Recorded>,
    /// Stretches without video, each with its cause.
    pub(crate) gaps: Vec<Gap>,
    /// Stretches whose video was there and was removed, as far as removals are remembered: 30 days.
    pub(crate) removed: Vec<RemovedStretch>,
    /// How much happens, for each chunk or, if there are many, for each bin. Where it is not known, there is no entry.
    pub(crate) activity: Vec<ActivityJson>,
    /// Stretches of chunks with the same result of checking digest, signature and chain.
    pub(crate) integrity: Vec<IntegrityStretch>,
    /// The newest 2000 sightings in the interval, the oldest first.
    pub(crate) sightings: Vec<SightingJson>,
    /// Whether there are more sightings than are listed.
    pub(crate) sightings_truncated: bool,
    /// Number of sightings that begin in each bin, if `countSeconds` was given.
    pub(crate) counts: Vec<Count>,
    /// Stretches whose pictures no detector looked at, and why. Elsewhere, no sighting means that nothing was seen.
    pub(crate) not_looked_at: Vec<NotLookedAt>,
    /// The chunks, if there are no more than 2000.
    pub(crate) segments: Vec<Segment>,
}

/// A stretch with video.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct Recorded {
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
    /// Number of its chunks.
    pub(crate) chunks: u64,
}

/// A stretch without video.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Gap {
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
    /// `camera-lost`, `not-running`, `receiver-overrun`, `spool-full`, `spool-failed`, `clock-jump`, `source-damaged` or
    /// `not-in-source`; absent if no cause was recorded.
    #[schema(value_type = Option<String>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cause: Option<GapCause>,
    /// The message of the component that noticed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) detail: Option<String>,
    /// Key of the gap's object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<String>,
}

impl From<GapRow> for Gap {
    fn from(row: GapRow) -> Self {
        let gap = row.gap;
        Self { from: gap.from, to: gap.to, cause: Some(gap.cause), detail: gap.detail, key: Some(row.object.key) }
    }
}

/// A stretch whose video was removed.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RemovedStretch {
    pub(crate) from: Timestamp,
    /// The same as `from` where nothing said how long the video was.
    pub(crate) to: Timestamp,
    /// Number of its chunks.
    pub(crate) chunks: u64,
    /// When the last of them was removed.
    pub(crate) removed_at: Timestamp,
    /// `request` (somebody asked for it), `lifecycle` (its time was over) or `replaced`; absent if the bucket does not say.
    #[schema(value_type = Option<String>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cause: Option<Cause>,
}

/// How much the picture changed in an interval, as far as the camera's bit rate tells.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Activity)]
pub(crate) struct ActivityJson {
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
    /// The highest bit rate in it as a multiple of the camera's quiet level; about 1 while nothing happens.
    pub(crate) level: f64,
}

/// A stretch of chunks with the same results.
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

/// The number of sightings in a bin.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct Count {
    /// The start of the bin.
    pub(crate) from: Timestamp,
    pub(crate) label: String,
    pub(crate) count: u64,
}

/// A stretch whose pictures no detector looked at.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct NotLookedAt {
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
    /// `still` (nothing moved, so what was seen before is still there), `budget`, `interrupted`, `no-picture`, or `not-asked`: no
    /// detector has published a result yet, or none runs.
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
