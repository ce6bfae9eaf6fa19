//! Runs a function where it finds itself: in AWS Lambda, on Cloud Run, as a worker beside a queue, beside a local bucket,
//! or inside another process.
//!
//! A function's `main` is one call of [`run`]. What the host owes to every function: telemetry, its clouds, a panic
//! costs one message, each message of a batch is answered by itself, rejects are parked, and an
//! [`Outcome`](framepost_ports::Outcome) becomes the cloud's own answer:
//!
//! | outcome | Lambda | SQS worker | HTTP push | Pub/Sub worker | local queue |
//! |---|---|---|---|---|---|
//! | done, skip | leaves the queue | deleted | 204 | acknowledged | acknowledged |
//! | retry | in `batchItemFailures`: comes again after the visibility timeout | comes again after the time it asks for | 503: comes again after the subscription's back-off | given back, the same | comes again after the time it asks for |
//! | reject | parked in the dead letters, leaves the queue | parked, deleted | parked, 204 | parked, acknowledged | parked, with the reason |
//! | panic | in `batchItemFailures` | comes again | 503 | given back | comes again, parked after [`Limits::attempts`] |
//!
//! # The parts
//!
//! ```text
//! environment   variables ─▶ where messages come from, where records and rejects go
//! clouds        … ─▶ adapters
//! event         message ─▶ events of the kind that the function is for
//! handled       event ─▶ function ─▶ outcome; one line of the log
//! settle        message ─▶ its events handled, its reject parked ─▶ one answer
//! lambda/ poll http/ pull in_process    who brings messages, and takes the answers back
//! ```
//!
//! A new place to run in is one module that makes [`Message`]s, gives them to [`Handler::settle`] and passes the [`Answer`]
//! on, and one variant of [`EventSource`].

mod clouds;
mod environment;
mod event;
mod handled;
#[cfg(feature = "gcp")]
pub mod http;
pub mod in_process;
#[cfg(feature = "aws")]
pub mod lambda;
mod log_bus;
#[cfg(feature = "aws")]
pub mod poll;
#[cfg(feature = "gcp")]
pub mod pull;
mod run;
mod settle;
pub mod telemetry;
#[cfg(feature = "aws")]
mod xray;

pub use clouds::Clouds;
pub use environment::{DeadLettersTo, Environment, EnvironmentError, EventSource, LedgerAt, RecordsTo};
pub use event::{About, Carrier, Event, Message, Notice};
pub use handled::{Ending, Handled};
pub use in_process::{Limits, Summary};
pub use log_bus::LogBus;
pub use run::run;
pub use settle::{Answer, Handler, Settled};
