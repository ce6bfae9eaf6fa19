//! What a change is about, and its values as columns hold them.

use framepost_events::finalized::Provider;
use framepost_events::record::{Data, ObjectRef};
use framepost_ports::catalog::{CameraName, Change, ChunkRow, LookRow};
use framepost_ports::{Error, ErrorKind, Result};
use jiff::Timestamp;
use serde::Serialize;

/// What a change is about, made once for all that ask.
pub(crate) enum About {
    Chunk(ChunkRow),
    /// With the text of model and settings.
    Look(LookRow, String),
    /// Of this camera.
    Interval(CameraName),
    /// Anything else, or without a time or a camera of its own.
    Other,
}

impl About {
    pub(crate) fn of(change: &Change) -> Self {
        let Change::Record(record) = change else { return Self::Other };
        let of_camera = |camera: Option<CameraName>| camera.map_or(Self::Other, Self::Interval);
        match &record.data {
            Data::ChunkProbed(chunk) => ChunkRow::new(record.time, (**chunk).clone()).map_or(Self::Other, Self::Chunk),
            Data::ChunkInferred(inferred) => match LookRow::new(record.time, (**inferred).clone()) {
                Some(row) => {
                    let series = row.series();
                    Self::Look(row, series)
                }
                None => Self::Other,
            },
            Data::GapRecorded(gap) => {
                Self::Interval(CameraName { site: gap.gap.site.clone(), camera: gap.gap.camera.clone() })
            }
            Data::SpanEnded(end) => of_camera(CameraName::of(end.site.as_ref(), end.camera.as_ref())),
            Data::GatewayReported(_) | Data::ObjectRejected(_) => Self::Other,
        }
    }

    /// The camera whose rows it makes, and how long they are in µs.
    pub(crate) fn camera(&self) -> Option<(CameraName, i64)> {
        match self {
            Self::Chunk(row) => Some((row.camera()?, length_us(row.from, row.to))),
            Self::Look(row, _) => Some((row.camera()?, length_us(row.from, row.to))),
            Self::Interval(name) => Some((name.clone(), 0)),
            Self::Other => None,
        }
    }
}

/// How long something lasts, in µs.
pub(crate) fn length_us(from: Timestamp, to: Timestamp) -> i64 {
    to.as_microsecond() - from.as_microsecond()
}

/// Returns provider and bucket of an object as one text.
pub(crate) fn place(object: &ObjectRef) -> String {
    format!("{}/{}", object.provider, object.bucket)
}

/// A text as a database takes it: one of them has no NUL.
pub(crate) fn plain(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

pub(crate) fn json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value)
        .map_err(|error| Error::new(ErrorKind::Invalid, "write", "the catalogue").because(error))
}

/// Whether a version that was removed may be put again: [`ObjectRemoved::removes`](framepost_events::ObjectRemoved::removes), as the statements ask it.
pub(crate) fn may_come_again(provider: Provider) -> bool {
    match provider {
        Provider::Local => true,
        Provider::S3 | Provider::Gcs => false,
    }
}
