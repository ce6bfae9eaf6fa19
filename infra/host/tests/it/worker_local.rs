//! A function beside a local inbox: outcomes, panics, and the end; for objects and for records.

use crate::support::ByKey;
use framepost_events::ObjectFinalized;
use framepost_events::record::{self, Record};
use framepost_host::worker::{self, Summary, WorkerLimits};
use framepost_host::{Event, Handler};
use framepost_local::{LOCAL_PANICS_MAX, LocalBucket};
use framepost_ports::{Bus as _, Keys, NewObject, ObjectSink as _, Records, Topic};
use std::sync::Arc;
use std::time::Duration;

fn objects() -> Topic {
    Topic::ObjectFinalized(Keys::default())
}

fn records() -> Topic {
    Topic::Record(Records::of_types(record::TYPES))
}

/// Runs the function over everything that waits for `name`.
async fn drain<E: Event>(bucket: &LocalBucket, name: &str, topic: Topic, function: Arc<ByKey>) -> Summary {
    let inboxes = bucket.inboxes();
    let inbox = Arc::new(inboxes.subscribe(name, vec![topic]).await.unwrap());
    let handler = Handler::new::<E>(function, Some(inbox.clone())).panics_max(LOCAL_PANICS_MAX);
    let limits = WorkerLimits { concurrency: 2, ..WorkerLimits::default() };
    worker::run(handler, inbox, limits, inboxes.drained()).await.unwrap()
}

fn letters(bucket: &std::path::Path, name: &str) -> Vec<String> {
    let dead = bucket.join(".framepost/inboxes").join(name).join("dead");
    let mut letters: Vec<String> =
        std::fs::read_dir(dead).unwrap().map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap()).collect();
    letters.sort();
    letters
}

#[tokio::test(start_paused = true)]
async fn every_object_is_settled_and_none_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let bucket = LocalBucket::open(dir.path().join("footage")).await.unwrap();
    // A subscription stands whether or not its subscriber runs.
    bucket.inboxes().keep("by-key", vec![objects()]).await.unwrap();
    for key in ["a", "b", "panic", "retry", "reject", "skip"] {
        bucket.put(&NewObject::of_bytes(key, "", "x")).await.unwrap();
    }
    let function = Arc::new(ByKey::retrying(5, Duration::from_millis(1)));
    let summary = drain::<ObjectFinalized>(&bucket, "by-key", objects(), function).await;
    assert_eq!(summary, Summary { done: 3, skipped: 1, retried: 5, rejected: 1, panicked: 3 });
    let letters = letters(&dir.path().join("footage"), "by-key");
    assert_eq!(letters.len(), 2, "{letters:?}");
    assert!(letters.iter().any(|letter| letter.contains("\"panic\"") && letter.contains("as asked")), "{letters:?}");
    assert!(letters.iter().any(|letter| letter.contains("\"not-media\"")), "{letters:?}");
}

#[tokio::test(start_paused = true)]
async fn a_function_of_records_gets_records() {
    let dir = tempfile::tempdir().unwrap();
    let bucket = LocalBucket::open(dir.path().join("footage")).await.unwrap();
    let inboxes = bucket.inboxes();
    for name in ["first", "second"] {
        inboxes.keep(name, vec![records()]).await.unwrap();
    }
    let record: Record =
        serde_json::from_str(include_str!("../../../../events/samples/records/chunk-probed.json")).unwrap();
    for _ in 0..3 {
        inboxes.publish(&record).await.unwrap();
    }
    // An object is nothing that they subscribed to.
    bucket.put(&NewObject::of_bytes("reject", "", "x")).await.unwrap();
    for name in ["first", "second"] {
        let function = Arc::new(ByKey::retrying(0, Duration::ZERO));
        let summary = drain::<Record>(&bucket, name, records(), function.clone()).await;
        assert_eq!(summary, Summary { done: 3, ..Summary::default() }, "{name}");
        assert!(letters(&dir.path().join("footage"), name).is_empty());
    }
}
