//! Filters requests before they reach the S3 operations.

use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderValue, TRANSFER_ENCODING};
use hyper::{Method, Request, Response, StatusCode};
use s3s::Body;
use std::net::{IpAddr, SocketAddr};

/// The largest object in one put, which is S3's own limit.
const PUT_BYTES: u64 = 5 << 30;
/// The largest body of any other request.
const BODY_BYTES: u64 = 1 << 20;

#[derive(Debug, Clone, Copy)]
pub(super) struct Guard {
    listen: SocketAddr,
}

impl Guard {
    pub(super) fn new(listen: SocketAddr) -> Self {
        Self { listen }
    }

    /// Returns the response to a request that is for another host or too large.
    pub(super) fn refusal<B>(self, request: &Request<B>) -> Option<Response<Body>> {
        let mut hosts = request.headers().get_all(HOST).iter();
        let (host, another) = (hosts.next().and_then(|host| host.to_str().ok()), hosts.next());
        let in_line = request.uri().authority().map(hyper::http::uri::Authority::as_str);
        let ours = |authority: &str| self.is_ours(authority);
        // There must be exactly one Host header, and in absolute form the request line counts (RFC 9112 §3.2).
        if another.is_some() || !host.is_some_and(ours) || !in_line.is_none_or(ours) {
            return Some(answer(StatusCode::FORBIDDEN, "AccessDenied", "the request is for another host"));
        }
        let put = request.method() == Method::PUT;
        let limit = if put { PUT_BYTES } else { BODY_BYTES };
        let length = request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        let endless = !put && request.headers().contains_key(TRANSFER_ENCODING);
        (endless || length.is_some_and(|length: u64| length > limit))
            .then(|| answer(StatusCode::PAYLOAD_TOO_LARGE, "EntityTooLarge", "the request's body is too large"))
    }

    /// Returns whether `host[:port]` is this machine: a loopback address, the
    /// listener's own address, or `localhost`.
    ///
    /// The port is not compared, because forwarded ports differ. A host name that an attacker points to this
    /// machine differs from these names on any port.
    fn is_ours(self, authority: &str) -> bool {
        let (host, is_sound) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, port.parse::<u16>().is_ok()),
            _ => (authority, true),
        };
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let address = bare.parse::<IpAddr>().ok();
        let named = host.eq_ignore_ascii_case("localhost");
        let here = address.is_some_and(|address| address.is_loopback() || address == self.listen.ip());
        is_sound && (named || here)
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

    #[test]
    fn only_requests_for_this_machine_are_answered() {
        let guard = Guard::new("127.0.0.1:9000".parse().unwrap());
        for (authority, ours) in [
            ("127.0.0.1:9000", true),
            ("localhost:9000", true),
            ("LOCALHOST:9000", true),
            ("[::1]:9000", true),
            ("127.0.0.1", true),
            ("127.0.0.1:9001", true),
            ("rebound.example", false),
            ("rebound.example:9000", false),
            ("localhost.rebound.example:9000", false),
            ("127.0.0.1.nip.io:9000", false),
            ("footage.localhost:9000", false),
            ("10.0.0.7:9000", false),
            ("localhost:9000x", false),
            ("@localhost:9000", false),
            ("", false),
        ] {
            assert_eq!(guard.is_ours(authority), ours, "{authority}");
        }
    }

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
