//! Errors as problem documents (RFC 9457).

use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use framepost_ports::catalog::Interval;
use framepost_ports::{Error, ErrorKind, chain};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

/// Why a request was not answered.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// The kind of the problem, as a stable URI reference: `/problems/bad-parameter`.
    pub(crate) r#type: &'static str,
    /// The kind in words, the same for every problem of this kind.
    pub(crate) title: &'static str,
    /// The HTTP status of the response, repeated as RFC 9457 §3.1.2 asks.
    pub(crate) status: u16,
    /// What is wrong with this request, and what to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) detail: Option<String>,
    /// The parameter that is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) parameter: Option<&'static str>,
    /// Intervals that can be asked for instead.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) ranges: Vec<Stretch>,
    #[serde(skip)]
    #[schema(ignore)]
    header: Option<Box<(HeaderName, HeaderValue)>>,
}

/// A half-open interval of time.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Stretch {
    /// The first time in it.
    pub(crate) from: Timestamp,
    /// The first time after it.
    pub(crate) to: Timestamp,
}

impl Problem {
    fn new(status: StatusCode, r#type: &'static str, title: &'static str) -> Self {
        Self { r#type, title, status: status.as_u16(), detail: None, parameter: None, ranges: vec![], header: None }
    }

    /// Says what was the matter this time.
    #[must_use]
    pub(crate) fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Says what can be asked for instead.
    #[must_use]
    pub(crate) fn ranges(mut self, ranges: Vec<Interval>) -> Self {
        self.ranges = ranges.into_iter().map(|Interval { from, to }| Stretch { from, to }).collect();
        self
    }

    #[must_use]
    pub(crate) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.header = Some(Box::new((name, value)));
        self
    }

    /// A parameter that cannot be used.
    pub(crate) fn parameter(name: &'static str, expected: impl Into<String>) -> Self {
        let problem = Self::new(StatusCode::BAD_REQUEST, "/problems/bad-parameter", "A parameter cannot be used");
        Self { parameter: Some(name), ..problem.detail(format!("{name}: {}", expected.into())) }
    }

    /// The query as a whole cannot be read.
    pub(crate) fn query(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "/problems/bad-parameter", "A parameter cannot be used").detail(detail)
    }

    /// The body cannot be used.
    pub(crate) fn body(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "/problems/bad-body", "The body cannot be used").detail(detail)
    }

    /// The body is declared as something else than JSON.
    pub(crate) fn media_type() -> Self {
        let problem = Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "/problems/media-type",
            "The body's content type is not supported",
        );
        problem.detail("send JSON, with `Content-Type: application/json`")
    }

    /// The caller may see it, and may not do this with it.
    pub(crate) fn forbidden() -> Self {
        let problem = Self::new(StatusCode::FORBIDDEN, "/problems/forbidden", "The token is not for this");
        problem.detail("it needs the right to keep footage: framepost token new --keep")
    }

    /// There are too many already.
    pub(crate) fn too_many(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "/problems/too-many", "There are too many already").detail(detail)
    }

    /// There is nothing there, or nothing that the caller may see.
    pub(crate) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "/problems/not-found", "Nothing was found")
    }

    /// The caller did not say who it is, or not in a way that counts.
    pub(crate) fn unauthorized() -> Self {
        let problem = Self::new(StatusCode::UNAUTHORIZED, "/problems/unauthorized", "A valid token is needed");
        problem.header(axum::http::header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"framepost\""))
    }

    /// The request is for another host.
    pub(crate) fn other_host() -> Self {
        Self::new(StatusCode::FORBIDDEN, "/problems/other-host", "The request is for another host")
    }

    /// A range that no byte of the object is in.
    pub(crate) fn range(size: u64) -> Self {
        let problem =
            Self::new(StatusCode::RANGE_NOT_SATISFIABLE, "/problems/no-such-range", "No byte is in this range");
        match HeaderValue::try_from(format!("bytes */{size}")) {
            Ok(value) => problem.header(axum::http::header::CONTENT_RANGE, value),
            Err(_) => problem,
        }
    }

    /// The resource is there and cannot be asked this way.
    pub(crate) fn method() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "/problems/method", "The resource does not have this method")
    }

    /// What was asked for cannot be made of the footage as it is.
    pub(crate) fn conflict(r#type: &'static str, title: &'static str) -> Self {
        Self::new(StatusCode::CONFLICT, r#type, title)
    }
}

impl Problem {
    /// What could not be read of footage. An object whose bytes are not what its record says stays so, so another try is of no use:
    /// not 503 (RFC 9110 §15.6.4), and not 502 either, which proxies repeat by themselves.
    pub(crate) fn of_footage(error: Error) -> Self {
        if error.kind() != ErrorKind::Corrupt {
            return error.into();
        }
        tracing::error!(error = chain(&error), "footage is damaged");
        let problem = Self::new(StatusCode::INTERNAL_SERVER_ERROR, "/problems/damaged", "The footage is damaged");
        problem.detail("an object in the bucket is not what was recorded; another try gives the same")
    }
}

/// What the catalogue or the bucket could not do. The caller is told whether it is worth another try, and the log why.
impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error.kind() {
            ErrorKind::NotFound => Self::not_found(),
            kind => {
                tracing::error!(error = chain(&error), "a request cannot be answered");
                // Nothing here is sent again: what does not have its form has it no more the next time.
                if kind.is_transient() && kind != ErrorKind::Corrupt {
                    let problem = Self::new(
                        StatusCode::SERVICE_UNAVAILABLE,
                        "/problems/unavailable",
                        "A service that this one needs has failed",
                    );
                    problem.header(axum::http::header::RETRY_AFTER, HeaderValue::from_static("2"))
                } else {
                    Self::new(
                        StatusCode::INTERNAL_SERVER_ERROR,
                        "/problems/internal",
                        "A service that this one needs returned something invalid",
                    )
                }
            }
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(mut self) -> Response {
        let header = self.header.take();
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = (status, body).into_response();
        if let Some((name, value)) = header.map(|header| *header) {
            response.headers_mut().insert(name, value);
        }
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        response.headers_mut().insert(axum::http::header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}
