//! Amazon S3, or what speaks its protocol.
//!
//! * A put is one `PutObject` with `If-None-Match: *`. The digest travels twice, both times as it was given and never
//!   computed again: as `x-amz-checksum-sha256`, which S3 checks and keeps, and as `x-amz-content-sha256`, so that the
//!   signature covers the bytes also where there is no TLS. The body is streamed with a known length; no chunked encoding,
//!   no trailers.
//! * The SDK repeats nothing: whoever calls knows what a try costs. Every call has time limits, the one of a put grows
//!   with its size, and a stream that stands still ends.
//! * Errors say what the caller can do ([`framepost_ports::ErrorKind`]) and keep S3's code and request id as their source.

mod body;
mod connect;
mod error;
mod sink;
mod source;

pub use connect::{Credentials, S3Options};
pub use error::S3Failure;
pub use sink::S3Bucket;
pub use source::S3Source;
