//! An S3 bucket that lies: it takes puts as the shipped policy lets a gateway make them, and answers them as it is told to.
//!
//! What it keeps obeys S3's rules whatever the answer says: an object is created whole or not at all, only where there was none,
//! and only where its bytes are those of `x-amz-checksum-sha256`. Other requests than `PutObject` with `If-None-Match: *`
//! are refused; `HeadObject` is allowed when asked for ([`Look`]).
//!
//! It plays in turn the bucket itself, and whatever sits on the way to it: a captive portal, a proxy with an opinion, a cable that
//! breaks. A [`Lie`] says when the request ends, whether the object is stored, and what the client gets to hear.

mod answer;
mod serve;
#[cfg(test)]
mod tests;

pub use answer::{Heard, Keeps, Lie};

use framepost_events::Sha256;
use std::collections::{BTreeMap, VecDeque};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Whether the credential may ask for an object's head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// As shipped: it may only put.
    Denied,
    /// `HeadObject` answers, with the checksum.
    Allowed,
}

/// Whether the answer to a put, and to a look, has the checksum of what was stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Echo {
    /// As S3 does.
    Checksum,
    /// As servers do that know of none: an `ETag` and nothing else.
    Nothing,
}

/// What became of the bytes of a put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// They are an object now.
    Stored,
    /// There was an object with the same bytes.
    SameThere,
    /// There was an object with other bytes.
    OtherThere,
    /// They were thrown away.
    No,
}

/// One put that was asked for.
#[derive(Debug, Clone)]
pub struct Put {
    /// The object's key.
    pub key: String,
    /// How it was answered.
    pub lie: Lie,
    /// What became of it; `None` while it goes on, and when it was broken off.
    pub kept: Option<Kept>,
}

/// A running server. It ends with the process.
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
    /// For the next puts, one each.
    script: VecDeque<Lie>,
    /// For all others.
    lie: Lie,
    look: Look,
    puts: Vec<Put>,
    /// Requests that came to where a redirect pointed, with their headers.
    strayed: Vec<String>,
}

impl LyingBucket {
    /// A bucket that tells the truth until it is told otherwise.
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

    /// `http://127.0.0.1:PORT`: the endpoint of any bucket's name.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How all puts are answered from now on.
    pub fn answer_with(&self, lie: Lie) {
        self.inside.state().lie = lie;
    }

    /// How the next puts are answered, one after the other, before what [`answer_with`](Self::answer_with) says.
    pub fn script(&self, lies: impl IntoIterator<Item = Lie>) {
        self.inside.state().script.extend(lies);
    }

    /// Whether looks are answered from now on.
    pub fn look(&self, look: Look) {
        self.inside.state().look = look;
    }

    /// Puts an object there as somebody else.
    pub fn put_by_another(&self, key: &str, bytes: impl Into<Vec<u8>>) {
        self.inside.state().objects.insert(key.to_owned(), bytes.into());
    }

    /// Every object.
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

    /// Takes note of a put; how it is to be answered, and its place in the list.
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

    /// Stores an object where there is none.
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

    /// The size and digest of an object, for those who may look.
    fn head(&self, key: &str) -> Option<(u64, Sha256)> {
        self.state().objects.get(key).map(|bytes| (bytes.len() as u64, Sha256::of(bytes)))
    }
}
