//! Cameras that play one H.264 stream in a loop, in real time, to whoever connects: RTSP 1.0 (RFC 2326) with RTP interleaved
//! (RFC 6184, non-interleaved mode).
//!
//! Each client is a camera of its own. Clients are dealt to groups that are out of step with each other, so that key frames do
//! not all come at once; packets are numbered once for a group and not for a client.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::io::{BufRead as _, BufReader, ErrorKind, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

const FRAMES_A_SECOND: u32 = 30;
/// RTP's clock for video.
const TICKS_A_FRAME: u32 = 90_000 / FRAMES_A_SECOND;
/// RTP's payload type, as the description has it.
const PAYLOAD_TYPE: u8 = 0x60;
/// The type of a unit's fragments: FU-A (RFC 6184, 5.8).
const FRAGMENT: u8 = 0x1c;
/// What a packet's payload has at most.
const PAYLOAD_BYTES: usize = 1400;
/// How many groups there are: the ticks of all of them are spread evenly.
const GROUPS: usize = 10;
/// A client that takes nothing for so long is gone.
const STALLED: Duration = Duration::from_secs(5);
/// A frame that is sent so late was late.
const LATE: Duration = Duration::from_millis(500);

/// What the cameras have done since they started, all of them together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Played {
    /// Frames sent, counted once for each client.
    pub frames: u64,
    /// Times that a whole group was sent late: then these cameras were too slow, and not the gateway.
    pub late: u64,
    /// Clients that hung up or took nothing for five seconds.
    pub gone: u64,
}

/// The cameras. They end with the process.
#[derive(Debug)]
pub struct Cameras {
    port: u16,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    groups: Mutex<[Vec<TcpStream>; GROUPS]>,
    played: Mutex<Played>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Cameras {
    /// Plays `stream`, an H.264 byte stream of 30 pictures a second, each a single slice.
    pub fn start(stream: &Path) -> Self {
        let bytes = std::fs::read(stream).unwrap_or_else(|error| panic!("{}: {error}", stream.display()));
        let units = units(&bytes);
        let description = description(&units);
        let frames = frames(&units);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port on loopback");
        let port = listener.local_addr().expect("a bound listener has an address").port();
        let shared = Arc::new(Shared::default());
        let player = Arc::clone(&shared);
        std::thread::spawn(move || play(frames, &player));
        let accepting = Arc::clone(&shared);
        std::thread::spawn(move || {
            for (number, connection) in listener.incoming().flatten().enumerate() {
                let shared = Arc::clone(&accepting);
                let description = description.clone();
                std::thread::spawn(move || talk(connection, number % GROUPS, &description, &shared));
            }
        });
        Self { port, shared }
    }

    /// The URL of a camera; any number is one.
    pub fn url(&self, number: usize) -> String {
        format!("rtsp://127.0.0.1:{}/{number}", self.port)
    }

    /// How it went so far.
    pub fn played(&self) -> Played {
        *lock(&self.shared.played)
    }
}

/// The NAL units of a byte stream (ITU-T H.264, Annex B).
fn units(stream: &[u8]) -> Vec<&[u8]> {
    let mut starts = Vec::new();
    let mut at = 0;
    while at + 3 <= stream.len() {
        if stream[at..at + 3] == [0, 0, 1] {
            starts.push(at);
            at += 3;
        } else {
            at += 1;
        }
    }
    let ends = starts.iter().skip(1).copied().chain([stream.len()]);
    let unit = |(start, end): (&usize, usize)| {
        let bytes = &stream[start + 3..end];
        let zeros = bytes.iter().rev().take_while(|byte| **byte == 0).count();
        &bytes[..bytes.len() - zeros]
    };
    starts.iter().zip(ends).map(unit).filter(|unit| !unit.is_empty()).collect()
}

fn kind(unit: &[u8]) -> u8 {
    unit[0] & 31
}

fn description(units: &[&[u8]]) -> String {
    let set = |wanted| STANDARD.encode(units.iter().find(|unit| kind(unit) == wanted).expect("a parameter set"));
    format!(
        "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=load\r\nt=0 0\r\na=control:*\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n\
         a=fmtp:96 packetization-mode=1;sprop-parameter-sets={},{}\r\na=control:video\r\n",
        set(7),
        set(8)
    )
}

/// The interleaved packets of a frame, and where each one's RTP header begins in them.
struct Packets {
    bytes: Vec<u8>,
    headers: Vec<usize>,
}

fn frames(units: &[&[u8]]) -> Vec<Packets> {
    let mut frames = Vec::new();
    let mut frame = Packets { bytes: Vec::new(), headers: Vec::new() };
    for unit in units.iter().filter(|unit| kind(unit) != 9) {
        let is_last = matches!(kind(unit), 1 | 5);
        frame.add(unit, is_last);
        if is_last {
            frames.push(std::mem::replace(&mut frame, Packets { bytes: Vec::new(), headers: Vec::new() }));
        }
    }
    assert!(!frames.is_empty(), "a stream has frames");
    frames
}

impl Packets {
    /// A unit in one packet, or as fragments (RFC 6184, 5.8).
    fn add(&mut self, unit: &[u8], is_last: bool) {
        if unit.len() <= PAYLOAD_BYTES {
            self.packet(&[], unit, is_last);
            return;
        }
        let pieces = unit[1..].chunks(PAYLOAD_BYTES - 2);
        let count = pieces.len();
        for (number, piece) in pieces.enumerate() {
            let first = u8::from(number == 0) << 7;
            let last = u8::from(number + 1 == count) << 6;
            let header = [unit[0] & 0xe0 | FRAGMENT, first | last | kind(unit)];
            self.packet(&header, piece, is_last && number + 1 == count);
        }
    }

