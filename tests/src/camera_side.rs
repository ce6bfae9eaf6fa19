//! The camera's side of one RTSP connection, spoken by hand: what cameras need that no real server can be made to do, and what
//! costs too little to disturb a measurement.

use std::io::{BufRead as _, BufReader, Result, Write as _};
use std::net::TcpStream;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A sequence parameter set of 320 by 240 pixels, and its picture parameter set.
pub(crate) const SPS: [u8; 21] =
    [0x67, 0x42, 0xc0, 0x1e, 0xd9, 0x03, 0xc5, 0x68, 0x40, 0, 0, 3, 0, 0x40, 0, 0, 0x0c, 3, 0xc5, 0x8b, 0x92];
pub(crate) const PPS: [u8; 4] = [0x68, 0xcb, 0x8c, 0xb2];
pub(crate) const DESCRIPTION: &str = "v=0\r\ns=x\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=fmtp:96 \
    packetization-mode=1;sprop-parameter-sets=Z0LAHtkDxWhAAAADAEAAAAwDxYuS,aMuMsg==\r\na=control:track1\r\n";

/// The type of a fragment's NAL unit.
const FU_A: u8 = 28;
/// The payload of one packet at most.
const PAYLOAD_BYTES: usize = 1400;

/// One connection, held to a rate where one is given.
pub(crate) struct CameraSide {
    stream: Arc<Mutex<TcpStream>>,
    requests: Option<BufReader<TcpStream>>,
    bytes_a_second: Option<f64>,
    sent_bytes: f64,
    since: Instant,
    sequence: u16,
}

/// What the client asked.
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) url: String,
    lines: Vec<String>,
}

impl Request {
    /// The value of a header, if the request has it.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let named = |line: &&str| line.split_once(':').is_some_and(|(is, _)| is.eq_ignore_ascii_case(name));
        Some(self.lines.iter().map(String::as_str).find(named)?.split_once(':')?.1.trim())
    }

    /// The first lines of an answer: `200 OK`, or another status and reason.
    pub(crate) fn head_of(&self, status: &str) -> String {
        format!("RTSP/1.0 {status}\r\nCSeq: {}\r\n", self.header("cseq").unwrap_or_default())
    }

    /// The first lines of a good answer.
    pub(crate) fn head(&self) -> String {
        self.head_of("200 OK")
    }

    /// The answer of an ordinary camera.
    pub(crate) fn answer(&self, description: &str) -> String {
        let head = self.head();
        match self.method.as_str() {
            "DESCRIBE" => {
                let length = description.len();
                format!("{head}Content-Type: application/sdp\r\nContent-Length: {length}\r\n\r\n{description}")
            }
            "SETUP" => {
                format!("{head}Session: 1;timeout=60\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n\r\n")
            }
            "PLAY" => format!("{head}Session: 1\r\n\r\n"),
            _ => format!("{head}\r\n"),
        }
    }
}

impl CameraSide {
    /// Takes over a connection that was accepted.
    pub(crate) fn new(stream: TcpStream, bytes_a_second: Option<u32>) -> Result<Self> {
        let requests = Some(BufReader::new(stream.try_clone()?));
        stream.set_nodelay(true)?;
        Ok(Self {
            stream: Arc::new(Mutex::new(stream)),
            requests,
            bytes_a_second: bytes_a_second.map(f64::from),
            sent_bytes: 0.0,
            since: Instant::now(),
            sequence: 0,
        })
    }

    /// The next request; none once the client has hung up.
    pub(crate) fn request(&mut self) -> Result<Option<Request>> {
        self.requests.as_mut().map_or(Ok(None), read_request)
    }

