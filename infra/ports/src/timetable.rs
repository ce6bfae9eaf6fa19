//! The port for the schedules of a subscriber whose inbox no cloud's scheduler fills.

use crate::Result;
use async_trait::async_trait;
use jiff::Timestamp;

/// The schedules of one subscriber: how far each has come, and the inbox that their messages go to.
#[async_trait]
pub trait Timetable: Send + Sync {
    /// Returns the time up to which the schedule of this name is settled: that of its last message, or the one given to
    /// [`begin`](Self::begin). `None` for a schedule that never began.
    async fn settled(&self, schedule: &str) -> Result<Option<Timestamp>>;

    /// Settles the schedule up to `time` without a message. Durable on return.
    async fn begin(&self, schedule: &str, time: Timestamp) -> Result<()>;

    /// Puts the message that the schedule was due at `time` into the inbox, and settles the schedule up to then. Both
    /// are durable on return.
    ///
    /// # Errors
    ///
    /// Where it fails, the message may be in the inbox. Firing the same time again does not put it there twice while it
    /// waits.
    async fn fire(&self, schedule: &str, time: Timestamp) -> Result<()>;
}
