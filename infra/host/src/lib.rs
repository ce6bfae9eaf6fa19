//! Runs a function in AWS Lambda, on Cloud Run, as a worker beside a queue, beside a local
//! bucket, or inside another process.
//!
//! A function's `main` is one call of [`run`]. The host provides every function with telemetry and its clouds.
//! A panic affects only one message, each message of a batch is answered separately, rejected messages are
//! parked, and an [`Outcome`](framepost_ports::Outcome) becomes the cloud's own answer:
//!
//! | outcome | Lambda | HTTP push | worker beside an inbox |
//! |---|---|---|---|
//! | done, skip | leaves the queue | 204 | [`Delivery::done`](framepost_ports::Delivery::done) |
//! | retry | in `batchItemFailures`: delivered again after the visibility timeout | 503: delivered again after the subscription's back-off | [`Delivery::again`](framepost_ports::Delivery::again) after the requested time |
//! | reject | parked in the dead letters, leaves the queue | parked, 204 | parked, done |
//! | panic | in `batchItemFailures` | 503 | delivered again; parked after three deliveries from a local inbox |
//!
//! # The parts
//!
//! ```text
//! environment   variables ─▶ where messages come from, where records and rejects go
//! clouds        … ─▶ adapters, by URL
//! event         message ─▶ events of the kind that the function is for
//! handled       event ─▶ function ─▶ outcome; one line of the log
//! settle        message ─▶ its events handled, its reject parked ─▶ one answer
//! schedules     the clock ─▶ messages, beside an inbox that no cloud's scheduler fills
//! lambda/ http/ worker    who brings messages, and takes the answers back
//! ```
//!
//! A new cloud is one [`Cloud`](framepost_ports::Cloud) and one line in `clouds`. A place that brings messages itself makes [`Message`](framepost_ports::Message)s, gives them to [`Handler::settle`] and passes the [`Answer`] on.

mod bucket;
mod clouds;
mod connector;
mod environment;
mod event;
mod handled;
#[cfg(feature = "http")]
pub mod http;
#[cfg(feature = "aws")]
pub mod lambda;
mod log_bus;
pub mod manifest;
mod program;
mod registered;
mod run;
mod schedules;
mod settle;
pub mod telemetry;
pub mod worker;

pub use bucket::NamedBucket;
pub use clouds::Clouds;
pub use connector::{ConnectError, Connector, Variables};
pub use environment::{Environment, EnvironmentError, EventSource};
pub use event::{About, AnyEvent, Arrival, Event, ObjectKind};
#[cfg(feature = "onnx")]
pub use framepost_models::run_if_asked as run_model_if_asked;
pub use handled::{Ending, Handled};
pub use log_bus::LogBus;
pub use program::MissingProgram;
pub use registered::{Registered, topics};
pub use run::run;
#[cfg(feature = "http")]
pub use run::serve;
pub use schedules::Schedules;
pub use settle::{Answer, Handler, Settled, Watch};

/// Returns whether this process was started to run a model, which this program cannot do.
#[cfg(not(feature = "onnx"))]
pub fn run_model_if_asked() -> bool {
    false
}
