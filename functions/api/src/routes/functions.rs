//! `/v1/functions`

use super::Api;
use crate::answer::{self, Keep};
use crate::auth::Sight;
use crate::json::{FunctionJson, FunctionList};
use crate::problem::Problem;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;

/// The state of the functions that describe the footage. Only a host that runs them itself has it, and only callers who may
/// see everything get it.
#[utoipa::path(get, path = "/v1/functions", tag = "health",
    responses((status = 200, body = FunctionList),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn list(State(api): State<Api>, sight: Sight, headers: HeaderMap) -> Result<Response, Problem> {
    let workings = api.workings.filter(|_| sight == Sight::Everything).ok_or_else(Problem::not_found)?;
    let functions = workings.functions().await?.into_iter().map(FunctionJson::from).collect();
    answer::json(&headers, Keep::Ask, &FunctionList { functions })
}
