//! `/v1/gateways`

use super::Api;
use crate::answer::{self, Keep};
use crate::auth::Sight;
use crate::json::{Gateway, Gateways};
use crate::problem::Problem;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;

/// The last report of each site's gateway: its clock, its disk, the footage that waits for upload, and its cameras.
#[utoipa::path(get, path = "/v1/gateways", tag = "health",
    responses((status = 200, body = Gateways), (status = 401, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn list(State(api): State<Api>, sight: Sight, headers: HeaderMap) -> Result<Response, Problem> {
    let reports = api.catalog.reports().await?;
    let seen = reports.into_iter().filter(|reported| sight.has_site(reported.report.site.as_str()));
    let gateways = seen.map(|reported| Gateway {
        site: reported.report.site.clone(),
        signature: reported.integrity.signature,
        report: reported.report,
    });
    answer::json(&headers, Keep::Ask, &Gateways { gateways: gateways.collect(), now: api.clock.now() })
}
