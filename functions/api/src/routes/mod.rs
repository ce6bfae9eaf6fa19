//! The routes, and the checks before all of them.

mod cameras;
mod chunks;
mod clips;
mod days;
pub(crate) mod events;
mod exports;
mod functions;
mod gateways;
mod holds;
mod listing;
mod media;
mod playlists;
mod sightings;
mod sign;
mod timeline;

use crate::auth::{self, Access, Caller};
use crate::console;
use crate::export::Exports;
use crate::keyframes::KeyFrames;
use crate::openapi;
use crate::origins::MediaOrigins;
use crate::problem::Problem;
use crate::workings::Workings;
use axum::Extension;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{
    CONTENT_SECURITY_POLICY, HeaderName, HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::middleware::{self, Next};
use axum::response::Response;
use events::Telling;
use framepost_ports::{Catalog, Clock, ObjectSource};
use std::sync::Arc;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// What the API needs to answer requests.
#[derive(Clone)]
pub struct Api {
    /// The database of the footage.
    pub catalog: Arc<dyn Catalog>,
    /// Where the bytes of chunks are read.
    pub source: Arc<dyn ObjectSource>,
    /// The wall clock, which tests replace.
    pub clock: Arc<dyn Clock>,
    /// Makes exports; where there is none, there are no exports.
    pub exports: Option<Exports>,
    /// How callers are told apart.
    pub access: Access,
    /// The buckets that callers are sent to for media. Those of others are sent from here.
    pub media_origins: MediaOrigins,
    /// The state of the functions, if the host knows it.
    pub workings: Option<Arc<dyn Workings>>,
    /// How long a reader of events is told of them in one answer.
    pub telling: Telling,
}

/// Makes the router. It needs a tokio runtime.
pub fn router(api: Api) -> Router {
    let (routes, document) = OpenApiRouter::with_openapi(openapi::document())
        .routes(routes!(cameras::list))
        .routes(routes!(timeline::timeline))
        .routes(routes!(days::list))
        .routes(routes!(chunks::list))
        .routes(routes!(chunks::one))
        .routes(routes!(sightings::list))
        .routes(routes!(sightings::detections))
        .routes(routes!(gateways::list))
        .routes(routes!(functions::list))
        .routes(routes!(events::events))
        .routes(routes!(holds::list, holds::create))
        .routes(routes!(holds::one, holds::release))
        .routes(routes!(playlists::playlist))
        .routes(routes!(media::media))
        .routes(routes!(clips::clip))
        .routes(routes!(exports::make, exports::list))
        .routes(routes!(exports::one, exports::remove))
        .routes(routes!(exports::file))
        .routes(routes!(exports::archive))
        .routes(routes!(sign::sign))
        .split_for_parts();
    routes
        .merge(openapi::routes(&document))
        .fallback(async || Problem::not_found())
        .method_not_allowed_fallback(async || Problem::method())
        .layer(Extension(KeyFrames::default()))
        .layer(middleware::from_fn_with_state(api.clone(), admit))
        .merge(console::routes().layer(middleware::from_fn_with_state(api.clone(), own_host)))
        .layer(middleware::from_fn_with_state(api.media_origins.policy(), strict))
        .with_state(api)
}

/// Checks the caller, and passes the request on if it is allowed.
async fn admit(State(api): State<Api>, request: Request, next: Next) -> Result<Response, Problem> {
    let (mut parts, body) = request.into_parts();
    auth::check(&api.access, api.clock.now(), &mut parts).await?;
    let caller = parts.extensions.get::<Caller>().cloned();
    let path = parts.uri.path().to_owned();
    let [from, to] = ["from", "to"].map(|name| asked_time(parts.uri.query().unwrap_or_default(), name));
    let response = next.run(Request::from_parts(parts, body)).await;
    if let Some(Caller(caller)) = caller.filter(|_| is_footage(&path)) {
        let status = response.status().as_u16();
        tracing::info!(event = "footage-sent", caller, path, from, to, status, "footage sent");
    }
    Ok(response)
}

/// A time among the parameters of a request, for the log. A signature among them is not for it.
fn asked_time(query: &str, name: &str) -> Option<String> {
    let (_, text) = url::form_urlencoded::parse(query.as_bytes()).find(|(of, _)| of == name)?;
    let time: jiff::Timestamp = text.parse().ok()?;
    Some(time.to_string())
}

/// Passes a request for the console on. The console is the same for everybody, and asks the API for what it shows like any
/// other client. On loopback, it is only served under this machine's own names.
async fn own_host(State(api): State<Api>, request: Request, next: Next) -> Result<Response, Problem> {
    match &api.access {
        Access::Loopback(hosts) if !hosts.are_asked(request.headers(), request.uri()) => Err(Problem::other_host()),
        Access::Loopback(_) | Access::Tokens { .. } => Ok(next.run(request).await),
    }
}

/// Whether a path is one of footage. Who asked for it is in the log.
fn is_footage(path: &str) -> bool {
    let of_export = path.strip_prefix("/v1/exports/").is_some_and(|rest| rest.contains('/'));
    of_export || ["/v1/media/", "/v1/playlists/", "/v1/clips/"].iter().any(|footage| path.starts_with(footage))
}

async fn strict(State(policy): State<HeaderValue>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let policies = [
        (CONTENT_SECURITY_POLICY, policy),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
        (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
    ];
    response.headers_mut().extend(policies);
    response
}
