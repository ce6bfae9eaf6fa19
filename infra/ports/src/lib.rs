//! The ports: traits for what a cloud provides, one [`Error`], in-memory fakes, and the contract
//! suite that every adapter passes.
//!
//! The fakes and the suite need the feature `testing`, which only `dev-dependencies` turn on.
//!
//! Handlers and the edge library use these traits and never name a cloud. To add a cloud, implement them in a
//! new adapter crate, register it in `infra/host`, and add a Terraform root.

mod bus;
pub mod catalog;
mod clock;
mod cloud;
#[cfg(feature = "testing")]
pub mod contract;
mod dead_letters;
mod detector;
mod error;
mod exact;
mod function;
mod inbox;
pub mod ledger;
mod link;
pub mod location;
#[cfg(feature = "testing")]
pub mod memory;
mod objects;
pub mod prices;
mod record_log;
mod replay;
mod sender_check;
pub mod shown;
mod timetable;
mod topic;
mod waiting;

pub use bus::Bus;
pub use catalog::Catalog;
pub use clock::{Clock, SystemClock};
pub use cloud::{Cloud, DatabaseUser, Preparation, Subscriber, Subscription, not_one};
pub use dead_letters::{
    DETAIL_ATTRIBUTE, DETAIL_LIMIT_BYTES, DeadLetter, DeadLetters, FUNCTION_ATTRIBUTE, REASON_ATTRIBUTE,
};
pub use detector::{Detector, Picture, Sampling};
pub use error::{Effect, Error, ErrorKind, Result, chain};
pub use exact::exact;
pub use function::{Function, Outcome, Reason};
pub use inbox::{Carrier, Delivery, Inbox, Message, Receipt};
pub use ledger::{Ledger, LedgerStore};
pub use link::url_path;
pub use location::Location;
pub use objects::{
    ByteRange, Content, ContentStream, Likeness, NewObject, ObjectHead, ObjectRead, ObjectRemoval, ObjectSink,
    ObjectSource, PresignedGet, Put, Seen,
};
pub use prices::Price;
pub use record_log::log_record;
pub use replay::{Feed, Given, ObjectListing};
pub use sender_check::SenderCheck;
pub use timetable::Timetable;
pub use topic::{FilterValue, Keys, Records, Topic};
pub use waiting::{InHand, WaitingList};
