//! Object content as a request body.

use bytes::Bytes;
use framepost_events::{Sha256, Sha256Hasher};
use framepost_ports::{Content, ContentStream, exact};
use futures::StreamExt as _;
use google_cloud_storage::streaming_source::{Seek, SizeHint, StreamingSource};
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// State of a body while it is sent: whether it moves, and why it failed. The HTTP connection only reports that
/// the body ended early.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sent(Arc<SentState>);

#[derive(Debug, Default)]
struct SentState {
    pieces: AtomicU64,
    whole: AtomicBool,
    failure: Mutex<Option<io::Error>>,
}

impl Sent {
    pub(crate) fn take_failure(&self) -> Option<io::Error> {
        self.0.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Returns when no piece was requested for `grace`. Never returns once the body has been sent completely.
    pub(crate) async fn stalled(&self, grace: Duration) {
        let mut before = self.0.pieces.load(Ordering::Relaxed);
        loop {
            tokio::time::sleep(grace).await;
            let now = self.0.pieces.load(Ordering::Relaxed);
            if now == before && !self.0.whole.load(Ordering::Relaxed) {
                return;
            }
            before = now;
        }
    }

    fn failed(&self, error: io::Error) -> io::Error {
        let told = io::Error::new(error.kind(), error.to_string());
        *self.0.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        told
    }
}

/// A body that sends content in pieces, from the start for each attempt.
pub(crate) struct Sending {
    content: Arc<dyn Content>,
    /// The mutex makes the body `Sync`. It is only accessed through `&mut`, so it is never locked.
    stream: Mutex<ContentStream>,
    sent: Sent,
}

impl Sending {
    pub(crate) fn new(content: Arc<dyn Content>, sent: Sent) -> Self {
        let stream = Mutex::new(exact(&*content));
        Self { content, stream, sent }
    }
}

impl StreamingSource for Sending {
    type Error = io::Error;

    async fn next(&mut self) -> Option<io::Result<Bytes>> {
        let stream = self.stream.get_mut().unwrap_or_else(PoisonError::into_inner);
        let Some(piece) = stream.next().await else {
            self.sent.0.whole.store(true, Ordering::Relaxed);
            return None;
        };
        self.sent.0.pieces.fetch_add(1, Ordering::Relaxed);
        Some(piece.map_err(|error| self.sent.failed(error)))
    }

    async fn size_hint(&self) -> io::Result<SizeHint> {
        Ok(SizeHint::with_exact(self.content.len_bytes()))
    }
}

impl Seek for Sending {
    type Error = io::Error;

    async fn seek(&mut self, offset: u64) -> io::Result<()> {
        if offset != 0 {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "a chunk is sent whole, never from its middle"));
        }
        self.stream = Mutex::new(exact(&*self.content));
        Ok(())
    }
}

/// Computes the CRC-32C and the SHA-256 of the content by reading all of it.
pub(crate) async fn digests(content: &dyn Content) -> io::Result<(u32, Sha256)> {
    let mut crc = 0;
    let mut sha256 = Sha256Hasher::new();
    let mut stream = exact(content);
    while let Some(piece) = stream.next().await {
        let piece = piece?;
        crc = crc32c::crc32c_append(crc, &piece);
        sha256.update(&piece);
    }
    Ok((crc, sha256.finish()))
}
