//! Adapters for Amazon's services, or for services that speak their protocols: S3, and with the feature
//! `functions` also EventBridge, SQS and DynamoDB; with `detect` Rekognition.
//!
//! - A put is one `PutObject` with `If-None-Match: *`. The request carries the caller's digest twice and does
//!   not compute it again: as `x-amz-checksum-sha256`, which S3 checks and stores, and as
//!   `x-amz-content-sha256`, so that the signature covers the bytes even without TLS. The body is streamed with
//!   a known length, without chunked encoding or trailers.
//! - The SDK retries no S3 request, because only the caller knows what an attempt costs. Every call has a time
//!   limit, which grows with the size of a put. A stream that stops moving fails.
//! - A put succeeds if the response has the checksum of the stored object and it equals that of the sent object
//!   ([`Echo`]). An error counts as S3's own if it is an S3 error document. A page, a redirect or an empty
//!   response comes from something between us and S3 and is
//!   [`Intercepted`](framepost_ports::ErrorKind::Intercepted). Redirects are not followed.
//! - Response bodies are limited, also those of the services that provide credentials: 64 KiB for an error, 4
//!   MiB for a success. An object's bytes are streamed. hyper limits headers (100 headers, 400 KiB), and the
//!   time limit of the call limits them as well.
//! - Errors have a kind that tells the caller what to do ([`framepost_ports::ErrorKind`]), and keep the
//!   service's code and request id in their source.

mod answer;
mod body;
#[cfg(feature = "functions")]
mod bus;
#[cfg(feature = "functions")]
mod cloud;
mod connect;
mod connections;
#[cfg(feature = "functions")]
mod database;
#[cfg(feature = "functions")]
mod dead_letters;
mod error;
#[cfg(feature = "functions")]
mod feed;
#[cfg(feature = "functions")]
mod inbox;
#[cfg(feature = "functions")]
mod ledger;
#[cfg(feature = "functions")]
mod listing;
#[cfg(feature = "functions")]
mod queue;
#[cfg(feature = "detect")]
mod rekognition;
#[cfg(feature = "functions")]
mod removal;
mod sink;
mod source;
#[cfg(feature = "functions")]
pub mod xray;

#[cfg(feature = "functions")]
pub use bus::EventBridgeBus;
#[cfg(feature = "functions")]
pub use cloud::AwsCloud;
pub use connect::{Credentials, Echo, S3Options, Session};
#[cfg(feature = "functions")]
pub use dead_letters::SqsDeadLetters;
pub use error::{Failure, Stranger};
#[cfg(feature = "functions")]
pub use feed::SqsFeed;
#[cfg(feature = "functions")]
pub use inbox::SqsInbox;
#[cfg(feature = "functions")]
pub use ledger::DynamoLedger;
#[cfg(feature = "functions")]
pub use listing::S3Listing;
#[cfg(feature = "functions")]
pub use queue::{MAX_MESSAGES, Receipt, Received, SqsQueue};
#[cfg(feature = "detect")]
pub use rekognition::RekognitionDetector;
#[cfg(feature = "functions")]
pub use removal::S3Removal;
pub use sink::S3Bucket;
pub use source::S3Source;
