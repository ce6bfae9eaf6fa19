//! One session for all services: credentials, region, TLS, time limits.

use crate::S3Source;
use crate::connections::Connections;
use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{
    Region, RequestChecksumCalculation, ResponseChecksumValidation, StalledStreamProtectionConfig,
};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
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
/// Of a small request, the first try included.
#[cfg(feature = "functions")]
const SMALL_REQUEST_ATTEMPTS: u32 = 3;
/// A put may be this slow. Slower ones are cut off by the limit below, faster ones that stand still by the stall's.
const SLOWEST_BYTES_PER_S: u64 = 4 * 1024;

/// Where Amazon's services are and who asks. The default is what the environment says, by AWS's whole credential chain.
#[derive(Debug, Clone, Default)]
pub struct S3Options {
    /// Another server than Amazon's; S3 is addressed path-style.
    pub endpoint_url: Option<Url>,
    /// The bucket's region.
    pub region: Option<String>,
    /// Instead of the credential chain.
    pub credentials: Option<Credentials>,
    /// How the endpoint's answers show what it stored.
    pub echo: Echo,
}

/// How a success shows that it is the bucket's word and no portal's: by the checksum of what was stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Echo {
    /// Amazon's own has to; another endpoint's has to as soon as one of its answers did, and is
    /// [`Unproven`](framepost_ports::Put::Unproven) until then.
    #[default]
    Detected,
    /// It has to.
    Required,
    /// The endpoint knows no checksums: its bare word counts.
    Absent,
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

/// Who asks, and over which connections. Its clients share both, so that a cold start pays for them once.
#[derive(Debug, Clone)]
pub struct Session {
    shared: SdkConfig,
    connections: Connections,
    s3_endpoint: Option<String>,
}

impl Session {
    /// Reads the environment and the profile; asks nobody anything yet.
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
            // The chain's first link. In a Lambda the others, with clients of their own, would be made for nothing.
            loader = loader.credentials_provider(EnvironmentVariableCredentialsProvider::new());
        }
        let mut shared = loader.load().await;
        // The environment and the profile can name one too, for all services or for S3 alone.
        let s3_endpoint = match options.endpoint_url {
            Some(url) => Some(url.to_string()),
            None => std::env::var("AWS_ENDPOINT_URL_S3").ok().or_else(|| shared.endpoint_url().map(str::to_owned)),
        };
        if shared.region().is_none() {
            let services = ["AWS_ENDPOINT_URL_SQS", "AWS_ENDPOINT_URL_EVENTBRIDGE", "AWS_ENDPOINT_URL_DYNAMODB"];
            let elsewhere = s3_endpoint.is_some() || services.iter().any(|name| std::env::var_os(name).is_some());
            if !elsewhere {
                return Err(Error::new(ErrorKind::Invalid, "connect", "aws")
                    .because("no region is given; set it in the configuration or as AWS_REGION"));
            }
            // Servers other than Amazon's do not mind which.
            shared = shared.into_builder().region(Region::from_static("us-east-1")).build();
        }
        Ok(Self { shared, connections, s3_endpoint: s3_endpoint.map(|url| url.trim_end_matches('/').to_owned()) })
    }

    /// What the first request over TLS would have to wait for, some milliseconds of a processor; nothing where objects are
    /// reached without TLS.
    pub fn preparation(&self) -> Option<impl FnOnce() + Send + 'static> {
        let without = self.s3_endpoint.as_ref().is_some_and(|url| url.starts_with("http://"));
        let connections = self.connections.clone();
        (!without).then_some(move || connections.prepare(CONNECT_TIMEOUT))
    }

    /// Objects of any bucket that the credential may read.
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

    /// What the clients of the small services are made of. Their requests are cheap and safe to repeat, so the SDK does.
    #[cfg(feature = "functions")]
    pub(crate) fn with_retries(&self) -> SdkConfig {
        let retries = RetryConfig::standard().with_max_attempts(SMALL_REQUEST_ATTEMPTS);
        let shared = self.shared.clone().into_builder().retry_config(retries);
        // A queue without messages keeps its answer back for as long as it was asked to; the call's own limit is enough.
        shared.stalled_stream_protection(StalledStreamProtectionConfig::disabled()).build()
    }
}

fn is_set(variable: &str) -> bool {
    std::env::var(variable).is_ok_and(|value| !value.trim().is_empty())
}

/// An S3 client, and what links are made of.
#[derive(Debug, Clone)]
pub(crate) struct Connection {
    pub(crate) client: Client,
    pub(crate) endpoint: Option<String>,
    pub(crate) region: String,
}

/// The limits of a call that sends `body_bytes`.
pub(crate) fn timeouts(body_bytes: u64) -> TimeoutConfig {
    let limit = CALL_TIMEOUT + Duration::from_secs(body_bytes / SLOWEST_BYTES_PER_S);
    TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).operation_timeout(limit).build()
}
