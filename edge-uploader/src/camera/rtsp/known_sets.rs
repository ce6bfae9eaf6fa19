//! The known parameter sets of a camera's stream: from its description, and from pictures since.
//!
//! A stream may alternate between several sets of a kind, distinguished by their identifiers (H.264 §7.4.1.2.1,
//! H.265 §7.4.2.4.2). All known sets are written into the decoder configuration record, so that alternating
//! does not change it. The parameters change if a set replaces another with the same identifier, or if the
//! active set has another picture size.

use super::limits::{SETS_BYTES_MAX, SETS_MAX};
use super::sdp::Stream;
use crate::camera::{nal, sets};
use crate::media::{VideoCodec, VideoParameters};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use retina::codec::{Depacketizer, ParametersRef};

/// A parameter set with its identity.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Set {
    /// The NAL unit's `nal_unit_type`.
    kind: u8,
    id: u32,
    bytes: Vec<u8>,
}

/// All known sets of one stream.
#[derive(Debug, Clone)]
pub(super) struct KnownSets {
    codec: VideoCodec,
    timescale: u32,
    /// Ordered by kind and identifier, so that the record does not depend on the order of arrival.
    sets: Vec<Set>,
    /// Identifier of the sequence parameter set of the last random access picture.
    active: Option<u32>,
    parameters: Option<VideoParameters>,
}

/// `nal_unit_type` of the three kinds. H.264 has no video parameter set.
struct Kinds {
    video: Option<u8>,
    sequence: u8,
    picture: u8,
}

fn kinds(codec: VideoCodec) -> Kinds {
    match codec {
        VideoCodec::H264 => Kinds { video: None, sequence: 7, picture: 8 },
        VideoCodec::H265 => Kinds { video: Some(32), sequence: 33, picture: 34 },
    }
}

impl KnownSets {
    /// Reads the sets of a session description.
    pub(super) fn described(codec: VideoCodec, timescale: u32, stream: &Stream) -> Self {
        let names: &[&str] = match codec {
            VideoCodec::H264 => &["sprop-parameter-sets"],
            VideoCodec::H265 => &["sprop-vps", "sprop-sps", "sprop-pps"],
        };
        let sets = names.iter().filter_map(|name| stream.parameter(name)).flat_map(|list| list.split(','));
        let sets = sets.filter_map(|text| STANDARD.decode(text.trim()).ok()).map(without_start_code);
        let mut known = Self { codec, timescale, sets: Vec::new(), active: None, parameters: None };
        for set in sets {
            known.insert(set);
        }
        known.parameters = known.read(None);
        known
    }

    /// Returns the current parameters of the stream.
    pub(super) fn parameters(&self) -> Option<&VideoParameters> {
        self.parameters.as_ref()
    }

    /// Takes the sets that arrived with a picture. Sets that cannot be parsed change nothing.
    pub(super) fn take(&mut self, sets: Vec<Vec<u8>>, picture: &[u8]) {
        let mut next: Option<Self> = None;
        for set in sets {
            if self.sets.iter().all(|known| known.bytes != set) {
                next.get_or_insert_with(|| self.clone()).insert(set);
            }
        }
        let several = self.sets.iter().filter(|set| set.kind == kinds(self.codec).sequence).count() > 1;
        if next.is_none() && !several {
            return;
        }
        let active = self.active_in(next.as_ref().unwrap_or(self), picture);
        if next.is_none() && (active.is_none() || active == self.active) {
            return;
        }
        let mut next = next.unwrap_or_else(|| self.clone());
        next.active = active.or(self.active);
        let parameters = next.read(next.active);
        if parameters.is_some() || self.parameters.is_none() {
            *self = Self { parameters, ..next };
        }
    }

    /// Returns the known sets that are not in `record`, each with its 4-byte length.
    pub(super) fn beyond(&self, record: &[u8]) -> Vec<u8> {
        let told = framepost_media::config::sets(self.codec, record);
        let mut out = Vec::new();
        for set in self.sets.iter().filter(|set| !told.contains(&set.bytes.as_slice())) {
            if let Ok(length) = u32::try_from(set.bytes.len()) {
                out.extend_from_slice(&length.to_be_bytes());
                out.extend_from_slice(&set.bytes);
            }
        }
        out
    }

