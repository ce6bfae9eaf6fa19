//! Adapters for Google Cloud: Cloud Storage and Pub/Sub, or services that speak their protocols.
//!
//! - A put is one request, on the condition that the object has no generation yet. The request carries the
//!   CRC-32C before the bytes, so that Cloud Storage refuses and does not store bytes that arrive damaged. If
//!   the caller does not know the CRC-32C, the adapter computes it by reading the content an additional time.
//!   The SHA-256 is stored in the metadata. The body is streamed.
//! - A ranged read returns the metadata in the same request, with lower-case names.
//! - The clients retry nothing, because only the caller knows what an attempt costs. Every call has a time
//!   limit, which grows with the size of a transfer. A body that stops moving fails.
//! - The SDK's futures are large (30 KiB), so each is boxed.
//! - A put succeeds if the response has the size and the CRC-32C of the stored object and both equal those of
//!   the sent object. An error counts as Google's own if it has the form of Google's errors. Anything else
//!   comes from something between us and Google. Redirects are not followed.
//! - Answers to puts, looks and listings are limited: 64 KiB of an error or of an object's description, 8 MiB of a listing.
//!   These requests are our own, because the SDK's HTTP client collects a body of any length and cannot be replaced. The SDK
//!   still reads objects, for functions and over TLS, which lets nobody but Google answer.
//! - Errors have a kind that tells the caller what to do ([`framepost_ports::ErrorKind`]), and keep Google's
//!   text in their source.
//! - Credentials are found as Application Default Credentials: a service account's key, workload identity
//!   federation, the credentials that `gcloud` stored, the metadata server. What is asked for their tokens may
//!   answer with 64 KiB, too: see the module `tokens`, which also says what is left to the SDK.

mod api;
mod body;
mod bounded;
#[cfg(feature = "functions")]
mod bus;
#[cfg(feature = "functions")]
mod cloud;
mod connect;
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
mod metadata;
#[cfg(feature = "functions")]
mod parking;
#[cfg(feature = "functions")]
mod push_token;
#[cfg(feature = "functions")]
mod removal;
#[cfg(feature = "functions")]
mod signing;
mod sink;
#[cfg(feature = "functions")]
mod source;
#[cfg(feature = "functions")]
mod storage;
#[cfg(feature = "functions")]
mod subscription;
mod tokens;
#[cfg(feature = "detect")]
mod vision;

#[cfg(feature = "functions")]
pub use bus::PubSubBus;
#[cfg(feature = "functions")]
pub use cloud::GcpCloud;
pub use connect::GoogleOptions;
pub use error::GoogleFailure;
#[cfg(feature = "functions")]
pub use feed::PubSubFeed;
#[cfg(feature = "functions")]
pub use inbox::PubSubInbox;
#[cfg(feature = "functions")]
pub use ledger::GcsLedger;
#[cfg(feature = "functions")]
pub use listing::GcsListing;
#[cfg(feature = "functions")]
pub use metadata::project_id;
#[cfg(feature = "functions")]
pub use parking::PubSubDeadLetters;
#[cfg(feature = "functions")]
pub use push_token::{PushTokenOptions, PushTokens};
#[cfg(feature = "functions")]
pub use removal::GcsRemoval;
pub use sink::GcsBucket;
#[cfg(feature = "functions")]
pub use source::GcsSource;
#[cfg(feature = "functions")]
pub use subscription::{Leaving, PubSubSubscription, Pulled, Taking};
#[cfg(feature = "detect")]
pub use vision::VisionDetector;
