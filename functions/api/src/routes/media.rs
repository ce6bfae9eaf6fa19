//! `/v1/media/{key}`: a chunk's bytes.

use super::Api;
use crate::auth::Sight;
use crate::clip;
use crate::origins;
use crate::parameters::Asked;
use crate::problem::Problem;
use crate::ranged::{self, Representation};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method};
use axum::response::Response;
use framepost_events::record::{ChunkProbed, Container};
use framepost_ports::{ByteRange, PresignedGet};
use serde::Deserialize;
use std::sync::Arc;
use utoipa::IntoParams;

/// Bytes that are read at a time.
const PIECE_BYTES: u64 = 256 * 1024;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Parameters {
    /// Where the times of the media begin, in microseconds from the start of a playlist with `timeline=continuous`, which sets it. The
    /// bytes up to the end of the media are then the chunk's, except for their decode times.
    start: Option<u64>,
}

/// The latest start, in microseconds: a playlist covers 25 hours at most.
const LATEST_US: u64 = 48 * 3_600 * 1_000_000;

/// The bytes of a chunk as they are in the bucket, or a redirect to a URL in the bucket that anybody can get them with for some
/// minutes.
#[utoipa::path(get, path = "/v1/media/{*key}", tag = "play",
    params(("key" = String, Path, description = "The key, with its slashes."), ("range" = Option<String>, Header, description = "One range of bytes."), Parameters),
    responses((status = 200, content_type = "video/mp4", body = Vec<u8>), (status = 206, content_type = "video/mp4", body = Vec<u8>),
        (status = 302, description = "The bucket sends it to whoever has this URL.", headers(("location" = String))),
        (status = 304, description = "The caller has it."),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 416, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn media(
    State(api): State<Api>,
    sight: Sight,
    method: Method,
    headers: HeaderMap,
    Path(key): Path<String>,
    Asked(asked): Asked<Parameters>,
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
    if let Some(start_us) = asked.start {
        return later(&api, &method, &headers, of, chunk, start_us).await;
    }
    let object = chunk.object;
    // A presigned URL is for one method.
    if method == Method::GET && !api.media_origins.is_empty() {
        let get = PresignedGet {
            bucket: &object.bucket,
            key: &object.key,
            content_type: of.content_type,
            lasts: origins::LASTS,
        };
        let url = api.source.presigned(get).await?;
        if let Some(redirect) = url.and_then(|url| api.media_origins.redirect(&url)) {
            return Ok(redirect);
        }
    }
    let source = api.source.clone();
    let read = move |start, end: u64| {
        let source = source.clone();
        let object = object.clone();
        let range = ByteRange { start, len: (end - start).min(PIECE_BYTES) };
        async move { Ok(source.read(&object.bucket, &object.key, None, range).await?.bytes) }
    };
    ranged::answer(&method, &headers, of, read).await
}

/// Answers with the chunk up to the end of its media, whose times begin at `start_us`.
async fn later(
    api: &Api,
    method: &Method,
    headers: &HeaderMap,
    of: Representation,
    chunk: ChunkProbed,
    start_us: u64,
) -> Result<Response, Problem> {
    if start_us > LATEST_US {
        return Err(Problem::parameter("start", format!("at most {LATEST_US}")));
    }
    let media = clip::movable(&chunk)
        .ok_or_else(|| Problem::parameter("start", "only of a fragmented MP4 of 64 MiB at most"))?;
    let identity = format!("{} from {start_us}", of.identity);
    let of = Representation { size: media.1, identity, ..of };
    let source = api.source.clone();
    let chunk = Arc::new(chunk);
    let read = move |start, end| {
        let source = source.clone();
        let chunk = chunk.clone();
        async move {
            let whole = clip::later(&*source, &chunk, media, start_us as f64 / 1e6).await?;
            Ok(clip::cut(&whole, start, end))
        }
    };
    ranged::answer(method, headers, of, read).await
}
