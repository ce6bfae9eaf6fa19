//! What an object store's adapter makes of answers that no honest server gives: the checks that every cloud's adapter passes.

use crate::measure::peak_bytes;
use framepost_ports::{Effect, Error, ErrorKind, NewObject, ObjectSink, chain};
use std::fmt::Debug;
use std::time::{Duration, Instant};

/// The length of each [`object`].
pub const CONTENT_BYTES: usize = 100_000;
/// How long a call may take whose answer is longer than there is room for.
const PATIENCE: Duration = Duration::from_secs(20);
/// How much memory all such answers may take: far more than what is kept of one, far less than what is sent.
const ROOM_BYTES: u64 = 32 << 20;

/// An object of [`CONTENT_BYTES`] bytes.
pub fn object(key: &str) -> NewObject {
    NewObject::of_bytes(key, "video/mp4", vec![7; CONTENT_BYTES])
}

/// Asserts that a put of the object `name` fails like this: who gave the answer, and what may have come of the put.
pub async fn put_fails(sink: &dyn ObjectSink, name: &str, kind: ErrorKind, effect: Effect) {
    let error = sink.put(&object(name)).await.expect_err(name);
    assert_eq!((error.kind(), error.effect()), (kind, effect), "{name}: {}", chain(&error));
}

/// The memory that this process may take for answers that are too long.
#[derive(Debug)]
pub struct Room {
    before_bytes: u64,
}

impl Room {
    /// Takes what was resident at most until now. An adapter should have been used once before.
    pub fn begin() -> Self {
        Self { before_bytes: own_peak_bytes() }
    }

    /// Asserts that a call that gets such an answer fails soon, and returns its error.
    pub async fn fails<T: Debug>(&self, what: &str, call: impl Future<Output = Result<T, Error>>) -> Error {
        let start = Instant::now();
        let error = call.await.expect_err(what);
        assert!(start.elapsed() < PATIENCE, "{what} took {:?}", start.elapsed());
        error
    }

    /// Asserts that there was room.
    pub fn end(self) {
        let grown = own_peak_bytes() - self.before_bytes;
        assert!(grown < ROOM_BYTES, "{grown} bytes more than before");
    }
}

fn own_peak_bytes() -> u64 {
    peak_bytes(std::process::id()).expect("the kernel counts this process's memory")
}
