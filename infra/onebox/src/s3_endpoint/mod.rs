//! An S3 endpoint in front of local buckets, so that the edge writes here exactly as it writes to AWS.
//!
//! * Writing and listing need a signature by the one access key. Reading an object needs none, so that a link plays in any
//!   player; the endpoint is meant for loopback.
//! * A put streams into the bucket and never replaces an object, whether or not the request says `If-None-Match: *`.
//! * `PutObject`, `GetObject` (ranges, digests), `HeadObject`, `HeadBucket` and `ListObjectsV2` are there; everything else
//!   is `NotImplemented`.

mod access;
mod operations;
mod upload;

pub use access::load_or_create_credentials;

use framepost_aws::Credentials;
use framepost_local::LocalBucket;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulShutdown;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use std::future::Future;
use std::io;
use std::time::Duration;
use tokio::net::TcpListener;

/// How long requests that are under way may take once the endpoint is told to end.
const DRAIN_LIMIT: Duration = Duration::from_secs(10);
/// A pause after an accept that failed, as when file descriptors have run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves `buckets` by their names until `shutdown`, then ends what is under way.
pub async fn serve(
    buckets: Vec<LocalBucket>,
    listener: TcpListener,
    credentials: &Credentials,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let mut builder = S3ServiceBuilder::new(operations::Endpoint::new(buckets));
    builder.set_auth(SimpleAuth::from_single(credentials.access_key_id.clone(), credentials.secret_access_key.clone()));
    builder.set_access(access::ReadersAreAnonymous);
    let service = builder.build();
    let http = hyper::server::conn::http1::Builder::new();
    let graceful = GracefulShutdown::new();
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut shutdown => break,
            accepted = listener.accept() => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "the s3 endpoint cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        // Answers are small and awaited: no reason to hold them back.
        let _ = stream.set_nodelay(true);
        let connection = graceful.watch(http.serve_connection(TokioIo::new(stream), service.clone()));
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "an s3 connection ended early");
            }
        });
    }
    drop(listener);
    if tokio::time::timeout(DRAIN_LIMIT, graceful.shutdown()).await.is_err() {
        tracing::warn!("s3 requests were still under way at the end");
    }
    Ok(())
}