    /// Answers what comes as an ordinary camera does, up to and with PLAY. False when the client hung up before.
    pub(crate) fn until_playing(&mut self) -> Result<bool> {
        while let Some(request) = self.request()? {
            self.send(request.answer(DESCRIPTION).as_bytes())?;
            if request.method == "PLAY" {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// From now on a thread reads what comes, and nobody answers.
    pub(crate) fn ignore_aside(&mut self) {
        let Some(mut requests) = self.requests.take() else { return };
        std::thread::spawn(move || std::io::copy(&mut requests, &mut std::io::sink()));
    }

    /// From now on a thread answers what comes, as keep-alives do.
    pub(crate) fn answer_aside(&mut self) {
        let Some(mut requests) = self.requests.take() else { return };
        let stream = Arc::clone(&self.stream);
        std::thread::spawn(move || {
            while let Ok(Some(request)) = read_request(&mut requests) {
                let answer = request.answer(DESCRIPTION);
                let mut stream = stream.lock().unwrap_or_else(PoisonError::into_inner);
                if stream.write_all(answer.as_bytes()).is_err() {
                    break;
                }
            }
        });
    }

    /// Sends one RTP packet of the picture.
    pub(crate) fn packet(&mut self, time: u32, marker: bool, payload: &[u8]) -> Result<()> {
        self.packet_by(0, 96, time, marker, payload)
    }

    /// Sends one RTP packet of a type by a channel.
    pub(crate) fn packet_by(&mut self, channel: u8, kind: u8, time: u32, marker: bool, payload: &[u8]) -> Result<()> {
        let packet = self.rtp(kind, time, marker, payload);
        self.send(&framed(channel, &packet))
    }

    /// Sends packets of one picture at once.
    pub(crate) fn packets(&mut self, time: u32, payloads: &[&[u8]]) -> Result<()> {
        let mut bytes = Vec::new();
        for payload in payloads {
            bytes.extend(framed(0, &self.rtp(96, time, false, payload)));
        }
        self.send(&bytes)
    }

    /// The next packet's number is not sent.
    pub(crate) fn lose_a_packet(&mut self) {
        self.sequence = self.sequence.wrapping_add(1);
    }

    fn rtp(&mut self, kind: u8, time: u32, marker: bool, payload: &[u8]) -> Vec<u8> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut packet = vec![0x80, kind | (u8::from(marker) << 7)];
        packet.extend_from_slice(&self.sequence.to_be_bytes());
        packet.extend_from_slice(&time.to_be_bytes());
        packet.extend_from_slice(&7_u32.to_be_bytes());
        packet.extend_from_slice(payload);
        packet
    }

    /// Sends a NAL unit, in fragments (FU-A, RFC 6184 §5.8) if it is long.
    pub(crate) fn unit(&mut self, time: u32, marker: bool, unit: &[u8]) -> Result<()> {
        if unit.len() <= PAYLOAD_BYTES {
            return self.packet(time, marker, unit);
        }
        let header = unit[0];
        let body = &unit[1..];
        let count = body.chunks(PAYLOAD_BYTES).len();
        for (nth, piece) in body.chunks(PAYLOAD_BYTES).enumerate() {
            let first = u8::from(nth == 0);
            let last = u8::from(nth + 1 == count);
            let start = [(header & 0xe0) | FU_A, (first << 7) | (last << 6) | (header & 0x1f)];
            self.packet(time, marker && last == 1, &[&start, piece].concat())?;
        }
        Ok(())
    }

    /// Sends bytes as they are, and waits where they are ahead of the rate.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> Result<()> {
        self.stream.lock().unwrap_or_else(PoisonError::into_inner).write_all(bytes)?;
        self.sent_bytes += bytes.len() as f64;
        if let Some(rate) = self.bytes_a_second {
            let ahead = self.sent_bytes / rate - self.since.elapsed().as_secs_f64();
            if ahead > 0.02 {
                std::thread::sleep(Duration::from_secs_f64(ahead));
            }
        }
        Ok(())
    }

    /// The same bytes again and again, until the client hangs up.
    pub(crate) fn for_ever(&mut self, bytes: &[u8]) -> Result<()> {
        loop {
            self.send(bytes)?;
        }
    }

    /// Shuts the TCP connection down in both directions.
    pub(crate) fn hang_up(&self) -> Result<()> {
        self.stream.lock().unwrap_or_else(PoisonError::into_inner).shutdown(std::net::Shutdown::Both)
    }
}

fn read_request(requests: &mut BufReader<TcpStream>) -> Result<Option<Request>> {
    let mut lines: Vec<String> = Vec::new();
    loop {
        let mut line = String::new();
        if requests.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        match line.trim_end() {
            "" if lines.is_empty() => {}
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let mut words = lines[0].split(' ').map(str::to_owned);
    let method = words.next().unwrap_or_default();
    let url = words.next().unwrap_or_default();
    Ok(Some(Request { method, url, lines }))
}

/// A packet on an interleaved channel (RFC 2326 §10.12).
pub(crate) fn framed(channel: u8, packet: &[u8]) -> Vec<u8> {
    let length = u16::try_from(packet.len()).expect("a packet fits").to_be_bytes();
    [&[b'$', channel], &length[..], packet].concat()
}
