//! Requests to Cloud Storage's JSON API, with answers of limited length.
//!
//! The SDK's HTTP client collects a body of any length before its caller sees it, and cannot be replaced. What a gateway asks
//! of a bucket goes through this client instead, so that whoever answers takes no more memory than an answer of Cloud Storage
//! needs. hyper limits headers (100 headers, 400 KiB).

use crate::bounded::{Body, read};
use crate::connect::{GoogleOptions, STALL_GRACE};
use crate::error;
use bytes::Bytes;
use framepost_ports::{Effect, Error, ErrorKind, Result, url_path};
use google_cloud_auth::credentials::{CacheableResource, Credentials};
use google_cloud_gax::error::Error as GoogleError;
use google_cloud_gax::error::rpc::Status;
use reqwest::RequestBuilder;
use reqwest::header::HeaderMap;
use std::time::Duration;

/// Where Cloud Storage answers unless an endpoint is configured.
pub(crate) const GOOGLE: &str = "https://storage.googleapis.com";
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How much of a refusal is read. No error of Cloud Storage is that long.
const REFUSAL_LIMIT_BYTES: usize = 64 * 1024;

/// Cloud Storage at one endpoint, with one credential. Clones share their connections.
#[derive(Debug, Clone)]
pub(crate) struct Api {
    http: reqwest::Client,
    credentials: Credentials,
    endpoint: String,
}

/// The answer to a request.
pub(crate) enum Answer {
    /// The whole body of a success.
    Success(Bytes),
    Refusal(GoogleError),
}

impl Api {
    /// Connects. Sends no request yet.
    pub(crate) fn connect(options: &GoogleOptions) -> Result<Self> {
        let credentials = options.credentials()?;
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            // Only the caller knows what an attempt costs.
            .retry(reqwest::retry::never())
            .build()
            .map_err(|error| Error::new(ErrorKind::Invalid, "connect", "cloud storage").because(error))?;
        let endpoint = options.endpoint().unwrap_or_else(|| GOOGLE.to_owned());
        Ok(Self { http, credentials, endpoint })
    }

    /// A GET of a path with its query.
    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        self.http.get(format!("{}{path}", self.endpoint))
    }

    /// A DELETE of a path.
    #[cfg(feature = "functions")]
    pub(crate) fn delete(&self, path: &str) -> RequestBuilder {
        self.http.delete(format!("{}{path}", self.endpoint))
    }

    /// A POST to a path with its query.
    pub(crate) fn post(&self, path: &str) -> RequestBuilder {
        self.http.post(format!("{}{path}", self.endpoint))
    }

    /// Sends a request. The body of a success has at most `longest` bytes; a longer one is an error.
    pub(crate) async fn ask(
        &self,
        operation: &'static str,
        what: &str,
        request: RequestBuilder,
        longest: usize,
    ) -> Result<Answer> {
        let headers = self.authorization().await.map_err(|error| error::of(operation, what, error))?;
        let answer = request.headers(headers).send().await.map_err(|error| transport(operation, what, error))?;
        let status = answer.status();
        let limit = if status.is_success() { longest } else { REFUSAL_LIMIT_BYTES };
        let late = |_| {
            let slow = format!("the answer did not end within {STALL_GRACE:?}");
            Error::new(ErrorKind::Transport, operation, what).because(slow)
        };
        let read = tokio::time::timeout(STALL_GRACE, read(answer, limit)).await.map_err(late)?;
        let body = read.map_err(|error| transport(operation, what, error))?;
        match body {
            Body::Whole(body) if status.is_success() => Ok(Answer::Success(body)),
            Body::Cut(_) if status.is_success() => Err(not_google(operation, what)
                .because(format!("the answer has more than {longest} bytes, so it is not Cloud Storage's"))),
            Body::Whole(body) => Ok(Answer::Refusal(refusal(status.as_u16(), body))),
            Body::Cut(_) => Err(not_google(operation, what)
                .with_effect(Effect::of_status(status.as_u16()))
                .because(format!("{status} with more than {REFUSAL_LIMIT_BYTES} bytes"))),
        }
    }

    async fn authorization(&self) -> std::result::Result<HeaderMap, GoogleError> {
        let headers = self.credentials.headers(http::Extensions::new()).await;
        match headers.map_err(GoogleError::authentication)? {
            CacheableResource::New { data, .. } => Ok(data),
            CacheableResource::NotModified => Ok(HeaderMap::default()),
        }
    }
}

/// The error of an answer that says that all went well and that somebody else gave.
pub(crate) fn not_google(operation: &'static str, what: &str) -> Error {
    Error::new(ErrorKind::Intercepted, operation, what).with_effect(Effect::None)
}

/// Encodes a segment of a path, or a value of a query.
pub(crate) fn encoded(value: &str) -> String {
    url_path(value).replace('/', "%2F")
}

fn transport(operation: &'static str, what: &str, error: reqwest::Error) -> Error {
    let kind = if error.is_builder() { ErrorKind::Invalid } else { ErrorKind::Transport };
    Error::new(kind, operation, what).because(error.without_url())
}

fn refusal(status: u16, body: Bytes) -> GoogleError {
    match Status::try_from(&body) {
        Ok(own) => GoogleError::service_with_http_metadata(own, Some(status), None),
        Err(_) => GoogleError::http(status, HeaderMap::default(), body),
    }
}
