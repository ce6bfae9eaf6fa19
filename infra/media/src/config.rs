//! Decoder configuration records in containers: `avcC` and `hvcC` (ISO/IEC 14496-15 §5.3.3.1, §8.3.3.1), and the parameter
//! sets in them. The input is untrusted.

use crate::{VideoCodec, nal, rfc6381};
use bytes::Bytes;

/// A decoder configuration record for frames with 4-byte lengths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VideoConfig {
    /// The record with `lengthSizeMinusOne` set to 3.
    pub record: Bytes,
    /// Size in bytes of the lengths before the NAL units in the source.
    pub length_bytes: u8,
    /// RFC 6381 codec string.
    pub rfc6381: String,
}

/// Reads a decoder configuration record. The error describes what is wrong with it.
pub fn video(codec: VideoCodec, record: &[u8]) -> Result<VideoConfig, &'static str> {
    match codec {
        VideoCodec::H264 => avc(record),
        VideoCodec::H265 => hevc(record),
    }
}

const CUT_SHORT_AVC: &str = "the H.264 decoder configuration is cut short";
const CUT_SHORT_HEVC: &str = "the H.265 decoder configuration is cut short";

fn avc(record: &[u8]) -> Result<VideoConfig, &'static str> {
    let [1, _, _, _, lengths, ..] = record else {
        return Err("there is no H.264 decoder configuration (avcC) of version 1");
    };
    avc_sets(record).ok_or(CUT_SHORT_AVC)?;
    Ok(VideoConfig {
        record: with_length_size_four(record, 4),
        length_bytes: (lengths & 3) + 1,
        rfc6381: rfc6381::avc("avc1", record).ok_or(CUT_SHORT_AVC)?.codec,
    })
}

fn hevc(record: &[u8]) -> Result<VideoConfig, &'static str> {
    if record.len() < 23 || record[0] != 1 {
        return Err("there is no H.265 decoder configuration (hvcC) of version 1");
    }
    hevc_sets(record).ok_or(CUT_SHORT_HEVC)?;
    Ok(VideoConfig {
        record: with_length_size_four(record, 21),
        length_bytes: (record[21] & 3) + 1,
        rfc6381: rfc6381::hevc("hvc1", record).ok_or(CUT_SHORT_HEVC)?.codec,
    })
}

/// Returns the parameter sets in a record; none if the record is truncated.
pub fn sets(codec: VideoCodec, record: &[u8]) -> Vec<&[u8]> {
    let sets = match codec {
        VideoCodec::H264 => avc_sets(record),
        VideoCodec::H265 => hevc_sets(record),
    };
    sets.unwrap_or_default()
}

/// Returns the length of the decoder configuration record at the start of `bytes`, if
/// it is sufficient for decoding.
pub fn record_bytes(codec: VideoCodec, bytes: &[u8]) -> Option<usize> {
    let mut sets = Vec::new();
    let rest = match codec {
        VideoCodec::H264 => avc_sets_and_rest(bytes, &mut sets).map(without_avc_extension(bytes))?,
        VideoCodec::H265 => hevc_sets_and_rest(bytes, &mut sets)?,
    };
    let length = bytes.len() - rest.len();
    let is_version_1 = bytes.first() == Some(&1);
    (is_version_1 && is_complete(codec, &bytes[..length])).then_some(length)
}

/// Finds the first decoder configuration record within `bytes`, by its contents.
pub fn find(codec: VideoCodec, bytes: &[u8]) -> Option<&[u8]> {
    (0..bytes.len()).find_map(|at| {
        let from = bytes.get(at..).filter(|from| from.first() == Some(&1))?;
        from.get(..record_bytes(codec, from)?)
    })
}

/// Returns a replacement for a lost record without parameter sets, which must then come with the frames.
pub fn bare(codec: VideoCodec) -> VideoConfig {
    let (record, rfc6381) = match codec {
        VideoCodec::H264 => (vec![1, 0, 0, 0, 0xff, 0xe0, 0], "avc1.000000"),
        VideoCodec::H265 => {
            let mut record = vec![0; 23];
            record[0] = 1;
            record[21] = 3;
            (record, "hvc1.0.0.L0")
        }
    };
    VideoConfig { record: record.into(), length_bytes: 4, rfc6381: rfc6381.to_owned() }
}

/// Skips chroma format and bit depths, which follow the sets of a high profile (ISO/IEC 14496-15 §5.3.3.1.2).
/// Not every writer includes them.
fn without_avc_extension(record: &[u8]) -> impl Fn(&[u8]) -> &[u8] {
    let is_high = record.get(1).is_some_and(|profile| matches!(profile, 100 | 110 | 122 | 144 | 244));
    move |rest| match rest {
        [chroma, luma, bits, 0, after @ ..] if is_high && chroma >> 2 == 63 && luma >> 3 == 31 && bits >> 3 == 31 => {
            after
        }
        _ => rest,
    }
}

/// Returns whether a record is sufficient for decoding. It is not if its sets are
/// in the frames (`avc3`, `hev1`).
pub fn is_complete(codec: VideoCodec, record: &[u8]) -> bool {
    let needed: &[u8] = match codec {
        VideoCodec::H264 => &[7, 8],
        VideoCodec::H265 => &[32, 33, 34],
    };
    let sets = sets(codec, record);
    needed.iter().all(|needed| sets.iter().any(|set| nal::kind(codec, set) == Some(*needed)))
}

