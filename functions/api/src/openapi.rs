//! The description of the API: OpenAPI 3.1 at `/openapi.json`, and for people at `/docs`.

mod page;

use crate::answer::{self, Keep};
use axum::Router;
use axum::http::HeaderMap;
use axum::routing::get;
use utoipa::OpenApi;
use utoipa::openapi::OpenApi as Document;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Framepost",
        description = "What is known of the footage, and the footage itself. Times are RFC 3339; a stretch of time has its start and not its end.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    tags(
        (name = "find", description = "What is there, when, and what was seen."),
        (name = "play", description = "The footage itself."),
        (name = "keep", description = "What is not removed when its time is over."),
        (name = "health", description = "How gateways are.")
    )
)]
struct Description;

/// The description without its routes.
pub(crate) fn document() -> Document {
    Description::openapi()
}

/// The routes that show the description.
pub(crate) fn routes<S: Clone + Send + Sync + 'static>(document: &Document) -> Router<S> {
    // A key has slashes, which a route says with an asterisk and OpenAPI cannot say.
    let json = serde_json::to_string(document).unwrap_or_default().replace("{*key}", "{key}");
    let json: serde_json::Value = serde_json::from_str(&json).unwrap_or_default();
    let page = page::html(&json);
    let json = json.to_string();
    let as_json = async move |headers: HeaderMap| {
        answer::bytes(&headers, Keep::Seconds(300), "application/json", json.clone().into_bytes())
    };
    let as_page = async move |headers: HeaderMap| {
        answer::bytes(&headers, Keep::Seconds(300), "text/html; charset=utf-8", page.clone().into_bytes())
    };
    let style = async |headers: HeaderMap| {
        answer::bytes(&headers, Keep::Seconds(300), "text/css; charset=utf-8", page::STYLE.as_bytes().to_vec())
    };
    Router::new().route("/openapi.json", get(as_json)).route("/docs", get(as_page)).route("/docs/style.css", get(style))
}
