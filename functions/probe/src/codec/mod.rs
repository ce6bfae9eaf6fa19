//! Converts decoder configuration records to RFC 6381 codec strings and numbers of picture components.
//!
//! Both containers use the same records: `avcC`, `hvcC`, `av1C`, `vpcC` and `esds`. `None` means that a record
//! is too short or has an unknown version.

mod mpeg4;
mod video;

pub(crate) use mpeg4::{Esds, aac_channels, mpeg_audio, mpeg4_visual};
pub(crate) use video::{av1, avc, hevc, vp9_private, vpx};

/// A codec with the number of components of its pixel format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Coded {
    /// RFC 6381 codec string.
    pub(crate) codec: String,
    /// Number of components: 1 for monochrome, 3 for colour.
    pub(crate) channels: u8,
}

impl Coded {
    pub(crate) fn colour(codec: impl Into<String>) -> Self {
        Self { codec: codec.into(), channels: 3 }
    }
}
