//! Recovery points in supplemental enhancement information (SEI).
//!
//! An SEI NAL unit (H.264 §7.3.2.3, type 6; H.265 §7.3.2.4, type 39) contains messages. Each has a payload type
//! and a size, both coded as a run of 0xff bytes and a last byte, and a payload. Payload type 6 is the recovery
//! point in both codecs (H.264 §D.1.8 and §D.2.8, H.265 §D.2.8 and §D.3.8): a decoder that begins at this
//! access unit shows correct pictures from the recovery point on, which is `recovery_frame_cnt` frames later in
//! H.264, and `recovery_poc_cnt` later in picture order in H.265.
//!
//! All values that the specifications allow are accepted, also large ones: a decoder that begins there
//! reaches complete pictures, and there may be no better place. A value out of range or a truncated message
//! is not a recovery point.

use crate::VideoCodec;

/// `payloadType` of a recovery point in both codecs.
const RECOVERY_POINT: usize = 6;
/// `recovery_frame_cnt` is less than MaxFrameNum, which is at most 2¹⁶.
const FRAME_COUNT_MAX: u32 = (1 << 16) - 1;
/// `recovery_poc_cnt` ranges from −MaxPicOrderCntLsb/2 to MaxPicOrderCntLsb/2 − 1, and
/// MaxPicOrderCntLsb is at most 2¹⁶.
const POC_COUNT: std::ops::RangeInclusive<i32> = -(1 << 15)..=(1 << 15) - 1;

/// From which picture on a decoder shows complete pictures, if it begins at an access unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecoveryPoint {
    /// From this picture on or, in H.265, from one that is shown before it.
    Here,
    /// From a later picture on, because pictures are refreshed gradually.
    Later,
}

/// Returns the first recovery point in an SEI NAL unit with its header. Returns `None` if there is none, or if
/// it is not an SEI NAL unit.
pub fn recovery_point(codec: VideoCodec, unit: &[u8]) -> Option<RecoveryPoint> {
    let mut bytes = Unescaped::new(messages(codec, unit)?);
    loop {
        let payload_type = coded(&mut bytes)?;
        let payload_bytes = coded(&mut bytes)?;
        if payload_type == RECOVERY_POINT {
            let mut bits = Bits::new(bytes.by_ref().take(payload_bytes));
            return match codec {
                VideoCodec::H264 => match bits.unsigned()? {
                    0 => Some(RecoveryPoint::Here),
                    1..=FRAME_COUNT_MAX => Some(RecoveryPoint::Later),
                    _ => None,
                },
                VideoCodec::H265 => match bits.signed()? {
                    count if !POC_COUNT.contains(&count) => None,
                    count if count > 0 => Some(RecoveryPoint::Later),
                    _ => Some(RecoveryPoint::Here),
                },
            };
        }
        for _ in 0..payload_bytes {
            bytes.next()?;
        }
    }
}

/// Returns what follows the header of an SEI NAL unit of the base layer.
fn messages(codec: VideoCodec, unit: &[u8]) -> Option<&[u8]> {
    match (codec, unit) {
        (VideoCodec::H264, [header, rest @ ..]) if header & 0x9f == 6 => Some(rest),
        // forbidden_zero_bit, nal_unit_type 39 (PREFIX_SEI_NUT), nuh_layer_id 0. A recovery point is
        // never in a suffix SEI.
        (VideoCodec::H265, [first, second, rest @ ..]) if *first == 39 << 1 && second >> 3 == 0 => Some(rest),
        _ => None,
    }
}

/// Reads a payload type or size: 255 for each 0xff byte, plus the following byte.
fn coded(bytes: &mut impl Iterator<Item = u8>) -> Option<usize> {
    let mut value = 0_usize;
    loop {
        match bytes.next()? {
            0xff => value = value.saturating_add(255),
            last => return Some(value.saturating_add(last.into())),
        }
    }
}

