//! RTSP cameras on loopback that attack their client.
//!
//! Each follows the protocol up to `PLAY`, unless the attack comes earlier, and then sends its attack as
//! fast as its rate allows.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attack {
    /// An access unit that never ends.
    EndlessUnit,
    /// An access unit with an unlimited number of slices.
    Slices,
    /// An access unit with an unlimited number of SEI messages.
    Messages,
    /// Tiny pictures without a pause, each a random access picture.
    Pictures,
    /// Whole pictures of 5 MB.
    LargePictures,
    /// New parameter sets with each of 25 pictures a second.
    Parameters,
    Reports,
    /// Packets on an interleaved channel that was not set up.
    Strangers,
    /// A line that never ends, in the middle of the stream.
    Line,
    /// An announced response body of 4 GB, in the middle of the stream.
    Body,
    /// A description without an end.
    Description,
    /// Closes the connection after two seconds of pictures, each time.
    HangsUp,
    Mute,
}

impl Attack {
    pub const ALL: [Self; 13] = [
        Self::EndlessUnit,
        Self::Slices,
        Self::Messages,
        Self::Pictures,
        Self::LargePictures,
        Self::Parameters,
        Self::Reports,
        Self::Strangers,
        Self::Line,
        Self::Body,
        Self::Description,
        Self::HangsUp,
        Self::Mute,
    ];

    /// A name for a camera.
    pub fn name(self) -> String {
        format!("{self:?}").to_lowercase()
    }
}

/// A sequence parameter set of 320 by 240 pixels, and its picture parameter set.
const SPS: [u8; 21] =
    [0x67, 0x42, 0xc0, 0x1e, 0xd9, 0x03, 0xc5, 0x68, 0x40, 0, 0, 3, 0, 0x40, 0, 0, 0x0c, 3, 0xc5, 0x8b, 0x92];
const PPS: [u8; 4] = [0x68, 0xcb, 0x8c, 0xb2];
const DESCRIPTION: &str = "v=0\r\ns=x\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=fmtp:96 \
    packetization-mode=1;sprop-parameter-sets=Z0LAHtkDxWhAAAADAEAAAAwDxYuS,aMuMsg==\r\na=control:track1\r\n";

/// An attacking camera. It runs until the test's process ends.
#[derive(Debug, Clone, Copy)]
pub struct HostileCamera {
    port: u16,
}

impl HostileCamera {
    /// Listens on a free port. Sends at most `bytes_a_second` to each client.
    pub fn start(attack: Attack, bytes_a_second: u32) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port on loopback");
        let port = listener.local_addr().expect("an address").port();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                std::thread::spawn(move || {
                    // A write error means that the client has hung up, as it should.
                    let _ = Line { stream, rate: f64::from(bytes_a_second), sent: 0.0, since: Instant::now() }
                        .attack(attack);
                });
            }
        });
        Self { port }
    }

    pub fn url(self) -> String {
        format!("rtsp://127.0.0.1:{}/live", self.port)
    }
}

/// One connection with a limited rate.
struct Line {
    stream: TcpStream,
    rate: f64,
    sent: f64,
    since: Instant,
}

impl Line {
    fn attack(mut self, attack: Attack) -> std::io::Result<()> {
        if attack == Attack::Mute {
            std::thread::park_timeout(Duration::from_mins(10));
            return Ok(());
        }
        let mut requests = BufReader::new(self.stream.try_clone()?);
        loop {
            let (mut method, mut sequence, mut line) = (String::new(), String::new(), String::new());
            loop {
                line.clear();
                if requests.read_line(&mut line)? == 0 {
                    return Ok(());
                }
                if line.trim().is_empty() {
                    break;
                }
                if method.is_empty() {
                    line.split(' ').next().unwrap_or_default().clone_into(&mut method);
                }
                if let Some(number) = line.strip_prefix("CSeq:") {
                    number.trim().clone_into(&mut sequence);
                }
            }
            let head = format!("RTSP/1.0 200 OK\r\nCSeq: {sequence}\r\n");
            match method.as_str() {
                "DESCRIBE" if attack == Attack::Description => {
                    self.send(format!("{head}Content-Length: 4000000000\r\n\r\n").as_bytes())?;
                    self.for_ever(&b"a=x:yyyyyyyyyyyyyyyyyyyyyyyyy\r\n".repeat(100))?;
                }
                "DESCRIBE" => {
                    let length = DESCRIPTION.len();
                    let type_ = "Content-Type: application/sdp\r\n";
                    self.send(format!("{head}{type_}Content-Length: {length}\r\n\r\n{DESCRIPTION}").as_bytes())?;
                }
                "SETUP" => {
                    let transport = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1";
                    self.send(format!("{head}Session: 1;timeout=60\r\n{transport}\r\n\r\n").as_bytes())?;
                }
                "PLAY" => {
                    self.send(format!("{head}Session: 1\r\n\r\n").as_bytes())?;
                    return self.play(attack);
                }
                _ => self.send(format!("{head}\r\n").as_bytes())?,
            }
        }
    }

