//! `/v1/cameras`

use super::Api;
use crate::answer::{self, Keep};
use crate::auth::Sight;
use crate::json::{CameraJson, Cameras};
use crate::problem::Problem;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;

/// The cameras that have footage, by site and name.
#[utoipa::path(get, path = "/v1/cameras", tag = "find",
    responses((status = 200, body = Cameras), (status = 401, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn list(State(api): State<Api>, sight: Sight, headers: HeaderMap) -> Result<Response, Problem> {
    let known = api.catalog.cameras().await?;
    let cameras = known.into_iter().filter(|known| sight.has(&known.name)).map(CameraJson::from).collect();
    answer::json(&headers, Keep::Ask, &Cameras { cameras, now: api.clock.now() })
}
