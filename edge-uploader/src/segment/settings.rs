//! The settings of a segmenter, and its counters.

use super::Keep;
use percent_encoding::{CONTROLS, utf8_percent_encode};
use std::time::Duration;

/// Settings of a segmenter, fixed when it is created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentSettings {
    /// Shortest length of a chunk, if there are enough random access frames.
    pub window: Duration,
    /// How long no random access frame may arrive before a chunk is cut without one. No chunk is longer than
    /// this and the window together. Must be at least the window. (A sixteenth more if random access frames
    /// are about this far apart, and see [`Cuts::Seldom`].)
    pub chunk_max: Duration,
    /// Least number of frames in a chunk that is cut because of `chunk_max`. It avoids cutting a time-lapse
    /// file at each of its pictures.
    pub chunk_max_frames: u64,
    /// Selects the frames that are recorded.
    pub keep: Keep,
    /// Longest fragment, which is the loss in a power cut.
    pub fragment_max: Duration,
    /// A longer pause between two frames is a [`Error::Discontinuity`](super::Error::Discontinuity). During a
    /// shorter one, the earlier frame is shown for longer.
    pub gap_max: Duration,
    /// Name of the camera's stream, without credentials.
    pub source: String,
}

impl Default for SegmentSettings {
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

/// After how much media time a chunk is cut at the next random access frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Cuts {
    /// As [`SegmentSettings::window`] and [`SegmentSettings::chunk_max`] say.
    #[default]
    Usual,
    /// As if both were at least a minute. Fragments are cut as usual, so no more is lost in a power cut.
    Seldom,
}

/// The least value of `window` and `chunk_max` with [`Cuts::Seldom`].
const SELDOM: Duration = Duration::from_mins(1);

impl Cuts {
    /// Returns `length` of the settings as it applies now.
    pub(super) fn at_least(self, length: Duration) -> Duration {
        match self {
            Self::Usual => length,
            Self::Seldom => length.max(SELDOM),
        }
    }
}

/// Counts of frames that are recorded, dropped or changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Video frames in the chunks.
    pub video_frames: u64,
    /// Audio frames in the chunks.
    pub audio_frames: u64,
    /// Frames dropped because they had no data.
    pub empty: u64,
    /// Frames dropped because they were too large.
    pub oversized: u64,
    /// Frames dropped according to [`Keep`].
    pub thinned: u64,
    /// Audio frames dropped because no audio is recorded, or there were no pictures.
    pub audio_dropped: u64,
    /// Audio frames recorded in a later chunk, because they arrived after their chunk had closed.
    pub audio_late: u64,
    /// Video frames recorded with the presentation time of the frame before.
    pub repeated: u64,
}

/// Returns `source` in a form that object metadata can hold: visible ASCII, percent-encoded as in a
/// URL, and at most 512 bytes long.
pub(super) fn visible(source: &str) -> String {
    const LONGEST_BYTES: usize = 512;
    let mut visible = utf8_percent_encode(source, CONTROLS).to_string();
    visible.truncate(LONGEST_BYTES);
    visible
}
