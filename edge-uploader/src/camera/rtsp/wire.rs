//! Splits the bytes of an RTSP connection into messages and interleaved packets (RFC 2326 §10.12), within
//! [limits](super::limits). Does no I/O. Each byte is examined a bounded number of times, however the
//! stream is divided into reads.
//!
//! Between messages and packets, cameras send line ends, and some lose the end of a packet. Everything up to
//! the next possible beginning is then skipped.

use super::limits::{BODY_MAX, Excess, GARBAGE_MAX, HEAD_MAX, LINE_MAX, LINES_MAX};
use super::message::Head;
use std::ops::Range;

/// The next part of the received bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// No complete part: `needed` bytes are required in total.
    Incomplete { needed: usize },
    /// This many bytes must be skipped.
    Skip(usize),
    /// A packet, which ends where its body ends.
    Packet { channel: u8, body: Range<usize> },
    /// A message, which ends where its body ends.
    Message { head: Head, body: Range<usize> },
}

/// The position in a message's head, and the state outside of messages.
#[derive(Debug, Default)]
pub(super) struct Framer {
    /// Start of the current line.
    line: usize,
    /// End of the bytes already searched for its end.
    scanned: usize,
    lines: usize,
    /// A head whose body is incomplete.
    head: Option<(Head, Range<usize>)>,
    /// Number of skipped bytes since the last message or packet.
    garbage: usize,
    sync: Sync,
}

/// Whether the next byte is known to be the start of a part.
#[derive(Debug, Default, PartialEq, Eq)]
enum Sync {
    #[default]
    Kept,
    Lost,
}

/// The possible beginnings of messages. Other data that does not start with `$` is skipped.
const BEGINNINGS: [&[u8]; 12] = [
    b"RTSP/",
    b"OPTIONS ",
    b"DESCRIBE ",
    b"ANNOUNCE ",
    b"SETUP ",
    b"PLAY ",
    b"PAUSE ",
    b"TEARDOWN ",
    b"GET_PARAMETER ",
    b"SET_PARAMETER ",
    b"REDIRECT ",
    b"RECORD ",
];

impl Framer {
    /// Returns the next part of `bytes`. Unless the result is [`Incomplete`](Step::Incomplete), the caller must
    /// remove the part before the next call. Until then, it may append bytes.
    pub(super) fn step(&mut self, bytes: &[u8]) -> Result<Step, Excess> {
        if let Some((_, body)) = &self.head {
            return self.body(body.clone(), bytes);
        }
        let blank = bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n' | b' ' | 0)).count();
        if blank > 0 && self.line == 0 {
            return self.skip(blank);
        }
        match bytes.first() {
            None => Ok(Step::Incomplete { needed: 1 }),
            Some(b'$') => self.packet(bytes),
            Some(_) if BEGINNINGS.iter().any(|beginning| begins(bytes, beginning)) => self.message(bytes),
            Some(_) => self.resynchronize(bytes),
        }
    }

    fn packet(&mut self, bytes: &[u8]) -> Result<Step, Excess> {
        let Some(&[_, channel, high, low]) = bytes.first_chunk::<4>() else {
            return Ok(Step::Incomplete { needed: 4 });
        };
        let end = 4 + usize::from(u16::from_be_bytes([high, low]));
        if self.sync == Sync::Lost {
            // Within other data, a dollar sign may be any byte, so the packet must have RTP's version. A packet
            // without a body proves nothing, whether or not the next byte has arrived.
            match bytes.get(4) {
                None if end > 4 => return Ok(Step::Incomplete { needed: 5 }),
                Some(first) if end > 4 && first >> 6 == 2 && channel < 64 => {}
                _ => return self.skip(1),
            }
        }
        if bytes.len() < end {
            return Ok(Step::Incomplete { needed: end });
        }
        self.found();
        Ok(Step::Packet { channel, body: 4..end })
    }

    fn message(&mut self, bytes: &[u8]) -> Result<Step, Excess> {
        loop {
            let Some(length) = memchr::memchr(b'\n', &bytes[self.scanned..]) else {
                self.scanned = bytes.len();
                if bytes.len() - self.line > LINE_MAX {
                    return Err(Excess::Line);
                }
                return Ok(Step::Incomplete { needed: bytes.len() + 1 });
            };
            let end = self.scanned + length;
            if end - self.line > LINE_MAX {
                return Err(Excess::Line);
            }
            let is_empty = bytes[self.line..end].iter().all(|byte| *byte == b'\r');
            if is_empty {
                let head = Head::parse(&bytes[..self.line]);
                let body = end + 1;
                self.restart();
                // Data that begins like a message and is not one is searched for a beginning.
                let Some(head) = head else {
                    self.sync = Sync::Lost;
                    return self.skip(1);
                };
                if head.body_length() > BODY_MAX as u64 {
                    return Err(Excess::Body);
                }
                let length = usize::try_from(head.body_length()).map_err(|_| Excess::Body)?;
                self.found();
                self.head = Some((head, body..body + length));
                return self.body(body..body + length, bytes);
            }
            self.lines += 1;
            self.line = end + 1;
            self.scanned = end + 1;
            if self.lines > LINES_MAX || self.line > HEAD_MAX {
                return Err(Excess::Head);
            }
        }
    }

