//! The fakes: a bucket, a bus, an inbox, dead letters, a ledger's store and a clock that live in memory; most fail when they are
//! told to.
//!
//! The bucket passes the same contract suite as the real adapters, so a test against it is a test against all of them.

mod bucket;
mod bus;
mod clock;
mod dead_letters;
mod inbox;
mod ledger;

pub use bucket::{Fault, MemoryBucket, Operation};
pub use bus::RecordingBus;
pub use clock::SimulatedClock;
pub use dead_letters::ParkedLetters;
pub use inbox::MemoryInbox;
pub use ledger::MemoryLedger;
