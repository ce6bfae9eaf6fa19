//! A camera that answers as a script says.

use edge_uploader::camera::rtsp::{RtspCamera, RtspOptions};
use edge_uploader::camera::{Camera as _, CameraError, CameraEvent};
use edge_uploader::media::{Frame, TrackKind};
use std::io::{BufRead as _, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Sets of 320 by 240 pixels, as base64 in descriptions and as NAL units in packets.
pub(super) const SPS: [u8; 21] =
    [0x67, 0x42, 0xc0, 0x1e, 0xd9, 0x03, 0xc5, 0x68, 0x40, 0, 0, 3, 0, 0x40, 0, 0, 0x0c, 3, 0xc5, 0x8b, 0x92];
pub(super) const PPS: [u8; 4] = [0x68, 0xcb, 0x8c, 0xb2];
pub(super) const SPROP: &str = "Z0LAHtkDxWhAAAADAEAAAAwDxYuS,aMuMsg==";

/// A request as the edge sent it.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) uri: String,
    /// Names in lower case.
    headers: Vec<(String, String)>,
}

impl Request {
    /// A header by its name in lower case; empty where there is none.
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(found, _)| found == name).map_or("", |(_, value)| value)
    }
}

/// The description of one H.264 stream.
pub(super) fn description() -> String {
    format!(
        "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\na=control:*\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n\
         a=fmtp:96 packetization-mode=1;sprop-parameter-sets={SPROP}\r\na=control:track1\r\n"
    )
}

/// What a well-behaved camera answers.
pub(super) fn usual(request: &Request) -> String {
    let head = format!("RTSP/1.0 200 OK\r\nCSeq: {}\r\n", request.header("cseq"));
    match request.method.as_str() {
        "DESCRIBE" => described(request, &description()),
        "SETUP" => format!("{head}Session: 1234;timeout=60\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n\r\n"),
        "PLAY" => format!("{head}Session: 1234\r\nRTP-Info: url=track1;seq=1;rtptime=0\r\n\r\n"),
        _ => format!("{head}Public: OPTIONS, GET_PARAMETER\r\n\r\n"),
    }
}

/// The answer that has this description in it.
pub(super) fn described(request: &Request, description: &str) -> String {
    let length = description.len();
    let sequence = request.header("cseq");
    let uri = &request.uri;
    format!(
        "RTSP/1.0 200 OK\r\nCSeq: {sequence}\r\nContent-Base: {uri}/\r\nContent-Type: application/sdp\r\n\
         Content-Length: {length}\r\n\r\n{description}"
    )
}

/// An answer that is no more than a status and headers.
pub(super) fn status(request: &Request, status: &str, headers: &str) -> String {
    format!("RTSP/1.0 {status}\r\nCSeq: {}\r\n{headers}\r\n", request.header("cseq"))
}

/// An RTP packet of payload type 96.
pub(super) fn rtp(sequence: u16, timestamp: u32, marker: bool, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x80, 0x60 | (u8::from(marker) << 7)];
    packet.extend_from_slice(&sequence.to_be_bytes());
    packet.extend_from_slice(&timestamp.to_be_bytes());
    packet.extend_from_slice(&7_u32.to_be_bytes());
    packet.extend_from_slice(payload);
    packet
}

/// A packet inside the connection.
pub(super) fn framed(channel: u8, packet: &[u8]) -> Vec<u8> {
    let mut out = vec![b'$', channel];
    out.extend_from_slice(&u16::try_from(packet.len()).expect("a packet fits").to_be_bytes());
    out.extend_from_slice(packet);
    out
}

/// So many pictures, at most 255, each an IDR of one packet whose last byte is the picture's number, from 1 on.
pub(super) fn pictures(count: u16) -> Vec<Vec<u8>> {
    (0..count).map(|n| rtp(n, u32::from(n) * 3600, true, &[0x65, 0x88, 0x80, n.to_be_bytes()[1] + 1])).collect()
}

/// The same inside the connection.
pub(super) fn stream(count: u16) -> Vec<u8> {
    pictures(count).iter().flat_map(|packet| framed(0, packet)).collect()
}

