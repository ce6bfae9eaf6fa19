//! Runs a function where it finds itself: in AWS Lambda, beside a local bucket, or inside another process.
//!
//! A function's `main` is one call of [`run`]. What the host owes to every function: telemetry, its clouds, a panic
//! costs one message, each message of a batch is answered by itself, and an [`Outcome`](framepost_ports::Outcome) becomes
//! the cloud's own answer:
//!
//! | outcome | Lambda | local queue |
//! |---|---|---|
//! | done, skip | leaves the queue | acknowledged |
//! | retry | in `batchItemFailures`: comes again after the visibility timeout | comes again after the time it asks for |
//! | reject | leaves the queue; the function has published its reject record | parked, with the reason |
//! | panic | in `batchItemFailures` | comes again, parked after [`Limits::attempts`] |
//!
//! A message that is no event at all is in `batchItemFailures` too, so that the queue's redrive policy takes it to the
//! dead letters and nothing is lost.

mod contained;
mod environment;
pub mod in_process;
pub mod lambda;
mod log_bus;
mod notices;
pub mod telemetry;

pub use environment::{Clouds, run};
pub use in_process::{Limits, Summary};
pub use log_bus::LogBus;