    fn insert(&mut self, bytes: Vec<u8>) {
        let Some(kind) = nal::kind(self.codec, &bytes) else { return };
        let Some(id) = identifier(self.codec, kind, &bytes) else { return };
        // A set replaces the one with the same kind and identifier.
        self.sets.retain(|set| (set.kind, set.id) != (kind, id));
        let held: usize = self.sets.iter().map(|set| set.bytes.len()).sum();
        if self.sets.len() >= SETS_MAX || held + bytes.len() > SETS_BYTES_MAX {
            // No real stream uses this many. Sets that are really used will arrive again.
            self.sets.clear();
        }
        let at = self.sets.partition_point(|set| (set.kind, set.id) < (kind, id));
        self.sets.insert(at, Set { kind, id, bytes });
    }

    fn active_in(&self, known: &Self, picture: &[u8]) -> Option<u32> {
        let slice = nal::units(picture).find_map(|unit| picture_set_of(self.codec, unit))?;
        let set = known.sets.iter().find(|set| set.kind == kinds(self.codec).picture && set.id == slice)?;
        sequence_set_of(self.codec, &set.bytes)
    }

    /// Reads the parameters from the given sequence parameter set, or from the first.
    fn read(&self, sequence: Option<u32>) -> Option<VideoParameters> {
        let Kinds { video, sequence: sequence_kind, picture } = kinds(self.codec);
        let of = |kind| self.sets.iter().filter(move |set| set.kind == kind);
        let sps = of(sequence_kind)
            .find(|set| Some(set.id) == sequence)
            .or_else(|| of(sequence_kind).next().filter(|_| sequence.is_none()))?;
        let pps = of(picture).find(|set| sequence_set_of(self.codec, &set.bytes) == Some(sps.id))?;
        let base64 = |set: &Set| STANDARD.encode(&set.bytes);
        let (encoding, description) = match video {
            None => ("h264", format!("sprop-parameter-sets={},{}", base64(sps), base64(pps))),
            Some(video) => {
                let vps = of(video).next()?;
                let sets = (base64(vps), base64(sps), base64(pps));
                ("h265", format!("sprop-vps={};sprop-sps={};sprop-pps={}", sets.0, sets.1, sets.2))
            }
        };
        let reader = Depacketizer::new("video", encoding, 90_000, None, Some(&description)).ok()?;
        let Some(ParametersRef::Video(read)) = reader.parameters() else { return None };
        let mut parameters = sets::described(read, self.timescale)?;
        let least = if video.is_some() { 3 } else { 2 };
        if self.sets.len() > least {
            parameters.config = self.record(&parameters.config, sps, pps)?;
        }
        Some(parameters)
    }

    /// Builds a decoder configuration record (ISO/IEC 14496-15 §5.3.3.1, §8.3.3.1) with all sets from one
    /// with the sets in use.
    fn record(&self, one: &[u8], sps: &Set, pps: &Set) -> Option<Bytes> {
        let of = |kind: u8| self.sets.iter().filter(|set| set.kind == kind).collect::<Vec<&Set>>();
        let Kinds { video, sequence, picture } = kinds(self.codec);
        let sequences = of(sequence);
        let pictures = of(picture);
        let mut record = match video {
            None => one.get(..5)?.to_vec(),
            Some(_) => one.get(..22)?.to_vec(),
        };
        let write = |record: &mut Vec<u8>, sets: &[&Set]| {
            for set in sets {
                record.extend_from_slice(&u16::try_from(set.bytes.len()).ok()?.to_be_bytes());
                record.extend_from_slice(&set.bytes);
            }
            Some(())
        };
        match video {
            None => {
                record.push(0xe0 | u8::try_from(sequences.len()).ok().filter(|count| *count < 32)?);
                write(&mut record, &sequences)?;
                record.push(u8::try_from(pictures.len()).ok()?);
                write(&mut record, &pictures)?;
                // Copy what follows the sets: chroma format and bit depths of the high profiles.
                record.extend_from_slice(one.get(5 + 1 + 2 + sps.bytes.len() + 1 + 2 + pps.bytes.len()..)?);
            }
            Some(kind) => {
                record.push(3);
                for (kind, sets) in [(kind, of(kind)), (sequence, sequences), (picture, pictures)] {
                    record.push(0x80 | kind);
                    record.extend_from_slice(&u16::try_from(sets.len()).ok()?.to_be_bytes());
                    write(&mut record, &sets)?;
                }
            }
        }
        Some(record.into())
    }
}

