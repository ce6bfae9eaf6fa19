//! NAL units of H.264 and H.265 in samples of the file format, each after its length (ISO/IEC 14496-15 §4.3.3).

use crate::VideoCodec;

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

/// Returns a NAL unit's `nal_unit_type` (H.264 §7.3.1, H.265 §7.3.1.2), or `None` for an empty unit.
pub fn kind(codec: VideoCodec, unit: &[u8]) -> Option<u8> {
    let first = unit.first()?;
    Some(match codec {
        VideoCodec::H264 => first & 0x1f,
        VideoCodec::H265 => (first >> 1) & 0x3f,
    })
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
