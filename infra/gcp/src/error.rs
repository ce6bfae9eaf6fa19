//! Google's errors, by what the caller can do about them.

use framepost_ports::{Error, ErrorKind};
use google_cloud_gax::error::rpc::Code;
use google_cloud_gax::error::{CredentialsError, Error as GoogleError};
use std::sync::Arc;

/// Longer answers are pages of a proxy, not words.
const WORDS_LIMIT_CHARS: usize = 400;

/// Google's own words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("google answered {code}: {message}")]
pub struct GoogleFailure {
    /// The HTTP status, or the name of the gRPC code.
    pub code: String,
    /// For people.
    pub message: String,
}

/// What the caller can do about an answer of the HTTP API.
pub(crate) fn kind_of_status(status: u16, message: &str) -> ErrorKind {
    match status {
        // There is no code of its own for it.
        400 if message.to_ascii_lowercase().contains("crc32c") => ErrorKind::Corrupt,
        400 if is_clock(message) => ErrorKind::ClockSkew,
        401 | 403 => ErrorKind::Denied,
        404 => ErrorKind::NotFound,
        408 => ErrorKind::Transport,
        409 | 425 | 429 | 500.. => ErrorKind::Busy,
        _ => ErrorKind::Invalid,
    }
}

/// What the caller can do about an answer by gRPC.
fn kind_of_code(code: Code) -> ErrorKind {
    match code {
        Code::NotFound => ErrorKind::NotFound,
        Code::PermissionDenied | Code::Unauthenticated => ErrorKind::Denied,
        Code::InvalidArgument | Code::FailedPrecondition | Code::OutOfRange | Code::Unimplemented => ErrorKind::Invalid,
        Code::DataLoss => ErrorKind::Corrupt,
        Code::DeadlineExceeded | Code::Cancelled => ErrorKind::Transport,
        _ => ErrorKind::Busy,
    }
}

/// Google believes a signature for some minutes around its own time.
fn is_clock(message: &str) -> bool {
    message.contains("reasonable timeframe") || message.contains("iat and exp")
}

/// What Google answered, if it did.
pub(crate) fn failure(error: &GoogleError) -> Option<(ErrorKind, GoogleFailure)> {
    let status = error.http_status_code();
    let message = match (error.status(), error.http_payload()) {
        (Some(status), _) => status.message.clone(),
        (None, Some(payload)) => String::from_utf8_lossy(payload).into_owned(),
        (None, None) => String::new(),
    };
    let message: String =
        message.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(WORDS_LIMIT_CHARS).collect();
    let (kind, code) = match (status, error.status()) {
        (Some(status), _) => (kind_of_status(status, &message), status.to_string()),
        (None, Some(status)) => (kind_of_code(status.code), status.code.name().to_owned()),
        (None, None) => return None,
    };
    Some((kind, GoogleFailure { code, message }))
}

/// The error of `operation` on `what`.
pub(crate) fn of(operation: &'static str, what: &str, error: impl Into<Arc<GoogleError>>) -> Error {
    let error = error.into();
    if let Some((kind, failure)) = failure(&error) {
        return Error::new(kind, operation, what).because(failure);
    }
    let kind = match credentials(&*error) {
        Some(refused) if is_clock(&framepost_ports::chain(refused)) => ErrorKind::ClockSkew,
        Some(refused) if !refused.is_transient() => ErrorKind::Denied,
        None if error.is_binding() || error.is_serialization() => ErrorKind::Invalid,
        _ => ErrorKind::Transport,
    };
    Error::new(kind, operation, what).because(error)
}

/// The credential chain's error among the sources.
fn credentials<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a CredentialsError> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        cause = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_answer_says_what_can_be_done() {
        for (status, message, expected) in [
            (400, "Provided CRC32C \"AAAAAA==\" doesn't match calculated CRC32C \"mnG7TA==\".", ErrorKind::Corrupt),
            (400, "Invalid JWT: Token must be a short-lived token and in a reasonable timeframe", ErrorKind::ClockSkew),
            (400, "Invalid object name", ErrorKind::Invalid),
            (401, "Invalid Credentials", ErrorKind::Denied),
            (403, "gateway does not have storage.objects.create access", ErrorKind::Denied),
            (404, "The specified bucket does not exist.", ErrorKind::NotFound),
            (408, "", ErrorKind::Transport),
            (413, "", ErrorKind::Invalid),
            (429, "The object exceeded the rate limit", ErrorKind::Busy),
            (500, "", ErrorKind::Busy),
            (503, "We encountered an internal error. Please try again.", ErrorKind::Busy),
        ] {
            assert_eq!(kind_of_status(status, message), expected, "{status} {message}");
        }
        for (code, expected) in [
            (Code::Unavailable, ErrorKind::Busy),
            (Code::ResourceExhausted, ErrorKind::Busy),
            (Code::PermissionDenied, ErrorKind::Denied),
            (Code::NotFound, ErrorKind::NotFound),
            (Code::InvalidArgument, ErrorKind::Invalid),
            (Code::DeadlineExceeded, ErrorKind::Transport),
        ] {
            assert_eq!(kind_of_code(code), expected, "{code:?}");
        }
    }

    #[test]
    fn a_page_of_a_proxy_is_cut_to_words() {
        let page = format!("<html>\n  <h1>Bad gateway</h1>\n{}</html>", "x".repeat(10_000));
        let error = of("put", "k", GoogleError::http(502, http_headers(), page.into()));
        let words = framepost_ports::chain(&error);
        assert_eq!(error.kind(), ErrorKind::Busy);
        assert!(words.starts_with("put k: the service is busy: google answered 502: <html> <h1>Bad"), "{words}");
        assert!(words.len() < 500, "{}", words.len());
    }

    fn http_headers() -> google_cloud_storage::http::HeaderMap {
        google_cloud_storage::http::HeaderMap::new()
    }
}
