//! Object content as a request body.

use bytes::Bytes;
use framepost_events::{Sha256, Sha256Hasher};
use framepost_ports::{Content, ContentStream, exact};
use futures::StreamExt as _;
use http_body::{Body, Frame, SizeHint};
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
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

/// A body of an object's content between two texts.
pub(crate) struct Sending {
    before: Bytes,
    after: Bytes,
    /// The mutex makes the body `Sync`. It is only accessed through `&mut`, so it is never locked.
    content: Mutex<ContentStream>,
    left_bytes: u64,
    sent: Sent,
}

impl Sending {
    pub(crate) fn new(before: Bytes, content: &dyn Content, after: Bytes, sent: Sent) -> Self {
        let left_bytes = before.len() as u64 + content.len_bytes() + after.len() as u64;
        Self { before, after, content: Mutex::new(exact(content)), left_bytes, sent }
    }

    fn send(&mut self, piece: Bytes) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.left_bytes = self.left_bytes.saturating_sub(piece.len() as u64);
        self.sent.0.pieces.fetch_add(1, Ordering::Relaxed);
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }
}

impl Body for Sending {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let this = &mut *self;
        if !this.before.is_empty() {
            let before = std::mem::take(&mut this.before);
            return this.send(before);
        }
        let content = this.content.get_mut().unwrap_or_else(PoisonError::into_inner);
        match ready!(content.as_mut().poll_next(cx)) {
            Some(Ok(piece)) => this.send(piece),
            Some(Err(error)) => Poll::Ready(Some(Err(this.sent.failed(error)))),
            None => {
                this.sent.0.whole.store(true, Ordering::Relaxed);
                let after = std::mem::take(&mut this.after);
                if after.is_empty() { Poll::Ready(None) } else { this.send(after) }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.left_bytes == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left_bytes)
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
