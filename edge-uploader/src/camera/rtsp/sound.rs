//! Depacketizes RTP packets of AAC (RFC 3640, modes AAC-hbr and AAC-lbr).

use super::limits::SOUND_MAX;
use super::rtp::Packet;
use super::sdp::Stream;
use crate::media::AudioParameters;
use bytes::Bytes;
use framepost_media::aac;

/// Format of the frames and their headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Format {
    pub(super) parameters: AudioParameters,
    /// Bits of a frame's size in its header (`sizelength`), 1 to 16.
    size_bits: u32,
    /// Bits of the whole header: `sizelength` and `indexlength`, which equals `indexdeltalength` in both modes.
    header_bits: u32,
    /// Duration of a frame in units of the stream's clock rate.
    pub(super) samples: u32,
}

impl Format {
    /// Reads the format from a description. Returns `None` if necessary parts are missing.
    pub(super) fn new(stream: &Stream) -> Option<Self> {
        let configuration = hex::decode(stream.parameter("config")?).ok()?;
        let facts = aac::aac(&configuration)?;
        let mode = stream.parameter("mode").unwrap_or("AAC-hbr").to_ascii_lowercase();
        // RFC 3640 §3.3.5 and §3.3.6 define the lengths for both modes.
        let (size, index) = if mode == "aac-lbr" { (6, 2) } else { (13, 3) };
        let bits = |name: &str, usual: u32| stream.parameter(name).and_then(|text| text.parse().ok()).unwrap_or(usual);
        let size_bits = bits("sizelength", size);
        let index_bits = bits("indexlength", index);
        if !(1..=16).contains(&size_bits) || index_bits > 16 {
            return None;
        }
        let timescale = if stream.clock_rate == 0 { facts.sample_rate } else { stream.clock_rate };
        let parameters = AudioParameters {
            config: Bytes::from(configuration),
            rfc6381: facts.rfc6381,
            channels: if facts.channels == 0 { stream.channels.unwrap_or(2) } else { facts.channels },
            sample_rate: facts.sample_rate,
            timescale,
        };
        // A frame has 1024 samples at the AAC sampling rate, whatever the rate of the timestamps.
        let samples = u64::from(timescale) * 1024 / u64::from(facts.sample_rate.max(1));
        let samples = u32::try_from(samples).ok()?.max(1);
        Some(Self { parameters, size_bits, header_bits: size_bits + index_bits, samples })
    }
}

/// An audio frame with its time.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Sound {
    pub(super) time: i64,
    pub(super) data: Vec<u8>,
}

/// Depacketizes one stream's packets.
#[derive(Debug)]
pub(super) struct Disassembler {
    format: Format,
    /// A frame that is longer than a packet: its time, its size and the bytes so far.
    fragment: Option<(i64, usize, Vec<u8>)>,
}

impl Disassembler {
    /// Creates a depacketizer for a stream of this format.
    pub(super) fn new(format: Format) -> Self {
        Self { format, fragment: None }
    }

    /// Returns the format of the frames.
    pub(super) fn format(&self) -> &Format {
        &self.format
    }

    /// Takes the next packet with its time and the number of packets missing before it. A packet that
    /// cannot be parsed is dropped.
    pub(super) fn push(&mut self, packet: &Packet<'_>, time: i64, missing: u64, out: &mut Vec<Sound>) {
        if missing > 0 {
            self.fragment = None;
        }
        let Some((headers, mut data)) = split(packet.payload) else { return };
        if let [length] = self.lengths(headers)[..]
            && length > data.len()
        {
            return self.fragment(time, length, data, out);
        }
        self.fragment = None;
        for (n, length) in (0_i64..).zip(self.lengths(headers)) {
            let Some((frame, rest)) = data.split_at_checked(length) else { return };
            if !frame.is_empty() {
                out.push(Sound { time: time + n * i64::from(self.format.samples), data: frame.to_vec() });
            }
            data = rest;
        }
    }

    /// Handles a fragment of a frame. Each fragment has the header of the whole frame and
    /// its timestamp (RFC 3640 §3.2.3.1).
    fn fragment(&mut self, time: i64, length: usize, data: &[u8], out: &mut Vec<Sound>) {
        let same = self.fragment.take().filter(|(of, whole, _)| (*of, *whole) == (time, length));
        let (_, _, mut whole) = same.unwrap_or((time, length, Vec::new()));
        whole.extend_from_slice(data);
        match whole.len() {
            got if got == length => out.push(Sound { time, data: whole }),
            got if got < length && length <= SOUND_MAX => self.fragment = Some((time, length, whole)),
            _ => {}
        }
    }

