//! A proxy between the gateway and its bucket that causes the faults of networks and clouds.
//!
//! It understands enough HTTP/1.1 to find the ends of requests and responses. It does not change them, because
//! the signature covers the host, which is the proxy's. The [`Plan`] selects the fault for each request.
//! Everything is counted, so that a test can assert that its fault happened.

mod link;
mod serve;

pub use link::Link;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A fault that one request meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    None,
    /// The proxy answers 503 with S3's `SlowDown` and a `Retry-After`. The bucket does not receive the request.
    SlowDown {
        /// The value of `Retry-After`, in seconds.
        retry_after_s: u32,
    },
    /// The proxy resets the connection before it reads any byte.
    ResetAtAccept,
    /// The proxy resets the connection after half of the request's body has reached the bucket.
    ResetInRequest,
    /// The bucket handles the request, and the proxy resets the connection instead of answering.
    LoseAnswer,
    /// No byte moves for this long. Then the request continues, even if the client is gone: what
    /// it sent may still arrive.
    Stall(Duration),
    /// The bucket handles the request, and half of the response arrives before the reset.
    TruncateAnswer,
    /// The response is delayed by this time.
    Latency(Duration),
}

impl Fault {
    /// Its name in [`Seen::faults`].
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::SlowDown { .. } => "slow-down",
            Self::ResetAtAccept => "reset-at-accept",
            Self::ResetInRequest => "reset-in-request",
            Self::LoseAnswer => "lose-answer",
            Self::Stall(_) => "stall",
            Self::TruncateAnswer => "truncate-answer",
            Self::Latency(_) => "latency",
        }
    }
}

/// Selects the fault of each request.
#[derive(Debug, Clone)]
pub enum Plan {
    /// The same fault for every request.
    Always(Fault),
    /// One fault after the other, repeated.
    Cycle(Vec<Fault>),
    /// One fault after the other, then none.
    Script(Vec<Fault>),
    /// One request in `one_in`, chosen at random, meets one of the faults.
    Random {
        /// The seed; the same seed gives the same faults to the same requests.
        seed: u64,
        /// One request in this many meets a fault.
        one_in: u32,
        faults: Vec<Fault>,
    },
}

/// Counts of what passed through the proxy.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// Requests whose head was read.
    pub requests: u64,
    pub methods: BTreeMap<String, u64>,
    /// Responses that reached the client completely, by status.
    pub answers: BTreeMap<u16, u64>,
    /// Faults done, by name.
    pub faults: BTreeMap<&'static str, u64>,
    /// Bytes of requests that went to the bucket.
    pub bytes_up: u64,
    /// Bytes of answers that went to the client.
    pub bytes_down: u64,
}

impl Seen {
    /// How often a fault was done.
    pub fn fault(&self, fault: Fault) -> u64 {
        self.faults.get(fault.name()).copied().unwrap_or(0)
    }
}

/// The body of one request on its way through.
#[derive(Debug, Clone)]
pub struct Upload {
    /// The path that was asked for.
    pub path: String,
    /// The bytes of it that went through.
    pub bytes: u64,
    /// When it ended, with the bucket's answer or broken off; `None` while it goes on.
    pub ended: Option<Instant>,
    /// The status that the bucket answered with.
    pub status: Option<u16>,
}

#[derive(Debug)]
struct Conduct {
    plan: Plan,
    turn: usize,
    chance: fastrand::Rng,
    link: Option<Arc<Link>>,
    seen: Seen,
    uploads: Vec<Upload>,
}

/// State that all connections share.
#[derive(Debug)]
struct Shared {
    upstream: SocketAddr,
    conduct: Mutex<Conduct>,
    changed: Condvar,
    ended: AtomicBool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Conduct> {
        self.conduct.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, note: impl FnOnce(&mut Seen)) {
        note(&mut self.lock().seen);
        self.changed.notify_all();
    }

    fn link(&self) -> Option<Arc<Link>> {
        self.lock().link.clone()
    }

