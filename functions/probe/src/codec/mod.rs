//! Decoder configuration records into RFC 6381 strings and the number of picture components.
//!
//! Both containers carry the same records: `avcC`, `hvcC`, `av1C`, `vpcC` and `esds`. `None` means a record too short or
//! of an unknown version.

mod mpeg4;
mod video;

pub(crate) use mpeg4::{Esds, aac_channels, mpeg_audio, mpeg4_visual};
pub(crate) use video::{av1, avc, hevc, vp9_private, vpx};

/// A codec, and the components of its pixel format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Coded {
    /// RFC 6381.
    pub(crate) codec: String,
    /// 1 for monochrome, 3 for colour.
    pub(crate) channels: u8,
}

impl Coded {
    pub(crate) fn colour(codec: impl Into<String>) -> Self {
        Self { codec: codec.into(), channels: 3 }
    }
}
