//! What the formats of footage say, in bytes that somebody else has read: no I/O, no clock, nothing of this project's own.
//!
//! | module | of |
//! |---|---|
//! | [`boxes`] | box headers of ISO/IEC 14496-12, and the boxes that a file may begin with |
//! | [`ebml`] | elements of RFC 8794, which Matroska consists of |
//! | [`nal`], [`sei`] | NAL units of H.264 and H.265, and their recovery points |
//! | [`config`] | decoder configuration records of H.264 and H.265, and the parameter sets in them |
//! | [`aac`], [`mpeg4`] | AudioSpecificConfig, and the descriptors around it |
//! | [`rfc6381`] | the codec strings of all of these |
//! | [`matrix`] | how a picture is turned and mirrored for display |
//!
//! Whatever is read may be damaged or hostile: every function answers `None` or an error, none panics, and nothing is allocated
//! by what a length claims.

pub mod aac;
pub mod be;
pub mod boxes;
pub mod config;
pub mod ebml;
pub mod matrix;
pub mod mpeg4;
pub mod nal;
pub mod rfc6381;
pub mod sei;

/// The video codecs that are recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VideoCodec {
    /// The codec of ITU-T H.264 (AVC).
    H264,
    /// The codec of ITU-T H.265 (HEVC).
    H265,
}
