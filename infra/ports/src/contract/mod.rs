//! The contract suite: functions that the tests of every adapter call to check that it behaves like the others.
//!
//! Each run uses random keys, so the suite also runs against a real bucket, bus or table that holds other data.

mod bus;
mod catalog;
mod footage;
mod inbox;
mod ledger;
mod objects;
mod packing;
mod removal;
mod switched;

pub use bus::{Listener, bus};
pub use catalog::{catalog, catalog_of};
pub use footage::Footage;
pub use inbox::{InboxSubject, Waits, inbox};
pub use ledger::ledger;
pub use objects::{Subject, sink_and_source};
pub use packing::packing;
pub use removal::removal;
