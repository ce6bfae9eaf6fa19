//! An S3 endpoint for local buckets, so that the edge uploader writes here exactly as it writes to AWS.
//!
//! - Writing, deleting and listing need a signature with the access key. Reading an object needs none, so that a link
//!   works in any player. The endpoint is meant for loopback.
//! - A put streams into the bucket and never replaces an object, with or without `If-None-Match: *`.
//! - Only requests for this machine's own names or addresses are answered. This protects against DNS rebinding,
//!   where a web page uses a host name that an attacker points to this machine.
//! - Connections have the limits of all our listeners, see [`framepost_listener`]. A put may have up to 5
//!   GiB, any other request up to 1 MiB.
//! - It implements `PutObject`, `GetObject` (ranges, digests), `HeadObject`, `DeleteObject`, `DeleteObjects`,
//!   `HeadBucket`, `ListObjects` and `ListObjectsV2`, and says what there is: `ListBuckets`, `GetBucketLocation`,
//!   `GetBucketVersioning` and `GetObjectAttributes`. `CreateBucket` succeeds for a bucket that is there. Everything else is
//!   `NotImplemented`: uploads in parts and copies within the bucket, too.

mod access;
mod describe;
mod guard;
mod operations;
mod upload;

pub use access::load_or_create_credentials;

use framepost_aws::Credentials;
use framepost_listener::{ConnectionLimits, Versions};
use framepost_local::LocalBucket;
use hyper::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use std::io;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Players open several connections, and the edge uploader one for each of its workers.
const LIMITS: ConnectionLimits = ConnectionLimits {
    versions: Versions::Http1,
    connections: 128,
    header_time: Duration::from_mins(1),
    idle_time: Duration::from_mins(2),
    answer_time: Duration::from_mins(2),
    lifetime: Duration::from_hours(6),
    header_bytes: 64 * 1024,
    drain: Duration::from_secs(10),
};

/// Serves `buckets` by their names until `shutdown`, then finishes requests in progress.
pub async fn serve(
    buckets: Vec<LocalBucket>,
    listener: TcpListener,
    credentials: &Credentials,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let mut builder = S3ServiceBuilder::new(operations::Endpoint::new(buckets));
    builder.set_auth(SimpleAuth::from_single(credentials.access_key_id.clone(), credentials.secret_access_key.clone()));
    builder.set_access(access::ReadersAreAnonymous);
    let s3 = builder.build();
    let guard = guard::Guard::new(listener.local_addr()?);
    let service = move || {
        let s3 = s3.clone();
        service_fn(move |request: Request<Incoming>| {
            let refusal = guard.refusal(&request);
            let s3 = s3.clone();
            async move {
                match refusal {
                    Some(refusal) => Ok(refusal),
                    None => s3.call(request.map(s3s::Body::from)).await,
                }
            }
        })
    };
    framepost_listener::serve(listener, "s3", LIMITS, service, shutdown).await;
    Ok(())
}
