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

use super::sei::{RecoveryPoint, recovery_point};
use crate::media::{Reference, VideoCodec};

/// Returns the NAL units of a frame with 4-byte lengths. Ends early, without an error, at a wrong length.
pub fn units(frame: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = frame;
    std::iter::from_fn(move || {
        let (length, after) = rest.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let (unit, after) = after.split_at_checked(length)?;
        rest = after;
        Some(unit)
    })
}

/// Returns a NAL unit's `nal_unit_type` (H.264 §7.3.1, H.265 §7.3.1.2).
pub(super) fn kind(codec: VideoCodec, unit: &[u8]) -> Option<u8> {
    let first = unit.first()?;
    Some(match codec {
        VideoCodec::H264 => first & 0x1f,
        VideoCodec::H265 => (first >> 1) & 0x3f,
    })
}

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
        let (first, kind) = (*unit.first()?, kind(self.codec, unit)?);
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

/// Returns whether a frame with 4-byte lengths consists completely of NAL units.
pub fn is_whole(frame: &[u8]) -> bool {
    units(frame).map(|unit| unit.len() + 4).sum::<usize>() == frame.len()
}

/// Replaces the length of `length_bytes` before every NAL unit by one of 4 bytes. Data after a wrong length
/// stays unchanged at the end.
pub fn with_four_byte_lengths(frame: &[u8], length_bytes: u8) -> Vec<u8> {
    let width = usize::from(length_bytes);
    let mut out = Vec::with_capacity(frame.len() + 64);
    let mut rest = frame;
    while let Some((unit, after)) = first_unit(rest, width) {
        // A NAL unit is not longer than the frame, which is much shorter than 4 GiB.
        out.extend_from_slice(&u32::try_from(unit.len()).unwrap_or(u32::MAX).to_be_bytes());
        out.extend_from_slice(unit);
        rest = after;
    }
    out.extend_from_slice(rest);
    out
}

/// Returns the NAL unit after a length of `width` bytes, and what follows it.
fn first_unit(bytes: &[u8], width: usize) -> Option<(&[u8], &[u8])> {
    let (length, after) = bytes.split_at_checked(width).filter(|(length, _)| !length.is_empty())?;
    after.split_at_checked(length.iter().fold(0_usize, |value, byte| (value << 8) | usize::from(*byte)))
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

    #[test]
    fn broken_lengths_end_the_walk() {
        let mut bytes = frame(&[&[0x65, 1]]);
        bytes.extend_from_slice(&[0, 0, 1, 0, 7]);
        assert_eq!(units(&bytes).count(), 1);
        assert!(!is_whole(&bytes) && is_whole(&bytes[..6]) && is_whole(&[]));
        assert_eq!(with_four_byte_lengths(&[2, 0x65], 1), [2, 0x65]);
        assert_eq!(with_four_byte_lengths(&[0], 2), [0]);
        assert_eq!(with_four_byte_lengths(&[1, 0x65, 9, 1], 1), [0, 0, 0, 1, 0x65, 9, 1]);
    }

    proptest! {
        #[test]
        fn anything_is_walked_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), width in 1_u8..=4) {
            let _ = with_four_byte_lengths(&bytes, width);
            prop_assert!(units(&bytes).map(<[u8]>::len).sum::<usize>() <= bytes.len());
            let _ = Referencing::new(VideoCodec::H265, &bytes).of(&bytes);
        }

        #[test]
        fn lengths_are_rewritten(
            units in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..255), 0..8),
            width in 1_u8..=4,
        ) {
            let mut narrow = Vec::new();
            for unit in &units {
                narrow.extend_from_slice(&u32::try_from(unit.len()).unwrap().to_be_bytes()[4 - usize::from(width)..]);
                narrow.extend_from_slice(unit);
            }
            let refs: Vec<&[u8]> = units.iter().map(Vec::as_slice).collect();
            prop_assert_eq!(with_four_byte_lengths(&narrow, width), frame(&refs));
        }
    }
}
