//! Amazon's services, or what speaks their protocols: S3; with the feature `functions` also EventBridge, SQS and DynamoDB.
//!
//! * A put is one `PutObject` with `If-None-Match: *`. The digest travels twice, both times as it was given and never
//!   computed again: as `x-amz-checksum-sha256`, which S3 checks and keeps, and as `x-amz-content-sha256`, so that the
//!   signature covers the bytes also where there is no TLS. The body is streamed with a known length; no chunked encoding,
//!   no trailers.
//! * Of S3's requests the SDK repeats none: whoever calls knows what a try costs. Every call has time limits, the one of a put grows
//!   with its size, and a stream that stands still ends.
//! * Errors say what the caller can do ([`framepost_ports::ErrorKind`]) and keep the service's code and request id as their source.

mod body;
#[cfg(feature = "functions")]
mod bus;
mod connect;
mod connections;
#[cfg(feature = "functions")]
mod dead_letters;
mod error;
#[cfg(feature = "functions")]
mod ledger;
#[cfg(feature = "functions")]
mod queue;
mod sink;
mod source;

#[cfg(feature = "functions")]
pub use bus::EventBridgeBus;
pub use connect::{Credentials, S3Options, Session};
#[cfg(feature = "functions")]
pub use dead_letters::SqsDeadLetters;
pub use error::Failure;
#[cfg(feature = "functions")]
pub use ledger::DynamoLedger;
#[cfg(feature = "functions")]
pub use queue::{MAX_MESSAGES, Receipt, Received, SqsQueue};
pub use sink::S3Bucket;
pub use source::S3Source;
