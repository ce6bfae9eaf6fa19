//! Bytes of known length, whole or a range of them: entity tag, `HEAD`, 206, 304, 416 (RFC 9110 §13, §14).

use crate::answer;
use crate::problem::Problem;
use crate::range::{self, Part};
use axum::body::Body;
use axum::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderName,
    HeaderValue, IF_RANGE, RANGE,
};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use framepost_events::Sha256;
use framepost_ports::{Error, ErrorKind};

/// What a path stands for, whole (RFC 9110 §3.2); a response may carry a range of it.
pub(crate) struct Representation {
    pub(crate) size: u64,
    /// A text that differs from that of all other bytes.
    pub(crate) identity: String,
    pub(crate) content_type: &'static str,
    /// The file name under which a browser saves it; `None` if it is to be shown.
    pub(crate) file_name: Option<String>,
}

/// Answers with the part of these bytes that the request asks for. `read` returns the next bytes from its first argument on: one
/// or more of those before its second.
pub(crate) async fn answer<R, F>(
    method: &Method,
    headers: &HeaderMap,
    of: Representation,
    read: R,
) -> Result<Response, Problem>
where
    R: Fn(u64, u64) -> F + Send + 'static,
    F: Future<Output = Result<Bytes, Error>> + Send + 'static,
{
    let digest = Sha256::of(of.identity.as_bytes()).to_string();
    let tag = format!("\"{}\"", &digest[..32]);
    if answer::has(headers, &tag) {
        return Ok(with_headers(StatusCode::NOT_MODIFIED.into_response(), &of, &tag, None));
    }
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    // A range of another version is of no use (RFC 9110 §13.1.5).
    let asked = text(RANGE).filter(|_| text(IF_RANGE).is_none_or(|given| given == tag));
    let (start, end, status) = match range::part(asked, of.size) {
        Part::Whole => (0, of.size, StatusCode::OK),
        Part::Bytes { start, end } => (start, end, StatusCode::PARTIAL_CONTENT),
        Part::Nothing => return Err(Problem::range(of.size)),
    };
    let body = if *method == Method::HEAD || start == end {
        Body::empty()
    } else {
        // The first bytes are read before the answer begins, so that an object that is gone is a 404.
        let first = read(start, end).await.and_then(some).map_err(Problem::of_footage)?;
        Body::from_stream(pieces(read, first, start, end))
    };
    let mut response = (status, body).into_response();
    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(end - start));
    let is_part = status == StatusCode::PARTIAL_CONTENT;
    let range = is_part.then(|| format!("bytes {start}-{}/{}", end - 1, of.size));
    Ok(with_headers(response, &of, &tag, range))
}

fn with_headers(mut response: Response, of: &Representation, tag: &str, range: Option<String>) -> Response {
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(of.content_type));
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, max-age=3600"));
    let file = of.file_name.as_ref().map(|name| format!("attachment; filename=\"{name}\""));
    for (name, value) in [(ETAG, Some(tag.to_owned())), (CONTENT_RANGE, range), (CONTENT_DISPOSITION, file)] {
        if let Some(value) = value.and_then(|value| HeaderValue::try_from(value).ok()) {
            headers.insert(name, value);
        }
    }
    response
}

/// Returns the bytes, if there are any. An object that ends before it should has none there.
fn some(bytes: Bytes) -> Result<Bytes, Error> {
    if bytes.is_empty() {
        return Err(Error::new(ErrorKind::Corrupt, "get", "an object").because("it became shorter"));
    }
    Ok(bytes)
}

/// Returns the bytes from `start` to `end`, of which `first` are read already.
fn pieces<R, F>(read: R, first: Bytes, start: u64, end: u64) -> impl futures::Stream<Item = Result<Bytes, Error>>
where
    R: Fn(u64, u64) -> F,
    F: Future<Output = Result<Bytes, Error>>,
{
    futures::stream::try_unfold((read, Some(first), start), move |(read, ready, at)| async move {
        if at >= end {
            return Ok(None);
        }
        let bytes = match ready {
            Some(bytes) => bytes,
            None => read(at, end).await.and_then(some)?,
        };
        let next = at + bytes.len() as u64;
        Ok(Some((bytes, (read, None, next))))
    })
}
