//! In-memory fakes of a bucket, a bus, an inbox, dead letters, a ledger's store, a catalogue and a clock. Most
//! can be made to fail.
//!
//! The fakes pass the same contract suite as the real adapters, so a test that uses a fake
//! also holds for the adapters.

mod bucket;
mod bus;
mod catalog;
mod clock;
mod dead_letters;
mod inbox;
mod ledger;

pub use bucket::{Fault, MemoryBucket, Operation};
pub use bus::RecordingBus;
pub use catalog::MemoryCatalog;
pub use clock::SimulatedClock;
pub use dead_letters::ParkedLetters;
pub use inbox::MemoryInbox;
pub use ledger::MemoryLedger;
