//! Runs a function behind HTTP, for Cloud Run and other senders that push messages.
//!
//! | request | |
//! |---|---|
//! | `GET /health` | 200 as soon as the function can take messages. Not `/healthz`, which Google's front end reserves |
//! | `POST`, any path | one message: Pub/Sub push, wrapped or not; a CloudEvent, binary or structured; any other event that is complete in the body |
//!
//! | result for the message | answer | effect in Pub/Sub and Eventarc |
//! |---|---|---|
//! | done, skipped, nothing to do | 204 | acknowledged |
//! | rejected | 204 once it is parked, 503 if that fails | acknowledged; delivered again |
//! | to be retried, panicked | 503, `Retry-After` | delivered again after the subscription's back-off |
//! | no event | 400 | see below |
//! | no token, another sender's token | 401, 403 | delivered again |
//! | the token cannot be checked now | 503 | delivered again |
//! | larger than [`HttpLimits::body_bytes`] | 413 | delivered again |
//! | slower than [`HttpLimits::body`] | 408 | delivered again |
//! | a head larger than [`HttpLimits::head_bytes`] | 431 | delivered again |
//!
//! A message that is delivered again and again ends in the dead-letter topic by the subscription's own policy.
//!
//! **No event.** A valid *message* (in Pub/Sub's envelope, with its headers, or as a CloudEvent) without an
//! event is rejected like any other: if there are dead letters, it is parked immediately with the reason
//! `not-an-event` and answered with 204. Otherwise it is answered with 400, so that the subscription's
//! dead-letter policy takes it. A request that is not a message is answered with 400 and never parked, because
//! anybody who may send requests could otherwise fill the dead letters. In either case one line is logged; a
//! redelivery writes the same entry.
//!
//! At most [`HttpLimits::concurrency`] requests are handled concurrently; more wait. If the sender closes the
//! connection, the handling of its message is cancelled, and the message is delivered again.
//!
//! Connections have the limits of all our listeners, see [`framepost_listener`]: their number, the time for a
//! head, the time without a byte, and how long one may last.

mod body;
mod request;
mod server;
mod settings;

pub use settings::{HttpSettings, PushSettings};

use crate::settle::{Answer, Handler, Settled};
use crate::telemetry::{Sampling, TraceContext};
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::map_request;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use framepost_ports::{ErrorKind, SenderCheck, chain};
use http_body_util::{BodyExt as _, LengthLimitError};
use request::Sent;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tracing::Instrument as _;

/// What clients may take, how many requests are handled at once, and how long the last ones have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HttpLimits {
    /// Largest body of a message. An event or record has a few kilobytes.
    pub body_bytes: usize,
    /// Largest head of a request. A token has about a kilobyte.
    pub head_bytes: u32,
    /// Time for a request's head, and for the wait for the next one on the same connection.
    pub head: Duration,
    /// Time for a request's body.
    pub body: Duration,
    /// Concurrent messages: Cloud Run's default for an instance.
    pub concurrency: u32,
    /// Concurrent connections. Cloud Run's front end opens at most one for each of its 1000 concurrent requests.
    pub connections: usize,
    /// Longest time without a byte on a connection while nothing is asked on it.
    pub idle: Duration,
    /// The same while a request is answered: Cloud Run's longest.
    pub answer: Duration,
    /// Time for the requests in progress after SIGTERM. Cloud Run allows ten seconds.
    pub drain: Duration,
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self {
            body_bytes: 1 << 20,
            head_bytes: 64 << 10,
            head: Duration::from_secs(10),
            body: Duration::from_secs(10),
            concurrency: 80,
            connections: 1024,
            idle: Duration::from_mins(2),
            answer: Duration::from_hours(1),
            drain: Duration::from_secs(9),
        }
    }
}

/// The senders whose requests are accepted.
#[derive(Debug, Default)]
pub enum Senders {
    /// Every sender that reaches the service. Cloud Run rejects senders without the right to invoke.
    #[default]
    Admitted,
    /// Senders with a valid token.
    Checked(Box<dyn SenderCheck>),
}

/// Answers requests by `router` until `shutdown`, then finishes those in progress. `GET /health` is answered by the host.
/// All limits are as for messages. A router that reads a body beyond its limits gets an error.
pub async fn serve(router: Router, limits: HttpLimits, listener: TcpListener, shutdown: impl Future<Output = ()>) {
    tracing::info!(address = listener.local_addr().map(tracing::field::display).ok(), "answering requests");
    let limited = map_request(move |request: Request| async move { request.map(|body| body::limited(body, limits)) });
    let router = Router::new().route("/health", get(async || StatusCode::OK)).fallback_service(router).layer(limited);
    server::serve(listener, router, limits, shutdown).await;
}

