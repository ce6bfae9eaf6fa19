//! `/v1/sightings` and `/v1/detections`

use super::{Api, listing};
use crate::answer::{self, Keep};
use crate::auth::Sight;
use crate::cursor;
use crate::json::{Detections, LookedAt, SightingJson, Sightings};
use crate::parameters::{self, Asked, TimeOfDay};
use crate::problem::Problem;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use framepost_ports::catalog::{SightingQuery, SightingRow};
use jiff::Timestamp;
use jiff::civil::Time;
use serde::Deserialize;
use utoipa::IntoParams;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(super) struct Parameters {
    /// Of this site; of all without it.
    site: Option<String>,
    /// Of this camera of the site.
    camera: Option<String>,
    /// Of these labels, separated by commas; of all without it.
    label: Option<String>,
    /// With a part after this time.
    from: Option<Timestamp>,
    /// Beginning before this time.
    to: Option<Timestamp>,
    /// With at least this score, 0 to 1.
    #[param(minimum = 0, maximum = 1)]
    min_score: Option<f64>,
    /// Beginning at this time of the day or later: `22:00`; at midnight without it.
    #[param(value_type = Option<String>)]
    time_from: Option<Time>,
    /// Beginning before this time of the day: `06:00`, which is on the next day where `timeFrom` is later; midnight without it.
    #[param(value_type = Option<String>)]
    time_to: Option<Time>,
    /// The IANA time zone of these times: `Europe/Berlin`; UTC without it.
    zone: Option<String>,
    /// The most on a page: 1 to 1000, usually 50.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// `next` of the page before.
    cursor: Option<String>,
}

/// Most rows that one answer looks through for a time of the day.
const LOOKED_THROUGH_MAX: usize = 20_000;
/// Rows that are read at a time, then.
const ROWS: usize = 1000;

/// What was seen, the newest first, a page at a time. Where a time of the day is asked for, a page may have less than `limit`,
/// or nothing, and still a `next`.
#[utoipa::path(get, path = "/v1/sightings", tag = "find", params(Parameters),
    responses((status = 200, body = Sightings),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn list(
    State(api): State<Api>,
    sight: Sight,
    headers: HeaderMap,
    Asked(asked): Asked<Parameters>,
) -> Result<Response, Problem> {
    let limit = parameters::limit(asked.limit, 50, 1000)?;
    let score_min = asked.min_score.unwrap_or(0.0);
    if !(0.0..=1.0).contains(&score_min) {
        return Err(Problem::parameter("minScore", "0 to 1"));
    }
    let time_of_day = TimeOfDay::asked(asked.time_from, asked.time_to, asked.zone.as_deref())?;
    let mut query = SightingQuery {
        cameras: listing::cameras(&api, &sight, asked.site.as_deref(), asked.camera.as_deref()).await?,
        labels: parameters::list("label", asked.label.as_deref(), 20)?,
        within: listing::within(asked.from, asked.to)?,
        score_min,
        after: asked.cursor.as_deref().map(cursor::sighting).transpose()?,
        limit: limit + 1,
    };
    let Some(time_of_day) = time_of_day else {
        let place = |row: &SightingRow| cursor::of_sighting(row.place());
        let (rows, next) = listing::page(api.catalog.sightings(&query).await?, limit, place);
        return answer::json(&headers, Keep::Ask, &Sightings { sightings: jsons(rows), next });
    };
    query.limit = ROWS;
    let mut found = Vec::new();
    for _ in 0..LOOKED_THROUGH_MAX / ROWS {
        let rows = api.catalog.sightings(&query).await?;
        let is_last = rows.len() < ROWS;
        for row in rows {
            if found.len() == limit {
                let next = query.after.map(cursor::of_sighting);
                return answer::json(&headers, Keep::Ask, &Sightings { sightings: jsons(found), next });
            }
            query.after = Some(row.place());
            if time_of_day.has(row.sighting.from) {
                found.push(row);
            }
        }
        if is_last {
            query.after = None;
            break;
        }
    }
    let next = query.after.map(cursor::of_sighting);
    answer::json(&headers, Keep::Ask, &Sightings { sightings: jsons(found), next })
}

fn jsons(rows: Vec<SightingRow>) -> Vec<SightingJson> {
    rows.into_iter().map(SightingJson::from).collect()
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct DetectionParameters {
    site: String,
    camera: String,
    from: Timestamp,
    /// At most an hour after `from`.
    to: Timestamp,
}

/// Most chunks in one answer.
const CHUNKS_MAX: usize = 2000;

/// What was seen in each picture, with boxes.
#[utoipa::path(get, path = "/v1/detections", tag = "find", params(DetectionParameters),
    responses((status = 200, body = Detections),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn detections(
    State(api): State<Api>,
    sight: Sight,
    headers: HeaderMap,
    Asked(asked): Asked<DetectionParameters>,
) -> Result<Response, Problem> {
    let camera = parameters::camera(&asked.site, &asked.camera)?;
    let within = parameters::within(asked.from, asked.to, 3_600)?;
    if !sight.has(&camera) {
        return Err(Problem::not_found());
    }
    let rows = api.catalog.looks(&camera, within, CHUNKS_MAX + 1).await?;
    let truncated = rows.len() > CHUNKS_MAX;
    let chunks = rows.into_iter().take(CHUNKS_MAX).map(LookedAt::from).collect();
    answer::json(&headers, Keep::Ask, &Detections { chunks, truncated })
}
