//! One client for one endpoint: credentials, region, TLS, time limits.

use aws_config::BehaviorVersion;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{
    Region, RequestChecksumCalculation, ResponseChecksumValidation, StalledStreamProtectionConfig,
};
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use framepost_ports::{Error, ErrorKind, Result};
use std::fmt;
use std::time::Duration;
use url::Url;

/// To connect, TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// For a call without a body to speak of.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);
/// Without a byte moving.
const STALL_GRACE: Duration = Duration::from_secs(20);
/// A put may be this slow. Slower ones are cut off by the limit below, faster ones that stand still by the stall's.
const SLOWEST_BYTES_PER_S: u64 = 4 * 1024;

/// Where S3 is and who asks. The default is what the environment says, by AWS's whole credential chain.
#[derive(Debug, Clone, Default)]
pub struct S3Options {
    /// Another server than Amazon's; addressed path-style.
    pub endpoint_url: Option<Url>,
    /// The bucket's region.
    pub region: Option<String>,
    /// Instead of the credential chain.
    pub credentials: Option<Credentials>,
}

/// An access key. Its secret does not show in logs.
#[derive(Clone)]
pub struct Credentials {
    /// The access key's id.
    pub access_key_id: String,
    /// The secret.
    pub secret_access_key: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("access_key_id", &self.access_key_id).finish_non_exhaustive()
    }
}

/// A client, and what links are made of.
#[derive(Debug, Clone)]
pub(crate) struct Connection {
    pub(crate) client: Client,
    pub(crate) endpoint: Option<String>,
    pub(crate) region: String,
}

impl Connection {
    pub(crate) async fn new(options: S3Options) -> Result<Self> {
        let tls = Provider::Rustls(CryptoMode::Ring);
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .http_client(Builder::new().tls_provider(tls).build_https())
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts(0));
        if let Some(endpoint) = &options.endpoint_url {
            loader = loader.endpoint_url(endpoint.as_str().trim_end_matches('/'));
        }
        if let Some(region) = options.region {
            loader = loader.region(Region::new(region));
        }
        if let Some(Credentials { access_key_id, secret_access_key }) = options.credentials {
            let fixed = aws_credential_types::Credentials::new(access_key_id, secret_access_key, None, None, "config");
            loader = loader.credentials_provider(fixed);
        }
        let shared = loader.load().await;
        // AWS_ENDPOINT_URL and the profile can name one too.
        let endpoint = shared.endpoint_url().map(str::to_owned);
        let region = match (shared.region(), &endpoint) {
            (Some(region), _) => region.clone(),
            // Servers other than Amazon's do not mind which.
            (None, Some(_)) => Region::new("us-east-1"),
            (None, None) => {
                return Err(Error::new(ErrorKind::Invalid, "connect", "s3")
                    .because("no region is given; set it in the configuration or as AWS_REGION"));
            }
        };
        let config = aws_sdk_s3::config::Builder::from(&shared)
            .region(region.clone())
            .force_path_style(endpoint.is_some())
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
            .stalled_stream_protection(
                StalledStreamProtectionConfig::enabled()
                    .upload_enabled(true)
                    .download_enabled(true)
                    .grace_period(STALL_GRACE)
                    .build(),
            )
            .build();
        let client = Client::from_conf(config);
        Ok(Self { client, endpoint, region: region.to_string() })
    }
}

/// The limits of a call that sends `body_bytes`.
pub(crate) fn timeouts(body_bytes: u64) -> TimeoutConfig {
    let limit = CALL_TIMEOUT + Duration::from_secs(body_bytes / SLOWEST_BYTES_PER_S);
    TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).operation_timeout(limit).build()
}
