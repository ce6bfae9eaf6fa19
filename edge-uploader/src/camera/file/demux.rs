//! What every container gives: parameters and frames, one at a time, without a runtime.

use super::super::{CameraError, FaultCost, SourceFault};
use crate::media::{Frame, StreamParameters};
use framepost_events::gap::SourceBytes;
use jiff::Timestamp;
use std::error::Error;
use std::time::Duration;

/// A file while it is being read.
pub(super) trait Demux: Send {
    /// The next item in decoding order; parameters before the first frame. After an error nothing more comes.
    fn next(&mut self) -> Result<Option<Item>, Fault>;

    /// When the first video frame was, by when the file says that it was made: with the sound before it, if that is long.
    fn created(&self) -> Option<Timestamp>;

    /// How long it plays, as it says itself.
    fn duration(&self) -> Option<Duration>;

    /// How many video frames there are, where that costs nothing to know.
    fn frames_total(&self) -> Option<u64>;
}

/// One step of a file.
#[derive(Debug)]
pub(super) enum Item {
    /// The parameters of what follows.
    Parameters(StreamParameters),
    /// What is wrong here; the file goes on behind it.
    Fault(SourceFault),
    /// A frame, its arrival not yet set.
    Frame {
        /// The frame.
        frame: Frame,
        /// When it is decoded, counted from the first frame.
        at: Duration,
    },
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.problem)
    }
}

/// What is wrong with a file, and where.
#[derive(Debug)]
pub(super) struct Fault {
    kind: Kind,
    problem: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// It is as it is.
    Unusable,
    /// There will be more of it.
    Unfinished,
}

impl Fault {
    pub(super) fn new(problem: impl Into<String>) -> Self {
        Self { kind: Kind::Unusable, problem: problem.into(), source: None }
    }

    /// The file is not what it will be.
    pub(super) fn unfinished(problem: impl Into<String>) -> Self {
        Self { kind: Kind::Unfinished, ..Self::new(problem) }
    }

    #[cfg(test)]
    pub(super) fn is_unfinished(&self) -> bool {
        self.kind == Kind::Unfinished
    }

    pub(super) fn because(problem: impl Into<String>, source: impl Error + Send + Sync + 'static) -> Self {
        Self { source: Some(Box::new(source)), ..Self::new(problem) }
    }

    /// What is wrong, without the library's words.
    pub(super) fn problem(&self) -> &str {
        &self.problem
    }

    /// As the camera's error: a file does not get better by trying again, unless it is unfinished.
    pub(super) fn of(self, what: &str) -> CameraError {
        let (what, problem) = (what.to_owned(), self.problem);
        match self.kind {
            Kind::Unusable => CameraError::Unusable { what, problem, source: self.source },
            Kind::Unfinished => CameraError::Unfinished { what, problem },
        }
    }
}

/// Adds a fault to those that were found since the last frame.
pub(super) fn note(found: &mut Option<SourceFault>, fault: SourceFault) {
    let Some(before) = found else {
        *found = Some(fault);
        return;
    };
    if before.cost != FaultCost::Pictures && fault.cost == FaultCost::Pictures {
        (before.cost, before.detail) = (fault.cost, fault.detail);
    }
    before.bytes = match (before.bytes, fault.bytes) {
        (Some(a), Some(b)) => Some(SourceBytes { start: a.start.min(b.start), end: a.end.max(b.end) }),
        (a, b) => a.or(b),
    };
}

/// Neither the container nor a random access frame has parameter sets.
pub(super) fn undescribed(frame: u64) -> Fault {
    Fault::new(format!("the parameter sets of frame {frame} are neither in the file's description nor with the frame"))
}

/// `units` of `timescale` a second as a duration; before zero is zero.
pub(super) fn duration_of(units: i64, timescale: u32) -> Duration {
    let (units, timescale) = (u64::try_from(units).unwrap_or(0), u64::from(timescale.max(1)));
    let nanoseconds = (units % timescale) * 1_000_000_000 / timescale;
    Duration::from_secs(units / timescale) + Duration::from_nanos(nanoseconds)
}

/// `units` of one timescale in another, rounded down.
pub(super) fn rescaled(units: i64, from: u32, to: u32) -> i64 {
    let scaled = (i128::from(units) * i128::from(to)).div_euclid(i128::from(from.max(1)));
    i64::try_from(scaled).unwrap_or(if scaled < 0 { i64::MIN / 4 } else { i64::MAX / 4 })
}
