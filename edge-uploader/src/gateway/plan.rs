//! The recording settings of one camera, as the recorder needs them.

use crate::camera::Extent;
use crate::clock::TrustedClock;
use crate::segment::{Keep, SegmentSettings};
use framepost_events::{Camera, Site};
use std::path::PathBuf;
use std::time::Duration;

/// What is recorded of a camera, and how.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) site: Site,
    pub(super) camera: Camera,
    pub(super) source: String,
    pub(super) window: Duration,
    pub(super) chunk_max: Duration,
    pub(super) keep: Keep,
    pub(super) trusted: TrustedClock,
    pub(super) extent: Extent,
    /// The file that is read, if the camera is a file.
    pub(super) file: Option<PathBuf>,
    pub(super) silence_max: Option<Duration>,
}

impl Plan {
    /// Returns the segmenter's settings for a span.
    pub(super) fn settings(&self) -> SegmentSettings {
        let usual = SegmentSettings::default();
        let gap_max = match self.extent {
            // A pause in a file is not a discontinuity: a picture is shown as long as the file says,
            // as in a time lapse.
            Extent::Finite => Duration::MAX,
            // If the operator allows a camera a longer silence, its last picture is shown for that long.
            Extent::Live => {
                let silence = self.silence_max.map_or(Duration::ZERO, |silence| silence.saturating_add(LATE));
                usual.gap_max.max(silence)
            }
        };
        let chunk_max_frames = match self.extent {
            Extent::Finite => FILE_CHUNK_FRAMES,
            Extent::Live => usual.chunk_max_frames,
        };
        SegmentSettings {
            window: self.window,
            chunk_max: self.chunk_max,
            chunk_max_frames,
            keep: self.keep,
            source: self.source.clone(),
            gap_max,
            ..usual
        }
    }
}

/// Least number of frames in a chunk of a file that is cut without a random access frame. There is no
/// hurry with a time lapse.
const FILE_CHUNK_FRAMES: u64 = 100;

/// How much longer than the allowed silence the timestamps of frames may make a pause.
const LATE: Duration = Duration::from_secs(5);
