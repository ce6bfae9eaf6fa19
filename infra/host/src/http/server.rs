//! The HTTP server: connections, time limits, and shutdown.
//!
//! It supports HTTP/1.1 and, without TLS, HTTP/2 (Cloud Run uses either). A client that sends its head too
//! slowly is disconnected; the service limits the time for the body. On shutdown, no new connections are
//! accepted, idle ones are closed, and requests in progress are answered within [`Limits::drain`].

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use std::io;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};

use super::Limits;

/// Pause after an error that does not concern a single connection, for example too many open files.
const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(200);

/// Serves until `shutdown`, and then until the requests in progress are answered.
pub(super) async fn serve(
    listener: TcpListener,
    service: Router,
    limits: Limits,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(limits.head);
    builder.http2().timer(TokioTimer::new()).max_concurrent_streams(limits.concurrency);
    let graceful = GracefulShutdown::new();
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let stream = tokio::select! {
            biased;
            () = &mut shutdown => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) if is_of_one_connection(&error) => continue,
                Err(error) => {
                    tracing::error!(%error, "cannot take a connection");
                    tokio::time::sleep(PAUSE_AFTER_ERROR).await;
                    continue;
                }
            },
        };
        tokio::spawn(one(stream, builder.clone(), service.clone(), graceful.watcher()));
    }
    drop(listener);
    let open = graceful.count();
    if tokio::time::timeout(limits.drain, graceful.shutdown()).await.is_err() {
        tracing::warn!(connections = open, "requests are left unanswered, their messages come again");
    }
    Ok(())
}

async fn one(
    stream: TcpStream,
    builder: Builder<TokioExecutor>,
    service: Router,
    watcher: hyper_util::server::graceful::Watcher,
) {
    // A response has a few bytes and the sender waits for it. If this option cannot be set, it is only slower.
    let _ = stream.set_nodelay(true);
    let connection = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service)).into_owned();
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!(error, "a connection broke off");
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}