/// The camera's side of the dialogue: what it answers to a request, as bytes on the wire.
pub(super) trait Answers: Fn(&Request) -> Vec<u8> + Send + Sync + 'static {}
impl<F: Fn(&Request) -> Vec<u8> + Send + Sync + 'static> Answers for F {}

/// A camera on loopback. It lives as long as the test's process.
pub(super) struct Peer {
    pub(super) port: u16,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Peer {
    /// A camera that answers by `answers`, and after its answer to `PLAY` writes `media` until that says that it is over, at
    /// one of `address`'s ports.
    pub(super) fn start_at(
        address: &str,
        answers: impl Answers,
        media: impl Fn(&mut TcpStream) -> std::io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind((address, 0)).expect("a port on loopback");
        let port = listener.local_addr().expect("an address").port();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&requests);
        let answers = Arc::new(answers);
        let media = Arc::new(media);
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let log = Arc::clone(&log);
                let answers = Arc::clone(&answers);
                let media = Arc::clone(&media);
                // A client that hangs up ends the conversation, not the test.
                std::thread::spawn(move || drop(converse(connection, &log, &*answers, &*media)));
            }
        });
        Self { port, requests }
    }

    /// One at 127.0.0.1 whose media is this.
    pub(super) fn start(answers: impl Answers, media: Vec<u8>) -> Self {
        Self::start_at("127.0.0.1", answers, move |stream| stream.write_all(&media))
    }

    /// Its URL, with credentials in it or not: `viewer:secret@`.
    pub(super) fn url(&self, credentials: &str) -> String {
        format!("rtsp://{credentials}127.0.0.1:{}/live", self.port)
    }

    /// What it was asked so far.
    pub(super) fn requests(&self) -> Vec<Request> {
        self.requests.lock().expect("no panic").clone()
    }
}

fn converse(
    stream: TcpStream,
    log: &Mutex<Vec<Request>>,
    answers: &dyn Fn(&Request) -> Vec<u8>,
    media: &dyn Fn(&mut TcpStream) -> std::io::Result<()>,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut stream = stream;
    loop {
        let mut lines: Vec<String> = Vec::new();
        loop {
            let mut line = Vec::new();
            if reader.read_until(b'\n', &mut line)? == 0 {
                return Ok(());
            }
            let line = String::from_utf8_lossy(&line).trim_end().to_owned();
            if line.is_empty() {
                break;
            }
            lines.push(line);
        }
        let Some(first) = lines.first() else { continue };
        let mut words = first.split(' ').map(str::to_owned);
        let header =
            |line: &String| line.split_once(':').map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()));
        let request = Request {
            method: words.next().unwrap_or_default(),
            uri: words.next().unwrap_or_default(),
            headers: lines.iter().skip(1).filter_map(header).collect(),
        };
        log.lock().expect("no panic").push(request.clone());
        stream.write_all(&answers(&request))?;
        if request.method == "PLAY" {
            let mut stream = stream.try_clone()?;
            media(&mut stream)?;
        }
    }
}

/// Options with which a test does not take long to fail.
pub(super) fn options() -> RtspOptions {
    let connect_timeout = Duration::from_secs(10);
    RtspOptions { connect_timeout, inactivity: Duration::from_secs(2), ..RtspOptions::default() }
}

/// The first video frames of a camera, or why there are not so many.
pub(super) async fn frames(url: &str, options: RtspOptions, count: usize) -> Result<Vec<Frame>, CameraError> {
    let mut session = RtspCamera::new(url, options)?.connect().await?;
    let mut frames = Vec::new();
    let mut described = false;
    while frames.len() < count {
        match session.next().await? {
            Some(CameraEvent::Frame(frame)) if frame.track == TrackKind::Video => {
                assert!(described, "the parameters come first");
                frames.push(frame);
            }
            Some(CameraEvent::Parameters(_)) => described = true,
            Some(_) => {}
            None => panic!("a live camera has no end"),
        }
    }
    Ok(frames)
}
