//! A service that is paid for each picture, and counts: how often it is asked about which, and whose answers it holds.
//!
//! It is a stub, or a proxy before a service that does not count. Questions are those of Cloud Vision (`images:annotate`) and
//! Rekognition (`DetectLabels`).

use crate::http::{Head, relay};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufReader, Result, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

const PIECE_BYTES: usize = 64 * 1024;

/// Where an answer comes from.
#[derive(Debug, Clone)]
enum Answers {
    /// The stub, always with this document.
    Always(String),
    /// The service at this address.
    From(SocketAddr),
}

#[derive(Debug, Default)]
struct State {
    /// How often it was asked about each picture, which is its base64.
    asked: BTreeMap<String, usize>,
    holds: bool,
    held: usize,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A paid service. It runs for as long as this process.
#[derive(Debug)]
pub struct PaidService {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl PaidService {
    /// A stub that sees in each picture what this document says.
    pub fn stub(answer: &Value) -> Self {
        Self::start(Answers::Always(answer.to_string()))
    }

    /// A proxy before the service at `upstream`.
    pub fn before(upstream: SocketAddr) -> Self {
        Self::start(Answers::From(upstream))
    }

    fn start(answers: Answers) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port on loopback");
        let address = listener.local_addr().expect("a bound listener has an address");
        let shared = Arc::new(Shared::default());
        let serving = shared.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let serving = serving.clone();
                let answers = answers.clone();
                // An error is a client that went away, or was killed.
                std::thread::spawn(move || while answer(&serving, &client, &answers).unwrap_or(false) {});
            }
        });
        Self { address, shared }
    }

    /// Returns `http://127.0.0.1:PORT`, where it listens.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Holds each answer from now on, until [`release`](Self::release): the service has done what it is paid for.
    pub fn hold(&self) {
        self.shared.lock().holds = true;
    }

    /// Gives the answers that it holds to whoever still waits for them.
    pub fn release(&self) {
        self.shared.lock().holds = false;
        self.shared.changed.notify_all();
    }

    /// Waits until an answer is held. Panics after `within`.
    pub fn wait_for_held(&self, within: Duration) {
        let deadline = Instant::now() + within;
        let mut state = self.shared.lock();
        while state.held == 0 {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "nobody has asked about a picture");
            state = self.shared.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// How often it was asked about each picture so far.
    pub fn asked(&self) -> Vec<usize> {
        self.shared.lock().asked.values().copied().collect()
    }
}

/// Answers a question, after it was counted. Returns whether the client may ask another one.
fn answer(shared: &Shared, mut client: &TcpStream, answers: &Answers) -> Result<bool> {
    let mut reading = BufReader::new(client);
    let Some(head) = Head::read(&mut reading)? else { return Ok(false) };
    let mut body = Vec::new();
    relay(head.request_body(), &mut reading, &mut body, PIECE_BYTES, |_| {})?;
    let question: Value = serde_json::from_slice(&body)?;
    let places = ["/requests/0/image/content", "/Image/Bytes"];
    let picture = places.iter().find_map(|place| question.pointer(place)?.as_str());
    let picture = picture.unwrap_or_else(|| panic!("no question about a picture: {question}")).to_owned();
    *shared.lock().asked.entry(picture).or_default() += 1;
    let bytes = match answers {
        Answers::Always(document) => {
            let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length";
            format!("{head}: {}\r\n\r\n{document}", document.len()).into_bytes()
        }
        Answers::From(upstream) => {
            let mut upstream = TcpStream::connect(upstream)?;
            upstream.write_all(&[head.bytes.clone(), body].concat())?;
            let mut reading = BufReader::new(&upstream);
            let head = Head::read(&mut reading)?.ok_or(std::io::ErrorKind::UnexpectedEof)?;
            let mut bytes = head.bytes.clone();
            relay(head.answer_body("POST"), &mut reading, &mut bytes, PIECE_BYTES, |_| {})?;
            bytes
        }
    };
    let mut state = shared.lock();
    if state.holds {
        state.held += 1;
        shared.changed.notify_all();
        while state.holds {
            state = shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.held -= 1;
    }
    drop(state);
    client.write_all(&bytes)?;
    Ok(matches!(answers, Answers::From(_)))
}