/// Removes a start code, which some cameras put before each set in their description.
fn without_start_code(set: Vec<u8>) -> Vec<u8> {
    let start = set.iter().take_while(|byte| **byte == 0).count();
    let mut set = if start >= 2 && set.get(start) == Some(&1) { set[start + 1..].to_vec() } else { set };
    while set.last() == Some(&0) {
        set.pop();
    }
    set
}

/// Returns the identifier of a parameter set, or `None` for other NAL units.
fn identifier(codec: VideoCodec, kind: u8, set: &[u8]) -> Option<u32> {
    match (codec, kind) {
        // profile_idc, constraint flags and level_idc, then seq_parameter_set_id (H.264 §7.3.2.1.1).
        (VideoCodec::H264, 7) => Bits::after(set, 4)?.exp_golomb().filter(|id| *id < 32),
        (VideoCodec::H264, 8) => Bits::after(set, 1)?.exp_golomb().filter(|id| *id < 256),
        (VideoCodec::H265, 32) => Bits::after(set, 2)?.take(4),
        (VideoCodec::H265, 33) => {
            let mut bits = Bits::after(set, 2)?;
            bits.take(4)?;
            let sub_layers = bits.take(3)?;
            bits.take(1)?;
            bits.skip_profile_tier_level(sub_layers)?;
            bits.exp_golomb().filter(|id| *id < 16)
        }
        (VideoCodec::H265, 34) => Bits::after(set, 2)?.exp_golomb().filter(|id| *id < 64),
        _ => None,
    }
}

/// Returns the identifier of the sequence parameter set that a picture parameter set refers to.
fn sequence_set_of(codec: VideoCodec, picture_set: &[u8]) -> Option<u32> {
    let mut bits = Bits::after(picture_set, if codec == VideoCodec::H264 { 1 } else { 2 })?;
    bits.exp_golomb()?;
    bits.exp_golomb()
}

/// Returns the identifier of the picture parameter set that a slice refers to, or `None` if it is not a slice.
fn picture_set_of(codec: VideoCodec, unit: &[u8]) -> Option<u32> {
    match (codec, nal::kind(codec, unit)?) {
        (VideoCodec::H264, 1 | 2 | 5) => {
            let mut bits = Bits::after(unit, 1)?;
            bits.exp_golomb()?;
            bits.exp_golomb()?;
            bits.exp_golomb()
        }
        (VideoCodec::H265, kind @ 0..=31) => {
            let mut bits = Bits::after(unit, 2)?;
            bits.take(1)?;
            if (16..=23).contains(&kind) {
                bits.take(1)?;
            }
            bits.exp_golomb()
        }
        _ => None,
    }
}

/// The first bits of a NAL unit's payload, without emulation prevention bytes (H.264 §7.4.1).
struct Bits {
    bytes: Vec<u8>,
    position: usize,
}

impl Bits {
    /// Starts after a header of `header` bytes.
    fn after(unit: &[u8], header: usize) -> Option<Self> {
        // Enough for a profile with all of its sub-layers.
        const ENOUGH: usize = 128;
        let mut bytes = Vec::with_capacity(ENOUGH);
        let mut zeros = 0;
        for byte in unit.get(header..)?.iter().take(ENOUGH) {
            if zeros >= 2 && *byte == 3 {
                zeros = 0;
                continue;
            }
            zeros = if *byte == 0 { zeros + 1 } else { 0 };
            bytes.push(*byte);
        }
        Some(Self { bytes, position: 0 })
    }

