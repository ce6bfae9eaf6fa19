//! `/v1/holds`
//!
//! Who may see a camera, and has the right to keep, may hold its footage, and end a hold of it. Both are in the log.

use super::{Api, listing};
use crate::answer::{self, Keep};
use crate::auth::{Caller, Keeper, Sight};
use crate::body::Sent;
use crate::cursor;
use crate::json::{HoldJson, Holds, NewHold};
use crate::parameters::{self, Asked};
use crate::problem::Problem;
use axum::Extension;
use axum::extract::{Path, State};
use axum::http::header::{HeaderValue, LOCATION};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use framepost_events::key::whole_micros;
use framepost_ports::catalog::{Hold, HoldQuery, Interval, Whose};
use framepost_ports::{Error, ErrorKind};
use jiff::{SignedDuration, Timestamp};
use ring::rand::{SecureRandom as _, SystemRandom};
use serde::Deserialize;
use utoipa::IntoParams;

/// The longest stretch that is held at once, in seconds: 400 days.
const LONGEST_S: i64 = 400 * 86_400;
/// The longest reason, in characters.
const REASON_MAX: usize = 1000;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Parameters {
    /// Only holds of this site; of all sites without it.
    site: Option<String>,
    /// Only holds of this camera of the site.
    camera: Option<String>,
    /// Only holds that end after this time.
    from: Option<Timestamp>,
    /// Only holds that begin before this time.
    to: Option<Timestamp>,
    /// The most holds on a page: 1 to 1000, 100 by default.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// The `next` of the page before.
    cursor: Option<String>,
}

/// The cameras that are asked for and that the caller may see; `None` for all there are.
fn whose(sight: &Sight, site: Option<&str>, camera: Option<&str>) -> Result<Option<Vec<Whose>>, Problem> {
    let asked = match (site, camera) {
        (Some(site), Some(camera)) => {
            let name = parameters::camera(site, camera)?;
            Some(Whose { site: name.site, camera: Some(name.camera) })
        }
        (Some(site), None) => {
            let site = site.parse().map_err(|_| Problem::parameter("site", "no name of a site"))?;
            Some(Whose { site, camera: None })
        }
        (None, Some(_)) => return Err(Problem::parameter("camera", "say of which `site`")),
        (None, None) => None,
    };
    let Sight::Some(grants) = sight else { return Ok(asked.map(|one| vec![one])) };
    let mut among = Vec::new();
    for grant in grants.iter() {
        let Ok(site) = grant.site.parse() else { continue };
        let Ok(camera) = grant.camera.as_deref().map(str::parse).transpose() else { continue };
        let granted = Whose { site, camera };
        match &asked {
            None => among.push(granted),
            Some(asked) if asked.site != granted.site => {}
            // Whichever of the two says more.
            Some(asked) => match (&asked.camera, &granted.camera) {
                (Some(one), Some(other)) if one != other => {}
                (Some(_), _) => among.push(asked.clone()),
                (None, _) => among.push(granted),
            },
        }
    }
    Ok(Some(among))
}

