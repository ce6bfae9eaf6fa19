//! Schedules beside a local inbox, by a simulated clock.

use framepost_events::due;
use framepost_host::Schedules;
use framepost_host::manifest::Manifest;
use framepost_local::{LocalBucket, LocalInbox, LocalTimetable};
use framepost_ports::memory::SimulatedClock;
use framepost_ports::{Inbox as _, Timetable as _};
use jiff::SignedDuration;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const MANIFEST: &str = "
name: sweeper
description: Sweeps.
triggers:
  - { event: schedule, name: quarterly, every_minutes: 15 }
  - { event: schedule, name: nightly, cron: 30 2 * * * }
delivery: { batch_size: 1, max_deliveries: 5 }
runtime: { memory_mib: 128, timeout_s: 30, max_concurrency: 2 }
";

/// One run of the process: it ends when this is dropped.
struct Run {
    _bucket: LocalBucket,
    inbox: LocalInbox,
    schedules: Schedules,
}

impl Run {
    async fn start(root: &Path, clock: &Arc<SimulatedClock>) -> Self {
        let bucket = LocalBucket::open(root).await.unwrap();
        let inbox = bucket.inboxes().subscribe("sweeper", Vec::new()).await.unwrap();
        let timetable = Arc::new(LocalTimetable::new(&bucket.inboxes(), "sweeper").unwrap());
        let manifest = Manifest::parse("function.yaml", MANIFEST).unwrap();
        Self { _bucket: bucket, inbox, schedules: Schedules::of(&manifest, timetable, clock.clone()) }
    }

    /// The times that fire now, each of which is handled.
    async fn fired(&mut self) -> Vec<String> {
        self.schedules.fire_due().await.unwrap();
        let mut fired = Vec::new();
        while !self.inbox.is_empty() {
            for delivery in self.inbox.receive(10).await.unwrap() {
                let due = due::parse([], &delivery.message.body).unwrap().unwrap();
                fired.push(format!("{} {}", due.name, due.time.unwrap()));
                delivery.done().await.unwrap();
            }
        }
        fired
    }
}

fn clock(now: &str) -> Arc<SimulatedClock> {
    Arc::new(SimulatedClock::new(now.parse().unwrap()))
}

#[tokio::test]
async fn each_time_fires_once() {
    let dir = tempfile::tempdir().unwrap();
    let clock = clock("2026-11-20T02:00:00Z");
    let mut run = Run::start(dir.path(), &clock).await;
    let mut fired = Vec::new();
    for _ in 0..3600 {
        fired.extend(run.fired().await.into_iter().map(|one| (clock_text(&clock), one)));
        clock.advance(Duration::from_secs(1));
    }
    let expected = ["15:00Z", "30:00Z", "30:00Z", "45:00Z"];
    assert_eq!(fired.len(), 4, "{fired:?}");
    for ((at, one), expected) in fired.iter().zip(expected) {
        assert!(at.ends_with(expected) && one.ends_with(expected), "{one} at {at}");
    }
    assert!(fired.iter().any(|(_, one)| one == "nightly 2026-11-20T02:30:00Z"), "{fired:?}");
}

fn clock_text(clock: &SimulatedClock) -> String {
    use framepost_ports::Clock as _;
    clock.now().to_string()
}

#[tokio::test]
async fn what_was_missed_fires_once_and_a_restart_fires_nothing_twice() {
    let dir = tempfile::tempdir().unwrap();
    let clock = clock("2026-11-20T02:07:00Z");
    assert!(Run::start(dir.path(), &clock).await.fired().await.is_empty(), "it begins now");
    clock.advance(Duration::from_mins(8));
    assert_eq!(Run::start(dir.path(), &clock).await.fired().await, ["quarterly 2026-11-20T02:15:00Z"]);
    assert!(Run::start(dir.path(), &clock).await.fired().await.is_empty(), "not twice");
    // Three nights without the process.
    clock.advance(Duration::from_hours(72));
    let expected = ["nightly 2026-11-22T02:30:00Z", "quarterly 2026-11-23T02:15:00Z"];
    let mut run = Run::start(dir.path(), &clock).await;
    assert_eq!(run.fired().await, expected);
    assert!(run.fired().await.is_empty());
    // The machine sleeps for an hour while the process is there.
    clock.advance(Duration::from_hours(1));
    assert_eq!(run.fired().await, ["nightly 2026-11-23T02:30:00Z", "quarterly 2026-11-23T03:15:00Z"]);
}

#[tokio::test]
async fn a_clock_that_is_set_back_fires_nothing_twice_and_a_wrong_year_is_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let clock = clock("2026-11-20T02:14:59Z");
    let mut run = Run::start(dir.path(), &clock).await;
    assert!(run.fired().await.is_empty());
    clock.advance(Duration::from_secs(1));
    assert_eq!(run.fired().await.len(), 1);
    clock.jump(SignedDuration::from_mins(-10));
    clock.advance(Duration::from_mins(10));
    assert!(run.fired().await.is_empty(), "02:15 was fired");
    clock.advance(Duration::from_mins(15));
    assert_eq!(run.fired().await.len(), 2);
    // For a while the clock is ten years ahead.
    clock.jump(SignedDuration::from_hours(24 * 3653));
    assert_eq!(run.fired().await.len(), 2);
    clock.jump(SignedDuration::from_hours(-24 * 3653));
    assert!(run.fired().await.is_empty());
    clock.advance(Duration::from_mins(15));
    assert_eq!(run.fired().await, ["quarterly 2026-11-20T02:45:00Z"]);
    drop(run);
    let bucket = LocalBucket::open(dir.path()).await.unwrap();
    let settled = LocalTimetable::new(&bucket.inboxes(), "sweeper").unwrap().settled("quarterly").await.unwrap();
    assert_eq!(settled.unwrap().to_string(), "2026-11-20T02:45:00Z");
}
