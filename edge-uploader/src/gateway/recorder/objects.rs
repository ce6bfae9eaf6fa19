//! How many objects one live camera may create, by the gateway's monotonic clock.
//!
//! A chunk is cut by media time, which a camera chooses: one that sends a minute of pictures at once would create twenty
//! objects in a second. Objects are therefore counted by arrival. A camera that delivers what it held back during a stall
//! may create [`BURST`] of them at once. After that, chunks are cut only every minute of media time, and steps of the
//! clock wait, until enough time has passed. No frame is lost by it, and none gets another time.

use crate::clock::Stepping;
use crate::segment::Cuts;
use std::time::Duration;

/// How many objects a camera may create at once. A lost session and a step of the clock when the next one begins are so many.
const BURST: u32 = 6;

/// Objects of a step of the clock: the end of the span, the gap, and a chunk that is shorter than the others.
const STEP: u32 = 3;

/// The objects that a camera may still create.
#[derive(Debug)]
pub(super) struct Objects {
    left: u32,
    /// An object is added to those that may be created after each such time. It is a bit less than a window, because
    /// chunks may be shorter: where a camera's random access frames are rare, and where its clock runs fast.
    every: Duration,
    /// Up to when `left` was filled up.
    since: Option<Duration>,
}

impl Objects {
    /// Of a camera whose chunks are `window` long.
    pub(super) fn new(window: Duration) -> Self {
        Self { left: BURST, every: (window * 3 / 4).max(Duration::from_millis(1)), since: None }
    }

    /// Adds what the time until `arrival`, that of a frame, allows.
    pub(super) fn arrived(&mut self, arrival: Duration) {
        let since = *self.since.get_or_insert(arrival);
        let more = arrival.saturating_sub(since).as_nanos() / self.every.as_nanos();
        let more = u32::try_from(more).unwrap_or(u32::MAX);
        self.left = self.left.saturating_add(more).min(BURST);
        self.since = Some(since.saturating_add(self.every.saturating_mul(more)));
    }

    /// Counts objects that were created. Some cannot wait, such as those of a lost session.
    pub(super) fn created(&mut self, objects: u32) {
        self.left = self.left.saturating_sub(objects);
    }

    /// Returns when chunks are cut.
    pub(super) fn cuts(&self) -> Cuts {
        if self.left > 0 { Cuts::Usual } else { Cuts::Seldom }
    }

    /// Returns whether a step of the camera's clock may end the span.
    pub(super) fn stepping(&self) -> Stepping {
        if self.left >= STEP { Stepping::Allowed } else { Stepping::Postponed }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_secs(3);

    /// Returns how many objects are created by a camera that creates one at each of `arrivals` if it may.
    fn created(arrivals: impl Iterator<Item = Duration>) -> usize {
        let mut objects = Objects::new(WINDOW);
        arrivals
            .filter(|arrival| {
                objects.arrived(*arrival);
                let may = objects.cuts() == Cuts::Usual;
                objects.created(u32::from(may));
                may
            })
            .count()
    }

    #[test]
    fn a_burst_and_then_about_one_a_window() {
        assert_eq!(created((0..2000).map(|_| Duration::ZERO)), 6);
        // A thousand a second for 300 s, which are 100 windows.
        assert_eq!(created((0..300_000).map(Duration::from_millis)), 6 + 133);
        // One a window, with all that is shorter for good reasons.
        assert_eq!(created((0..1000).map(|n| Duration::from_millis(n * 2900))), 1000);
        // Every minute all that may be created at once.
        let bursts = (0..100).flat_map(|n| (0..6).map(move |_| Duration::from_mins(n)));
        assert_eq!(created(bursts), 600);
    }

    #[test]
    fn objects_that_cannot_wait_take_from_the_others_and_leave_no_debt() {
        let mut objects = Objects::new(WINDOW);
        objects.arrived(Duration::ZERO);
        objects.created(4);
        assert_eq!((objects.cuts(), objects.stepping()), (Cuts::Usual, Stepping::Postponed));
        objects.created(50);
        assert_eq!((objects.cuts(), objects.stepping()), (Cuts::Seldom, Stepping::Postponed));
        objects.arrived(WINDOW);
        assert_eq!((objects.cuts(), objects.stepping()), (Cuts::Usual, Stepping::Postponed));
        objects.arrived(3 * WINDOW);
        assert_eq!((objects.cuts(), objects.stepping()), (Cuts::Usual, Stepping::Allowed));
        // An arrival before the others, as sound may have, changes nothing.
        objects.arrived(Duration::ZERO);
        assert_eq!(objects.stepping(), Stepping::Allowed);
    }
}