    /// Takes the next request's fault if `wanted` returns true for it. Otherwise the fault stays for later.
    fn next_fault(&self, wanted: impl Fn(Fault) -> bool) -> Option<Fault> {
        let mut conduct = self.lock();
        let turn = conduct.turn;
        let fault = match &conduct.plan {
            Plan::Always(fault) => *fault,
            Plan::Cycle(faults) => faults.get(turn % faults.len().max(1)).copied().unwrap_or(Fault::None),
            Plan::Script(faults) => faults.get(turn).copied().unwrap_or(Fault::None),
            Plan::Random { one_in, faults, .. } => {
                let one_in = *one_in;
                let faults = faults.clone();
                // Derive the random number from the turn, so that asking again gives the same result.
                let mut chance = fastrand::Rng::with_seed(conduct.chance.clone().u64(..).wrapping_add(turn as u64));
                match chance.u32(0..one_in.max(1)) {
                    0 => chance.choice(faults).unwrap_or(Fault::None),
                    _ => Fault::None,
                }
            }
        };
        if !wanted(fault) {
            return None;
        }
        conduct.turn += 1;
        if fault != Fault::None {
            *conduct.seen.faults.entry(fault.name()).or_default() += 1;
        }
        drop(conduct);
        self.changed.notify_all();
        Some(fault)
    }
}

/// A running proxy. Dropping it stops listening and ends its connections.
#[derive(Debug)]
pub struct FaultProxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl FaultProxy {
    /// Starts a proxy on a free port before `upstream`. It causes no faults until [`set_plan`](Self::set_plan).
    pub fn start(upstream: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port on loopback");
        let address = listener.local_addr().expect("a bound listener has an address");
        let conduct = Conduct {
            plan: Plan::Always(Fault::None),
            turn: 0,
            chance: fastrand::Rng::with_seed(0),
            link: None,
            seen: Seen::default(),
            uploads: Vec::new(),
        };
        let shared = Arc::new(Shared {
            upstream,
            conduct: Mutex::new(conduct),
            changed: Condvar::new(),
            ended: AtomicBool::new(false),
        });
        let accepting = Arc::clone(&shared);
        std::thread::spawn(move || accept(&accepting, &listener));
        Self { address, shared }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns `http://127.0.0.1:PORT`, the proxy's own URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Sets the plan for all following requests.
    pub fn set_plan(&self, plan: Plan) {
        let mut conduct = self.shared.lock();
        if let Plan::Random { seed, .. } = plan {
            conduct.chance = fastrand::Rng::with_seed(seed);
        }
        conduct.plan = plan;
        conduct.turn = 0;
    }

    /// Sends requests through `link` from now on; `None` removes the limit.
    pub fn set_link(&self, link: Option<Link>) {
        self.shared.lock().link = link.map(Arc::new);
    }

    /// Every request with a body so far, in the order in which they began.
    pub fn uploads(&self) -> Vec<Upload> {
        self.shared.lock().uploads.clone()
    }

    /// What came by so far.
    pub fn seen(&self) -> Seen {
        self.shared.lock().seen.clone()
    }

    /// Waits until `found` returns true for the counts. Panics after `within`.
    pub fn wait_for(&self, within: Duration, found: impl Fn(&Seen) -> bool) {
        let deadline = Instant::now() + within;
        let mut conduct = self.shared.lock();
        while !found(&conduct.seen) {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "the proxy did not see what was awaited: {:?}", conduct.seen);
            conduct = self.shared.changed.wait_timeout(conduct, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// A listener's usual queue of connections that nobody has taken yet.
const QUEUE: i32 = 128;
/// What a router on the way holds of one connection. The system's own megabytes would let every put look fast.
const RECEIVED_BYTES: usize = 64 * 1024;

fn accept(shared: &Arc<Shared>, listener: &TcpListener) {
    let socket = socket2::SockRef::from(listener);
    let _ = socket.set_recv_buffer_size(RECEIVED_BYTES);
    for connection in listener.incoming() {
        if shared.ended.load(Ordering::Relaxed) {
            break;
        }
        let Ok(connection) = connection else { continue };
        let since = Instant::now();
        let taken = Arc::clone(shared);
        std::thread::spawn(move || serve::connection(&taken, connection, since));
        let Some(left) = shared.link().and_then(|link| link.tunnel_left()) else { continue };
        // With a queue that is full the kernel answers nobody, as in a tunnel. Those in the queue were too late.
        let _ = socket.listen(0);
        std::thread::sleep(left);
        let _ = listener.set_nonblocking(true);
        for connection in listener.incoming().map_while(Result::ok) {
            let lost = Arc::clone(shared);
            std::thread::spawn(move || serve::connection(&lost, connection, since));
        }
        let _ = listener.set_nonblocking(false);
        let _ = socket.listen(QUEUE);
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
        // Wake the listener, so that it notices the end.
        drop(std::net::TcpStream::connect(self.address));
    }
}

#[cfg(test)]
mod tests;
