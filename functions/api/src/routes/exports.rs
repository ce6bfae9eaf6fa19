//! `/v1/exports`

use super::{Api, listing};
use crate::answer::{self, Keep};
use crate::auth::{Caller, Keeper, Sight};
use crate::body::Sent;
use crate::cursor;
use crate::export::{Archive, Asked as Wanted, Exports, Id, Made, Range, State as Progress, StoredGaps};
use crate::json::{ExportJson, ExportsJson};
use crate::parameters::{self, Asked};
use crate::problem::Problem;
use crate::ranged::{self, Representation};
use crate::routes::clips::GapsWord;
use axum::Extension;
use axum::extract::{Path, State};
use axum::http::header::{HeaderValue, LOCATION};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use framepost_ports::catalog::CameraName;
use jiff::Timestamp;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

/// The most ranges of an export.
const RANGES_MAX: usize = 64;
/// The longest range, in seconds: 31 days.
const LONGEST_S: i64 = 31 * 86_400;
/// The longest name, in bytes.
const NAME_BYTES_MAX: usize = 200;
/// The most exports that are made at a time.
const RUNNING_MAX: usize = 8;

/// A request for an export.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ExportRequest {
    /// What people call it: 1 to 200 bytes.
    name: String,
    /// Which stretches of time of which cameras: 1 to 64, each of 31 days at most.
    ranges: Vec<ExportRange>,
    /// What to do with a stretch without video. `skip`, the default, leaves it out. `fail` answers 409.
    gaps: Option<GapsWord>,
}

