//! Responses of JSON and text: with an entity tag, compressed if the caller accepts that, and 304 if the caller has it already.

use crate::problem::Problem;
use axum::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, HeaderValue, IF_NONE_MATCH, VARY,
};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use flate2::Compression;
use flate2::write::GzEncoder;
use framepost_events::Sha256;
use serde::Serialize;
use std::io::Write as _;
use std::sync::OnceLock;

/// Shorter responses are not compressed.
const COMPRESSED_FROM_BYTES: usize = 1024;

/// How long a caller may keep a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    /// The caller asks again each time, and mostly hears that nothing changed.
    Ask,
    /// The caller may keep it for this many seconds.
    Seconds(u32),
    /// The caller need not ask again: what is at this path never changes (RFC 8246).
    Forever,
}

/// Returns the response for `value` as JSON.
pub(crate) fn json(request: &HeaderMap, keep: Keep, value: &impl Serialize) -> Result<Response, Problem> {
    let body = serde_json::to_vec(value).map_err(|error| {
        framepost_ports::Error::new(framepost_ports::ErrorKind::Corrupt, "write", "an answer").because(error)
    })?;
    Ok(bytes(request, keep, "application/json", body))
}

/// Returns a response as JSON that is never kept.
pub(crate) fn uncached(value: &impl Serialize) -> Result<Response, Problem> {
    let body = serde_json::to_vec(value).map_err(|error| {
        framepost_ports::Error::new(framepost_ports::ErrorKind::Corrupt, "write", "an answer").because(error)
    })?;
    let headers = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")];
    Ok((headers, body).into_response())
}

/// Returns the response with these bytes, compressed anew for each request.
pub(crate) fn bytes(request: &HeaderMap, keep: Keep, content_type: &'static str, body: Vec<u8>) -> Response {
    answer(request, keep, content_type, body, |body| packed(body, Compression::fast()))
}

/// Returns the response with a file of this program. `once` keeps what it is compressed to, as small as possible.
pub(crate) fn file(
    request: &HeaderMap,
    keep: Keep,
    content_type: &'static str,
    body: &[u8],
    once: &OnceLock<Vec<u8>>,
) -> Response {
    answer(request, keep, content_type, body.to_vec(), |body| {
        Some(once.get_or_init(|| packed(body, Compression::best()).unwrap_or_default()).clone())
            .filter(|packed| !packed.is_empty())
    })
}

/// Returns these bytes as gzip. Writing into memory does not fail.
pub(crate) fn packed(body: &[u8], level: Compression) -> Option<Vec<u8>> {
    let mut gzip = GzEncoder::new(Vec::with_capacity(body.len() / 4), level);
    gzip.write_all(body).and_then(|()| gzip.finish()).ok()
}

fn answer(
    request: &HeaderMap,
    keep: Keep,
    content_type: &'static str,
    body: Vec<u8>,
    pack: impl FnOnce(&[u8]) -> Option<Vec<u8>>,
) -> Response {
    let digest = Sha256::of(&body).to_string();
    let tag = format!("W/\"{}\"", &digest[..32]);
    let mut response = if has(request, &tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else if takes_gzip(request) && body.len() >= COMPRESSED_FROM_BYTES {
        match pack(&body) {
            Some(packed) => ([(CONTENT_ENCODING, "gzip")], packed).into_response(),
            None => body.into_response(),
        }
    } else {
        body.into_response()
    };
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(VARY, HeaderValue::from_static("accept-encoding, authorization"));
    let control = match keep {
        Keep::Ask => "private, no-cache".to_owned(),
        Keep::Seconds(seconds) => format!("private, max-age={seconds}"),
        Keep::Forever => "private, max-age=31536000, immutable".to_owned(),
    };
    for (name, value) in [(ETAG, tag), (CACHE_CONTROL, control)] {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    }
    response
}

/// Returns whether the caller has the response with this tag. The comparison is weak (RFC 9110 §13.1.2).
pub(crate) fn has(request: &HeaderMap, tag: &str) -> bool {
    let bare = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let given = request.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    given.flat_map(|value| value.split(',')).any(|given| given.trim() == "*" || bare(given) == bare(tag))
}

fn takes_gzip(request: &HeaderMap) -> bool {
    let given = request.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    given.flat_map(|value| value.split(',')).any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        let is_gzip = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip") || name == "*");
        let quality = parts.find_map(|part| part.strip_prefix("q=")?.parse::<f32>().ok());
        is_gzip && quality.is_none_or(|quality| quality > 0.0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_packed_for_those_who_take_it_and_not_sent_twice() {
        let of = |name: axum::http::HeaderName, value: &'static str| {
            HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
        };
        for (value, packed) in
            [("gzip", true), ("br, GZIP;q=0.5", true), ("gzip;q=0", false), ("br", false), ("*", true), ("", false)]
        {
            assert_eq!(takes_gzip(&of(ACCEPT_ENCODING, value)), packed, "{value}");
        }
        let first = bytes(&HeaderMap::new(), Keep::Ask, "text/plain", vec![b'x'; 5000]);
        let tag = first.headers()[ETAG].clone();
        let again = HeaderMap::from_iter([(IF_NONE_MATCH, tag)]);
        let second = bytes(&again, Keep::Ask, "text/plain", vec![b'x'; 5000]);
        assert_eq!(second.status(), StatusCode::NOT_MODIFIED);
        let other = bytes(&again, Keep::Ask, "text/plain", vec![b'y'; 5000]);
        assert_eq!(other.status(), StatusCode::OK);
        let packed = bytes(&of(ACCEPT_ENCODING, "gzip"), Keep::Ask, "text/plain", vec![b'x'; 5000]);
        assert_eq!(packed.headers()[CONTENT_ENCODING], "gzip");
    }
}