/// Takes messages until `shutdown`, then finishes those in hand.
pub async fn run(
    handler: Handler,
    senders: Senders,
    limits: HttpLimits,
    listener: TcpListener,
    shutdown: impl Future<Output = ()>,
) {
    let function = handler.name();
    tracing::info!(function, address = listener.local_addr().map(tracing::field::display).ok(), "receiving messages");
    let places = Semaphore::new(limits.concurrency as usize);
    let service = Arc::new(Service { handler, senders, limits, places });
    let router = Router::new()
        .route("/health", get(async || StatusCode::OK))
        .fallback_service(post(message).with_state(service));
    server::serve(listener, router, limits, shutdown).await;
    tracing::info!(function, "ended");
}

struct Service {
    handler: Handler,
    senders: Senders,
    limits: HttpLimits,
    places: Semaphore,
}

async fn message(State(service): State<Arc<Service>>, request: Request) -> Response {
    let function = service.handler.name();
    let trace = TraceContext::of_request(|name| request.headers().get(name)?.to_str().ok());
    let span = tracing::error_span!(
        "request",
        function,
        trace_id = trace.as_ref().map(|trace| trace.trace_id.as_str()),
        span_id = trace.as_ref().and_then(|trace| trace.span_id.as_deref()),
        trace_sampled = trace.as_ref().map(|trace| trace.sampling == Sampling::Sampled),
    );
    service.answer(request).instrument(span).await
}

impl Service {
    async fn answer(&self, request: Request) -> Response {
        let (head, body) = request.into_parts();
        if let Err(refused) = self.check(&head.headers).await {
            return refused;
        }
        // The semaphore is never closed.
        let _place = self.places.acquire().await;
        let body = match self.body(body).await {
            Ok(body) => body,
            Err(refused) => return refused,
        };
        match request::read(&head.headers, body) {
            Ok(Sent::Message(message)) => answered(&self.handler.settle(&message, None).await),
            Ok(Sent::Bare(message)) => match self.handler.settle_if_event(&message).await {
                Ok(settled) => answered(&settled),
                Err(error) => refuse(StatusCode::BAD_REQUEST, "not-an-event", &error.to_string()),
            },
            Err(error) => refuse(StatusCode::BAD_REQUEST, "not-an-event", &error),
        }
    }

    async fn check(&self, headers: &HeaderMap) -> Result<(), Response> {
        let Senders::Checked(tokens) = &self.senders else { return Ok(()) };
        let authorization = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let Err(error) = tokens.check(authorization).await else { return Ok(()) };
        if error.kind() != ErrorKind::Denied {
            return Err(refuse(StatusCode::SERVICE_UNAVAILABLE, "token-unchecked", &chain(&error)));
        }
        if authorization.is_some() {
            return Err(refuse(StatusCode::FORBIDDEN, "token-refused", &chain(&error)));
        }
        let refused = refuse(StatusCode::UNAUTHORIZED, "no-token", &chain(&error));
        Err(([(header::WWW_AUTHENTICATE, "Bearer")], refused).into_response())
    }

    async fn body(&self, body: Body) -> Result<Bytes, Response> {
        let error = match body::limited(body, self.limits).collect().await {
            Ok(body) => return Ok(body.to_bytes()),
            Err(error) => error.into_inner(),
        };
        if error.is::<LengthLimitError>() {
            let detail = format!("more than {} bytes", self.limits.body_bytes);
            Err(refuse(StatusCode::PAYLOAD_TOO_LARGE, "too-large", &detail))
        } else if error.is::<body::TooSlow>() {
            Err(refuse(StatusCode::REQUEST_TIMEOUT, "too-slow", &error.to_string()))
        } else {
            Err(refuse(StatusCode::BAD_REQUEST, "broken-off", &error.to_string()))
        }
    }
}

fn answered(settled: &Settled) -> Response {
    match settled.answer {
        Answer::Acknowledge => StatusCode::NO_CONTENT.into_response(),
        Answer::Again(_) if settled.is_no_event() => StatusCode::BAD_REQUEST.into_response(),
        Answer::Again(after) => {
            let seconds = after.as_millis().div_ceil(1000).max(1).to_string();
            (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, seconds)]).into_response()
        }
    }
}

/// Refuses a request that does not reach the function. The reason is logged and not returned, because nobody
/// reads the response who could use it.
fn refuse(status: StatusCode, reason: &str, detail: &str) -> Response {
    tracing::warn!(event = "refused", reason, detail, status = status.as_u16(), "a request is refused");
    status.into_response()
}
