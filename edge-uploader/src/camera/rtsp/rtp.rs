//! RTP and RTCP packets (RFC 3550), and what a stream's packets show together: which are missing,
//! and the time of each.

use std::num::NonZeroU32;
use std::time::Duration;

/// An RTP packet (RFC 3550 §5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Packet<'a> {
    /// Set on the last packet of a picture.
    pub(super) marker: bool,
    pub(super) payload_type: u8,
    pub(super) sequence: u16,
    /// Timestamp in units of the stream's clock rate, from an arbitrary start.
    pub(super) timestamp: u32,
    /// The synchronization source (SSRC).
    pub(super) source: u32,
    /// Payload without padding; may be empty.
    pub(super) payload: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Parses a packet. Returns `None` if it has another version or is truncated.
    pub(super) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (fixed, rest) = bytes.split_first_chunk::<12>()?;
        let [flags, kind, s0, s1, t0, t1, t2, t3, r0, r1, r2, r3] = *fixed;
        if flags >> 6 != 2 {
            return None;
        }
        let mut payload = rest.get(4 * usize::from(flags & 0x0f)..)?;
        if flags & 0x10 != 0 {
            let (&[_, _, high, low], rest) = payload.split_first_chunk::<4>()?;
            payload = rest.get(4 * usize::from(u16::from_be_bytes([high, low]))..)?;
        }
        if flags & 0x20 != 0 {
            let padding = usize::from(*payload.last()?);
            payload = payload.get(..payload.len().checked_sub(padding)?)?;
        }
        Some(Self {
            marker: kind & 0x80 != 0,
            payload_type: kind & 0x7f,
            sequence: u16::from_be_bytes([s0, s1]),
            timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
            source: u32::from_be_bytes([r0, r1, r2, r3]),
            payload,
        })
    }
}

/// Returns whether a packet is RTCP, whatever channel or port it came from: packet types 192
/// to 223 (RFC 5761 §4).
pub(super) fn is_rtcp(bytes: &[u8]) -> bool {
    bytes.get(1).is_some_and(|kind| (192..=223).contains(kind))
}

/// An RTCP sender report (RFC 3550 §6.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SenderReport {
    pub(super) source: u32,
    /// NTP timestamp: seconds since 1900 and their fraction, 32 bits each.
    pub(super) ntp: u64,
    /// RTP timestamp of the same moment.
    pub(super) timestamp: u32,
}

impl SenderReport {
    /// Parses the report at the start of a compound packet.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        const SENDER_REPORT: u8 = 200;
        let (head, rest) = bytes.split_first_chunk::<8>()?;
        let (ntp, rest) = rest.split_first_chunk::<8>()?;
        let (timestamp, _) = rest.split_first_chunk::<4>()?;
        let [flags, kind, _, _, s0, s1, s2, s3] = *head;
        (flags >> 6 == 2 && kind == SENDER_REPORT).then(|| Self {
            source: u32::from_be_bytes([s0, s1, s2, s3]),
            ntp: u64::from_be_bytes(*ntp),
            timestamp: u32::from_be_bytes(*timestamp),
        })
    }
}

/// Returns a receiver report without report blocks, and an SDES packet with a name, as RFC 3550 §6.1 requires:
/// a keep-alive for cameras that expect RTCP.
pub(super) fn receiver_report(source: u32) -> Vec<u8> {
    let mut packet = vec![0x80, 201, 0, 1];
    packet.extend_from_slice(&source.to_be_bytes());
    // SDES with one chunk: CNAME "framepost", its end, and padding to a multiple of four.
    packet.extend_from_slice(&[0x81, 202, 0, 4]);
    packet.extend_from_slice(&source.to_be_bytes());
    packet.extend_from_slice(&[1, 9]);
    packet.extend_from_slice(b"framepost");
    packet.push(0);
    packet
}

/// How a packet relates to those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arrival {
    /// It is the next one, after this many missing packets.
    Next { missing: u64 },
    /// It is a duplicate or too late.
    Late,
    /// The sender has restarted: it has another source, or its sequence numbers are far from the last.
    Restarted,
    /// It may be the first packet of a new source, or a stray one. The next packet decides.
    Strayed,
}

/// Tracks sequence numbers and sources of a stream as in RFC 3550 appendix A.1: a new source or a jump is
/// accepted at its second packet.
#[derive(Debug, Default)]
pub(super) struct Sequence {
    /// Source and expected sequence number.
    expected: Option<(u32, u16)>,
    /// Source and number of the second packet of a possible new source.
    candidate: Option<(u32, u16)>,
}

