//! Filters requests before they reach the S3 operations.

use framepost_api::OwnHosts;
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, TRANSFER_ENCODING};
use hyper::{Method, Request, Response, StatusCode};
use s3s::Body;
use std::net::SocketAddr;

/// The largest object in one put, which is S3's own limit.
const PUT_BYTES: u64 = 5 << 30;
/// The largest body of any other request.
const BODY_BYTES: u64 = 1 << 20;

#[derive(Debug, Clone, Copy)]
pub(super) struct Guard {
    hosts: OwnHosts,
}

impl Guard {
    pub(super) fn new(listen: SocketAddr) -> Self {
        Self { hosts: OwnHosts::of(listen) }
    }

    /// Returns the response to a request that is for another host or too large.
    pub(super) fn refusal<B>(self, request: &Request<B>) -> Option<Response<Body>> {
        if !self.hosts.are_asked(request.headers(), request.uri()) {
            return Some(answer(StatusCode::FORBIDDEN, "AccessDenied", "the request is for another host"));
        }
        let put = request.method() == Method::PUT;
        let limit = if put { PUT_BYTES } else { BODY_BYTES };
        let length = request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        let endless = !put && request.headers().contains_key(TRANSFER_ENCODING);
        (endless || length.is_some_and(|length: u64| length > limit))
            .then(|| answer(StatusCode::PAYLOAD_TOO_LARGE, "EntityTooLarge", "the request's body is too large"))
    }
}

fn answer(status: StatusCode, code: &str, message: &str) -> Response<Body> {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>{code}</Code><Message>{message}</Message></Error>"
    );
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HOST;

    #[test]
    fn bodies_have_limits() {
        let guard = Guard::new("127.0.0.1:9000".parse().unwrap());
        let refused = |method: &str, name: &str, value: &str| {
            let request =
                Request::builder().method(method).uri("/b/k").header(HOST, "127.0.0.1:9000").header(name, value);
            guard.refusal(&request.body(()).unwrap()).map(|answer| answer.status().as_u16())
        };
        assert_eq!(refused("PUT", "content-length", "5368709120"), None);
        assert_eq!(refused("PUT", "content-length", "5368709121"), Some(413));
        assert_eq!(refused("POST", "content-length", "1048577"), Some(413));
        assert_eq!(refused("POST", "transfer-encoding", "chunked"), Some(413));
        assert_eq!(refused("GET", "range", "bytes=0-1"), None);
        assert_eq!(refused("GET", "host", "other"), Some(403));
    }
}
