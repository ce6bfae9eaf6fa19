//! `/v1/sign`

use super::{Api, asked_time, exports};
use crate::answer::{self, Keep};
use crate::auth::{Caller, Sight};
use crate::parameters::{self, Asked};
use crate::problem::Problem;
use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use framepost_ports::catalog::CameraName;
use jiff::Timestamp;
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// The longest path that is signed, in bytes.
const LONGEST: usize = 4096;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Parameters {
    /// The path, and its query: of media, of a playlist, of a clip, or of a file of an export.
    path: String,
}

/// A path that needs no token.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Signed {
    path: String,
    /// The time until which the path is valid; ask again before that. Absent if no token is needed, since it then does not end.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<Timestamp>,
}

/// Signs a path, for players and links that cannot send a token.
#[utoipa::path(get, path = "/v1/sign", tag = "play", params(Parameters),
    responses((status = 200, body = Signed),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn sign(
    State(api): State<Api>,
    sight: Sight,
    caller: Option<Extension<Caller>>,
    headers: HeaderMap,
    Asked(asked): Asked<Parameters>,
) -> Result<Response, Problem> {
    let caller = caller.as_ref().map(|Extension(Caller(caller))| caller.as_str());
    let expected = || Problem::parameter("path", "a path of /v1/media/, /v1/playlists/, /v1/clips/ or /v1/exports/");
    let uri: Uri = (asked.path.len() <= LONGEST).then(|| asked.path.parse().ok()).flatten().ok_or_else(expected)?;
    let is_plain = uri.scheme().is_none() && uri.authority().is_none();
    let path = Some(uri.path()).filter(|_| is_plain).ok_or_else(expected)?;
    let decoded = percent_decode_str(path).decode_utf8().map_err(|_| expected())?;
    if let Some(rest) = decoded.strip_prefix("/v1/exports/") {
        let id = rest.split('/').next().unwrap_or_default();
        exports::seen(&api, &sight, id).await?;
        return signed(&api, caller, &headers, &uri);
    }
    let camera = if let Some(key) = decoded.strip_prefix("/v1/media/") {
        api.catalog.chunk(key).await?.and_then(|row| row.camera())
    } else {
        let prefixes = ["/v1/playlists/", "/v1/clips/"];
        let rest = prefixes.iter().find_map(|prefix| decoded.strip_prefix(prefix));
        camera_of(rest.ok_or_else(expected)?)
    };
    camera.filter(|camera| sight.has(camera)).ok_or_else(Problem::not_found)?;
    signed(&api, caller, &headers, &uri)
}

/// Signs a path that the caller may ask for. Who did is in the log: a request for the path itself does not say who makes it.
fn signed(api: &Api, caller: Option<&str>, headers: &HeaderMap, uri: &Uri) -> Result<Response, Problem> {
    // As a request for it would be written.
    let written = uri.path_and_query().map_or(uri.path(), |written| written.as_str()).to_owned();
    let answer = match api.access.sign(&written, api.clock.now()) {
        Some((path, expires)) => {
            let [from, to] = ["from", "to"].map(|name| asked_time(uri.query().unwrap_or_default(), name));
            let ends = expires.to_string();
            tracing::info!(
                event = "path-signed",
                caller,
                path = uri.path(),
                from,
                to,
                expires = ends,
                "a path was signed"
            );
            Signed { path, expires: Some(expires) }
        }
        None => Signed { path: written, expires: None },
    };
    answer::json(headers, Keep::Ask, &answer)
}

/// The camera of `site/camera.form`.
fn camera_of(rest: &str) -> Option<CameraName> {
    let (site, file) = rest.split_once('/')?;
    parameters::camera(site, file.rsplit_once('.')?.0).ok()
}
