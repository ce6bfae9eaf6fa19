//! NAL units of H.264 and H.265: how frames depend on each other.
//!
//! A frame here is one access unit with a 4-byte length before each NAL unit, as in a sample of the file format
//! (ISO/IEC 14496-15). Containers and RTP libraries have flags for frames too, but with different meanings and
//! errors, so the NAL units decide:
//!
//! - [`Reference::RandomAccess`] — H.264: the access unit has an IDR slice (type 5, Table 7-1). H.265: it has
//!   an IRAP slice (types 16–21 of Table 7-1: BLA, IDR and CRA). Pictures that lead a CRA are kept. A decoder
//!   that begins there drops those that refer to earlier pictures (RASL, §8.1), and one that comes from the
//!   chunk before shows them. Both: an access unit with a recovery point SEI message for this picture.
//! - [`Reference::Refresh`] — both: an access unit whose recovery point comes later (gradual decoder refresh).
//! - [`Reference::Disposable`] — H.264: every slice has `nal_ref_idc` 0 (§7.4.1). H.265: every slice is a
//!   sub-layer non-reference picture (`_N` types 0, 2, 4, 6, 8) *of the highest temporal sub-layer in use*:
//!   nothing in its own sub-layer refers to it, but a higher sub-layer may. If the number of sub-layers is
//!   unknown, no H.265 frame is disposable.
//! - [`Reference::Needed`] — all other frames, and everything that cannot be parsed.

pub use framepost_media::nal::{is_whole, kind, units, with_four_byte_lengths};

use crate::media::{Reference, VideoCodec};
use framepost_media::sei::{RecoveryPoint, recovery_point};

/// Determines from the NAL units how the frames of a stream refer to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Referencing {
    codec: VideoCodec,
    /// H.265's number of temporal sub-layers, if the decoder configuration record has it.
    sub_layers: Option<u8>,
}

impl Referencing {
    /// Creates the analysis for streams with this codec and decoder configuration record.
    pub fn new(codec: VideoCodec, config: &[u8]) -> Self {
        // HEVCDecoderConfigurationRecord (ISO/IEC 14496-15 §8.3.3.1): the byte after avgFrameRate has
        // constantFrameRate (2 bits), numTemporalLayers (3), temporalIdNested (1), lengthSizeMinusOne
        // (2). 0 layers means unknown.
        let layers = config.get(21).map(|byte| (byte >> 3) & 7).filter(|layers| *layers > 0);
        Self { codec, sub_layers: layers.filter(|_| codec == VideoCodec::H265) }
    }

    /// Returns how other frames depend on this frame.
    pub fn of(self, frame: &[u8]) -> Reference {
        let mut slices = None;
        let mut recovery = None;
        for unit in units(frame) {
            match self.slice(unit) {
                Some(Reference::RandomAccess) => return Reference::RandomAccess,
                Some(Reference::Disposable) => {
                    slices.get_or_insert(Reference::Disposable);
                }
                Some(_) => slices = Some(Reference::Needed),
                None => recovery = recovery.or_else(|| recovery_point(self.codec, unit)),
            }
        }
        match (slices, recovery) {
            // An access unit without a picture cannot be a random access point.
            (None, _) => Reference::Needed,
            (Some(_), Some(RecoveryPoint::Here)) => Reference::RandomAccess,
            (Some(_), Some(RecoveryPoint::Later)) => Reference::Refresh,
            (Some(slices), None) => slices,
        }
    }

    /// Returns the same for one NAL unit, or `None` if it is not a slice.
    fn slice(self, unit: &[u8]) -> Option<Reference> {
        let first = *unit.first()?;
        let kind = kind(self.codec, unit)?;
        match self.codec {
            VideoCodec::H264 => match kind {
                5 => Some(Reference::RandomAccess),
                1..=4 if first & 0x60 == 0 => Some(Reference::Disposable),
                1..=4 => Some(Reference::Needed),
                _ => None,
            },
            VideoCodec::H265 => {
                let second = *unit.get(1)?;
                match kind {
                    16..=21 => Some(Reference::RandomAccess),
                    0 | 2 | 4 | 6 | 8 if self.is_highest_sub_layer(second & 7) => Some(Reference::Disposable),
                    0..=31 => Some(Reference::Needed),
                    _ => None,
                }
            }
        }
    }

