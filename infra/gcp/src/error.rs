//! Conversion of Google's errors to [`ErrorKind`].

use framepost_ports::{Effect, Error, ErrorKind};
use google_cloud_gax::error::rpc::Code;
use google_cloud_gax::error::{CredentialsError, Error as GoogleError};
use std::iter::successors;
use std::sync::Arc;

/// Longer texts are not error messages of Google but a proxy's pages.
const WORDS_LIMIT_CHARS: usize = 400;

/// An error as Google reported it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("google answered {code}: {message}")]
pub struct GoogleFailure {
    /// The HTTP status, or the name of the gRPC code.
    pub code: String,
    /// Google's own words, not meant to be matched against.
    pub message: String,
}

/// Classifies a response of the HTTP API.
pub(crate) fn kind_of_status(status: u16, message: &str) -> ErrorKind {
    match status {
        300..=399 => ErrorKind::Intercepted,
        // The API has no separate code for a checksum mismatch.
        400 if message.to_ascii_lowercase().contains("crc32c") => ErrorKind::Corrupt,
        400 if is_clock(message) => ErrorKind::ClockSkew,
        401 | 403 | 405 => ErrorKind::Denied,
        404 => ErrorKind::NotFound,
        408 => ErrorKind::Transport,
        409 | 425 | 429 | 500.. => ErrorKind::Busy,
        _ => ErrorKind::Invalid,
    }
}

/// Classifies a gRPC response.
pub(crate) fn kind_of_code(code: Code) -> ErrorKind {
    match code {
        Code::NotFound => ErrorKind::NotFound,
        Code::PermissionDenied | Code::Unauthenticated => ErrorKind::Denied,
        Code::InvalidArgument | Code::FailedPrecondition | Code::OutOfRange | Code::Unimplemented => ErrorKind::Invalid,
        Code::DataLoss => ErrorKind::Corrupt,
        Code::DeadlineExceeded | Code::Cancelled => ErrorKind::Transport,
        _ => ErrorKind::Busy,
    }
}

/// Google accepts a signature only within some minutes of its own time.
fn is_clock(message: &str) -> bool {
    message.contains("reasonable timeframe") || message.contains("iat and exp")
}

/// Classifies the response, if there was one. Google's errors are JSON documents of one form (JSON API
/// reference, "HTTP status and error codes") or [XML documents](is_document); those of a download are a line of
/// text. A page or an empty response comes from a captive portal or a proxy. A line of text is not enough to
/// count as an error of the object.
pub(crate) fn failure(error: &GoogleError) -> Option<(ErrorKind, GoogleFailure)> {
    let status = error.http_status_code();
    let message = match (error.status(), error.http_payload()) {
        (Some(status), _) => status.message.clone(),
        (None, Some(payload)) => String::from_utf8_lossy(payload).into_owned(),
        (None, None) => String::new(),
    };
    let message = words(&message);
    let (kind, code) = match (status, error.status()) {
        (Some(status), Some(_)) => (kind_of_status(status, &message), status.to_string()),
        (Some(status), None) => match kind_of_status(status, &message) {
            kind if is_document(&message) => (kind, status.to_string()),
            kind if (kind != ErrorKind::Invalid || status == 412)
                && !message.is_empty()
                && !message.starts_with('<') =>
            {
                (kind, status.to_string())
            }
            _ => (ErrorKind::Intercepted, format!("{status}, and not in Google's form")),
        },
        (None, Some(status)) => (kind_of_code(status.code), status.code.name().to_owned()),
        (None, None) => return None,
    };
    Some((kind, GoogleFailure { code, message }))
}

/// Cuts a text to what may be shown of it, on one line.
pub(crate) fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(WORDS_LIMIT_CHARS).collect()
}

/// Returns whether a message is an error document of Cloud Storage's XML API. Google's front ends send these
/// for requests to the JSON API as well.
fn is_document(message: &str) -> bool {
    message.starts_with("<?xml") && message.contains("<Error>") && message.contains("</Code>")
}

/// Converts the error of `operation` on `what`.
pub(crate) fn of(operation: &'static str, what: &str, error: impl Into<Arc<GoogleError>>) -> Error {
    let error = error.into();
    if let Some((kind, failure)) = failure(&error) {
        let failed = Error::new(kind, operation, what).because(failure);
        return match error.http_status_code() {
            Some(status) => failed.with_effect(Effect::of_status(status)),
            None => failed,
        };
    }
    let kind = match cause::<CredentialsError>(&*error) {
        Some(refused) if is_clock(&framepost_ports::chain(refused)) => ErrorKind::ClockSkew,
        Some(refused) if !refused.is_transient() => ErrorKind::Denied,
        None if error.is_binding() || error.is_serialization() => ErrorKind::Invalid,
        _ => ErrorKind::Transport,
    };
    Error::new(kind, operation, what).because(error)
}

/// Returns the first error of type `E`: this one, or one of its sources.
pub(crate) fn cause<'a, E: std::error::Error + 'static>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a E> {
    successors(Some(error), |error| error.source()).find_map(|error| error.downcast_ref())
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
        assert_eq!((error.kind(), error.effect()), (ErrorKind::Intercepted, Effect::Unknown));
        let expected = "put k: the answer did not come from the service: google answered 502, and not in Google's form: <html> <h1>Bad";
        assert!(words.starts_with(expected), "{words}");
        assert!(words.len() < 500, "{}", words.len());
    }

    #[test]
    fn only_googles_own_document_counts_against_an_object() {
        let document = r#"{"error":{"code":400,"message":"Invalid object name","status":"INVALID_ARGUMENT"}}"#;
        for (status, body, kind, effect) in [
            (307, "", ErrorKind::Intercepted, Effect::None),
            (400, "<html>no</html>", ErrorKind::Intercepted, Effect::None),
            (403, "", ErrorKind::Intercepted, Effect::None),
            (412, "<p>", ErrorKind::Intercepted, Effect::None),
            (400, "a proxy's opinion", ErrorKind::Intercepted, Effect::None),
            (404, "No such object: footage/k", ErrorKind::NotFound, Effect::None),
            (504, "", ErrorKind::Intercepted, Effect::Unknown),
        ] {
            let error = of("put", "k", GoogleError::http(status, http_headers(), body.into()));
            assert_eq!((error.kind(), error.effect()), (kind, effect), "{status} {body}");
        }
        let own = google_cloud_gax::error::rpc::Status::try_from(&bytes::Bytes::from(document)).unwrap();
        let error = of("put", "k", GoogleError::service_with_http_metadata(own, Some(400), None));
        assert_eq!((error.kind(), error.effect()), (ErrorKind::Invalid, Effect::None));
    }

    fn http_headers() -> reqwest::header::HeaderMap {
        reqwest::header::HeaderMap::new()
    }
}
