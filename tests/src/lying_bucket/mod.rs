//! An S3 bucket that lies. It accepts the puts that the shipped policy allows a gateway, and answers
//! them as a test demands.
//!
//! Its objects follow S3's rules whatever it answers: an object is created completely or not at all, only if
//! the key is new, and only if the bytes match `x-amz-checksum-sha256`, where the request has one. It refuses requests other than
//! `PutObject` with `If-None-Match: *`; `HeadObject` can be allowed ([`Look`]).
//!
//! It plays both the bucket and anything between the client and the bucket: a captive portal, a
//! proxy, a broken cable. A [`Lie`] determines when the request ends, whether the object is stored,
//! and what the client receives.

mod answer;
mod serve;
#[cfg(test)]
mod tests;

pub use answer::{Heard, Keeps, Lie};

use framepost_events::Sha256;
use std::collections::{BTreeMap, VecDeque};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Whether the credential may read an object's head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// As shipped: the credential may only put.
    Denied,
    /// `HeadObject` answers with the checksum.
    Allowed,
}

/// Whether the response to a put or a look includes the stored object's checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Echo {
    /// Answers include the checksum, as with S3.
    Checksum,
    /// Answers include only an `ETag`, as with servers that compute no checksum.
    Nothing,
}

/// What happened to the bytes of a put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// They are an object now.
    Stored,
    /// An object with the same bytes existed.
    SameThere,
    /// An object with other bytes existed.
    OtherThere,
    /// They were thrown away.
    No,
}

/// A put that the bucket received.
#[derive(Debug, Clone)]
pub struct Put {
    pub key: String,
    /// How it was answered.
    pub lie: Lie,
    /// What happened to the bytes; `None` while the put is in progress or if it was cut off.
    pub kept: Option<Kept>,
}

/// A running server. It runs until the process ends.
#[derive(Debug, Clone)]
pub struct LyingBucket {
    address: SocketAddr,
    inside: Arc<Inside>,
}

#[derive(Debug)]
struct Inside {
    echo: Echo,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    objects: BTreeMap<String, Vec<u8>>,
    /// Lies for the next puts, one each.
    script: VecDeque<Lie>,
    /// The lie for all other puts.
    lie: Lie,
    look: Look,
    puts: Vec<Put>,
    /// Heads of requests to the target of a redirect.
    strayed: Vec<String>,
}

impl LyingBucket {
    /// Starts a bucket that tells the truth until it gets other instructions.
    pub fn start(echo: Echo) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port on loopback");
        let address = listener.local_addr().expect("a bound listener has an address");
        let state = State {
            objects: BTreeMap::new(),
            script: VecDeque::new(),
            lie: Lie::TRUTH,
            look: Look::Denied,
            puts: Vec::new(),
            strayed: Vec::new(),
        };
        let inside = Arc::new(Inside { echo, state: Mutex::new(state) });
        let shared = Arc::clone(&inside);
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let inside = Arc::clone(&shared);
                std::thread::spawn(move || serve::connection(&inside, &connection));
            }
        });
        Self { address, inside }
    }

    /// Returns the address of the listener, which is on loopback.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns `http://127.0.0.1:PORT`, the endpoint for any bucket name.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Sets the answer for all following puts.
    pub fn answer_with(&self, lie: Lie) {
        self.inside.state().lie = lie;
    }

    /// Sets the answers for the next puts in order, before the one set by [`answer_with`](Self::answer_with).
    pub fn script(&self, lies: impl IntoIterator<Item = Lie>) {
        self.inside.state().script.extend(lies);
    }

    /// Sets whether looks are answered from now on.
    pub fn look(&self, look: Look) {
        self.inside.state().look = look;
    }

    /// Stores an object as another client would.
    pub fn put_by_another(&self, key: &str, bytes: impl Into<Vec<u8>>) {
        self.inside.state().objects.insert(key.to_owned(), bytes.into());
    }

    pub fn objects(&self) -> BTreeMap<String, Vec<u8>> {
        self.inside.state().objects.clone()
    }

    /// Every put that was asked for.
    pub fn puts(&self) -> Vec<Put> {
        self.inside.state().puts.clone()
    }

    /// The heads of requests that followed a redirect.
    pub fn strayed(&self) -> Vec<String> {
        self.inside.state().strayed.clone()
    }
}

impl Inside {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Registers a put. Returns its place in the list and its lie.
    fn put_begins(&self, key: &str) -> (usize, Lie) {
        let mut state = self.state();
        let lie = state.script.pop_front().unwrap_or(state.lie);
        state.puts.push(Put { key: key.to_owned(), lie, kept: None });
        (state.puts.len() - 1, lie)
    }

    fn put_ends(&self, put: usize, kept: Kept) {
        if let Some(put) = self.state().puts.get_mut(put) {
            put.kept = Some(kept);
        }
    }

    /// Stores an object if the key is new.
    fn store(&self, key: &str, body: Vec<u8>) -> Kept {
        let mut state = self.state();
        match state.objects.get(key) {
            Some(there) if *there == body => Kept::SameThere,
            Some(_) => Kept::OtherThere,
            None => {
                state.objects.insert(key.to_owned(), body);
                Kept::Stored
            }
        }
    }

    /// Returns the size and digest of an object, if looks are allowed.
    fn head(&self, key: &str) -> Option<(u64, Sha256)> {
        self.state().objects.get(key).map(|bytes| (bytes.len() as u64, Sha256::of(bytes)))
    }
}
