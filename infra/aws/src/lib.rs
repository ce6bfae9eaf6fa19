//! Amazon's services, or what speaks their protocols: S3; with the feature `functions` also EventBridge, SQS and DynamoDB.
//!
//! * A put is one `PutObject` with `If-None-Match: *`. The digest travels twice, both times as it was given and never
//!   computed again: as `x-amz-checksum-sha256`, which S3 checks and keeps, and as `x-amz-content-sha256`, so that the
//!   signature covers the bytes also where there is no TLS. The body is streamed with a known length; no chunked encoding,
//!   no trailers.
//! * Of S3's requests the SDK repeats none: whoever calls knows what a try costs. Every call has time limits, the one of a put grows
//!   with its size, and a stream that stands still ends.
//! * A put is a success when the answer has the checksum of what was stored, and it is the object's ([`Echo`]). An error is S3's own
//!   when it is an error document of S3's; a page, a redirect or nothing at all is somebody else's on the way, and is
//!   [`Intercepted`](framepost_ports::ErrorKind::Intercepted). Redirects are not followed.
//! * Bodies of answers are bounded, those of the services that give credentials included: 64 KiB of an error, 4 MiB of a success;
//!   an object's bytes are taken as they are wanted. Heads are bounded by hyper (100 headers, 400 KiB) and, like a slow
//!   sender, by the call's time limit.
//! * Errors say what the caller can do ([`framepost_ports::ErrorKind`]) and keep the service's code and request id as their source.

mod answer;
mod body;
#[cfg(feature = "functions")]
mod bus;
mod connect;
mod connections;
#[cfg(feature = "functions")]
mod dead_letters;
mod error;
#[cfg(feature = "functions")]
mod inbox;
#[cfg(feature = "functions")]
mod ledger;
#[cfg(feature = "functions")]
mod queue;
mod sink;
mod source;
#[cfg(feature = "functions")]
pub mod xray;

#[cfg(feature = "functions")]
pub use bus::EventBridgeBus;
pub use connect::{Credentials, Echo, S3Options, Session};
#[cfg(feature = "functions")]
pub use dead_letters::SqsDeadLetters;
pub use error::{Failure, Stranger};
#[cfg(feature = "functions")]
pub use inbox::SqsInbox;
#[cfg(feature = "functions")]
pub use ledger::DynamoLedger;
#[cfg(feature = "functions")]
pub use queue::{MAX_MESSAGES, Receipt, Received, SqsQueue};
pub use sink::S3Bucket;
pub use source::S3Source;
