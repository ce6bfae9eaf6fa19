//! The interface of all containers: parameters and frames one at a time, without async code.

use super::super::{CameraError, FaultCost, SourceFault};
use crate::media::{Frame, StreamParameters};
use framepost_events::gap::SourceBytes;
use jiff::Timestamp;
use std::error::Error;
use std::time::Duration;

/// A file that is being read.
pub(super) trait Demux: Send {
    /// Returns the next item in decoding order. Parameters come before the first frame. After an error
    /// there are no more items.
    fn next(&mut self) -> Result<Option<Item>, Fault>;

    /// Returns the time of the first video frame according to the file's creation time. If audio starts long
    /// before it, that is taken into account.
    fn created(&self) -> Option<Timestamp>;

    /// Returns the duration that the file states.
    fn duration(&self) -> Option<Duration>;

    /// Returns the number of video frames, if it is known without reading the file.
    fn frames_total(&self) -> Option<u64>;
}

/// One item of a file.
#[derive(Debug)]
pub(super) enum Item {
    /// The parameters of the following frames.
    Parameters(StreamParameters),
    /// A fault at this position. The file continues after it.
    Fault(SourceFault),
    /// A frame whose arrival is not set yet.
    Frame {
        frame: Frame,
        /// Decoding time relative to the first frame.
        at: Duration,
    },
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.problem)
    }
}

/// An error in a file.
#[derive(Debug)]
pub(super) struct Fault {
    kind: Kind,
    problem: String,
    /// The bytes that are lost, if they are known.
    bytes: Option<SourceBytes>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The file cannot be used.
    Unusable,
    /// The file will get longer.
    Unfinished,
}

impl Fault {
    pub(super) fn new(problem: impl Into<String>) -> Self {
        Self { kind: Kind::Unusable, problem: problem.into(), bytes: None, source: None }
    }

    /// Creates an error for a file that will get longer.
    pub(super) fn unfinished(problem: impl Into<String>) -> Self {
        Self { kind: Kind::Unfinished, ..Self::new(problem) }
    }

    /// Adds the bytes that are lost.
    pub(super) fn over(self, bytes: Option<SourceBytes>) -> Self {
        Self { bytes, ..self }
    }

    /// Returns the fault that pictures are lost where reading ended, unless the file will get longer.
    pub(super) fn lost_end(&self) -> Option<SourceFault> {
        let detail = self.problem.clone();
        let is_lost = self.kind == Kind::Unusable;
        is_lost.then_some(SourceFault { cost: FaultCost::Pictures, detail, bytes: self.bytes })
    }

    #[cfg(test)]
    pub(super) fn is_unfinished(&self) -> bool {
        self.kind == Kind::Unfinished
    }

    pub(super) fn because(problem: impl Into<String>, source: impl Error + Send + Sync + 'static) -> Self {
        Self { source: Some(Box::new(source)), ..Self::new(problem) }
    }

    /// Returns the description without the library's error.
    pub(super) fn problem(&self) -> &str {
        &self.problem
    }

    /// Converts to the camera's error. Trying again does not help, unless the file is unfinished.
    pub(super) fn of(self, what: &str) -> CameraError {
        let what = what.to_owned();
        let problem = self.problem;
        match self.kind {
            Kind::Unusable => CameraError::Unusable { what, problem, source: self.source },
            Kind::Unfinished => CameraError::Unfinished { what, problem },
        }
    }
}

/// Adds a fault to those found since the last frame.
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

/// The error for a frame whose parameter sets are neither in the container nor in the frame.
pub(super) fn undescribed(frame: u64) -> Fault {
    Fault::new(format!("the parameter sets of frame {frame} are neither in the file's description nor with the frame"))
}

/// Converts `units` at `timescale` units per second to a duration. Negative values become zero.
pub(super) fn duration_of(units: i64, timescale: u32) -> Duration {
    let units = u64::try_from(units).unwrap_or(0);
    let timescale = u64::from(timescale.max(1));
    let nanoseconds = (units % timescale) * 1_000_000_000 / timescale;
    Duration::from_secs(units / timescale) + Duration::from_nanos(nanoseconds)
}

/// Converts `units` from one timescale to another, rounded down.
pub(super) fn rescaled(units: i64, from: u32, to: u32) -> i64 {
    let scaled = (i128::from(units) * i128::from(to)).div_euclid(i128::from(from.max(1)));
    i64::try_from(scaled).unwrap_or(if scaled < 0 { i64::MIN / 4 } else { i64::MAX / 4 })
}
