//! What the gateway was told of one camera's recording.

use crate::camera::Extent;
use crate::clock::TrustedClock;
use crate::segment::{Keep, Settings};
use framepost_events::{Camera, Site};
use std::path::PathBuf;
use std::time::Duration;

/// What is recorded of one camera, and how.
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
    /// The file that is read, if it is one.
    pub(super) file: Option<PathBuf>,
    pub(super) silence_max: Option<Duration>,
}

impl Plan {
    /// What the segmenter of a span is told.
    pub(super) fn settings(&self) -> Settings {
        let usual = Settings::default();
        let gap_max = match self.extent {
            // A file's times are no clock that jumps: a picture is shown for as long as the file says, be it a time lapse.
            Extent::Finite => Duration::MAX,
            // A camera that the operator lets be silent for longer is not broken by it: its last picture is shown as long.
            Extent::Live => {
                let silence = self.silence_max.map_or(Duration::ZERO, |silence| silence.saturating_add(LATE));
                usual.gap_max.max(silence)
            }
        };
        let chunk_max_frames = match self.extent {
            Extent::Finite => FILE_CHUNK_FRAMES,
            Extent::Live => usual.chunk_max_frames,
        };
        let (window, chunk_max, keep) = (self.window, self.chunk_max, self.keep);
        Settings { window, chunk_max, chunk_max_frames, keep, source: self.source.clone(), gap_max, ..usual }
    }
}

/// How many frames of a file make a chunk, at least, that no random access frame ends: nobody waits for a time lapse.
const FILE_CHUNK_FRAMES: u64 = 100;

/// How much longer than the camera's silence the times of its frames may make it look.
const LATE: Duration = Duration::from_secs(5);