/// MAX_DROPOUT and MAX_MISORDER from RFC 3550 appendix A.1.
const DROPOUT_MAX: u16 = 3000;
const MISORDER_MAX: u16 = 100;

impl Sequence {
    /// Returns whether packets come from this source.
    pub(super) fn is_from(&self, source: u32) -> bool {
        self.expected.is_some_and(|(known, _)| known == source)
    }

    /// Takes the next packet that arrived.
    pub(super) fn next(&mut self, source: u32, sequence: u16) -> Arrival {
        let after = (source, sequence.wrapping_add(1));
        let Some((known, next)) = self.expected else {
            self.expected = Some(after);
            return Arrival::Next { missing: 0 };
        };
        let ahead = sequence.wrapping_sub(next);
        if source == known {
            if ahead < DROPOUT_MAX {
                self.expected = Some(after);
                self.candidate = None;
                return Arrival::Next { missing: ahead.into() };
            }
            if ahead > u16::MAX - MISORDER_MAX {
                return Arrival::Late;
            }
        }
        if self.candidate == Some((source, sequence)) {
            self.expected = Some(after);
            self.candidate = None;
            return Arrival::Restarted;
        }
        self.candidate = Some(after);
        Arrival::Strayed
    }
}

/// The time line of one stream: RTP's 32-bit timestamps unwrapped, starting at the stream's start.
#[derive(Debug, Clone)]
pub(super) struct Timeline {
    rate: NonZeroU32,
    /// The start from the response to `PLAY`; used if the first packet is near it.
    announced: Option<u32>,
    /// The last timestamp as sent and unwrapped, with its arrival.
    last: Option<(u32, i64, Duration)>,
}

/// Largest distance between the first packet and the announced start of a stream: longer than any camera's
/// group of pictures, which it may send first. Other values are meaningless.
const ANNOUNCED_WITHIN: Duration = Duration::from_secs(10);

impl Timeline {
    /// Creates the time line of a stream with this clock rate in Hertz.
    pub(super) fn new(rate: NonZeroU32, announced: Option<u32>) -> Self {
        Self { rate, announced, last: None }
    }

    /// Returns the time of a packet and remembers it.
    pub(super) fn advance(&mut self, timestamp: u32, arrival: Duration) -> i64 {
        let time = self.place(timestamp);
        self.last = Some((timestamp, time, arrival));
        time
    }

    /// Returns the time of a timestamp without remembering it.
    pub(super) fn place(&self, timestamp: u32) -> i64 {
        match self.last {
            Some((last, time, _)) => time + difference(timestamp, last),
            None => self.announced.map_or(0, |announced| {
                let from = difference(timestamp, announced);
                let most = ANNOUNCED_WITHIN.as_secs().cast_signed() * i64::from(self.rate.get());
                if from.abs() <= most { from } else { 0 }
            }),
        }
    }

    /// The sender starts counting again at `timestamp`. The time elapsed on the gateway's clock is inserted.
    pub(super) fn restart(&mut self, timestamp: u32, arrival: Duration) {
        if let Some((last, time, at)) = &mut self.last {
            let passed = arrival.saturating_sub(*at).as_nanos() * u128::from(self.rate.get()) / 1_000_000_000;
            *time += i64::try_from(passed).unwrap_or(0).max(1);
            (*last, *at) = (timestamp, arrival);
        }
    }
}

