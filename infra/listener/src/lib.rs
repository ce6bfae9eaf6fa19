//! HTTP listeners with limits on their connections: the gateway's `/metrics` and `/healthz`, the onebox's S3 endpoint and API,
//! and functions behind HTTP.
//!
//! * No more than [`ConnectionLimits::connections`] at a time. One more is taken all the same, and in its place goes the one that has
//!   been idle for longest, of the peer that has most. A connection whose request is being answered goes only if all are.
//!   Who connects and asks is served, whatever a crowd of idle connections holds.
//! * The first request has to begin within [`ConnectionLimits::header_time`]. In HTTP/1 this is also the time for each request's
//!   head, and for the wait for the next request.
//! * No connection goes on for longer than [`ConnectionLimits::idle_time`] without a byte in either direction, or
//!   [`ConnectionLimits::answer_time`] while a request is with the service, and none for longer than [`ConnectionLimits::lifetime`].
//! * Descriptors are kept back for other work: see [`descriptors`]. Where they run out, accepting pauses, and the log has
//!   one line when that begins and one when it is over.
//!
//! Bodies are for the service to limit.

mod counted;
pub mod descriptors;
mod held;
mod watched;

use counted::Counted;
use held::{Held, Place};
use hyper::body::{Body, Incoming};
use hyper::service::Service;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulConnection;
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
    /// What the listener speaks.
    pub versions: Versions,
    /// How many connections there may be at a time.
    pub connections: usize,
    /// Time for a request's head, and in HTTP/1 for the wait for the next request on the same connection.
    pub header_time: Duration,
    /// Longest time without a byte in either direction while no request is with the service.
    pub idle_time: Duration,
    /// The same while one is: as long as an answer may take, the request's body included.
    pub answer_time: Duration,
    /// Longest time that a connection may last.
    pub lifetime: Duration,
    /// Largest request head in bytes; at least 8192.
    pub header_bytes: u32,
    /// How long requests in progress may take after the listener is stopped.
    pub drain: Duration,
}

/// Versions of HTTP, without TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Versions {
    /// HTTP/1.1, and HTTP/1.0 for clients that speak no newer one.
    Http1,
    /// HTTP/2 with prior knowledge as well.
    #[cfg(feature = "http2")]
    Http1And2 {
        /// How many requests one connection may make at a time.
        streams: u32,
    },
}

/// The pause after a failed accept, as when descriptors have run out. It doubles from the
/// first value to the second.
const PAUSE: std::ops::RangeInclusive<Duration> = Duration::from_millis(50)..=Duration::from_secs(2);

/// Serves with one `service()` for each connection until `stop`, then lets requests in progress finish.
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
                io::Error::other("the file descriptors that are left are kept back")
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
    if tokio::time::timeout(limits.drain, tasks.wait()).await.is_err() {
        tracing::warn!(what, connections = tasks.len(), "requests were still in progress at shutdown");
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
    S: Service<Request<Incoming>, Response = Response<B>> + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    // Responses are small and awaited, so do not delay them.
    let _ = stream.set_nodelay(true);
    let io = TokioIo::new(Watched::new(stream, place.activity()));
    let service = Counted::new(service, place.activity());
    match limits.versions {
        Versions::Http1 => {
            let mut http = hyper::server::conn::http1::Builder::new();
            http.timer(TokioTimer::new()).header_read_timeout(limits.header_time);
            http.max_buf_size(limits.header_bytes as usize);
            driven(http.serve_connection(io, service), place, limits, stop).await;
        }
        #[cfg(feature = "http2")]
        Versions::Http1And2 { streams } => {
            use hyper_util::{rt::TokioExecutor, server::conn::auto};
            let mut http = auto::Builder::new(TokioExecutor::new());
            http.http1().timer(TokioTimer::new()).header_read_timeout(limits.header_time);
            http.http1().max_buf_size(limits.header_bytes as usize);
            http.http2().timer(TokioTimer::new()).max_concurrent_streams(streams);
            http.http2().max_header_list_size(limits.header_bytes);
            driven(http.serve_connection(io, service), place, limits, stop).await;
        }
    }
}

/// Drives a connection until it ends or exceeds a limit.
async fn driven<C>(connection: C, place: Place, limits: ConnectionLimits, stop: CancellationToken)
where
    C: GracefulConnection,
    C::Error: std::fmt::Display,
{
    tokio::pin!(connection);
    let dead = async {
        tokio::select! {
            () = place.evicted() => {}
            () = place.unasked(limits.header_time) => {}
            () = place.idle(limits.idle_time, limits.answer_time) => {}
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
