//! Google Cloud: Cloud Storage and Pub/Sub, or what speaks their protocols.
//!
//! * A put is one request, on the condition that there is no generation of this object yet. The CRC-32C travels before the
//!   bytes, so that what arrives otherwise is refused and never there; it is computed by reading the content once more
//!   where nobody knows it. SHA-256 lives in the metadata. The body is streamed.
//! * A ranged read brings the metadata with it, names in lower case, in one request.
//! * The clients repeat nothing: whoever calls knows what a try costs. Every call has time limits, that of a transfer grows
//!   with its size, and a body that stands still ends.
//! * The SDK's futures are large (30 KiB), so each is on the heap.
//! * A put is a success when the answer has the size and the CRC-32C of what was stored, and they are the object's. An error is
//!   Google's own when it has Google's form; anything else is somebody else's on the way. Redirects are not followed.
//! * What cannot be bounded here: the SDK's HTTP client, and that of its credentials, collects the body of an error in memory
//!   whatever its length, and no seam lets another client in. Only the time limit of a call (30 s and what its size takes) and
//!   TLS, by which nobody but Google can answer, stand against it; over `http://` nothing but the limit does.
//! * Errors say what the caller can do ([`framepost_ports::ErrorKind`]) and keep Google's words as their source.
//! * Credentials come by the whole chain of Application Default Credentials: a service account's key, workload identity
//!   federation, what `gcloud` left, the metadata server.

mod body;
mod bus;
mod connect;
mod error;
#[cfg(feature = "functions")]
mod inbox;
#[cfg(feature = "functions")]
mod ledger;
#[cfg(feature = "functions")]
mod metadata;
#[cfg(feature = "functions")]
mod parking;
#[cfg(feature = "functions")]
mod push_token;
mod sink;
mod source;
#[cfg(feature = "functions")]
mod subscription;

pub use bus::PubSubBus;
pub use connect::GoogleOptions;
pub use error::GoogleFailure;
#[cfg(feature = "functions")]
pub use inbox::PubSubInbox;
#[cfg(feature = "functions")]
pub use ledger::GcsLedger;
#[cfg(feature = "functions")]
pub use metadata::project_id;
#[cfg(feature = "functions")]
pub use parking::PubSubDeadLetters;
#[cfg(feature = "functions")]
pub use push_token::{PushTokenOptions, PushTokens};
pub use sink::GcsBucket;
pub use source::GcsSource;
#[cfg(feature = "functions")]
pub use subscription::{Leaving, PubSubSubscription, Pulled, Taking};
