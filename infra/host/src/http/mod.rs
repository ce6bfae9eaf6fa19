//! A function behind HTTP: Cloud Run and whatever else pushes messages.
//!
//! | request | |
//! |---|---|
//! | `GET /health` | 200 as soon as the function can take messages. Not `/healthz`: Google's front end keeps that for itself |
//! | `POST`, any path | one message: Pub/Sub push, wrapped or not; a CloudEvent, binary or structured; any other event whose body says everything |
//!
//! | what became of the message | answer | what Pub/Sub and Eventarc make of it |
//! |---|---|---|
//! | done, skipped, nothing to do | 204 | acknowledged |
//! | rejected | 204 once it is parked, 503 when that fails | acknowledged; comes again |
//! | to be retried, panicked | 503, `Retry-After` | comes again, after the subscription's back-off |
//! | no event | 400 | see below |
//! | no token, another's token | 401, 403 | comes again |
//! | nobody can say whether the token is good | 503 | comes again |
//! | larger than [`Limits::body_bytes`] | 413 | comes again |
//! | slower than [`Limits::body`] | 408 | comes again |
//!
//! What comes again for ever ends in the dead-letter topic by the subscription's own policy.
//!
//! **No event.** A sound *message* (it came in Pub/Sub's envelope, with its headers, or as a CloudEvent) that holds no event
//! is rejected like any other: parked at once with the reason `not-an-event` and answered 204, where there are dead letters.
//! Without them it is answered 400, so that the subscription's dead-letter policy takes it. A request that is not even a
//! message is answered 400 and never parked: anybody who may send requests could fill the dead letters otherwise. Either
//! way it is one line of the log: a redelivery writes the same entry.
//!
//! Many requests are handled at a time, [`Limits::concurrency`] at most; more wait. When the sender goes away, the handling of
//! its message is given up, and the message comes again.

mod request;
mod server;
mod settings;

pub use settings::Settings;

use crate::settle::{Answer, Handler, Settled};
use crate::telemetry::{Sampling, TraceContext};
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use framepost_gcp::PushTokens;
use framepost_ports::{ErrorKind, chain};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use request::Sent;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tracing::Instrument as _;

/// What a client may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Of one message. An event has a few kilobytes, a record too.
    pub body_bytes: usize,
    /// For a request's head.
    pub head: Duration,
    /// For its body.
    pub body: Duration,
    /// Messages handled at a time, as many as Cloud Run sends an instance by default.
    pub concurrency: u32,
    /// For the requests in hand after SIGTERM. Cloud Run gives ten seconds.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 1 << 20,
            head: Duration::from_secs(10),
            body: Duration::from_secs(10),
            concurrency: 80,
            drain: Duration::from_secs(9),
        }
    }
}

/// Whose requests are taken.
#[derive(Debug, Default)]
pub enum Senders {
    /// Everybody's who gets here: on Cloud Run nobody does without the right to invoke.
    #[default]
    Admitted,
    /// Those whose token is good.
    Checked(Box<PushTokens>),
}

/// Takes messages until `shutdown`, then finishes those in hand.
pub async fn run(
    handler: Handler,
    senders: Senders,
    limits: Limits,
    listener: TcpListener,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let function = handler.name();
    tracing::info!(function, address = listener.local_addr().map(tracing::field::display).ok(), "taking messages");
    let places = Semaphore::new(limits.concurrency as usize);
    let service = Arc::new(Service { handler, senders, limits, places });
    let router = Router::new()
        .route("/health", get(async || StatusCode::OK))
        .fallback_service(post(message).with_state(service));
    server::serve(listener, router, limits, shutdown).await?;
    tracing::info!(function, "ended");
    Ok(())
}

struct Service {
    handler: Handler,
    senders: Senders,
    limits: Limits,
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
        // Nobody closes it.
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
        let limit = self.limits.body_bytes;
        let collected = tokio::time::timeout(self.limits.body, Limited::new(body, limit).collect()).await;
        match collected {
            Ok(Ok(body)) => Ok(body.to_bytes()),
            Ok(Err(error)) if error.is::<LengthLimitError>() => {
                let detail = format!("more than {limit} bytes");
                Err(refuse(StatusCode::PAYLOAD_TOO_LARGE, "too-large", &detail))
            }
            Ok(Err(error)) => Err(refuse(StatusCode::BAD_REQUEST, "broken-off", &error.to_string())),
            Err(_) => {
                let detail = format!("not there after {:?}", self.limits.body);
                Err(refuse(StatusCode::REQUEST_TIMEOUT, "too-slow", &detail))
            }
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

/// A request that does not get as far as the function. The line says why; the answer does not, as nobody reads it whom
/// it would help.
fn refuse(status: StatusCode, reason: &str, detail: &str) -> Response {
    tracing::warn!(event = "refused", reason, detail, status = status.as_u16(), "a request is refused");
    status.into_response()
}