/// The bytes of a NAL unit without emulation prevention bytes: the 3 in 0 0 3 (H.264 §7.3.1, H.265 §7.3.1.1).
struct Unescaped<'a> {
    bytes: std::slice::Iter<'a, u8>,
    zeros: u8,
}

impl<'a> Unescaped<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { bytes: bytes.iter(), zeros: 0 }
    }
}

impl Iterator for Unescaped<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        let mut byte = *self.bytes.next()?;
        if byte == 3 && self.zeros >= 2 {
            self.zeros = 0;
            byte = *self.bytes.next()?;
        }
        self.zeros = if byte == 0 { self.zeros.saturating_add(1) } else { 0 };
        Some(byte)
    }
}

/// A reader for Exp-Golomb numbers (H.264 §9.1, H.265 §9.2), most significant bit first.
struct Bits<I> {
    bytes: I,
    byte: u8,
    left: u8,
}

impl<I: Iterator<Item = u8>> Bits<I> {
    fn new(bytes: I) -> Self {
        Self { bytes, byte: 0, left: 0 }
    }

    fn bit(&mut self) -> Option<u32> {
        if self.left == 0 {
            (self.byte, self.left) = (self.bytes.next()?, 8);
        }
        self.left -= 1;
        Some(u32::from((self.byte >> self.left) & 1))
    }

    /// Reads `ue(v)`, up to 2³¹ − 2.
    fn unsigned(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while self.bit()? == 0 {
            zeros += 1;
            if zeros > 30 {
                return None;
            }
        }
        let mut value = 1_u32;
        for _ in 0..zeros {
            value = (value << 1) | self.bit()?;
        }
        Some(value - 1)
    }

    /// Reads `se(v)`: 0, 1, −1, 2, −2 …
    fn signed(&mut self) -> Option<i32> {
        let coded = self.unsigned()?;
        let magnitude = i32::try_from(coded.div_ceil(2)).ok()?;
        Some(if coded % 2 == 1 { magnitude } else { -magnitude })
    }
}

#[cfg(test)]
mod tests {
    use super::RecoveryPoint::{Here, Later};
    use super::*;
    use crate::VideoCodec::{H264, H265};
    use proptest::prelude::*;

    /// Returns `ue(v)` of `value` followed by ones, as whole bytes.
    fn golomb(value: u32) -> Vec<u8> {
        let code = u64::from(value) + 1;
        let width = 64 - code.leading_zeros();
        let mut bits: Vec<u8> = vec![0; width as usize - 1];
        bits.extend((0..width).rev().map(|n| u8::from(code >> n & 1 == 1)));
        while !bits.len().is_multiple_of(8) {
            bits.push(1);
        }
        bits.chunks(8).map(|byte| byte.iter().fold(0, |value, bit| (value << 1) | bit)).collect()
    }

    fn signed(value: i32) -> Vec<u8> {
        golomb(if value > 0 { 2 * value.unsigned_abs() - 1 } else { 2 * value.unsigned_abs() })
    }

    fn number(value: usize) -> Vec<u8> {
        let mut out = vec![0xff; value / 255];
        out.push(u8::try_from(value % 255).unwrap());
        out
    }

    fn message(kind: usize, payload: &[u8]) -> Vec<u8> {
        [&number(kind), &number(payload.len()), payload].concat()
    }

    fn escaped(bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut zeros = 0;
        for byte in bytes {
            if zeros >= 2 && *byte <= 3 {
                out.push(3);
                zeros = 0;
            }
            zeros = if *byte == 0 { zeros + 1 } else { 0 };
            out.push(*byte);
        }
        out
    }

    fn unit(header: &[u8], messages: &[Vec<u8>]) -> Vec<u8> {
        [header, &escaped(&[&messages.concat()[..], &[0x80]].concat())].concat()
    }

