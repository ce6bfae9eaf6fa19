//! The HTTP server: what it speaks, and the end.
//!
//! It supports HTTP/1.1 and, without TLS, HTTP/2 (Cloud Run uses either). On shutdown, no new connections are
//! accepted, idle ones are closed, and requests in progress are answered within [`HttpLimits::drain`]. Messages whose requests are left
//! unanswered come again.

use super::HttpLimits;
use axum::Router;
use framepost_listener::{ConnectionLimits, Versions};
use hyper_util::service::TowerToHyperService;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Longest time that a connection may last: some times the longest answer.
const LIFETIME: Duration = Duration::from_hours(6);

/// Serves until `shutdown`, and then until the requests in progress are answered.
pub(super) async fn serve(
    listener: TcpListener,
    service: Router,
    limits: HttpLimits,
    shutdown: impl Future<Output = ()>,
) {
    let connections = ConnectionLimits {
        versions: Versions::Http1And2 { streams: limits.concurrency },
        connections: limits.connections,
        header_time: limits.head,
        idle_time: limits.idle,
        answer_time: limits.answer,
        lifetime: LIFETIME,
        header_bytes: limits.head_bytes,
        drain: limits.drain,
    };
    let stop = CancellationToken::new();
    let service = || TowerToHyperService::new(service.clone());
    let serving = framepost_listener::serve(listener, "http", connections, service, stop.clone());
    let stopping = async {
        shutdown.await;
        stop.cancel();
    };
    tokio::join!(serving, stopping);
}
