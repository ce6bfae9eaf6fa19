//! What may be asked of a cloud: traits, one [`Error`], in-memory fakes, and the contract suite that every adapter passes.
//!
//! Handlers and the edge library know these traits and never a cloud. A new cloud is one crate that implements them.

mod bus;
mod clock;
mod error;
mod function;
mod objects;

pub use bus::Bus;
pub use clock::{Clock, SystemClock};
pub use error::{Error, ErrorKind, Result, chain};
pub use function::{Function, Outcome, Reason};
pub use objects::{
    ByteRange, Content, ContentStream, NewObject, ObjectHead, ObjectRead, ObjectSink, ObjectSource, Put,
};
