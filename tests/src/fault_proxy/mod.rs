//! A proxy between the gateway and its bucket that does on purpose what networks and clouds do by accident.
//!
//! It speaks just enough HTTP/1.1 to know where a request and its answer begin and end, changes nothing in them (their
//! signature covers the host, which is the proxy's), and does to each request what the [`Plan`] says. Everything is
//! counted, so that a test can assert that its fault really happened.

mod link;
mod serve;

pub use link::Link;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What is done to one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// 503 with S3's `SlowDown` and a `Retry-After`; the bucket never sees the request.
    SlowDown {
        /// The value of `Retry-After`, in seconds.
        retry_after_s: u32,
    },
    /// The connection is reset before any byte is read.
    ResetAtAccept,
    /// The connection is reset with half of the request's body gone to the bucket.
    ResetInRequest,
    /// The bucket does what was asked, and the connection is reset instead of the answer.
    LoseAnswer,
    /// No byte moves for so long; then the request goes on, if the client is still there, and if it is not, too: all
    /// that it sent may still arrive.
    Stall(Duration),
    /// The bucket does what was asked, and half of the answer arrives before the reset.
    TruncateAnswer,
    /// The answer comes so much later.
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

/// Which request meets which fault.
#[derive(Debug, Clone)]
pub enum Plan {
    /// The same for all.
    Always(Fault),
    /// One after the other, and from the start again.
    Cycle(Vec<Fault>),
    /// One after the other, and none afterwards.
    Script(Vec<Fault>),
    /// One request in `one_in` meets one of the faults, by chance.
    Random {
        /// The seed: the same one gives the same faults to the same requests.
        seed: u64,
        /// How rare faults are.
        one_in: u32,
        /// The faults.
        faults: Vec<Fault>,
    },
}

/// What came by.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// Requests whose head was read.
    pub requests: u64,
    /// Requests by method.
    pub methods: BTreeMap<String, u64>,
    /// Answers that reached the client whole, by status.
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

#[derive(Debug)]
struct Conduct {
    plan: Plan,
    turn: usize,
    chance: fastrand::Rng,
    link: Option<Arc<Link>>,
    seen: Seen,
}

/// What all connections share.
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

    /// The next request's fault, if `wanted`; another fault stays where it is.
    fn next_fault(&self, wanted: impl Fn(Fault) -> bool) -> Option<Fault> {
        let mut conduct = self.lock();
        let turn = conduct.turn;
        let fault = match &conduct.plan {
            Plan::Always(fault) => *fault,
            Plan::Cycle(faults) => faults.get(turn % faults.len().max(1)).copied().unwrap_or(Fault::None),
            Plan::Script(faults) => faults.get(turn).copied().unwrap_or(Fault::None),
            Plan::Random { one_in, faults, .. } => {
                let (one_in, faults) = (*one_in, faults.clone());
                // The chance is that of this turn, however often it is asked for.
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

/// A running proxy. Dropped, it takes no more connections, and those that it has end.
#[derive(Debug)]
pub struct FaultProxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl FaultProxy {
    /// A proxy on a free port before `upstream`, harmless until [`set_plan`](Self::set_plan).
    pub fn start(upstream: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port on loopback");
        let address = listener.local_addr().expect("a bound listener has an address");
        let conduct = Conduct {
            plan: Plan::Always(Fault::None),
            turn: 0,
            chance: fastrand::Rng::with_seed(0),
            link: None,
            seen: Seen::default(),
        };
        let shared = Arc::new(Shared {
            upstream,
            conduct: Mutex::new(conduct),
            changed: Condvar::new(),
            ended: AtomicBool::new(false),
        });
        let accepting = Arc::clone(&shared);
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                if accepting.ended.load(Ordering::Relaxed) {
                    break;
                }
                let Ok(connection) = connection else { continue };
                let shared = Arc::clone(&accepting);
                std::thread::spawn(move || serve::connection(&shared, connection));
            }
        });
        Self { address, shared }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From the next request on.
    pub fn set_plan(&self, plan: Plan) {
        let mut conduct = self.shared.lock();
        if let Plan::Random { seed, .. } = plan {
            conduct.chance = fastrand::Rng::with_seed(seed);
        }
        conduct.plan = plan;
        conduct.turn = 0;
    }

    /// From the next bytes on, requests go through `link`; `None` for no limit.
    pub fn set_link(&self, link: Option<Link>) {
        self.shared.lock().link = link.map(Arc::new);
    }

    /// What came by so far.
    pub fn seen(&self) -> Seen {
        self.shared.lock().seen.clone()
    }

    /// Waits until `found` is true of what came by; panics after `within`.
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

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
        // Wakes the listener, which then sees that it is over.
        drop(std::net::TcpStream::connect(self.address));
    }
}

#[cfg(test)]
mod tests;
