//! A function beside a local queue: outcomes, panics, and the end.

#![allow(clippy::unwrap_used)]

use bytes::Bytes;
use framepost_events::{ObjectFinalized, Sha256};
use framepost_host::{Limits, Summary, in_process};
use framepost_local::{Events, LocalBucket};
use framepost_ports::{Function, NewObject, ObjectSink as _, Outcome, Reason};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

#[derive(Default)]
struct ByKey {
    retries: AtomicU32,
}

#[async_trait::async_trait]
impl Function<ObjectFinalized> for ByKey {
    fn name(&self) -> &'static str {
        "by-key"
    }

    async fn handle(&self, event: ObjectFinalized) -> Outcome {
        match event.key.as_str() {
            "panic" => panic!("as asked"),
            "retry" if self.retries.fetch_add(1, Ordering::Relaxed) < 5 => {
                Outcome::Retry { after: Duration::from_millis(1), reason: Reason::new("busy", "as asked") }
            }
            "reject" => Outcome::Reject(Reason::new("not-media", "as asked")),
            "skip" => Outcome::Skip(Reason::new("not-ours", "as asked")),
            _ => Outcome::Done,
        }
    }
}

#[tokio::test]
async fn every_event_is_settled_and_none_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let bucket = LocalBucket::open(dir.path().join("footage"), Events::Raise).await.unwrap();
    for key in ["a", "b", "panic", "retry", "reject", "skip"] {
        let bytes = Bytes::from_static(b"x");
        let object = NewObject {
            key: key.to_owned(),
            content_type: String::new(),
            metadata: vec![],
            sha256: Sha256::of(&bytes),
            crc32c: None,
            content: Arc::new(bytes),
        };
        bucket.put(&object).await.unwrap();
    }
    let queue = bucket.queue().unwrap();
    let limits = Limits { concurrency: 2, attempts: 3, pause: Duration::from_millis(1) };
    let shutdown = {
        let queue = queue.clone();
        async move { queue.drained().await }
    };
    let summary = in_process::run(queue.clone(), Arc::new(ByKey::default()), limits, shutdown).await.unwrap();
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
