//! Fires a function's schedules beside an inbox that no cloud's scheduler fills.
//!
//! Each schedule has a durable time up to which it is settled. A time that passes puts one message into the inbox. Times
//! that passed while nobody looked (the process was down, the machine slept) put one message there, for the last of them.
//! After a restart, no time is fired that was fired before. A schedule that is seen for the first time begins then.

use crate::manifest::{Manifest, Schedule};
use framepost_ports::{Clock, Result, Timetable, chain};
use jiff::{SignedDuration, Timestamp};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

/// How often the clock is read. It may jump, so no timer runs up to the next time.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The longest pause after a failure.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// A schedule that is settled up to a time later than this from now was settled by a clock that was wrong.
const AHEAD_MAX: SignedDuration = SignedDuration::from_hours(24);

/// The schedules of one function.
pub struct Schedules {
    entries: Vec<Entry>,
    timetable: Arc<dyn Timetable>,
    clock: Arc<dyn Clock>,
}

struct Entry {
    schedule: Schedule,
    /// The time up to which the schedule is settled; `None` until it is read.
    settled: Option<Timestamp>,
}

impl Schedules {
    /// Takes the schedules among the manifest's triggers.
    pub fn of(manifest: &Manifest, timetable: Arc<dyn Timetable>, clock: Arc<dyn Clock>) -> Self {
        let entries = manifest.schedules().map(|schedule| Entry { schedule: schedule.clone(), settled: None });
        Self { entries: entries.collect(), timetable, clock }
    }

    /// Puts a message into the inbox for each schedule of which a time has passed since the last call, of this or of an
    /// earlier process.
    ///
    /// # Errors
    ///
    /// Fails if the timetable does. Schedules that did not fire are due in the next call.
    pub async fn fire_due(&mut self) -> Result<()> {
        let now = self.clock.now();
        for entry in &mut self.entries {
            let Schedule { name, times } = &entry.schedule;
            let settled = match entry.settled {
                Some(settled) => Some(settled),
                None => self.timetable.settled(name).await?,
            };
            let settled = match settled {
                Some(settled) if settled.duration_since(now) <= AHEAD_MAX => settled,
                other => {
                    if let Some(settled) = other {
                        tracing::warn!(schedule = name, %settled, %now, "a schedule's last run is in the future, it restarts from now");
                    }
                    self.timetable.begin(name, now).await?;
                    now
                }
            };
            entry.settled = Some(settled);
            if let Some(due) = times.latest_between(settled, now) {
                self.timetable.fire(name, due).await?;
                entry.settled = Some(due);
                tracing::debug!(schedule = name, %due, "a schedule was due");
            }
        }
        Ok(())
    }

    /// Fires schedules for ever. Repeats what fails, after a growing pause.
    pub async fn run(mut self) -> Infallible {
        if self.entries.is_empty() {
            return std::future::pending().await;
        }
        let mut pause = LOOK_EVERY;
        loop {
            tokio::time::sleep(pause).await;
            pause = match self.fire_due().await {
                Ok(()) => LOOK_EVERY,
                Err(error) => {
                    let pause = (pause * 2).min(LONGEST_PAUSE);
                    tracing::warn!(error = chain(&error), pause_s = pause.as_secs(), "cannot fire a schedule");
                    pause
                }
            };
        }
    }
}