    #[test]
    fn every_count_that_the_specification_allows_is_a_recovery_point() {
        for (count, expected) in
            [(0, Some(Here)), (1, Some(Later)), (49, Some(Later)), (65_535, Some(Later)), (65_536, None)]
        {
            let found = recovery_point(H264, &unit(&[6], &[message(6, &golomb(count))]));
            assert_eq!(found, expected, "recovery_frame_cnt {count}");
        }
        for (count, expected) in [
            (0, Some(Here)),
            (-1, Some(Here)),
            (-32_768, Some(Here)),
            (-32_769, None),
            (1, Some(Later)),
            (32_767, Some(Later)),
            (32_768, None),
        ] {
            let found = recovery_point(H265, &unit(&[0x4e, 1], &[message(6, &signed(count))]));
            assert_eq!(found, expected, "recovery_poc_cnt {count}");
        }
    }

    #[test]
    fn the_message_is_found_among_others_and_behind_emulation_prevention() {
        let point = message(6, &golomb(0));
        let zeros = message(5, &[0; 700]);
        let buffering = message(0, &[0, 0, 1, 0, 0, 3]);
        let wide_type = message(300, &[6, 1, 0x80]);
        for before in [vec![], vec![zeros.clone()], vec![buffering, wide_type, message(1, &[])], vec![zeros; 5]] {
            let messages = [before.clone(), vec![point.clone()]].concat();
            assert_eq!(recovery_point(H264, &unit(&[6], &messages)), Some(Here), "{} before", before.len());
            assert_eq!(recovery_point(H264, &unit(&[6], &before)), None, "{} alone", before.len());
        }
        // Written by x264 with `intra-refresh=1` (18 frames) and with `open-gop=1`.
        assert_eq!(recovery_point(H264, &[0x06, 0x06, 0x02, 0x09, 0xc4, 0x80]), Some(Later));
        assert_eq!(recovery_point(H264, &[0x06, 0x06, 0x01, 0xc4, 0x80]), Some(Here));
        // `recovery_poc_cnt` 0 and `exact_match_flag` 1, then the bits that fill the last byte of the payload.
        assert_eq!(recovery_point(H265, &[0x4e, 0x01, 0x06, 0x01, 0xd0, 0x80]), Some(Here));
    }

    #[test]
    fn what_is_no_recovery_point_is_none() {
        let payload = message(6, &golomb(0));
        for (codec, unit, why) in [
            (H264, unit(&[7], std::slice::from_ref(&payload)), "a parameter set"),
            (H264, unit(&[0x86], std::slice::from_ref(&payload)), "forbidden_zero_bit"),
            (H264, vec![6], "no message"),
            (H264, vec![], "no header"),
            (H264, vec![6, 0xff, 0xff, 0xff], "a type without an end"),
            (H264, vec![6, 6, 1], "a payload that is cut off"),
            (H264, vec![6, 6, 0, 0x80], "an empty payload"),
            (H264, vec![6, 6, 1, 0x00, 0x80], "a number that is cut off by the payload's end"),
            (H264, unit(&[6], &[message(6, &[0, 0, 0, 0, 1, 0xff])]), "a number without an end"),
            (H265, unit(&[0x50, 1], std::slice::from_ref(&payload)), "a suffix"),
            (H265, unit(&[0x4f, 1], std::slice::from_ref(&payload)), "another layer"),
            (H265, unit(&[0x4e, 9], std::slice::from_ref(&payload)), "another layer"),
            (H265, vec![0x4e], "half a header"),
        ] {
            assert_eq!(recovery_point(codec, &unit), None, "{why}");
        }
    }

    proptest! {
        #[test]
        fn anything_is_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = recovery_point(H264, &[&[6][..], &bytes].concat());
            let _ = recovery_point(H265, &[&[0x4e, 1][..], &bytes].concat());
        }

        #[test]
        fn what_was_escaped_is_read_back(bytes in proptest::collection::vec(0_u8..5, 0..200)) {
            prop_assert_eq!(Unescaped::new(&escaped(&bytes)).collect::<Vec<_>>(), bytes);
        }
    }
}
