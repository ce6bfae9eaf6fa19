//! What a container's headers say, in one shape for MP4 and Matroska.

use crate::shown::Shown;
use crate::window::Need;
use framepost_events::Sha256;
use framepost_events::record::{Audio, Container};
use jiff::Timestamp;

/// The picture of a video track.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Picture {
    /// RFC 6381 codec string.
    pub(crate) codec: String,
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) channels: u8,
    pub(crate) shown: Shown,
}

/// The information in a container's headers.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Media {
    pub(crate) container: Container,
    pub(crate) picture: Picture,
    pub(crate) frame_rate: Option<f64>,
    pub(crate) audio: Option<Audio>,
    pub(crate) seconds: Option<f64>,
    /// The container's creation time, unchecked.
    pub(crate) created: Option<Timestamp>,
    pub(crate) layout: Layout,
}

/// What a playlist of the object needs to know, as far as the bytes that were read say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Layout {
    /// Where the initialization segment of a fragmented file ends.
    pub(crate) init_bytes: Option<u64>,
    /// Where the last fragment of a fragmented file ends.
    pub(crate) media_end: Option<u64>,
    /// Units a second of the video's times.
    pub(crate) timescale: Option<u32>,
    /// Of the sample entries of the video and then of the sound.
    pub(crate) sample_entry_digest: Option<Sha256>,
    /// Whether the first frame is one that decoding can start at.
    pub(crate) starts_with_random_access: Option<bool>,
}

/// Whether to spend requests on a duration that is not in the container's head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DurationSearch {
    /// The object's metadata has the duration.
    Known,
    /// The duration may be at the end of the object.
    Wanted,
}

/// The result of the known bytes. `need` together with `media` means that more
/// bytes would give more information.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Headers {
    pub(crate) media: Option<Media>,
    pub(crate) need: Option<Need>,
}
