//! Our own listeners (`/metrics` and `/healthz`, the onebox's S3 endpoint) with limits on their connections.
//!
//! * No more than [`ConnectionLimits::connections`] at a time. One more is taken all the same, and in its place goes the one that has been
//!   idle for longest, of the peer that has most: who connects and asks is served, whatever a crowd of idle ones holds.
//! * A request's head has to be there within [`ConnectionLimits::header_time`], which is also how long a connection may wait for its
//!   next request; no connection goes on for longer than [`ConnectionLimits::idle_time`] without a byte in either direction, and none
//!   for longer than [`ConnectionLimits::lifetime`].
//! * Descriptors are kept back for what records: see [`descriptors`](crate::descriptors). Where they run out, accepting pauses,
//!   and the log has one line when that begins and one when it is over.

mod held;
mod watched;

use crate::descriptors;
use held::{Held, Place};
use hyper::body::{Body, Incoming};
use hyper::service::Service;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::error::Error;
use std::io;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use watched::Watched;

/// Limits for the peers of one listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// Most concurrent connections.
    pub connections: usize,
    /// Time for a request's head, and for the wait for the next request on the same connection.
    pub header_time: Duration,
    /// Longest time without a byte in either direction.
    pub idle_time: Duration,
    /// Longest time that a connection may last.
    pub lifetime: Duration,
    /// Largest request head in bytes; at least 8192.
    pub header_bytes: usize,
}

/// How long requests in progress may take after the listener is stopped.
const DRAIN_LIMIT: Duration = Duration::from_secs(10);

/// The pause after a failed accept, as when descriptors have run out. It doubles from the
/// first value to the second.
const PAUSE: std::ops::RangeInclusive<Duration> = Duration::from_millis(50)..=Duration::from_secs(2);

/// Serves HTTP/1 with one `service()` for each connection until `stop`, then lets requests in progress finish.
/// `what` names the listener in the log.
pub async fn serve<S, B>(
    listener: TcpListener,
    what: &'static str,
    limits: ConnectionLimits,
    service: impl Fn() -> S,
    stop: CancellationToken,
) where
    S: Service<Request<Incoming>, Response = Response<B>> + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let held = Held::default();
    let tasks = TaskTracker::new();
    let mut shortage = Shortage { what, pause: *PAUSE.start(), refused: 0 };
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let problem = match accepted {
            // Dropping the stream frees its descriptor, and evicting frees that of an idle peer.
            Ok((stream, _)) if descriptors::is_reserved(&stream) => {
                held.evict();
                io::Error::other("the file descriptors that are left are kept for recording")
            }
            Ok((stream, peer)) => {
                shortage.over();
                held.make_room(limits.connections);
                let place = held.take(peer.ip());
                tasks.spawn(connection(stream, place, limits, service(), stop.clone()));
                continue;
            }
            // The peer has already closed the connection.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => continue,
            Err(error) => {
                held.evict();
                error
            }
        };
        let pause = shortage.refused(&problem);
        tokio::select! {
            () = stop.cancelled() => break,
            () = tokio::time::sleep(pause) => {}
        }
    }
    drop(listener);
    tasks.close();
    if tokio::time::timeout(DRAIN_LIMIT, tasks.wait()).await.is_err() {
        tracing::warn!(what, "requests were still under way at the end");
    }
}

/// Serves one connection until it ends, is idle for too long, or must make room.
async fn connection<S, B>(
    stream: TcpStream,
    place: Place,
    limits: ConnectionLimits,
    service: S,
    stop: CancellationToken,
) where
    S: Service<Request<Incoming>, Response = Response<B>> + Send,
    S::Future: Send,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    // Responses are small and awaited, so do not delay them.
    let _ = stream.set_nodelay(true);
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(limits.header_time).max_buf_size(limits.header_bytes);
    let io = TokioIo::new(Watched::new(stream, place.activity()));
    let connection = http.serve_connection(io, service);
    tokio::pin!(connection);
    let dead = async {
        tokio::select! {
            () = place.evicted() => {}
            () = place.idle(limits.idle_time) => {}
            () = tokio::time::sleep(limits.lifetime) => {}
        }
    };
    tokio::pin!(dead);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = &mut dead => return,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            tokio::select! {
                ended = &mut connection => ended,
                () = &mut dead => return,
            }
        }
    };
    if let Err(error) = ended {
        // A peer that aborts a request will send it again.
        tracing::debug!(%error, "a connection ended early");
    }
}

/// A period in which no connection can be accepted.
struct Shortage {
    what: &'static str,
    pause: Duration,
    refused: u64,
}

impl Shortage {
    /// Records a failed accept and returns how long to wait.
    fn refused(&mut self, problem: &io::Error) -> Duration {
        if self.refused == 0 {
            tracing::warn!(what = self.what, error = %problem, "connections are refused for now");
        }
        self.refused += 1;
        let pause = self.pause;
        self.pause = (pause * 2).min(*PAUSE.end());
        pause
    }

    fn over(&mut self) {
        if self.refused > 0 {
            tracing::info!(what = self.what, refused = self.refused, "connections are accepted again");
        }
        (self.refused, self.pause) = (0, *PAUSE.start());
    }
}

#[cfg(test)]
mod tests;
