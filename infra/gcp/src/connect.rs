//! What every client of this crate is made with: endpoint, credentials, TLS, time limits.

use framepost_ports::{Error, ErrorKind, Result};
use google_cloud_auth::credentials::{self, Credentials};
use google_cloud_gax::retry_policy::NeverRetry;
use google_cloud_storage::client::Storage;
use google_cloud_storage::read_resume_policy::NeverResume;
use std::time::Duration;
use url::Url;

/// For a call without a body to speak of.
pub(crate) const CALL_TIMEOUT: Duration = Duration::from_secs(30);
/// Without a byte moving, the connection's opening included.
pub(crate) const STALL_GRACE: Duration = Duration::from_secs(20);
/// A transfer may be this slow. Slower ones are cut off by the limit below, faster ones that stand still by the stall's.
const SLOWEST_BYTES_PER_S: u64 = 4 * 1024;

/// Where Google is and who asks. The default is Google itself, and whom the environment says: Application Default
/// Credentials, the whole chain.
#[derive(Debug, Clone, Default)]
pub struct GoogleOptions {
    /// Another server than Google's. Nobody is told who asks where it is `http://`: an access token in the clear is
    /// everybody's.
    pub endpoint: Option<Url>,
}

impl GoogleOptions {
    /// The endpoint as the clients want it.
    pub(crate) fn endpoint(&self) -> Option<String> {
        self.endpoint.as_ref().map(|url| url.as_str().trim_end_matches('/').to_owned())
    }

    /// Who asks.
    pub(crate) fn credentials(&self) -> Result<Credentials> {
        install_tls();
        if self.endpoint.as_ref().is_some_and(|url| url.scheme() == "http") {
            return Ok(credentials::anonymous::Builder::new().build());
        }
        credentials::Builder::default()
            .build()
            .map_err(|error| Error::new(ErrorKind::Denied, "connect", "google cloud").because(error))
    }

    /// A client that repeats nothing by itself.
    pub(crate) async fn storage(&self) -> Result<Storage> {
        let credentials = self.credentials()?;
        let mut builder = Storage::builder()
            .with_credentials(credentials)
            .with_retry_policy(NeverRetry)
            .with_read_resume_policy(NeverResume)
            // A chunk fits one request.
            .with_resumable_upload_threshold(usize::MAX)
            .with_grpc_subchannel_count(1);
        if let Some(endpoint) = self.endpoint() {
            builder = builder.with_endpoint(endpoint);
        }
        builder.build().await.map_err(|error| Error::new(ErrorKind::Invalid, "connect", "cloud storage").because(error))
    }
}

/// The clients take the process's TLS. Whoever has chosen another one before keeps it.
fn install_tls() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// The limit of a call that moves `bytes`.
pub(crate) fn limit(bytes: u64) -> Duration {
    CALL_TIMEOUT + Duration::from_secs(bytes / SLOWEST_BYTES_PER_S)
}

/// A call within a limit.
pub(crate) async fn within<T>(
    limit: Duration,
    operation: &'static str,
    what: &str,
    call: impl Future<Output = Result<T>>,
) -> Result<T> {
    tokio::time::timeout(limit, call).await.unwrap_or_else(|_| {
        Err(Error::new(ErrorKind::Transport, operation, what).because(format!("no answer within {limit:?}")))
    })
}
