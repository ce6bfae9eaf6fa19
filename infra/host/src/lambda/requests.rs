//! Requests to a Lambda function URL.
//!
//! Answers are streamed, as `RESPONSE_STREAM` of the URL asks for: the first byte leaves before the last one is there, and
//! an answer may have more than the 6 MB of a buffered one.

use axum::Router;

/// Answers requests by `router` until the sandbox ends.
///
/// # Errors
///
/// When Lambda's runtime API fails.
pub async fn serve(router: Router) -> Result<(), lambda_runtime::Error> {
    lambda_http::run_with_streaming_response(router).await
}