    fn body(&mut self, body: Range<usize>, bytes: &[u8]) -> Result<Step, Excess> {
        if bytes.len() < body.end {
            return Ok(Step::Incomplete { needed: body.end });
        }
        match self.head.take() {
            Some((head, body)) => Ok(Step::Message { head, body }),
            None => self.skip(1),
        }
    }

    /// Skips bytes that cannot be a beginning.
    fn resynchronize(&mut self, bytes: &[u8]) -> Result<Step, Excess> {
        self.restart();
        self.sync = Sync::Lost;
        // Consider every byte that may begin a part, so that the result does not depend on
        // how the stream is divided.
        let may_begin = |byte: &u8| *byte == b'$' || BEGINNINGS.iter().any(|beginning| beginning.first() == Some(byte));
        let next = bytes[1..].iter().position(may_begin).map_or(bytes.len(), |found| found + 1);
        self.skip(next)
    }

    fn skip(&mut self, count: usize) -> Result<Step, Excess> {
        self.garbage += count;
        if self.garbage > GARBAGE_MAX {
            return Err(Excess::Garbage);
        }
        Ok(Step::Skip(count))
    }

    fn found(&mut self) {
        self.garbage = 0;
        self.sync = Sync::Kept;
    }

    fn restart(&mut self) {
        (self.line, self.scanned, self.lines) = (0, 0, 0);
    }
}

/// Returns whether `bytes`, which may continue, begin with `beginning`.
fn begins(bytes: &[u8], beginning: &[u8]) -> bool {
    let common = bytes.len().min(beginning.len());
    bytes[..common] == beginning[..common]
}

#[cfg(test)]
mod tests {
    use super::super::message::Start;
    use super::*;
    use proptest::prelude::*;