    fn play(&mut self, attack: Attack) -> std::io::Result<()> {
        let slices = aggregate([0x41, 0x9a], 4000);
        let messages = aggregate([6, 5], 4000);
        let piece = [&[0x7c, 0x05][..], &[0x55; 16_000]].concat();
        match attack {
            Attack::EndlessUnit => {
                self.packet(0, 0, false, &[0x7c, 0x85, 0x88])?;
                for n in (1..=u16::MAX).chain((0..=u16::MAX).cycle()) {
                    self.packet(n, 0, false, &piece)?;
                }
            }
            Attack::Slices | Attack::Messages => {
                let payload = if attack == Attack::Slices { slices } else { messages };
                for n in (0..=u16::MAX).cycle() {
                    self.packet(n, 0, false, &payload)?;
                }
            }
            Attack::Pictures => {
                for n in 0_u32.. {
                    self.packet(low(n), n.wrapping_mul(3600), true, &[0x65, 0x88, 0x84])?;
                }
            }
            Attack::LargePictures => {
                let mut sequence = (0..=u16::MAX).cycle();
                let mut next = || sequence.next().unwrap_or_default();
                for n in 0_u32.. {
                    let time = n.wrapping_mul(3600);
                    self.packet(next(), time, false, &[0x7c, 0x85, 0x88])?;
                    for _ in 0..5_000_000 / piece.len() {
                        self.packet(next(), time, false, &piece)?;
                    }
                    self.packet(next(), time, true, &[0x7c, 0x45, 0x88])?;
                }
            }
            Attack::Parameters | Attack::HangsUp => self.pictures(attack)?,
            Attack::Reports => {
                let report = [&[0x80, 200, 0, 6, 0, 0, 0, 7][..], &[0xe0; 8], &[0; 12]].concat();
                self.for_ever(&framed(1, &report))?;
            }
            Attack::Strangers => self.for_ever(&framed(9, &[b'x'; 16_000]))?,
            Attack::Line => {
                self.send(b"RTSP/1.0 200 OK\r\nX: ")?;
                self.for_ever(&[b'a'; 4096])?;
            }
            Attack::Body => {
                self.send(b"RTSP/1.0 200 OK\r\nContent-Length: 4000000000\r\n\r\n")?;
                self.for_ever(&[b'x'; 4096])?;
            }
            Attack::Description | Attack::Mute => {}
        }
        Ok(())
    }

    /// 25 small random access pictures a second.
    fn pictures(&mut self, attack: Attack) -> std::io::Result<()> {
        let (start, mut sps) = (Instant::now(), SPS);
        for n in 0_u32.. {
            if attack == Attack::Parameters {
                sps[3] = 10 + low(n).to_be_bytes()[1] % 40;
            } else if n == 50 {
                self.stream.shutdown(std::net::Shutdown::Both)?;
                return Ok(());
            }
            let time = n * 3600;
            for (part, unit) in (0..).zip([&sps[..], &PPS, &[0x65, 0x88, 0x84]]) {
                self.packet(low(3 * n + part), time, part == 2, unit)?;
            }
            std::thread::sleep((Duration::from_millis(40) * n).saturating_sub(start.elapsed()));
        }
        Ok(())
    }

    fn packet(&mut self, sequence: u16, time: u32, marker: bool, payload: &[u8]) -> std::io::Result<()> {
        let mut packet = vec![0x80, 0x60 | (u8::from(marker) << 7)];
        packet.extend_from_slice(&sequence.to_be_bytes());
        packet.extend_from_slice(&time.to_be_bytes());
        packet.extend_from_slice(&7_u32.to_be_bytes());
        packet.extend_from_slice(payload);
        self.send(&framed(0, &packet))
    }

    fn for_ever(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        loop {
            self.send(bytes)?;
        }
    }

    fn send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.stream.write_all(bytes)?;
        self.sent += bytes.len() as f64;
        let ahead = self.sent / self.rate - self.since.elapsed().as_secs_f64();
        if ahead > 0.02 {
            std::thread::sleep(Duration::from_secs_f64(ahead));
        }
        Ok(())
    }
}

/// Returns a STAP-A (RFC 6184 §5.7.1) with `count` equal NAL units.
fn aggregate(unit: [u8; 2], count: usize) -> Vec<u8> {
    [vec![24], [[0, 2], unit].concat().repeat(count)].concat()
}

fn framed(channel: u8, packet: &[u8]) -> Vec<u8> {
    let length = u16::try_from(packet.len()).expect("a packet fits").to_be_bytes();
    [&[b'$', channel], &length[..], packet].concat()
}

/// The lower 16 bits.
fn low(n: u32) -> u16 {
    (n & 0xffff) as u16
}