/// Returns the signed difference `a - b` in the shorter direction.
fn difference(a: u32, b: u32) -> i64 {
    i64::from(a.wrapping_sub(b).cast_signed())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Returns a packet with payload type 96 from source 1.
    pub(in super::super) fn packet(sequence: u16, timestamp: u32, marker: bool, payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0x80, 0x60 | (u8::from(marker) << 7)];
        bytes.extend_from_slice(&sequence.to_be_bytes());
        bytes.extend_from_slice(&timestamp.to_be_bytes());
        bytes.extend_from_slice(&1_u32.to_be_bytes());
        bytes.extend_from_slice(payload);
        bytes
    }

    #[test]
    fn packets_are_read() {
        let plain = packet(7, 9, true, b"abc");
        let read = Packet::parse(&plain).unwrap();
        assert_eq!((read.marker, read.payload_type, read.sequence, read.timestamp, read.source), (true, 96, 7, 9, 1));
        assert_eq!(read.payload, b"abc");
        // Two contributing sources, an extension of one word, and two bytes of padding.
        let mut all = packet(7, 9, false, &[0; 8]);
        all[0] = 0xb2;
        all.extend_from_slice(&[0xbe, 0xde, 0, 1, 1, 2, 3, 4]);
        all.extend_from_slice(b"abc\x00\x02");
        assert_eq!(Packet::parse(&all).map(|packet| packet.payload), Some(&b"abc"[..]));
        for cut in 0..12 {
            assert_eq!(Packet::parse(&plain[..cut]), None);
        }
        for (first, payload) in [(0x40, &b"a"[..]), (0xa0, b"a\x03"), (0x90, b"abc"), (0x8f, b"abc"), (0xa0, b"")] {
            let mut bytes = packet(1, 1, false, payload);
            bytes[0] = first;
            assert_eq!(Packet::parse(&bytes), None, "{first:x}");
        }
    }

    #[test]
    fn reports_are_read_and_written() {
        let mut report = vec![0x80, 200, 0, 6, 0, 0, 0, 5];
        report.extend_from_slice(&7_u64.to_be_bytes());
        report.extend_from_slice(&9_u32.to_be_bytes());
        assert!(is_rtcp(&report));
        assert_eq!(SenderReport::parse(&report), Some(SenderReport { source: 5, ntp: 7, timestamp: 9 }));
        assert_eq!(SenderReport::parse(&report[..19]), None);
        report[1] = 203;
        assert_eq!(SenderReport::parse(&report), None);
        let written = receiver_report(3);
        assert_eq!(written.len(), 8 + 4 * 5);
        assert!(is_rtcp(&written));
    }

    #[test]
    fn missing_packets_are_counted_and_strangers_are_not_believed_at_once() {
        use Arrival::{Late, Next, Restarted, Strayed};
        let mut sequence = Sequence::default();
        for (source, number, expected) in [
            (1, 65_534, Next { missing: 0 }),
            (1, 65_535, Next { missing: 0 }),
            (1, 2, Next { missing: 2 }),
            (1, 1, Late),
            (1, 2, Late),
            (1, 3, Next { missing: 0 }),
            // A stray packet, and a new source.
            (9, 500, Strayed),
            (1, 4, Next { missing: 0 }),
            (9, 501, Strayed),
            (9, 502, Restarted),
            (9, 503, Next { missing: 0 }),
            // The same source with new sequence numbers.
            (9, 40_000, Strayed),
            (9, 40_001, Restarted),
        ] {
            assert_eq!(sequence.next(source, number), expected, "{source} {number}");
        }
    }

    #[test]
    fn times_start_where_the_camera_says_unless_it_cannot_be() {
        let rate = NonZeroU32::new(90_000).unwrap();
        for (announced, first, expected) in [
            (None, 5, 0),
            (Some(5), 5, 0),
            (Some(5), 90_005, 90_000),
            (Some(90_005), 5, -90_000),
            (Some(u32::MAX), 89_999, 90_000),
            (Some(0), 3_000_000_000, 0),
            (Some(0), 900_001, 0),
        ] {
            assert_eq!(
                Timeline::new(rate, announced).advance(first, Duration::ZERO),
                expected,
                "{announced:?} {first}"
            );
        }
        let mut times = Timeline::new(rate, None);
        let at = Duration::from_secs;
        assert_eq!(times.advance(u32::MAX - 9, at(0)), 0);
        assert_eq!(times.advance(90, at(1)), 100);
        assert_eq!(times.place(80), 90);
        assert_eq!(times.advance(80, at(1)), 90);
        times.restart(5_000_000, at(3));
        assert_eq!(times.advance(5_000_000, at(3)), 90 + 180_000);
        assert_eq!(times.advance(5_003_600, at(3)), 90 + 183_600);
    }

    proptest! {
        #[test]
        fn anything_is_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = (Packet::parse(&bytes), SenderReport::parse(&bytes), is_rtcp(&bytes));
        }

        #[test]
        fn any_numbers_are_taken(numbers in proptest::collection::vec((0..3_u32, any::<u16>(), any::<u32>()), 0..200)) {
            let mut sequence = Sequence::default();
            let mut times = Timeline::new(NonZeroU32::MIN, Some(1));
            for (n, (source, number, timestamp)) in (0..).zip(numbers) {
                if sequence.next(source, number) == Arrival::Restarted {
                    times.restart(timestamp, Duration::from_secs(n));
                }
                times.advance(timestamp, Duration::from_secs(n));
            }
        }
    }
}
