//! What may be asked of a cloud: traits, one [`Error`], in-memory fakes, and the contract suite that every adapter passes.
//!
//! The fakes and the suite are behind the feature `testing`, which only `dev-dependencies` switch on.
//!
//! Handlers and the edge library know these traits and never a cloud. A new cloud is one crate that implements them.

mod bus;
mod clock;
#[cfg(feature = "testing")]
pub mod contract;
mod dead_letters;
mod error;
mod exact;
mod function;
mod inbox;
pub mod ledger;
mod link;
#[cfg(feature = "testing")]
pub mod memory;
mod objects;
pub mod shown;

pub use bus::Bus;
pub use clock::{Clock, SystemClock};
pub use dead_letters::{
    DETAIL_ATTRIBUTE, DETAIL_LIMIT_BYTES, DeadLetter, DeadLetters, FUNCTION_ATTRIBUTE, REASON_ATTRIBUTE,
};
pub use error::{Effect, Error, ErrorKind, Result, chain};
pub use exact::exact;
pub use function::{Function, Outcome, Reason};
pub use inbox::{Carrier, Delivery, Inbox, Message, Receipt};
pub use ledger::{Ledger, LedgerStore};
pub use link::url_path;
pub use objects::{
    ByteRange, Content, ContentStream, Likeness, NewObject, ObjectHead, ObjectRead, ObjectSink, ObjectSource, Put, Seen,
};