    /// Compares with `nuh_temporal_id_plus1` from the NAL unit header, where 0 is forbidden.
    fn is_highest_sub_layer(self, temporal_id_plus1: u8) -> bool {
        self.sub_layers.is_some_and(|layers| temporal_id_plus1 >= layers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn frame(units: &[&[u8]]) -> Vec<u8> {
        let mut out = Vec::new();
        for unit in units {
            out.extend_from_slice(&u32::try_from(unit.len()).unwrap().to_be_bytes());
            out.extend_from_slice(unit);
        }
        out
    }

    #[test]
    fn h264_frames_are_told_apart() {
        let h264 = Referencing::new(VideoCodec::H264, &[1, 100, 0, 31]);
        for (units, expected) in [
            (vec![&[0x65, 0x88][..]], Reference::RandomAccess),
            (vec![&[0x09, 0xf0], &[0x67, 1], &[0x68, 1], &[0x06, 1], &[0x65, 2]], Reference::RandomAccess),
            (vec![&[0x41, 0x9a]], Reference::Needed),
            (vec![&[0x01, 0x9a]], Reference::Disposable),
            (vec![&[0x06, 0x05], &[0x01, 0x9a], &[0x01, 0x9b]], Reference::Disposable),
            (vec![&[0x01, 0x9a], &[0x21, 0x9b]], Reference::Needed),
            (vec![&[0x06, 0x05]], Reference::Needed),
            (vec![], Reference::Needed),
            // Recovery points: immediately, later, in one of several SEI units, of a
            // disposable picture, without a picture.
            (vec![&[0x06, 6, 1, 0xc4, 0x80], &[0x41, 0x9a]], Reference::RandomAccess),
            (vec![&[0x06, 6, 2, 0x09, 0xc4, 0x80], &[0x41, 0x9a], &[0x41, 0x9b]], Reference::Refresh),
            (vec![&[0x06, 5, 1, 7, 0x80], &[0x06, 6, 1, 0xc4, 0x80], &[0x41, 0x9a]], Reference::RandomAccess),
            (vec![&[0x06, 6, 1, 0xc4, 0x80], &[0x01, 0x9a]], Reference::RandomAccess),
            (vec![&[0x06, 6, 2, 0x09, 0xc4, 0x80], &[0x65, 0x88]], Reference::RandomAccess),
            (vec![&[0x06, 6, 1, 0xc4, 0x80]], Reference::Needed),
        ] {
            assert_eq!(h264.of(&frame(&units)), expected, "{units:x?}");
        }
    }

    #[test]
    fn h265_frames_are_told_apart() {
        let config = |layers: u8| {
            let mut config = vec![0_u8; 23];
            config[21] = (layers << 3) | 3;
            config
        };
        let unit = |kind: u8, temporal_id: u8| vec![kind << 1, temporal_id + 1, 0x80];
        for kind in 0..=47_u8 {
            for layers in [0, 1, 2] {
                for temporal_id in [0, 1] {
                    let found =
                        Referencing::new(VideoCodec::H265, &config(layers)).of(&frame(&[&unit(kind, temporal_id)]));
                    let expected = match kind {
                        16..=21 => Reference::RandomAccess,
                        0 | 2 | 4 | 6 | 8 if layers > 0 && temporal_id + 1 >= layers => Reference::Disposable,
                        _ => Reference::Needed,
                    };
                    assert_eq!(found, expected, "type {kind}, layer {temporal_id} of {layers}");
                }
            }
        }
    }

    #[test]
    fn h265_recovery_points_count() {
        let h265 = Referencing::new(VideoCodec::H265, &[0; 23]);
        let trail = [0x02, 0x01, 0x80];
        for (sei, expected) in [
            (&[0x4e, 0x01, 6, 1, 0xd0, 0x80][..], Reference::RandomAccess),
            (&[0x4e, 0x01, 6, 2, 0x24, 0x80, 0x80], Reference::Refresh),
            (&[0x50, 0x01, 6, 1, 0xd0, 0x80], Reference::Needed),
        ] {
            assert_eq!(h265.of(&frame(&[sei, &trail])), expected, "{sei:x?}");
        }
    }

    proptest! {
        #[test]
        fn anything_is_something(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Referencing::new(VideoCodec::H265, &bytes).of(&bytes);
        }
    }
}
