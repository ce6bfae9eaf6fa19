//! The contract suite: what every adapter does alike, as functions that every adapter's tests call.
//!
//! Keys are drawn anew in each run, so that the suite also runs against a real bucket, bus or table with things in it.

mod bus;
mod inbox;
mod ledger;
mod objects;

pub use bus::{Listener, bus};
pub use inbox::{InboxSubject, Waits, inbox};
pub use ledger::ledger;
pub use objects::{Subject, sink_and_source};
