//! H.264 and H.265 (ISO/IEC 14496-15, codec strings in its annex E), AV1 and VP8/VP9 (their ISO BMFF bindings).

use crate::be::{array, u8_at, u16_at};
use std::fmt::Write as _;

/// A codec with the number of components of its pixel format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coded {
    /// The codec string of RFC 6381.
    pub codec: String,
    /// Number of components: 1 for monochrome, 3 for colour.
    pub channels: u8,
}

impl Coded {
    pub fn colour(codec: impl Into<String>) -> Self {
        Self { codec: codec.into(), channels: 3 }
    }
}

const MONOCHROME: u32 = 0;

fn channels(chroma_format_idc: u32) -> u8 {
    if chroma_format_idc == MONOCHROME { 1 } else { 3 }
}

/// Parses `avcC`. `entry` is the type of the sample entry, `avc1` or `avc3`.
pub fn avc(entry: &str, record: &[u8]) -> Option<Coded> {
    let [version, profile, constraints, level] = array(record, 0)?;
    if version != 1 {
        return None;
    }
    let chroma = first_sps(record).and_then(sps_chroma_format).unwrap_or(1);
    let codec = format!("{entry}.{profile:02X}{constraints:02X}{level:02X}");
    Some(Coded { codec, channels: channels(chroma) })
}

fn first_sps(record: &[u8]) -> Option<&[u8]> {
    let count = u8_at(record, 5)? & 0x1f;
    if count == 0 {
        return None;
    }
    let len = usize::from(u16_at(record, 6)?);
    record.get(8..8 + len)
}

/// Returns `chroma_format_idc` (H.264 §7.3.2.1.1). Only the high profiles have it; the others are 4:2:0.
fn sps_chroma_format(sps: &[u8]) -> Option<u32> {
    const WITH_CHROMA: [u8; 13] = [100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135];
    if !WITH_CHROMA.contains(&u8_at(sps, 1)?) {
        return Some(1);
    }
    // Both numbers are in the first bytes, before an emulation prevention byte can occur.
    let mut bits = Bits { bytes: sps.get(4..)?, at: 0 };
    let _sps_id = bits.exp_golomb()?;
    bits.exp_golomb()
}

struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn bit(&mut self) -> Option<u32> {
        let byte = u8_at(self.bytes, self.at / 8)?;
        let bit = byte >> (7 - self.at % 8) & 1;
        self.at += 1;
        Some(u32::from(bit))
    }

    fn exp_golomb(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while self.bit()? == 0 {
            zeros += 1;
            if zeros > 16 {
                return None;
            }
        }
        let mut value = 1;
        for _ in 0..zeros {
            value = value << 1 | self.bit()?;
        }
        Some(value - 1)
    }
}

/// Parses `hvcC`. `entry` is the type of the sample entry, `hvc1` or `hev1`.
pub fn hevc(entry: &str, record: &[u8]) -> Option<Coded> {
    let [version, profile] = array(record, 0)?;
    // Early encoders wrote version 0, which has the same fields.
    if version > 1 {
        return None;
    }
    let compatibility = u32::from_be_bytes(array(record, 2)?).reverse_bits();
    let constraints: [u8; 6] = array(record, 6)?;
    let level = u8_at(record, 12)?;
    let chroma = u8_at(record, 16)? & 0b11;
    let space = ["", "A", "B", "C"][usize::from(profile >> 6)];
    let tier = if profile & 0x20 == 0 { 'L' } else { 'H' };
    let mut codec = format!("{entry}.{space}{}.{compatibility:X}.{tier}{level}", profile & 0x1f);
    let written = constraints.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    for byte in &constraints[..written] {
        // Writing to a `String` cannot fail.
        let _ = write!(codec, ".{byte:X}");
    }
    Some(Coded { codec, channels: channels(u32::from(chroma)) })
}

