//! `/v1/chunks` and `/v1/chunks/{key}`

use super::{Api, listing};
use crate::answer::{self, Keep};
use crate::auth::Sight;
use crate::cursor;
use crate::json::{Chunk, Chunks};
use crate::parameters::{self, Asked};
use crate::problem::Problem;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use framepost_ports::catalog::{ChunkPlace, ChunkQuery, ChunkRow, Order};
use jiff::Timestamp;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Parameters {
    /// Only chunks of this site; of all sites without it.
    site: Option<String>,
    /// Only chunks of this camera of the site.
    camera: Option<String>,
    /// Only chunks that end after this time.
    from: Option<Timestamp>,
    /// Only chunks that begin before this time.
    to: Option<Timestamp>,
    /// The order of the list; the newest first by default.
    #[param(inline)]
    order: Option<OrderWord>,
    /// The most chunks on a page: 1 to 1000, 100 by default.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// The `next` of the page before.
    cursor: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
enum OrderWord {
    OldestFirst,
    NewestFirst,
}

/// Chunks with the whole record of each, a page at a time.
#[utoipa::path(get, path = "/v1/chunks", tag = "find", params(Parameters),
    responses((status = 200, body = Chunks),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn list(
    State(api): State<Api>,
    sight: Sight,
    headers: HeaderMap,
    Asked(asked): Asked<Parameters>,
) -> Result<Response, Problem> {
    let limit = parameters::limit(asked.limit, 100, 1000)?;
    let query = ChunkQuery {
        cameras: listing::cameras(&api, &sight, asked.site.as_deref(), asked.camera.as_deref()).await?,
        within: listing::within(asked.from, asked.to)?,
        order: match asked.order {
            Some(OrderWord::OldestFirst) => Order::OldestFirst,
            Some(OrderWord::NewestFirst) | None => Order::NewestFirst,
        },
        after: asked.cursor.as_deref().map(cursor::chunk).transpose()?,
        limit: limit + 1,
    };
    let place = |row: &ChunkRow| cursor::of_chunk(ChunkPlace { from: row.from, key: row.chunk.object.key.clone() });
    let (rows, next) = listing::page(api.catalog.chunks(&query).await?, limit, place);
    let chunks = rows.into_iter().map(Chunk::from).collect();
    answer::json(&headers, Keep::Ask, &Chunks { chunks, next })
}

/// One chunk, with all that its record says.
#[utoipa::path(get, path = "/v1/chunks/{*key}", tag = "find", params(("key" = String, Path, description = "The key, with its slashes.")),
    responses((status = 200, body = Chunk),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn one(
    State(api): State<Api>,
    sight: Sight,
    headers: HeaderMap,
    Path(key): Path<String>,
) -> Result<Response, Problem> {
    let row = api.catalog.chunk(&key).await?.filter(|row| row.camera().is_some_and(|camera| sight.has(&camera)));
    answer::json(&headers, Keep::Ask, &Chunk::from(row.ok_or_else(Problem::not_found)?))
}
