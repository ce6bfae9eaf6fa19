//! `/v1/media/{key}`: a chunk's bytes.

use super::Api;
use crate::auth::Sight;
use crate::problem::Problem;
use crate::ranged::{self, Representation};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method};
use axum::response::Response;
use framepost_events::record::Container;
use framepost_ports::ByteRange;

/// Bytes that are read at a time.
const PIECE_BYTES: u64 = 256 * 1024;

/// The bytes of a chunk as they are in the bucket.
#[utoipa::path(get, path = "/v1/media/{*key}", tag = "play",
    params(("key" = String, Path, description = "The key, with its slashes."), ("range" = Option<String>, Header, description = "One range of bytes.")),
    responses((status = 200, content_type = "video/mp4", body = Vec<u8>), (status = 206, content_type = "video/mp4", body = Vec<u8>),
        (status = 304, description = "The caller has it."),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 416, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn media(
    State(api): State<Api>,
    sight: Sight,
    method: Method,
    headers: HeaderMap,
    Path(key): Path<String>,
) -> Result<Response, Problem> {
    // Only what the catalogue knows is read: no other object, and no path of another kind.
    let row = api.catalog.chunk(&key).await?.filter(|row| row.camera().is_some_and(|camera| sight.has(&camera)));
    let chunk = row.ok_or_else(Problem::not_found)?.chunk;
    let of = Representation {
        size: chunk.size_bytes,
        identity: chunk.object.identity(),
        content_type: match chunk.container {
            Container::Mp4 | Container::Fmp4 => "video/mp4",
            Container::Matroska => "video/x-matroska",
            Container::Webm => "video/webm",
        },
        file_name: None,
    };
    let source = api.source.clone();
    let object = chunk.object;
    let read = move |start, end: u64| {
        let source = source.clone();
        let object = object.clone();
        let range = ByteRange { start, len: (end - start).min(PIECE_BYTES) };
        async move { Ok(source.read(&object.bucket, &object.key, None, range).await?.bytes) }
    };
    ranged::answer(&method, &headers, of, read).await
}
