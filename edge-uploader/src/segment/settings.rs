//! What a segmenter is told, and what it counts.

use super::Keep;
use std::time::Duration;

/// What a segmenter is told once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// How long a chunk is, at least, where there are enough random access frames.
    pub window: Duration,
    /// How long no random access frame may come before a chunk is cut without one; so no chunk is longer than this and the
    /// window together. At least the window. (A sixteenth more where random access frames are about so far apart.)
    pub chunk_max: Duration,
    /// How many frames a chunk holds, at least, that is cut because of `chunk_max`: a file that is a time lapse need not be
    /// cut at each of its pictures.
    pub chunk_max_frames: u64,
    /// Which frames are recorded.
    pub keep: Keep,
    /// How long a fragment is, at most: what a power cut costs.
    pub fragment_max: Duration,
    /// A longer silence between two frames is a [`Error::Discontinuity`](super::Error::Discontinuity). A shorter one is a frame shown for long.
    pub gap_max: Duration,
    /// The camera's stream, without credentials.
    pub source: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            window: Duration::from_secs(3),
            chunk_max: Duration::from_secs(10),
            chunk_max_frames: 1,
            keep: Keep::All,
            fragment_max: Duration::from_secs(1),
            gap_max: Duration::from_mins(1),
            source: String::new(),
        }
    }
}

/// What went by and is not in the chunks as it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Video frames in the chunks.
    pub video_frames: u64,
    /// Audio frames in the chunks.
    pub audio_frames: u64,
    /// Dropped: without data.
    pub empty: u64,
    /// Dropped: too large to be a frame.
    pub oversized: u64,
    /// Dropped, as [`Keep`] wants.
    pub thinned: u64,
    /// Dropped: sound where no sound is recorded, or sound without pictures.
    pub audio_dropped: u64,
    /// Recorded, later than they should be: sound that came when its chunk was closed.
    pub audio_late: u64,
    /// Recorded: video frames with the presentation time of the frame before.
    pub repeated: u64,
}
