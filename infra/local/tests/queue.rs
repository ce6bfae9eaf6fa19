//! Events come at least once, also across a restart, and leave only when they are acknowledged or parked.

#![allow(clippy::unwrap_used)]

use framepost_local::{Events, LocalBucket};
use framepost_ports::{NewObject, ObjectSink as _, Reason};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

async fn open(dir: &Path) -> LocalBucket {
    LocalBucket::open(dir.join("footage"), Events::Raise).await.unwrap()
}

async fn put(bucket: &LocalBucket, key: &str) {
    bucket.put(&NewObject::of_bytes(key, "", key.to_owned())).await.unwrap();
}

#[tokio::test]
async fn what_was_not_acknowledged_comes_again_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let bucket = open(dir.path()).await;
    for key in ["a", "b", "c"] {
        put(&bucket, key).await;
    }
    let queue = bucket.queue().unwrap();
    let first = queue.receive().await.unwrap();
    assert_eq!((first.event().key.as_str(), first.event().bucket.as_str(), first.attempts()), ("a", "footage", 1));
    assert_eq!(first.event().size, Some(1));
    first.ack().await.unwrap();
    let in_hand = queue.receive().await.unwrap();
    // The process ends with one event in hand and one that waits.
    std::mem::forget(in_hand);
    drop((bucket, queue));

    let bucket = open(dir.path()).await;
    let queue = bucket.queue().unwrap();
    for key in ["b", "c"] {
        let message = queue.receive().await.unwrap();
        assert_eq!(message.event().key, key);
        message.ack().await.unwrap();
    }
    queue.drained().await;
    assert!(queue.is_empty());
}

#[tokio::test]
async fn a_dropped_message_is_due_at_once_and_a_nacked_one_later() {
    let dir = tempfile::tempdir().unwrap();
    let bucket = open(dir.path()).await;
    let queue = bucket.queue().unwrap();
    let (received, ()) = tokio::join!(queue.receive(), put(&bucket, "a"));
    drop(received.unwrap());
    let again = queue.receive().await.unwrap();
    assert_eq!(again.attempts(), 2);
    let delay = Duration::from_millis(50);
    let before = tokio::time::Instant::now();
    again.nack(delay);
    let later = queue.receive().await.unwrap();
    assert!(before.elapsed() >= delay);
    assert_eq!(later.attempts(), 3);
}

#[tokio::test]
async fn a_parked_event_lies_with_its_reason() {
    let dir = tempfile::tempdir().unwrap();
    let bucket = open(dir.path()).await;
    put(&bucket, "a").await;
    let queue = bucket.queue().unwrap();
    let message = queue.receive().await.unwrap();
    message.park(&Reason::new("not-media", "it begins like a picture")).await.unwrap();
    queue.drained().await;
    let dead: Vec<_> = std::fs::read_dir(dir.path().join("footage/.framepost/dead")).unwrap().collect();
    assert_eq!(dead.len(), 1);
    let letter = std::fs::read_to_string(dead[0].as_ref().unwrap().path()).unwrap();
    assert!(letter.contains("\"not-media\"") && letter.contains("\"key\":\"a\""), "{letter}");
    drop((bucket, queue));
    assert!(open(dir.path()).await.queue().unwrap().is_empty());
}

#[tokio::test]
async fn an_event_that_cannot_be_read_is_parked_and_the_next_one_comes() {
    let dir = tempfile::tempdir().unwrap();
    let bucket = open(dir.path()).await;
    put(&bucket, "a").await;
    drop(bucket);
    std::fs::write(dir.path().join("footage/.framepost/events/0000-0-0.json"), "{").unwrap();
    let bucket = open(dir.path()).await;
    let queue = bucket.queue().unwrap();
    assert_eq!(queue.len(), 2);
    assert_eq!(queue.receive().await.unwrap().event().key, "a");
    assert_eq!(queue.len(), 1);
}

#[tokio::test]
async fn many_takers_take_each_event_once() {
    let dir = tempfile::tempdir().unwrap();
    let bucket = open(dir.path()).await;
    let queue = bucket.queue().unwrap();
    let taken = Arc::new(std::sync::Mutex::new(vec![]));
    let takers: Vec<_> = (0..4)
        .map(|_| {
            let (queue, taken) = (queue.clone(), taken.clone());
            tokio::spawn(async move {
                loop {
                    let message = queue.receive().await.unwrap();
                    taken.lock().unwrap().push(message.event().key.clone());
                    message.ack().await.unwrap();
                }
            })
        })
        .collect();
    let keys: Vec<String> = (0..20).map(|n| format!("k/{n:02}")).collect();
    for key in &keys {
        put(&bucket, key).await;
    }
    queue.drained().await;
    takers.iter().for_each(tokio::task::JoinHandle::abort);
    let mut taken = taken.lock().unwrap().clone();
    taken.sort();
    assert_eq!(taken, keys);
}