    fn packet(&mut self, header: &[u8], payload: &[u8], marker: bool) {
        let length = u16::try_from(12 + header.len() + payload.len()).expect("a packet is short");
        self.bytes.extend([b'$', 0]);
        self.bytes.extend(length.to_be_bytes());
        self.headers.push(self.bytes.len());
        // The sequence number and the time come when it is sent.
        self.bytes.extend([0x80, PAYLOAD_TYPE | u8::from(marker) << 7, 0, 0, 0, 0, 0, 0, 0, 0, 0x12, 0x34]);
        self.bytes.extend_from_slice(header);
        self.bytes.extend_from_slice(payload);
    }

    /// Numbers the packets; gives the next number.
    fn number(&mut self, mut sequence: u16, time: u32) -> u16 {
        for header in &self.headers {
            self.bytes[header + 2..header + 4].copy_from_slice(&sequence.to_be_bytes());
            self.bytes[header + 4..header + 8].copy_from_slice(&time.to_be_bytes());
            sequence = sequence.wrapping_add(1);
        }
        sequence
    }
}

/// Where a group stands.
#[derive(Debug, Clone, Copy)]
struct Place {
    frame: usize,
    sequence: u16,
    time: u32,
}

fn play(mut frames: Vec<Packets>, shared: &Shared) {
    let count = frames.len();
    let mut places: [Place; GROUPS] =
        std::array::from_fn(|group| Place { frame: group * count / GROUPS, sequence: 0, time: 0 });
    let began = Instant::now();
    for tick in 0_u32.. {
        let due = began + Duration::from_secs(1) * tick / (FRAMES_A_SECOND * u32::try_from(GROUPS).unwrap_or(1));
        match due.checked_duration_since(Instant::now()) {
            Some(wait) => std::thread::sleep(wait),
            None if due.elapsed() > LATE => lock(&shared.played).late += 1,
            None => {}
        }
        let group = tick as usize % GROUPS;
        let place = &mut places[group];
        let packets = &mut frames[place.frame];
        place.sequence = packets.number(place.sequence, place.time);
        let mut played = Played::default();
        lock(&shared.groups)[group].retain_mut(|client| {
            let sent = client.write_all(&packets.bytes).is_ok();
            *(if sent { &mut played.frames } else { &mut played.gone }) += 1;
            sent
        });
        place.frame = (place.frame + 1) % count;
        place.time = place.time.wrapping_add(TICKS_A_FRAME);
        let mut all = lock(&shared.played);
        (all.frames, all.gone) = (all.frames + played.frames, all.gone + played.gone);
    }
}

/// Answers a client's requests. Between `PLAY` and the end, answers and frames go out by one lock, so that none tears another.
fn talk(connection: TcpStream, group: usize, description: &str, shared: &Shared) -> std::io::Result<()> {
    connection.set_nodelay(true)?;
    connection.set_write_timeout(Some(STALLED))?;
    let mut answers = connection.try_clone()?;
    let mut requests = BufReader::new(connection);
    loop {
        // What the client sends by a channel (RTCP) is of no interest.
        while requests.fill_buf()?.first() == Some(&b'$') {
            let mut header = [0; 4];
            std::io::Read::read_exact(&mut requests, &mut header)?;
            let length = u16::from_be_bytes([header[2], header[3]]);
            std::io::copy(&mut std::io::Read::take(&mut requests, length.into()), &mut std::io::sink())?;
        }
        let mut first = String::new();
        let mut sequence = "0".to_owned();
        loop {
            let mut line = String::new();
            if requests.read_line(&mut line)? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            match line.trim_end() {
                "" => break,
                line if first.is_empty() => line.clone_into(&mut first),
                line => {
                    let (name, value) = line.split_once(':').unwrap_or_default();
                    if name.eq_ignore_ascii_case("cseq") {
                        value.trim().clone_into(&mut sequence);
                    }
                }
            }
        }
        let (method, rest) = first.split_once(' ').unwrap_or_default();
        let url = rest.split(' ').next().unwrap_or_default();
        let head = format!("RTSP/1.0 200 OK\r\nCSeq: {sequence}\r\n");
        let answer = match method {
            "DESCRIBE" => format!(
                "{head}Content-Base: {url}/\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{description}",
                description.len()
            ),
            "SETUP" => {
                format!("{head}Session: 1;timeout=60\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n\r\n")
            }
            "PLAY" => format!("{head}Session: 1\r\n\r\n"),
            _ => format!("{head}Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER\r\n\r\n"),
        };
        let mut groups = lock(&shared.groups);
        answers.write_all(answer.as_bytes())?;
        match method {
            "PLAY" => groups[group].push(answers.try_clone()?),
            "TEARDOWN" => return Ok(()),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_that_is_too_long_goes_in_fragments_that_join_to_it() {
        let long: Vec<u8> =
            [0x65].into_iter().chain((0..4000_u16).map(|n| u8::try_from(n % 200 + 1).unwrap())).collect();
        let stream =
            [&[0, 0, 0, 1, 0x67, 1][..], &[0, 0, 1, 0x68, 2], &[0, 0, 0, 1], &long, &[0, 0, 1, 0x41, 7]].concat();
        let units = units(&stream);
        assert_eq!(units, [&[0x67, 1][..], &[0x68, 2], &long, &[0x41, 7]]);
        assert!(description(&units).contains("sprop-parameter-sets=ZwE=,aAI=\r\n"), "{}", description(&units));
        let mut frames = frames(&units);
        assert_eq!(frames.len(), 2);
        assert_eq!(frames[0].number(65_534, 9), 3);
        let packets = &frames[0];
        let mut joined = vec![0x65];
        for (number, header) in packets.headers.iter().enumerate() {
            let length = usize::from(u16::from_be_bytes([packets.bytes[header - 2], packets.bytes[header - 1]]));
            let packet = &packets.bytes[*header..header + length];
            assert_eq!(packet[1] >> 7, u8::from(number + 1 == packets.headers.len()), "the marker is the last one's");
            if number >= 2 {
                assert_eq!(packet[12], 0x60 | FRAGMENT);
                joined.extend_from_slice(&packet[14..]);
            }
        }
        assert_eq!(joined, long);
    }
}
