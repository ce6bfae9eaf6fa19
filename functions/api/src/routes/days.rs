//! `/v1/days`

use super::Api;
use crate::answer::{self, Keep};
use crate::auth::Sight;
use crate::json::{Day, Days};
use crate::parameters::{self, Asked};
use crate::problem::Problem;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use framepost_ports::catalog::Interval;
use jiff::civil::Date;
use serde::Deserialize;
use utoipa::IntoParams;

/// Most days in one answer: two months.
const DAYS_MAX: usize = 62;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Parameters {
    site: String,
    camera: String,
    /// The first day: `2026-11-01`.
    #[param(value_type = String, format = Date)]
    from: Date,
    /// The last day, at most 62 days in all.
    #[param(value_type = String, format = Date)]
    to: Date,
    /// The IANA time zone in which days begin: `Europe/Berlin`; UTC without it.
    zone: Option<String>,
}

/// The days on which a camera has footage, from midnight to midnight in a time zone.
#[utoipa::path(get, path = "/v1/days", tag = "find", params(Parameters),
    responses((status = 200, body = Days),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn list(
    State(api): State<Api>,
    sight: Sight,
    headers: HeaderMap,
    Asked(asked): Asked<Parameters>,
) -> Result<Response, Problem> {
    let camera = parameters::camera(&asked.site, &asked.camera)?;
    let zone = parameters::zone(asked.zone.as_deref())?;
    let too_many = || Problem::parameter("to", format!("not before `from`, and {DAYS_MAX} days in all at most"));
    let dates: Vec<Date> =
        asked.from.series(jiff::Span::new().days(1)).take_while(|date| *date <= asked.to).take(DAYS_MAX + 1).collect();
    if dates.is_empty() || dates.len() > DAYS_MAX {
        return Err(too_many());
    }
    if !sight.has(&camera) {
        return Err(Problem::not_found());
    }
    let midnight = |date: Date| date.to_zoned(zone.clone()).map(|zoned| zoned.timestamp()).map_err(|_| too_many());
    let mut within = Vec::with_capacity(dates.len());
    for date in &dates {
        let next = date.tomorrow().map_err(|_| too_many())?;
        within.push(Interval { from: midnight(*date)?, to: midnight(next)? });
    }
    let amounts = api.catalog.recorded(&camera, &within).await?;
    let days = dates.iter().zip(within).zip(amounts).filter(|(_, amount)| amount.chunks > 0);
    let days = days.map(|((date, Interval { from, to }), amount)| Day {
        day: date.to_string(),
        from,
        to,
        seconds: amount.length_us as f64 / 1e6,
        size_bytes: amount.bytes,
    });
    answer::json(&headers, Keep::Ask, &Days { days: days.collect() })
}