    fn lengths(&self, (bytes, bits): Headers<'_>) -> Vec<usize> {
        let width = self.format.header_bits as usize;
        (0..bits / width)
            .map(|n| {
                (0..self.format.size_bits as usize).fold(0, |value, bit| {
                    let at = n * width + bit;
                    let byte = bytes.get(at / 8).copied().unwrap_or(0);
                    (value << 1) | usize::from((byte >> (7 - at % 8)) & 1)
                })
            })
            .collect()
    }
}

/// The headers of a packet's frames: their bytes, and their length in bits.
type Headers<'a> = (&'a [u8], usize);

/// Splits off the AU header section (RFC 3640 §3.2.1).
fn split(payload: &[u8]) -> Option<(Headers<'_>, &[u8])> {
    let (length, rest) = payload.split_first_chunk::<2>()?;
    let bits = usize::from(u16::from_be_bytes(*length));
    let (headers, data) = rest.split_at_checked(bits.div_ceil(8))?;
    Some(((headers, bits), data))
}

#[cfg(test)]
mod tests {
    use super::super::sdp;
    use super::*;
    use proptest::prelude::*;

    fn format(fmtp: &str) -> Option<Format> {
        let text = format!("m=audio 0 RTP/AVP 97\na=rtpmap:97 MPEG4-GENERIC/16000/1\na=fmtp:97 {fmtp}\n");
        Format::new(&sdp::parse(text.as_bytes()).streams[0])
    }

    fn packet(payload: &[u8]) -> Packet<'_> {
        Packet { marker: true, payload_type: 97, sequence: 0, timestamp: 0, source: 1, payload }
    }

    fn headers(lengths: &[u16]) -> Vec<u8> {
        let mut out = u16::try_from(lengths.len() * 16).unwrap().to_be_bytes().to_vec();
        out.extend(lengths.iter().flat_map(|length| (length << 3).to_be_bytes()));
        out
    }

    #[test]
    fn descriptions_are_read() {
        let usual = format("mode=AAC-hbr;sizelength=13;indexlength=3;indexdeltalength=3;config=1408").unwrap();
        assert_eq!((usual.parameters.sample_rate, usual.parameters.channels, usual.samples), (16_000, 1, 1024));
        assert_eq!(format("Config=1408; mode=aac-hbr").as_ref(), Some(&usual));
        assert_eq!(format("config=1408"), Some(usual));
        let short = format("mode=AAC-lbr;config=1408").unwrap();
        assert_eq!((short.size_bits, short.header_bits), (6, 8));
        for bad in
            ["", "mode=AAC-hbr", "config=zz", "config=14", "config=1408;sizelength=0", "config=1408;indexlength=99"]
        {
            assert_eq!(format(bad), None, "{bad}");
        }
    }

    #[test]
    fn packets_are_taken_apart() {
        let mut out = Vec::new();
        let mut sound = Disassembler::new(format("config=1408").unwrap());
        sound.push(&packet(&[headers(&[2, 3]), b"abcde".to_vec()].concat()), 100, 0, &mut out);
        // A frame in two packets, one whose second packet is missing, and one that follows it.
        for (time, missing, data) in
            [(3000, 0, "ab"), (3000, 0, "cd"), (4000, 0, "ab"), (5000, 1, "ab"), (5000, 0, "cd")]
        {
            sound.push(&packet(&[headers(&[4]), data.as_bytes().to_vec()].concat()), time, missing, &mut out);
        }
        // A truncated packet.
        sound.push(&packet(&[headers(&[2, 9]), b"abcd".to_vec()].concat()), 6000, 0, &mut out);
        sound.push(&packet(&[0, 99, 1]), 7000, 0, &mut out);
        sound.push(&packet(&[]), 7000, 0, &mut out);
        let found: Vec<(i64, &[u8])> = out.iter().map(|sound| (sound.time, &sound.data[..])).collect();
        let expected: [(i64, &[u8]); 5] =
            [(100, b"ab"), (1124, b"cde"), (3000, b"abcd"), (5000, b"abcd"), (6000, b"ab")];
        assert_eq!(found, expected);
    }

    proptest! {
        #[test]
        fn anything_is_taken_apart_within_bounds(payloads in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..20)) {
            let mut out = Vec::new();
            let mut sound = Disassembler::new(format("config=1408").unwrap());
            for payload in &payloads {
                sound.push(&packet(payload), 0, 0, &mut out);
                let held = sound.fragment.as_ref().map_or(0, |(_, _, data)| data.len());
                prop_assert!(held <= SOUND_MAX);
            }
            prop_assert!(out.iter().map(|sound| sound.data.len()).sum::<usize>() <= payloads.concat().len());
        }
    }
}
