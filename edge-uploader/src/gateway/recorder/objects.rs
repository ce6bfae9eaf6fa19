//! How many objects one live camera may create, by the gateway's monotonic clock.
//!
//! A chunk is cut by media time, which a camera chooses: one that sends a minute of pictures at once would create twenty
//! objects in a second. Objects are therefore counted by arrival. A camera that delivers what it held back during a stall
//! may create [`BURST`] of them at once. After that, chunks are cut only every minute of media time until enough time has
//! passed. Steps of the clock, which end spans, wait in the same way. No frame is lost by it.

use crate::clock::Stepping;
use crate::segment::Cuts;
use std::time::Duration;

/// How many objects a camera may create at once. A lost session and a step of the clock when the next one begins are so many.
const BURST: u32 = 6;

/// How many steps of its clock may take effect at once, and after how many windows another one may. A step costs three objects: the end
/// of the span, the gap, and a chunk that is shorter than the others.
const STEPS_BURST: u32 = 3;
const STEP_WINDOWS: u32 = 8;

/// The objects that a camera may still create, and the steps of its clock that may still take effect.
#[derive(Debug)]
pub(super) struct Objects {
    chunks: Share,
    steps: Share,
}

impl Objects {
    /// Of a camera whose chunks are `window` long.
    ///
    /// A chunk may be closed a bit sooner, because some are shorter: where a camera's random access frames are rare, and where its
    /// clock runs fast.
    pub(super) fn new(window: Duration) -> Self {
        let chunks = Share::new(BURST, window * 3 / 4);
        Self { chunks, steps: Share::new(STEPS_BURST, window.saturating_mul(STEP_WINDOWS)) }
    }

    /// Adds what the time until `arrival`, that of a frame, allows.
    pub(super) fn arrived(&mut self, arrival: Duration) {
        self.chunks.fill(arrival);
        self.steps.fill(arrival);
    }

    /// Counts an object that was created. Some cannot wait, such as those of a lost session.
    pub(super) fn created(&mut self) {
        self.chunks.take();
    }

    /// Counts a step that took effect.
    pub(super) fn stepped(&mut self) {
        self.steps.take();
    }

    /// Returns when chunks are cut.
    pub(super) fn cuts(&self) -> Cuts {
        if self.chunks.left > 0 { Cuts::Usual } else { Cuts::Seldom }
    }

    /// Returns whether a step of the camera's clock may end the span.
    pub(super) fn stepping(&self) -> Stepping {
        if self.steps.left > 0 { Stepping::Allowed } else { Stepping::Postponed }
    }
}

/// What may happen at once, and again as time passes.
#[derive(Debug)]
struct Share {
    left: u32,
    most: u32,
    /// One more is allowed after each such time.
    every: Duration,
    /// Up to when `left` was filled up.
    since: Option<Duration>,
}

impl Share {
    fn new(most: u32, every: Duration) -> Self {
        Self { left: most, most, every: every.max(Duration::from_millis(1)), since: None }
    }

    fn fill(&mut self, now: Duration) {
        let since = *self.since.get_or_insert(now);
        let more = now.saturating_sub(since).as_nanos() / self.every.as_nanos();
        let more = u32::try_from(more).unwrap_or(u32::MAX);
        self.left = self.left.saturating_add(more).min(self.most);
        self.since = Some(since.saturating_add(self.every.saturating_mul(more)));
    }

    fn take(&mut self) {
        self.left = self.left.saturating_sub(1);
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
                if may {
                    objects.created();
                }
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
        (0..50).for_each(|_| objects.created());
        assert_eq!((objects.cuts(), objects.stepping()), (Cuts::Seldom, Stepping::Allowed));
        objects.arrived(WINDOW);
        assert_eq!(objects.cuts(), Cuts::Usual);
        // An arrival before the others, as sound may have, changes nothing.
        objects.arrived(Duration::ZERO);
        assert_eq!(objects.cuts(), Cuts::Usual);
    }

    #[test]
    fn three_steps_and_then_one_in_eight_windows() {
        let mut objects = Objects::new(WINDOW);
        let steps = (0..1000).filter(|n| {
            objects.arrived(WINDOW * *n);
            let may = objects.stepping() == Stepping::Allowed;
            if may {
                objects.stepped();
            }
            may
        });
        assert_eq!(steps.count(), 3 + 124);
    }
}
