//! When a report is due. No clock: it is asked at a time.

use framepost_events::Camera;
use framepost_events::report::{ReportTrigger, ReportedState};
use std::time::Duration;

/// The first report waits until cameras had time to connect.
const FIRST_AFTER: Duration = Duration::from_secs(10);

/// The shortest time between two reports, however often something changes.
const PAUSE: Duration = Duration::from_mins(1);

/// What a report is made for when it changes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct State {
    /// Of each camera. One that is being connected again is lost: where a camera comes and goes, only that counts.
    pub(super) cameras: Vec<(Camera, ReportedState)>,
    pub(super) synchronized: bool,
    pub(super) quarantined_objects: u64,
}

/// Whether the bucket can be reached, as the uploader sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line {
    Up,
    Down,
}

/// When the last report went, and what it said.
#[derive(Debug)]
pub(super) struct Schedule {
    every: Duration,
    last_try: Option<Duration>,
    last_told: Option<Duration>,
    told: Option<State>,
}

impl Schedule {
    pub(super) fn new(every: Duration) -> Self {
        Self { every, last_try: None, last_told: None, told: None }
    }

    /// Why a report is due at `now`, if it is; `now` counts from the start. None is due while the line is down: what it would
    /// say is old when the line is up again, and then one is due.
    pub(super) fn due(&self, now: Duration, state: &State, line: Line) -> Option<ReportTrigger> {
        let pause = PAUSE.min(self.every);
        let paused = self.last_try.is_some_and(|last| now < last + pause);
        if line == Line::Down || now < FIRST_AFTER.min(self.every) || paused {
            return None;
        }
        match (&self.told, self.last_told) {
            (Some(told), _) if told != state => Some(ReportTrigger::Change),
            (_, Some(last)) => (now >= last + self.every).then_some(ReportTrigger::Interval),
            (_, None) => Some(ReportTrigger::Start),
        }
    }

    /// The report that was due at `now` is in the bucket.
    pub(super) fn sent(&mut self, now: Duration, told: State) {
        self.last_try = Some(now);
        self.last_told = Some(now);
        self.told = Some(told);
    }

    /// Notes that the report could not be stored. The next one is due after a pause.
    pub(super) fn failed(&mut self, now: Duration) {
        self.last_try = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ReportTrigger::{Change, Interval, Start};

    fn state(camera: ReportedState) -> State {
        State { cameras: vec![("gate".parse().unwrap(), camera)], synchronized: true, quarantined_objects: 0 }
    }

    /// Asks each second up to `seconds`, and puts what is due unless `refuses` says no: when, and why.
    fn run(
        every: u64,
        seconds: u64,
        state_at: impl Fn(u64) -> State,
        line: impl Fn(u64) -> Line,
        refuses: impl Fn(u64) -> bool,
    ) -> Vec<(u64, ReportTrigger)> {
        let mut schedule = Schedule::new(Duration::from_secs(every));
        let mut found = Vec::new();
        for second in 0..seconds {
            let now = Duration::from_secs(second);
            let state = state_at(second);
            if let Some(trigger) = schedule.due(now, &state, line(second)) {
                found.push((second, trigger));
                if refuses(second) { schedule.failed(now) } else { schedule.sent(now, state) }
            }
        }
        found
    }

    #[test]
    fn one_comes_after_the_start_then_at_intervals() {
        let same = |_| state(ReportedState::Recording);
        let found = run(300, 700, same, |_| Line::Up, |_| false);
        assert_eq!(found, [(10, Start), (310, Interval), (610, Interval)]);
        let often = run(15, 50, same, |_| Line::Up, |_| false);
        assert_eq!(often, [(10, Start), (25, Interval), (40, Interval)]);
    }

    #[test]
    fn a_change_is_told_soon_but_not_more_than_once_a_minute() {
        let lost_from =
            |at: u64| move |second| state(if second < at { ReportedState::Recording } else { ReportedState::Lost });
        assert_eq!(run(300, 400, lost_from(100), |_| Line::Up, |_| false), [(10, Start), (100, Change)]);
        assert_eq!(run(300, 100, lost_from(12), |_| Line::Up, |_| false), [(10, Start), (70, Change)]);
        // A camera that comes and goes each second.
        let flaps =
            |second: u64| state(if second.is_multiple_of(2) { ReportedState::Lost } else { ReportedState::Recording });
        let found = run(300, 3_600, flaps, |_| Line::Up, |_| false);
        assert!(found.len() <= 60, "{} in an hour", found.len());
        assert!(found.windows(2).all(|pair| pair[1].0 - pair[0].0 >= 60));
    }

    #[test]
    fn none_is_due_while_the_line_is_down_and_one_as_soon_as_it_is_up() {
        let same = |_| state(ReportedState::Recording);
        let line = |second| if (200..5_000).contains(&second) { Line::Down } else { Line::Up };
        let found = run(300, 5_301, same, line, |_| false);
        assert_eq!(found, [(10, Start), (5_000, Interval), (5_300, Interval)]);
    }

    #[test]
    fn one_that_could_not_be_put_is_made_anew_a_minute_later() {
        let same = |_| state(ReportedState::Recording);
        let found = run(300, 500, same, |_| Line::Up, |second| second < 100);
        assert_eq!(found, [(10, Start), (70, Start), (130, Start), (430, Interval)]);
    }
}
