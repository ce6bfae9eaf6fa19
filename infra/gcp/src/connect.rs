//! Settings that all clients of this crate share: endpoint, credentials, TLS, time limits.

use framepost_ports::{Error, ErrorKind, Result};
use google_cloud_auth::credentials::{self, Credentials};
use std::time::Duration;
use url::Url;

/// Time limit of a call with a small body or none.
pub(crate) const CALL_TIMEOUT: Duration = Duration::from_secs(30);
/// A transfer that moves no byte for this long fails; this includes opening the connection.
pub(crate) const STALL_GRACE: Duration = Duration::from_secs(20);
/// The slowest rate allowed for a transfer. The call's time limit ends slower ones; [`STALL_GRACE`] ends
/// those that stop moving.
const SLOWEST_BYTES_PER_S: u64 = 4 * 1024;

/// Endpoint and credentials. The default is Google's own endpoint with Application Default Credentials.
#[derive(Debug, Clone, Default)]
pub struct GoogleOptions {
    /// An endpoint other than Google's. Over `http://` no credentials are sent, because anybody on the network
    /// could read an access token.
    pub endpoint: Option<Url>,
}

impl GoogleOptions {
    /// Returns the endpoint in the form that the clients expect.
    pub(crate) fn endpoint(&self) -> Option<String> {
        self.endpoint.as_ref().map(|url| url.as_str().trim_end_matches('/').to_owned())
    }

    /// Returns the credentials; anonymous ones for an `http://` endpoint.
    pub(crate) fn credentials(&self) -> Result<Credentials> {
        install_tls();
        if self.endpoint.as_ref().is_some_and(|url| url.scheme() == "http") {
            return Ok(credentials::anonymous::Builder::new().build());
        }
        crate::tokens::credentials()
    }
}

/// Installs the process-wide TLS provider that the clients use. Keeps a provider that was installed before.
fn install_tls() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// Returns the time limit of a call that moves `bytes`.
pub(crate) fn limit(bytes: u64) -> Duration {
    CALL_TIMEOUT + Duration::from_secs(bytes / SLOWEST_BYTES_PER_S)
}

/// Runs a call with a time limit.
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
