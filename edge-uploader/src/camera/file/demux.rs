//! What every container gives: parameters and frames, one at a time, without a runtime.

use super::super::CameraError;
use crate::media::{Frame, StreamParameters};
use jiff::Timestamp;
use std::error::Error;
use std::time::Duration;

/// A file while it is being read.
pub(super) trait Demux: Send {
    /// The next item in decoding order; parameters before the first frame. After an error nothing more comes.
    fn next(&mut self) -> Result<Option<Item>, Fault>;

    /// When the file says that it was made.
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
    /// A frame, its arrival not yet set.
    Frame {
        /// The frame.
        frame: Frame,
        /// When it is decoded, counted from the first frame.
        at: Duration,
    },
}

/// What is wrong with a file, and where.
#[derive(Debug)]
pub(super) struct Fault {
    problem: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl Fault {
    pub(super) fn new(problem: impl Into<String>) -> Self {
        Self { problem: problem.into(), source: None }
    }

    pub(super) fn because(problem: impl Into<String>, source: impl Error + Send + Sync + 'static) -> Self {
        Self { problem: problem.into(), source: Some(Box::new(source)) }
    }

    /// As the camera's error: a file does not get better by trying again.
    pub(super) fn of(self, what: &str) -> CameraError {
        CameraError::Unusable { what: what.to_owned(), problem: self.problem, source: self.source }
    }
}

/// Two recordings in one file have two beginnings, of which only one is known.
pub(super) fn another(at: u64) -> Fault {
    Fault::new(format!("another recording begins at byte {at}; what comes before it was read: split the file there"))
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
