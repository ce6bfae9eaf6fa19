//! An HTTP server that gives scripted answers, among them such as no honest server gives.

use crate::http::{Body, Head, relay};
use std::collections::VecDeque;
use std::io::{BufReader, Result, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

const PIECE_BYTES: usize = 64 * 1024;
/// Longer than a client may wait for.
const DRIPS: usize = 600;
const ELSEWHERE: &str = "/elsewhere/";

/// What the client receives for a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// A status with a body of the length that is announced.
    Whole(u16, Vec<u8>),
    /// A status with the first half of the body that is announced. Then the connection ends.
    Cut(u16, Vec<u8>),
    /// A redirect to another path of this server. Requests to it are counted by [`LyingServer::strayed`].
    Redirect(u16),
    /// The connection is reset after the whole request.
    Reset,
    /// These bytes, and the end of the connection.
    Raw(Vec<u8>),
    /// A status with a body of 8 GiB, sent as fast as the client takes it.
    Endless(u16),
    /// The same without a length, in chunks of the transfer encoding.
    EndlessChunks(u16),
    /// A head that never ends: header after header.
    EndlessHead,
    /// A status with a long body, of which a byte arrives each 100 ms.
    Drip(u16),
}

/// A request as it arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The request line and the headers.
    pub head: String,
    pub body: Vec<u8>,
}

/// The server, until the end of the process.
#[derive(Debug)]
pub struct LyingServer {
    address: SocketAddr,
    inside: Arc<Mutex<Inside>>,
}

#[derive(Debug, Default)]
struct Inside {
    script: VecDeque<Answer>,
    requests: Vec<Request>,
    strayed: usize,
}

fn locked(inside: &Mutex<Inside>) -> MutexGuard<'_, Inside> {
    inside.lock().unwrap_or_else(PoisonError::into_inner)
}

impl LyingServer {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let inside = Arc::new(Mutex::new(Inside::default()));
        let shared = inside.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let inside = shared.clone();
                std::thread::spawn(move || while serve(&inside, &stream).is_ok_and(|next| next == Next::Request) {});
            }
        });
        Self { address, inside }
    }

    /// Its address as a URL without a path.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The answers to the next requests. A request beyond them gets a 503 without a body.
    pub fn script(&self, answers: impl IntoIterator<Item = Answer>) {
        locked(&self.inside).script = answers.into_iter().collect();
    }

    /// The requests so far, but for those to where a redirect leads.
    pub fn requests(&self) -> Vec<Request> {
        locked(&self.inside).requests.clone()
    }

    /// How many requests followed a redirect.
    pub fn strayed(&self) -> usize {
        locked(&self.inside).strayed
    }
}

/// How a connection goes on after a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Request,
    Close,
}

fn serve(inside: &Mutex<Inside>, mut stream: &TcpStream) -> Result<Next> {
    let mut reader = BufReader::new(stream);
    let Some(head) = Head::read(&mut reader)? else { return Ok(Next::Close) };
    let mut body = Vec::new();
    relay(head.request_body(), &mut reader, &mut body, PIECE_BYTES, |_| {})?;
    let answer = {
        let mut inside = locked(inside);
        if head.path().starts_with(ELSEWHERE) {
            inside.strayed += 1;
            Answer::Whole(200, Vec::new())
        } else {
            let request = Request { head: String::from_utf8_lossy(&head.bytes).into_owned(), body };
            inside.requests.push(request);
            inside.script.pop_front().unwrap_or(Answer::Whole(503, Vec::new()))
        }
    };
    let announce = |length: u64| format!("Content-Length: {length}\r\n\r\n");
    let start = |status: u16| format!("HTTP/1.1 {status} Said\r\n");
    match answer {
        Answer::Whole(status, body) => {
            write!(stream, "{}{}", start(status), announce(body.len() as u64))?;
            stream.write_all(&body)?;
            return Ok(Next::Request);
        }
        Answer::Cut(status, body) => {
            write!(stream, "{}{}", start(status), announce(body.len() as u64))?;
            stream.write_all(&body[..body.len() / 2])?;
        }
        Answer::Redirect(status) => {
            let host = head.header("host").unwrap_or_default();
            write!(stream, "{}Location: http://{host}{ELSEWHERE}\r\n{}", start(status), announce(0))?;
        }
        Answer::Reset => socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO))?,
        Answer::Raw(bytes) => stream.write_all(&bytes)?,
        Answer::Endless(status) => {
            write!(stream, "{}{}", start(status), announce(8 << 30))?;
            relay(Body::Length(8 << 30), &mut std::io::repeat(b'x'), &mut stream, PIECE_BYTES, |_| {})?;
        }
        Answer::EndlessChunks(status) => {
            write!(stream, "{}Transfer-Encoding: chunked\r\n\r\n", start(status))?;
            let chunk = format!("{PIECE_BYTES:x}\r\n{}\r\n", "x".repeat(PIECE_BYTES));
            loop {
                stream.write_all(chunk.as_bytes())?;
            }
        }
        Answer::EndlessHead => {
            write!(stream, "{}", start(200))?;
            loop {
                write!(stream, "X-More: {}\r\n", "x".repeat(1000))?;
            }
        }
        Answer::Drip(status) => {
            write!(stream, "{}{}", start(status), announce(DRIPS as u64))?;
            for _ in 0..DRIPS {
                stream.write_all(b"x")?;
                std::thread::sleep(Duration::from_millis(100));
            }
        }
    }
    Ok(Next::Close)
}