    fn take(&mut self, count: u32) -> Option<u32> {
        let mut value = 0;
        for _ in 0..count {
            let byte = self.bytes.get(self.position / 8)?;
            value = (value << 1) | u32::from((byte >> (7 - self.position % 8)) & 1);
            self.position += 1;
        }
        Some(value)
    }

    /// Reads `ue(v)` (H.264 §9.1).
    fn exp_golomb(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while self.take(1)? == 0 {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        Some((1_u32 << zeros) - 1 + self.take(zeros)?)
    }

    /// Skips `profile_tier_level(1, sub_layers)` (H.265 §7.3.3).
    fn skip_profile_tier_level(&mut self, sub_layers: u32) -> Option<()> {
        const PROFILE: usize = 88;
        const LEVEL: usize = 8;
        self.position += PROFILE + LEVEL;
        let mut present = Vec::new();
        for _ in 0..sub_layers {
            present.push((self.take(1)?, self.take(1)?));
        }
        if sub_layers > 0 {
            self.position += 2 * (8 - sub_layers as usize);
        }
        for (profile, level) in present {
            self.position += PROFILE * profile as usize + LEVEL * level as usize;
        }
        Some(())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::sdp;
    use super::*;
    use proptest::prelude::*;
    use std::fmt::Write as _;

    pub(in super::super) const SPS: &str = "Z0LAHtkDxWhAAAADAEAAAAwDxYuS";
    pub(in super::super) const PPS: &str = "aMuMsg==";

    pub(in super::super) fn decoded(text: &str) -> Vec<u8> {
        STANDARD.decode(text).unwrap()
    }

    fn known(fmtp: &str) -> KnownSets {
        let text = format!("m=video 0 RTP/AVP 96\na=rtpmap:96 H264/90000\na=fmtp:96 {fmtp}\n");
        KnownSets::described(VideoCodec::H264, 90_000, &sdp::parse(text.as_bytes()).streams[0])
    }

    fn frame(units: &[&[u8]]) -> Vec<u8> {
        units.iter().flat_map(|unit| [&u32::try_from(unit.len()).unwrap().to_be_bytes(), *unit].concat()).collect()
    }

    /// Returns the same sets with identifier 1. `ue(v)` of 0 is `1` and that of 1 is `010`, so the
    /// following bits move by two.
    pub(in super::super) fn second() -> (Vec<u8>, Vec<u8>) {
        let moved = |set: &[u8], header: usize, from: &str, to: &str| {
            let mut bits = String::new();
            for byte in Bits::after(set, header).unwrap().bytes {
                write!(bits, "{byte:08b}").unwrap();
            }
            assert!(bits.starts_with(from));
            bits.replace_range(..from.len(), to);
            while !bits.len().is_multiple_of(8) {
                bits.push('0');
            }
            let mut out = set[..header].to_vec();
            for byte in bits.as_bytes().chunks(8) {
                let byte = u8::from_str_radix(std::str::from_utf8(byte).unwrap(), 2).unwrap();
                if out.ends_with(&[0, 0]) && byte <= 3 {
                    out.push(3);
                }
                out.push(byte);
            }
            while out.last() == Some(&0) {
                out.pop();
            }
            out
        };
        (moved(&decoded(SPS), 4, "1", "010"), moved(&decoded(PPS), 1, "11", "010010"))
    }

    #[test]
    fn descriptions_are_read() {
        let good = known(&format!("sprop-parameter-sets={SPS},{PPS}"));
        let parameters = good.parameters().unwrap();
        assert_eq!((parameters.rfc6381.as_str(), parameters.timescale), ("avc1.42C01E", 90_000));
        let start_code = STANDARD.encode([&[0, 0, 0, 1][..], &decoded(SPS)].concat());
        for same in [format!("sprop-parameter-sets={PPS}, {SPS}"), format!("sprop-parameter-sets={start_code},{PPS}")] {
            assert_eq!(known(&same).parameters(), Some(parameters), "{same}");
        }
        for bad in [
            "",
            "sprop-parameter-sets=",
            "sprop-parameter-sets=6QAAAA==,6gAA",
            "sprop-parameter-sets=%%",
            "sprop-parameter-sets=Z0LA",
        ] {
            assert_eq!(known(bad).parameters(), None, "{bad}");
        }
    }

    #[test]
    fn sets_that_come_with_pictures_count_if_they_are_understood() {
        let good = known(&format!("sprop-parameter-sets={SPS},{PPS}")).parameters().cloned();
        let mut sets = known("");
        sets.take(vec![decoded(SPS)], &[]);
        assert_eq!(sets.parameters(), None);
        sets.take(vec![decoded(PPS)], &[]);
        assert_eq!(sets.parameters(), good.as_ref());
        sets.take(vec![decoded(SPS), decoded(PPS)], &[]);
        sets.take(vec![b"\x67\x42\xff".to_vec(), Vec::new(), vec![0x68]], &[]);
        assert_eq!(sets.parameters(), good.as_ref());
        // Another level: a set with the same identifier replaces it.
        let mut other = decoded(SPS);
        other[3] += 1;
        sets.take(vec![other.clone()], &[]);
        let changed = sets.parameters().unwrap();
        assert_eq!(changed.rfc6381, "avc1.42C01F");
        assert_eq!(framepost_media::config::sets(VideoCodec::H264, &changed.config), [&other[..], &decoded(PPS)]);
        assert_eq!(sets.beyond(&good.unwrap().config), frame(&[&other]));
    }

    #[test]
    fn sets_that_take_turns_change_nothing() {
        let (sps, pps) = second();
        let mut sets = known(&format!("sprop-parameter-sets={SPS},{PPS}"));
        // Slices that refer to picture parameter sets 0 and 1: first_mb_in_slice 0,
        // slice_type 7, then the identifier.
        let first = frame(&[&[0x65, 0b1000_1000, 0b1000_0000]]);
        let other = frame(&[&[0x65, 0b1000_1000, 0b0101_0000]]);
        sets.take(vec![sps.clone(), pps.clone()], &other);
        let both = sets.parameters().cloned().unwrap();
        let in_record = framepost_media::config::sets(VideoCodec::H264, &both.config).len();
        assert_eq!(in_record, 4);
        for n in 0..6 {
            let (own, picture) = if n % 2 == 0 {
                (vec![decoded(SPS), decoded(PPS)], &first)
            } else {
                (vec![sps.clone(), pps.clone()], &other)
            };
            sets.take(own, picture);
            assert_eq!(sets.parameters(), Some(&both), "turn {n}");
        }
        assert!(sets.beyond(&both.config).is_empty());
    }

    #[test]
    fn countless_sets_are_not_kept() {
        let mut sets = known("");
        for id in 0..200_u8 {
            // pic_parameter_set_id of 7 bits and more, in Exp-Golomb code.
            sets.take(vec![vec![0x68, 0x01, id, 0xff, 0xff]], &[]);
            assert!(sets.sets.len() <= SETS_MAX);
        }
        // Limits the bytes as well, because the held sets may be inserted before each picture.
        let mut most = 0;
        for id in 0..64_u8 {
            sets.take(vec![[&[0x68, 0x01, id, 0xff][..], &[0xff; 1000]].concat()], &[]);
            let held = sets.beyond(&[]).len();
            assert!(held <= SETS_BYTES_MAX + 4 * SETS_MAX, "{held}");
            most = most.max(held);
        }
        assert!(most > SETS_BYTES_MAX - 1100, "{most}");
    }

    proptest! {
        #[test]
        fn anything_is_read_without_a_panic(
            h265 in any::<bool>(),
            sets in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..6),
            picture in proptest::collection::vec(any::<u8>(), 0..20),
        ) {
            let codec = if h265 { VideoCodec::H265 } else { VideoCodec::H264 };
            let mut known = known("");
            known.codec = codec;
            let kinds: &[u8] = if h265 { &[0x40, 0x42, 0x44] } else { &[0x67, 0x68] };
            let sets = sets.into_iter().enumerate().map(|(n, set)| [&kinds[n % kinds.len()..=n % kinds.len()], &set].concat());
            known.take(sets.collect(), &frame(&[&picture]));
            let _ = known.beyond(&picture);
        }
    }
}