/// Parses `av1C` (AV1 Codec ISO Media File Format Binding §2.3).
pub fn av1(record: &[u8]) -> Option<Coded> {
    let [marker, profile_level, flags] = array(record, 0)?;
    if marker != 0x81 {
        return None;
    }
    let profile = profile_level >> 5;
    let level = profile_level & 0x1f;
    let tier = if flags & 0x80 == 0 { 'M' } else { 'H' };
    let depth = match (flags & 0x40 != 0, flags & 0x20 != 0) {
        (false, _) => 8,
        (true, false) => 10,
        (true, true) => 12,
    };
    let channels = if flags & 0x10 == 0 { 3 } else { 1 };
    Some(Coded { codec: format!("av01.{profile}.{level:02}{tier}.{depth:02}"), channels })
}

/// Parses `vpcC` after its version and flags. `entry` is `vp08` or `vp09`.
pub fn vpx(entry: &str, record: &[u8]) -> Option<Coded> {
    let [profile, level, depth] = array(record, 0)?;
    Some(Coded::colour(format!("{entry}.{profile:02}.{level:02}.{:02}", depth >> 4)))
}

/// Parses the features in VP9's `CodecPrivate` in WebM: id, length, value.
pub fn vp9_private(private: &[u8]) -> Coded {
    let mut profile = None;
    let mut level = None;
    let mut depth = None;
    let mut at = 0;
    while let Some([id, len]) = array(private, at) {
        let value = if len == 1 { u8_at(private, at + 2) } else { None };
        match id {
            1 => profile = value,
            2 => level = value,
            3 => depth = value,
            _ => {}
        }
        at += 2 + usize::from(len);
    }
    match (profile, level) {
        (Some(profile), Some(level)) => {
            let depth = depth.unwrap_or(if profile < 2 { 8 } else { 10 });
            Coded::colour(format!("vp09.{profile:02}.{level:02}.{depth:02}"))
        }
        _ => Coded::colour("vp9"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_the_strings_of_rfc_6381() {
        let avcc = [1, 0x64, 0, 0x1f, 0xff, 0xe0];
        assert_eq!(avc("avc1", &avcc), Some(Coded::colour("avc1.64001F")));
        let hvcc = [1, 0x01, 0x60, 0, 0, 0, 0x90, 0, 0, 0, 0, 0, 90, 0xf0, 0, 0xfc, 0xfd];
        assert_eq!(hevc("hvc1", &hvcc), Some(Coded::colour("hvc1.1.6.L90.90")));
        let hvcc = [1, 0x64, 0x08, 0, 0, 0, 0xb1, 0, 8, 0, 0, 0, 153, 0xf0, 0, 0xfc, 0xfc];
        let mono = Coded { codec: "hev1.A4.10.H153.B1.0.8".to_owned(), channels: 1 };
        assert_eq!(hevc("hev1", &hvcc), Some(mono));
        assert_eq!(av1(&[0x81, 0x04, 0x0c]), Some(Coded::colour("av01.0.04M.08")));
        assert_eq!(av1(&[0x81, 0x2d, 0xdc]), Some(Coded { codec: "av01.1.13H.10".to_owned(), channels: 1 }));
        assert_eq!(vpx("vp09", &[2, 10, 0xa2]), Some(Coded::colour("vp09.02.10.10")));
        assert_eq!(vp9_private(&[1, 1, 0, 2, 1, 31]), Coded::colour("vp09.00.31.08"));
        assert_eq!(vp9_private(&[1, 200]), Coded::colour("vp9"));
    }

    #[test]
    fn short_records_are_refused() {
        let hvcc = [1, 0x01, 0x60, 0, 0, 0, 0x90, 0, 0, 0, 0, 0, 90, 0xf0, 0, 0xfc];
        for cut in 0..=hvcc.len() {
            assert_eq!(hevc("hvc1", &hvcc[..cut]), None);
        }
        assert_eq!(avc("avc1", &[1, 2, 3]), None);
        assert_eq!(av1(&[0x81, 0]), None);
    }
}
