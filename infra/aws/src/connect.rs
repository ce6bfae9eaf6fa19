//! A session shared by the clients of all services: credentials, region, TLS and time limits.

use crate::S3Source;
use crate::connections::Connections;
use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
#[cfg(feature = "functions")]
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{
    Region, RequestChecksumCalculation, ResponseChecksumValidation, StalledStreamProtectionConfig,
};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use framepost_ports::{Error, ErrorKind, Result};
use std::fmt;
use std::time::Duration;
use url::Url;

/// Time to connect, TLS handshake included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Time limit of a call with a small body or none.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);
/// A transfer that moves no byte for this long fails.
const STALL_GRACE: Duration = Duration::from_secs(20);
/// Attempts for a small request, the first one included.
#[cfg(feature = "functions")]
const SMALL_REQUEST_ATTEMPTS: u32 = 3;
/// The slowest rate allowed for a put. The call's time limit ends slower puts; [`STALL_GRACE`] ends
/// those that stop moving.
const SLOWEST_BYTES_PER_S: u64 = 4 * 1024;

/// Endpoint, region and credentials. The default reads the environment and uses AWS's whole credential chain.
#[derive(Debug, Clone, Default)]
pub struct S3Options {
    /// An endpoint other than Amazon's. S3 requests to it use path-style addresses.
    pub endpoint_url: Option<Url>,
    /// The region; by default the one in the environment or the profile.
    pub region: Option<String>,
    /// Replaces the credential chain.
    pub credentials: Option<Credentials>,
    /// Whether a put's response must carry a checksum.
    pub echo: Echo,
}

/// Whether a successful put must return the checksum of the stored object. The checksum shows that the answer
/// comes from the bucket and not from a captive portal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Echo {
    /// Required from Amazon. Required from another endpoint once it has returned a checksum; until then,
    /// its answers are [`Unproven`](framepost_ports::Put::Unproven).
    #[default]
    Detected,
    /// A success without a checksum is an error.
    Required,
    /// Accepts a success without a checksum, for endpoints that never return one.
    Absent,
}

/// An access key. `Debug` output does not show the secret.
#[derive(Clone)]
pub struct Credentials {
    pub access_key_id: String,
    pub secret_access_key: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("access_key_id", &self.access_key_id).finish_non_exhaustive()
    }
}

/// Credentials and connections. All clients of a session share both, so a cold start sets them up only once.
#[derive(Debug, Clone)]
pub struct Session {
    shared: SdkConfig,
    connections: Connections,
    s3_endpoint: Option<String>,
}

impl Session {
    /// Reads the environment and the profile. Sends no request.
    pub async fn new(options: S3Options) -> Result<Self> {
        let connections = Connections::new()?;
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .http_client(SharedHttpClient::new(connections.clone()))
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
        } else if ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"].into_iter().all(is_set) {
            // The first provider of the default chain. In a Lambda this one is enough, and the others would
            // create HTTP clients that are never used.
            loader = loader.credentials_provider(EnvironmentVariableCredentialsProvider::new());
        }
        let mut shared = loader.load().await;
        // The environment and the profile can also set an endpoint, for all services or for S3 alone.
        let s3_endpoint = match options.endpoint_url {
            Some(url) => Some(url.to_string()),
            None => std::env::var("AWS_ENDPOINT_URL_S3").ok().or_else(|| shared.endpoint_url().map(str::to_owned)),
        };
        if shared.region().is_none() {
            let services = [
                "AWS_ENDPOINT_URL_SQS",
                "AWS_ENDPOINT_URL_EVENTBRIDGE",
                "AWS_ENDPOINT_URL_DYNAMODB",
                "AWS_ENDPOINT_URL_REKOGNITION",
            ];
            let elsewhere = s3_endpoint.is_some() || services.iter().any(|name| std::env::var_os(name).is_some());
            if !elsewhere {
                return Err(Error::new(ErrorKind::Invalid, "connect", "aws")
                    .because("no region is given; set it in the configuration or as AWS_REGION"));
            }
            // Endpoints other than Amazon's accept any region.
            shared = shared.into_builder().region(Region::from_static("us-east-1")).build();
        }
        Ok(Self { shared, connections, s3_endpoint: s3_endpoint.map(|url| url.trim_end_matches('/').to_owned()) })
    }

    /// Returns a closure that does the TLS setup which the first request would otherwise wait for, some
    /// milliseconds of CPU time. Returns `None` if the S3 endpoint does not use TLS.
    pub fn preparation(&self) -> Option<impl FnOnce() + Send + 'static> {
        let without = self.s3_endpoint.as_ref().is_some_and(|url| url.starts_with("http://"));
        let connections = self.connections.clone();
        (!without).then_some(move || connections.prepare(CONNECT_TIMEOUT))
    }

    /// Returns a source for objects of any bucket that the credential may read.
    pub fn source(&self) -> Result<S3Source> {
        Ok(S3Source { connection: self.s3()? })
    }

    pub(crate) fn s3(&self) -> Result<Connection> {
        let region = self.shared.region().ok_or_else(|| Error::new(ErrorKind::Invalid, "connect", "s3"))?;
        let mut config = aws_sdk_s3::config::Builder::from(&self.shared)
            .force_path_style(self.s3_endpoint.is_some())
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
            .stalled_stream_protection(
                StalledStreamProtectionConfig::enabled()
                    .upload_enabled(true)
                    .download_enabled(true)
                    .grace_period(STALL_GRACE)
                    .build(),
            );
        config.set_endpoint_url(self.s3_endpoint.clone());
        let client = Client::from_conf(config.build());
        Ok(Connection { client, endpoint: self.s3_endpoint.clone(), region: region.to_string() })
    }

    #[cfg(feature = "functions")]
    pub(crate) fn region(&self) -> Option<&str> {
        self.shared.region().map(Region::as_ref)
    }

    #[cfg(feature = "functions")]
    pub(crate) fn credentials(&self) -> Option<SharedCredentialsProvider> {
        self.shared.credentials_provider()
    }

    /// Configuration for clients whose requests cost: only the caller knows what an attempt is worth.
    #[cfg(feature = "detect")]
    pub(crate) fn without_retries(&self) -> &SdkConfig {
        &self.shared
    }

    /// Configuration for the clients of the small services. Their requests are cheap and safe to repeat, so
    /// the SDK retries them.
    #[cfg(feature = "functions")]
    pub(crate) fn with_retries(&self) -> SdkConfig {
        let retries = RetryConfig::standard().with_max_attempts(SMALL_REQUEST_ATTEMPTS);
        let shared = self.shared.clone().into_builder().retry_config(retries);
        // SQS delays its answer while a queue has no messages (long polling). The call's own time limit is
        // sufficient.
        shared.stalled_stream_protection(StalledStreamProtectionConfig::disabled()).build()
    }
}

fn is_set(variable: &str) -> bool {
    std::env::var(variable).is_ok_and(|value| !value.trim().is_empty())
}

/// An S3 client, and the parts of the links to its objects.
#[derive(Debug, Clone)]
pub(crate) struct Connection {
    pub(crate) client: Client,
    pub(crate) endpoint: Option<String>,
    pub(crate) region: String,
}

/// Returns the time limits of a call that sends `body_bytes`.
pub(crate) fn timeouts(body_bytes: u64) -> TimeoutConfig {
    let limit = CALL_TIMEOUT + Duration::from_secs(body_bytes / SLOWEST_BYTES_PER_S);
    TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).operation_timeout(limit).build()
}
