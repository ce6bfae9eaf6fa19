//! Request bodies: JSON, read strictly, of limited size.

use crate::problem::Problem;
use axum::body::to_bytes;
use axum::extract::{FromRequest, Request};
use axum::http::header::CONTENT_TYPE;
use serde::de::DeserializeOwned;

/// The largest body in bytes.
const LARGEST_BYTES: usize = 64 * 1024;

/// A body, deserialized strictly: an unknown field is refused.
///
/// It must be declared as JSON. Without asking first, a web page of another origin may only send the types of a form or of plain
/// text (Fetch standard, "CORS-safelisted request-header"), so such a page can change nothing here.
pub(crate) struct Sent<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Sent<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let declared = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let essence = declared.split(';').next().unwrap_or_default().trim();
        if !essence.eq_ignore_ascii_case("application/json") {
            return Err(Problem::media_type());
        }
        let body = to_bytes(request.into_body(), LARGEST_BYTES).await;
        let body =
            body.map_err(|_| Problem::body(format!("it cannot be read, or has more than {LARGEST_BYTES} bytes")))?;
        serde_json::from_slice(&body).map(Self).map_err(|error| Problem::body(error.to_string()))
    }
}
