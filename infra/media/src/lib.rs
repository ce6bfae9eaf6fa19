//! Parsers for media formats, and a comparison of pictures. They work on bytes in memory, do no I/O, read no clock, and depend on no
//! other part of this project.
//!
//! | module | contents |
//! |---|---|
//! | [`boxes`] | boxes of ISO/IEC 14496-12, their headers, and those that a file may begin with |
//! | [`mfra`] | the index of random access frames that a fragmented file ends with |
//! | [`ebml`] | elements of RFC 8794, the basis of Matroska |
//! | [`nal`], [`sei`] | NAL units of H.264 and H.265, and their recovery points |
//! | [`config`] | decoder configuration records of H.264 and H.265, and the parameter sets in them |
//! | [`aac`], [`mpeg4`] | AudioSpecificConfig, and the descriptors around it |
//! | [`rfc6381`] | the codec strings of all of these |
//! | [`motion`] | where something moves between pictures |
//! | `jpeg` | writes JPEG; needs the feature of that name |
//! | [`matrix`] | rotation and mirroring of a picture for display |
//!
//! The input may be damaged or hostile. Every function returns `None` or an error, none panics, and none
//! allocates memory according to a length in the input.

pub mod aac;
pub mod be;
pub mod boxes;
pub mod config;
pub mod ebml;
#[cfg(feature = "jpeg")]
pub mod jpeg;
pub mod matrix;
pub mod mfra;
pub mod motion;
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