/// Holds, the newest first, a page at a time.
#[utoipa::path(get, path = "/v1/holds", tag = "keep", params(Parameters),
    responses((status = 200, body = Holds),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn list(
    State(api): State<Api>,
    sight: Sight,
    headers: HeaderMap,
    Asked(asked): Asked<Parameters>,
) -> Result<Response, Problem> {
    let limit = parameters::limit(asked.limit, 100, 1000)?;
    let query = HoldQuery {
        among: whose(&sight, asked.site.as_deref(), asked.camera.as_deref())?,
        within: listing::within(asked.from, asked.to)?,
        after: asked.cursor.as_deref().map(cursor::hold).transpose()?,
        limit: limit + 1,
    };
    let place = |hold: &Hold| cursor::of_hold(hold.place());
    let (found, next) = listing::page(api.catalog.holds(&query).await?, limit, place);
    answer::json(&headers, Keep::Ask, &Holds { holds: found.into_iter().map(HoldJson::from).collect(), next })
}

/// The hold with this id, if the caller may see its camera.
async fn visible(api: &Api, sight: &Sight, id: &str) -> Result<Hold, Problem> {
    let hold = api.catalog.held(id).await?;
    hold.filter(|hold| sight.has(&hold.camera)).ok_or_else(Problem::not_found)
}

/// One hold, if the caller may see its camera.
#[utoipa::path(get, path = "/v1/holds/{id}", tag = "keep", params(("id" = String, Path)),
    responses((status = 200, body = HoldJson),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn one(
    State(api): State<Api>,
    sight: Sight,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    answer::json(&headers, Keep::Ask, &HoldJson::from(visible(&api, &sight, &id).await?))
}

/// Keeps a stretch of a camera's footage until the hold is deleted. It is in force when this is answered.
#[utoipa::path(post, path = "/v1/holds", tag = "keep", request_body = NewHold,
    responses((status = 201, body = HoldJson),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 415, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn create(
    State(api): State<Api>,
    Keeper(sight): Keeper,
    caller: Option<Extension<Caller>>,
    Sent(wanted): Sent<NewHold>,
) -> Result<Response, Problem> {
    let camera = parameters::camera(&wanted.site, &wanted.camera)?;
    let Interval { from, to } = parameters::within(wanted.from, wanted.to, LONGEST_S)?;
    if wanted.reason.chars().count() > REASON_MAX || wanted.reason.contains('\0') {
        return Err(Problem::parameter("reason", format!("at most {REASON_MAX} characters, none of them NUL")));
    }
    // A hold of a camera that is misspelt would hold nothing, and nobody would notice.
    if !sight.has(&camera) || !api.catalog.cameras().await?.iter().any(|known| known.name == camera) {
        return Err(Problem::not_found().detail("there is no such camera"));
    }
    let mut random = [0; 12];
    SystemRandom::new()
        .fill(&mut random)
        .map_err(|_| Error::new(ErrorKind::Io, "make", "an id").because("the system gives no random numbers"))?;
    let hold = Hold {
        id: hex::encode(random),
        camera,
        within: Interval { from: whole_micros(from), to: rounded_up(to) },
        reason: wanted.reason,
        created: whole_micros(api.clock.now()),
        created_by: caller.map(|Extension(Caller(caller))| caller),
    };
    api.catalog.hold(&hold).await?;
    told("hold-made", "footage is held", &hold, hold.created_by.as_deref());
    let path = format!("/v1/holds/{}", hold.id);
    let mut response = (StatusCode::CREATED, answer::uncached(&HoldJson::from(hold))?).into_response();
    if let Ok(path) = HeaderValue::try_from(path) {
        response.headers_mut().insert(LOCATION, path);
    }
    Ok(response)
}

/// The first whole microsecond that is not earlier: all that is asked for is held.
fn rounded_up(time: Timestamp) -> Timestamp {
    let whole = whole_micros(time);
    if whole == time { time } else { whole.checked_add(SignedDuration::from_micros(1)).unwrap_or(time) }
}

/// Ends a hold. What no other hold keeps is removed when retention next runs.
#[utoipa::path(delete, path = "/v1/holds/{id}", tag = "keep", params(("id" = String, Path)),
    responses((status = 204),
        (status = 401, body = Problem, content_type = "application/problem+json"),
        (status = 403, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn release(
    State(api): State<Api>,
    Keeper(sight): Keeper,
    caller: Option<Extension<Caller>>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let hold = visible(&api, &sight, &id).await?;
    api.catalog.release(&hold.id).await?;
    told("hold-ended", "a hold is ended", &hold, caller.as_ref().map(|Extension(Caller(caller))| caller.as_str()));
    Ok(StatusCode::NO_CONTENT)
}

/// Writes down who did it.
fn told(event: &'static str, what: &'static str, hold: &Hold, caller: Option<&str>) {
    let Hold { id, camera, within, .. } = hold;
    let caller = caller.unwrap_or("this machine");
    tracing::info!(
        event, caller, id, site = %camera.site, camera = %camera.camera, from = %within.from, to = %within.to, "{what}"
    );
}
