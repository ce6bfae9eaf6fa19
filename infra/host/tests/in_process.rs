//! A function beside a local queue: outcomes, panics, and the end.

#![allow(clippy::unwrap_used)]

mod support;

use framepost_events::ObjectFinalized;
use framepost_host::{Limits, Summary, in_process};
use framepost_local::{Events, LocalBucket};
use framepost_ports::{NewObject, ObjectSink as _};
use std::sync::Arc;
use std::time::Duration;
use support::ByKey;

#[tokio::test]
async fn every_event_is_settled_and_none_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let bucket = LocalBucket::open(dir.path().join("footage"), Events::Raise).await.unwrap();
    for key in ["a", "b", "panic", "retry", "reject", "skip"] {
        bucket.put(&NewObject::of_bytes(key, "", "x")).await.unwrap();
    }
    let queue = bucket.queue().unwrap();
    let limits = Limits { concurrency: 2, attempts: 3, pause: Duration::from_millis(1) };
    let function = Arc::new(ByKey::retrying(5, Duration::from_millis(1)));
    let shutdown = {
        let queue = queue.clone();
        async move { queue.drained().await }
    };
    let summary = in_process::run::<ObjectFinalized>(queue.clone(), function, limits, shutdown).await.unwrap();
    // The last one to be settled is counted whichever of the two is seen first.
    assert_eq!(summary, Summary { done: 3, skipped: 1, retried: 5, rejected: 1, panicked: 3 });
    let mut dead: Vec<String> = std::fs::read_dir(dir.path().join("footage/.framepost/dead"))
        .unwrap()
        .map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap())
        .collect();
    dead.sort();
    assert_eq!(dead.len(), 2, "{dead:?}");
    assert!(dead.iter().any(|letter| letter.contains("\"panic\"") && letter.contains("as asked")), "{dead:?}");
    assert!(dead.iter().any(|letter| letter.contains("\"not-media\"")), "{dead:?}");
}
