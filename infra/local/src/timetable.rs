//! The schedules of a subscriber, whose messages this machine puts into its inbox.

use crate::disk;
use crate::inboxes::{self, LocalInboxes};
use async_trait::async_trait;
use framepost_events::due::Due;
use framepost_ports::{Error, ErrorKind, Result, Timetable};
use jiff::Timestamp;
use std::fs;
use std::io;

/// The timetable of one subscriber. Whoever takes its messages also fires its schedules.
#[derive(Debug, Clone)]
pub struct LocalTimetable {
    inboxes: LocalInboxes,
    name: String,
}

impl LocalTimetable {
    /// Returns the timetable of the subscriber `name`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`] if this is no subscriber's name.
    pub fn new(inboxes: &LocalInboxes, name: &str) -> Result<Self> {
        inboxes::check_name(name)?;
        Ok(Self { inboxes: inboxes.clone(), name: name.to_owned() })
    }
}

#[async_trait]
impl Timetable for LocalTimetable {
    async fn settled(&self, schedule: &str) -> Result<Option<Timestamp>> {
        inboxes::check_name(schedule)?;
        let place = self.inboxes.schedule(&self.name, schedule);
        let read = disk::blocking(move || match fs::read_to_string(place) {
            // What cannot be read as a time begins anew.
            Ok(text) => Ok(text.trim().parse().ok()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        });
        read.await.map_err(|error| disk::error("schedule", schedule, error))
    }

    async fn begin(&self, schedule: &str, time: Timestamp) -> Result<()> {
        inboxes::check_name(schedule)?;
        self.inboxes.settle_schedule(&self.name, schedule, time, None).await
    }

    async fn fire(&self, schedule: &str, time: Timestamp) -> Result<()> {
        inboxes::check_name(schedule)?;
        // Ids begin with the time like those of puts, so that the oldest message comes first.
        let micros = time.as_microsecond();
        if micros < 0 {
            return Err(Error::new(ErrorKind::Invalid, "schedule", schedule).because("a time before 1970"));
        }
        let message = (format!("{micros:016x}-due-{schedule}"), Due::to_json(schedule, time));
        self.inboxes.settle_schedule(&self.name, schedule, time, Some(message)).await
    }
}