    /// Formats all parts of a stream that arrives in pieces divided at `cuts`.
    fn parts(stream: &[u8], cuts: &[usize]) -> Result<Vec<String>, Excess> {
        let mut framer = Framer::default();
        let mut buffer = Vec::new();
        let mut found = Vec::new();
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (stream.len() + 1)).collect();
        cuts.extend([0, stream.len()]);
        cuts.sort_unstable();
        for piece in cuts.windows(2) {
            buffer.extend_from_slice(&stream[piece[0]..piece[1]]);
            loop {
                let used = match framer.step(&buffer)? {
                    Step::Incomplete { needed } => {
                        assert!(needed > buffer.len() && needed <= super::super::limits::BUFFER_MAX);
                        break;
                    }
                    Step::Skip(count) => count,
                    Step::Packet { channel, body } => {
                        found.push(format!("{channel}:{}", hex::encode(&buffer[body.clone()])));
                        body.end
                    }
                    Step::Message { head, body } => {
                        found.push(format!("{:?} {}", head.start, String::from_utf8_lossy(&buffer[body.clone()])));
                        body.end
                    }
                };
                assert!(used > 0 && used <= buffer.len());
                buffer.drain(..used);
            }
        }
        Ok(found)
    }

    const STREAM: &[u8] = b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Length: 4\r\n\r\n$RTS\r\n\r\n$\x00\x00\x03\x80$R\
        OPTIONS * RTSP/1.0\nCSeq: 9\n\n$\x01\x00\x00$\x09\x00\x01x";

    #[test]
    fn messages_and_packets_are_told_apart() {
        let found = parts(STREAM, &[]).unwrap();
        let expected =
            ["Response(200) $RTS", "0:802452", "Request { method: \"OPTIONS\" } ", "1:", "9:78"].map(str::to_owned);
        assert_eq!(found, expected);
    }

    #[test]
    fn what_was_cut_short_costs_no_more_than_it_covers() {
        // The end of a packet without its beginning, with a dollar sign in it, then a packet and a message.
        let stream =
            b"tail$x\xffRTS$\x00\x00\x02\x80\x01RTSP/1.0 nonsense\r\n\r\n$\x00\x00\x01\x81RTSP/1.0 200 OK\r\n\r\n";
        let found = parts(stream, &[]).unwrap();
        assert_eq!(found, ["0:8001", "0:81", "Response(200) "]);
    }

    #[test]
    fn where_pieces_begin_makes_no_difference_to_what_is_found_in_garbage() {
        for stream in [
            // A packet without a body, followed by a byte that could be RTP.
            &b"x$\x00\x00\x00\x80$\x00\x00\x01\x80"[..],
            // A message that begins with another letter than `RTSP/`.
            b"xxPLAY * RTSP/1.0\r\nCSeq: 1\r\n\r\n$\x00\x00\x01\x80",
            b"xx$\x01OPTIONS * RTSP/1.0\r\n\r\n",
        ] {
            let whole = parts(stream, &[]);
            assert!(whole.as_ref().is_ok_and(|found| !found.is_empty()));
            for cut in 1..stream.len() {
                assert_eq!(parts(stream, &[cut]), whole, "{cut}");
            }
            assert_eq!(parts(stream, &(0..stream.len()).collect::<Vec<_>>()), whole);
        }
    }

    #[test]
    fn each_limit_is_exact() {
        let head =
            |line: usize| [b"RTSP/1.0 200 OK\r\nX:".to_vec(), vec![b'a'; line - 3], b"\r\n\r\n".to_vec()].concat();
        assert_eq!(parts(&head(LINE_MAX), &[]).map(|found| found.len()), Ok(1));
        assert_eq!(parts(&head(LINE_MAX + 1), &[]), Err(Excess::Line));
        let lines =
            |count: usize| [b"RTSP/1.0 200 OK\r\n".to_vec(), b"X: a\r\n".repeat(count - 1), b"\r\n".to_vec()].concat();
        assert_eq!(parts(&lines(LINES_MAX), &[]).map(|found| found.len()), Ok(1));
        assert_eq!(parts(&lines(LINES_MAX + 1), &[]), Err(Excess::Head));
        let long = format!("X: {}\r\n", "a".repeat(1000));
        let heavy = [b"RTSP/1.0 200 OK\r\n".to_vec(), long.repeat(33).into_bytes(), b"\r\n".to_vec()].concat();
        assert_eq!(parts(&heavy, &[]), Err(Excess::Head));
        let body = |length: usize| {
            [format!("RTSP/1.0 200 OK\r\nContent-Length: {length}\r\n\r\n").into_bytes(), vec![b'x'; length]].concat()
        };
        assert_eq!(parts(&body(BODY_MAX), &[]).map(|found| found.len()), Ok(1));
        assert_eq!(parts(&body(BODY_MAX + 1), &[]), Err(Excess::Body));
        assert_eq!(
            parts(b"RTSP/1.0 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n", &[]).map(|f| f.len()),
            Ok(1)
        );
        assert_eq!(parts(&vec![b'x'; GARBAGE_MAX], &[]), Ok(Vec::new()));
        assert_eq!(parts(&vec![b'x'; GARBAGE_MAX + 1], &[]), Err(Excess::Garbage));
        assert_eq!(parts(&vec![b'\n'; GARBAGE_MAX + 1], &[]), Err(Excess::Garbage));
    }

    #[test]
    fn a_message_is_read_before_its_body_is_whole() {
        let mut framer = Framer::default();
        let text = b"RTSP/1.0 200\r\nContent-Length: 3\r\n\r\nab";
        assert_eq!(framer.step(text), Ok(Step::Incomplete { needed: text.len() + 1 }));
        let Ok(Step::Message { head, body }) = framer.step(&[&text[..], b"c$"].concat()) else { panic!("a message") };
        assert_eq!((head.start, body), (Start::Response(200), text.len() - 2..text.len() + 1));
    }

    proptest! {
        #[test]
        fn how_the_stream_is_cut_up_makes_no_difference(cuts in proptest::collection::vec(any::<usize>(), 0..40)) {
            prop_assert_eq!(parts(STREAM, &cuts), parts(STREAM, &[]));
        }

        #[test]
        fn anything_is_taken_apart_within_bounds(
            pieces in proptest::collection::vec(
                prop_oneof![
                    proptest::collection::vec(any::<u8>(), 0..60),
                    Just(b"RTSP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n".to_vec()),
                    Just(b"$\x00\x00\x04\x80abc".to_vec()),
                    Just(b"RTSP/".to_vec()),
                    Just(b"\r\n".to_vec()),
                ],
                0..20,
            ),
            cuts in proptest::collection::vec(any::<usize>(), 0..20),
        ) {
            let stream = pieces.concat();
            let _ = parts(&stream, &cuts);
        }
    }
}