/// A stretch of time of a camera.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ExportRange {
    site: String,
    camera: String,
    /// The time at which the range starts, to the millisecond.
    from: Timestamp,
    /// The time at which the range ends, which is not in it.
    to: Timestamp,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct HowParameters {
    /// `true`: nothing is written, and the answer says what would be.
    plan: Option<bool>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListParameters {
    /// The most on a page: 1 to 100, usually 20.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// `next` of the page before.
    cursor: Option<String>,
}

fn exports(api: &Api) -> Result<&Exports, Problem> {
    api.exports.as_ref().ok_or_else(Problem::not_found)
}

/// Whether all of an export exists for the caller.
fn is_seen(sight: &Sight, progress: &Progress) -> bool {
    progress.request.ranges.iter().all(|range| sight.has(&range.camera()))
}

/// An export that exists for the caller.
pub(super) async fn seen(api: &Api, sight: &Sight, id: &str) -> Result<Progress, Problem> {
    let id = Id::try_from(id.to_owned()).map_err(|_| Problem::not_found())?;
    let progress = exports(api)?.state(&id).await?;
    progress.filter(|progress| is_seen(sight, progress)).ok_or_else(Problem::not_found)
}

/// The ranges, as they can be used. A camera that the caller may not see is one that is not there.
fn ranges(sight: &Sight, asked: Vec<ExportRange>) -> Result<Vec<Range>, Problem> {
    if asked.is_empty() || asked.len() > RANGES_MAX {
        return Err(Problem::body(format!("ranges: 1 to {RANGES_MAX}")));
    }
    let range = |range: ExportRange| {
        let CameraName { site, camera } = parameters::camera(&range.site, &range.camera)?;
        let range = Range { site, camera, from: range.from, to: range.to };
        parameters::within(range.from, range.to, LONGEST_S)?;
        if sight.has(&range.camera()) { Ok(range) } else { Err(Problem::not_found()) }
    };
    asked.into_iter().map(range).collect()
}

/// Exports clips of cameras and stretches of time into the bucket: with a manifest, what proves them, and a page that shows them.
#[utoipa::path(post, path = "/v1/exports", tag = "keep", params(HowParameters), request_body = ExportRequest,
    responses((status = 200, description = "What would be exported.", body = ExportJson),
        (status = 202, description = "It is being made: `Location` says how far it is.", body = ExportJson),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json"),
        (status = 415, body = Problem, content_type = "application/problem+json"),
        (status = 429, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn make(
    State(api): State<Api>,
    Keeper(sight): Keeper,
    caller: Option<Extension<Caller>>,
    headers: HeaderMap,
    Asked(how): Asked<HowParameters>,
    Sent(asked): Sent<ExportRequest>,
) -> Result<Response, Problem> {
    let exports = exports(&api)?;
    if asked.name.is_empty() || asked.name.len() > NAME_BYTES_MAX || asked.name.chars().any(char::is_control) {
        return Err(Problem::body(format!("name: 1 to {NAME_BYTES_MAX} bytes without control characters")));
    }
    let by = caller.map(|Extension(Caller(caller))| caller);
    let gaps = match asked.gaps {
        Some(GapsWord::Fail) => StoredGaps::Fail,
        Some(GapsWord::Skip) | None => StoredGaps::Skip,
    };
    let ranges = ranges(&sight, asked.ranges)?;
    let made = exports.plan(Wanted { name: asked.name, ranges, gaps, by: by.clone() }).await?;
    if how.plan == Some(true) {
        return answer::json(&headers, Keep::Ask, &ExportJson::planned(&made));
    }
    let running = exports.page(None, RUNNING_MAX * 4).await?.iter().filter(|progress| progress.end.is_none()).count();
    if running >= RUNNING_MAX {
        return Err(Problem::too_many(format!("{running} exports are being made: wait for one, or remove one")));
    }
    exports.begin(&made).await?;
    let Made(request) = made;
    let id = request.id.as_str().to_owned();
    let of: Vec<String> = request
        .ranges
        .iter()
        .map(|range| format!("{}/{} {}/{}", range.site, range.camera, range.from, range.to))
        .collect();
    let by = by.as_deref().unwrap_or("loopback");
    let bytes = request.bytes();
    let of = of.join(", ");
    tracing::info!(event = "export-asked", caller = by, export = id, bytes, ranges = of, "an export was requested");
    let progress = Progress { bytes_written: 0, written: vec![], end: None, request };
    let mut response = answer::json(&HeaderMap::new(), Keep::Ask, &ExportJson::of(&progress))?;
    *response.status_mut() = StatusCode::ACCEPTED;
    if let Ok(location) = HeaderValue::try_from(format!("/v1/exports/{id}")) {
        response.headers_mut().insert(LOCATION, location);
    }
    Ok(response)
}

/// Exports, the newest first: those of whose cameras the caller may see all.
#[utoipa::path(get, path = "/v1/exports", tag = "keep", params(ListParameters),
    responses((status = 200, body = ExportsJson),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There are no exports here.", body = Problem, content_type = "application/problem+json")))]
pub(super) async fn list(
    State(api): State<Api>,
    sight: Sight,
    headers: HeaderMap,
    Asked(asked): Asked<ListParameters>,
) -> Result<Response, Problem> {
    let exports = exports(&api)?;
    let limit = parameters::limit(asked.limit, 20, 100)?;
    let mut after = asked.cursor.as_deref().map(cursor::export).transpose()?;
    let mut found: Vec<Progress> = Vec::new();
    loop {
        let page = exports.page(after.as_ref(), limit + 1).await?;
        let is_last = page.len() <= limit;
        after = page.last().map(|progress| progress.request.id.clone()).or(after);
        found.extend(page.into_iter().filter(|progress| is_seen(&sight, progress)));
        if is_last || found.len() > limit {
            break;
        }
    }
    let place = |progress: &Progress| cursor::of_export(progress.request.id.clone());
    let (mut found, next) = listing::page(found, limit, place);
    // Who watches a list makes what is in it.
    if let Some(running) = found.iter_mut().rev().find(|progress| progress.end.is_none())
        && exports.do_in_call(running).await
        && let Some(now) = exports.state(&running.request.id).await?
    {
        *running = now;
    }
    let exports = found.iter().map(ExportJson::of).collect();
    answer::json(&headers, Keep::Ask, &ExportsJson { exports, next })
}

/// How far an export is.
#[utoipa::path(get, path = "/v1/exports/{id}", tag = "keep", params(("id" = String, Path)),
    responses((status = 200, body = ExportJson),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn one(
    State(api): State<Api>,
    sight: Sight,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let mut progress = seen(&api, &sight, &id).await?;
    let exports = exports(&api)?;
    if exports.do_in_call(&progress).await {
        progress = seen(&api, &sight, &id).await?;
    }
    answer::json(&headers, Keep::Ask, &ExportJson::of(&progress))
}

/// Stops an export and removes it.
#[utoipa::path(delete, path = "/v1/exports/{id}", tag = "keep", params(("id" = String, Path)),
    responses((status = 204, description = "It is gone."),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn remove(
    State(api): State<Api>,
    Keeper(sight): Keeper,
    caller: Option<Extension<Caller>>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let progress = seen(&api, &sight, &id).await?;
    exports(&api)?.remove(&progress.request.id).await?;
    let by = caller.map_or_else(|| "loopback".to_owned(), |Extension(Caller(caller))| caller);
    tracing::info!(event = "export-removed", caller = by, export = id, "an export was removed");
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// A file of an export: a clip, its proof, the manifest or the page.
#[utoipa::path(get, path = "/v1/exports/{id}/files/{name}", tag = "keep", params(("id" = String, Path), ("name" = String, Path)),
    responses((status = 200, content_type = "application/octet-stream", body = Vec<u8>),
        (status = 206, content_type = "application/octet-stream", body = Vec<u8>),
        (status = 304, description = "The caller has it."),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 416, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn file(
    State(api): State<Api>,
    sight: Sight,
    method: Method,
    headers: HeaderMap,
    Path((id, name)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let progress = seen(&api, &sight, &id).await?;
    let exports = exports(&api)?.clone();
    let entry = progress.entries().into_iter().find(|entry| entry.name == name).ok_or_else(Problem::not_found)?;
    let content_type = match name.rsplit_once('.') {
        Some((_, "mp4")) => "video/mp4",
        Some((_, "json")) => "application/json",
        // It is to be saved. As a page of this server it would do nothing, since its script is not the server's.
        _ => "text/html; charset=utf-8",
    };
    let of = Representation {
        size: entry.bytes,
        identity: format!("{id} {name} {}", entry.sha256),
        content_type,
        file_name: Some(name.clone()),
    };
    let read = move |start, end| {
        let exports = exports.clone();
        let progress = progress.clone();
        let name = name.clone();
        async move { exports.read_file(&progress, &name, start, end).await }
    };
    ranged::answer(&method, &headers, of, read).await
}

/// All of an export that is complete in one ZIP file, with length and ranges.
#[utoipa::path(get, path = "/v1/exports/{id}/archive.zip", tag = "keep", params(("id" = String, Path)),
    responses((status = 200, content_type = "application/zip", body = Vec<u8>), (status = 206, content_type = "application/zip", body = Vec<u8>),
        (status = 304, description = "The caller has it."),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 416, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn archive(
    State(api): State<Api>,
    sight: Sight,
    method: Method,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let progress = seen(&api, &sight, &id).await?;
    if !progress.is_complete() {
        return Err(Problem::not_found().detail("the export is not complete"));
    }
    let exports = exports(&api)?.clone();
    let archive = Archive::of(&progress);
    let of = Representation {
        size: archive.size(),
        identity: format!("{id} archive"),
        content_type: "application/zip",
        file_name: Some(format!("export-{id}.zip")),
    };
    let read = move |start, end| {
        let exports = exports.clone();
        let archive = archive.clone();
        async move { archive.read(&exports, start, end).await }
    };
    ranged::answer(&method, &headers, of, read).await
}