fn avc_sets(record: &[u8]) -> Option<Vec<&[u8]>> {
    let mut sets = Vec::new();
    avc_sets_and_rest(record, &mut sets).map(|_| sets)
}

fn hevc_sets(record: &[u8]) -> Option<Vec<&[u8]>> {
    let mut sets = Vec::new();
    hevc_sets_and_rest(record, &mut sets).map(|_| sets)
}

/// Reads the sets of an `avcC` and returns what follows them.
fn avc_sets_and_rest<'a>(record: &'a [u8], sets: &mut Vec<&'a [u8]>) -> Option<&'a [u8]> {
    let mut rest = record.get(5..)?;
    for mask in [0x1f, 0xff] {
        let (count, after) = rest.split_first()?;
        rest = parameter_sets(after, (count & mask).into(), sets)?;
    }
    Some(rest)
}

/// Reads the sets of an `hvcC` and returns what follows them.
fn hevc_sets_and_rest<'a>(record: &'a [u8], sets: &mut Vec<&'a [u8]>) -> Option<&'a [u8]> {
    let (arrays, mut rest) = record.get(22..)?.split_first()?;
    for _ in 0..*arrays {
        let [_, high, low, after @ ..] = rest else { return None };
        rest = parameter_sets(after, u16::from_be_bytes([*high, *low]), sets)?;
    }
    Some(rest)
}

/// Reads `count` parameter sets, each preceded by its 16-bit length, and returns what follows.
fn parameter_sets<'a>(bytes: &'a [u8], count: u16, sets: &mut Vec<&'a [u8]>) -> Option<&'a [u8]> {
    let mut rest = bytes;
    for _ in 0..count {
        let (length, after) = rest.split_first_chunk::<2>()?;
        let (set, after) = after.split_at_checked(u16::from_be_bytes(*length).into())?;
        sets.push(set);
        rest = after;
    }
    Some(rest)
}

fn with_length_size_four(record: &[u8], at: usize) -> Bytes {
    let mut record = record.to_vec();
    if let Some(byte) = record.get_mut(at) {
        *byte |= 3;
    }
    record.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn avc_is_read() {
        let record = [1, 0x64, 0, 0x1f, 0xfd, 0xe1, 0, 2, 0x67, 0x64, 1, 0, 1, 0x68];
        let config = video(VideoCodec::H264, &record).unwrap();
        assert_eq!((config.length_bytes, config.rfc6381.as_str()), (2, "avc1.64001F"));
        assert_eq!(config.record[4], 0xff);
        assert_eq!(sets(VideoCodec::H264, &record), [&[0x67, 0x64][..], &[0x68]]);
        assert!(is_complete(VideoCodec::H264, &record));
        for cut in 0..record.len() {
            assert!(video(VideoCodec::H264, &record[..cut]).is_err(), "{cut}");
        }
        let without = [1, 0x64, 0, 0x1f, 0xfd, 0xe0, 0];
        assert!(video(VideoCodec::H264, &without).is_ok() && !is_complete(VideoCodec::H264, &without));
    }

    #[test]
    fn records_are_found_by_their_contents() {
        let record = [1, 0x64, 0, 0x1f, 0xfd, 0xe1, 0, 2, 0x67, 0x64, 1, 0, 1, 0x68, 0xfd, 0xf8, 0xf8, 0];
        for (before, after) in [(&[][..], &[][..]), (&[1, 1, 0], &[7, 7]), (&[0, 0, 0, 20, b'a', b'v'], &[0, 0, 0, 9])]
        {
            assert_eq!(find(VideoCodec::H264, &[before, &record, after].concat()), Some(&record[..]));
        }
        assert_eq!(find(VideoCodec::H264, &record[..13]), None);
        assert_eq!(find(VideoCodec::H265, &record), None);
        for codec in [VideoCodec::H264, VideoCodec::H265] {
            let config = bare(codec);
            assert_eq!(video(codec, &config.record), Ok(config.clone()));
            assert!(!is_complete(codec, &config.record));
        }
    }

    #[test]
    fn hevc_is_read() {
        let mut record =
            vec![1, 1, 0x60, 0, 0, 0, 0x90, 0, 0, 0, 0, 0, 93, 0xf0, 0, 0xfc, 0xfd, 0xf8, 0xf8, 0, 0, 0x0f, 3];
        for kind in [32, 33, 34] {
            record.extend_from_slice(&[0x80 | kind, 0, 1, 0, 1, kind << 1]);
        }
        let config = video(VideoCodec::H265, &record).unwrap();
        assert_eq!((config.length_bytes, config.rfc6381.as_str()), (4, "hvc1.1.6.L93.90"));
        for cut in 0..record.len() {
            assert!(video(VideoCodec::H265, &record[..cut]).is_err(), "{cut}");
        }
        assert!(is_complete(VideoCodec::H265, &record));
        record[22] = 2;
        assert_eq!(sets(VideoCodec::H265, &record), [&[64][..], &[66]]);
        assert!(video(VideoCodec::H265, &record).is_ok() && !is_complete(VideoCodec::H265, &record));
    }

    proptest! {
        #[test]
        fn anything_is_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = video(VideoCodec::H264, &bytes);
            let _ = video(VideoCodec::H265, &bytes);
            for codec in [VideoCodec::H264, VideoCodec::H265] {
                let _ = find(codec, &bytes);
            }
        }
    }
}
