//! Filters requests before they reach the S3 operations.

use framepost_api::OwnHosts;
use hyper::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, TRANSFER_ENCODING};
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
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

    /// Returns the response to a request that is for another host, too large, or signed for what is no region.
    pub(super) fn refusal<B>(self, request: &Request<B>) -> Option<Response<Body>> {
        if !self.hosts.are_asked(request.headers(), request.uri()) {
            return Some(answer(StatusCode::FORBIDDEN, "AccessDenied", "the request is for another host"));
        }
        if !names_a_region(request.headers()) {
            return Some(wrong_region());
        }
        let put = request.method() == Method::PUT;
        let limit = if put { PUT_BYTES } else { BODY_BYTES };
        let length = request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        let endless = !put && request.headers().contains_key(TRANSFER_ENCODING);
        (endless || length.is_some_and(|length: u64| length > limit))
            .then(|| answer(StatusCode::PAYLOAD_TOO_LARGE, "EntityTooLarge", "the request's body is too large"))
    }
}

/// Whether a request that is signed is signed for a region: `Credential=KEY/DATE/REGION/s3/aws4_request`. Any region will do, but s3cmd
/// signs for `US` until it is told another.
fn names_a_region(headers: &HeaderMap) -> bool {
    let text = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let Some((_, scope)) = text.and_then(|text| text.split_once("Credential=")) else { return true };
    let Some(region) = scope.split('/').nth(2) else { return true };
    region.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

/// What S3 answers to a signature for another region. Clients sign again for the region that it names.
fn wrong_region() -> Response<Body> {
    let message = "the authorization header is malformed; the region is wrong; expecting 'us-east-1'";
    respond(StatusCode::BAD_REQUEST, error("AuthorizationHeaderMalformed", message, "<Region>us-east-1</Region>"))
}

fn error(code: &str, message: &str, more: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>{code}</Code><Message>{message}</Message>{more}</Error>"
    )
}

fn answer(status: StatusCode, code: &str, message: &str) -> Response<Body> {
    respond(status, error(code, message, ""))
}

fn respond(status: StatusCode, body: String) -> Response<Body> {
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
        let signed = |region: &str| {
            let value =
                format!("AWS4-HMAC-SHA256 Credential=AKIA/20261120/{region}/s3/aws4_request, SignedHeaders=host");
            refused("GET", "authorization", &value)
        };
        assert_eq!([signed("eu-central-1"), signed("US")], [None, Some(400)]);
        assert_eq!(refused("GET", "authorization", "AWS AKIA:signature"), None, "it is refused elsewhere");
    }
}
