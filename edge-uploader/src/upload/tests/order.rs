//! What goes when, and how much at a time.

use super::bucket::{Bucket, Looking};
use super::{HOUR, drained, open, record, uploader};
use crate::upload::{Drained, UploadSettings};
use framepost_events::{KeyKind, ObjectKey};
use tokio::time::Instant;

#[tokio::test(start_paused = true)]
async fn everything_arrives_and_leaves_the_spool() {
    let dir = tempfile::tempdir().unwrap();
    let spool = open(dir.path());
    record(&spool, "a", 5, 200_000);
    record(&spool, "bb", 5, 10);
    let bucket = Bucket::new(Looking::Denied, []);
    let (uploader, _shutdown) = uploader(&spool, &bucket, UploadSettings::default());
    assert_eq!(drained(&uploader, HOUR).await, Drained::Empty);
    let stats = uploader.stats();
    assert_eq!((stats.created_objects, stats.sent_bytes), (10, stats.stored_bytes));
    assert_eq!(stats.stored_bytes, 5 * 200_004 + 5 * 14);
    let inside = bucket.inside.lock().unwrap();
    assert_eq!((inside.objects.len(), inside.puts.len()), (10, 10));
    assert!((2..=4).contains(&inside.most_running), "{}", inside.most_running);
}

#[tokio::test(start_paused = true)]
async fn one_task_waits_for_changes_however_many_puts_are_allowed() {
    let dir = tempfile::tempdir().unwrap();
    let spool = open(dir.path());
    let bucket = Bucket::new(Looking::Denied, []);
    let (uploader, _shutdown) = uploader(&spool, &bucket, UploadSettings { workers: 8, ..UploadSettings::default() });
    tokio::task::yield_now().await;
    assert_eq!(spool.listeners(), 1);
    // An idle one uploads what is closed later, one by one and many at once.
    for camera in 1..=20 {
        record(&spool, &"c".repeat(camera), if camera % 2 == 0 { 12 } else { 1 }, 10);
        assert_eq!(drained(&uploader, HOUR).await, Drained::Empty);
        assert_eq!(spool.listeners(), 1);
    }
    let inside = bucket.inside.lock().unwrap();
    assert_eq!(inside.objects.len(), 10 * 12 + 10);
    assert!((2..=8).contains(&inside.most_running), "{}", inside.most_running);
}

#[tokio::test(start_paused = true)]
async fn the_newest_goes_first_and_the_oldest_of_all_keeps_its_share() {
    let dir = tempfile::tempdir().unwrap();
    record(&open(dir.path()), "old", 100, 8);
    let spool = open(dir.path());
    record(&spool, "a", 30, 8);
    let bucket = Bucket::new(Looking::Denied, []);
    let settings = UploadSettings { workers: 1, ..UploadSettings::default() };
    let (uploader, _shutdown) = uploader(&spool, &bucket, settings);
    assert_eq!(drained(&uploader, HOUR).await, Drained::Empty);
    let inside = bucket.inside.lock().unwrap();
    let counters = |camera: &str| -> Vec<u64> {
        let keys = inside.puts[..40].iter().map(|(_, key)| key.parse::<ObjectKey>().unwrap());
        keys.filter(|key| key.camera.as_ref().unwrap().as_str() == camera && key.kind == KeyKind::Chunk)
            .map(|key| key.counter)
            .collect()
    };
    // Each camera's turns go from its newest back; the eighth slots from the oldest of all on.
    let new = counters("a");
    let old = counters("old");
    assert_eq!(new, (0..30).rev().take(new.len()).collect::<Vec<u64>>());
    let share: Vec<u64> = old.iter().copied().filter(|counter| *counter < 50).collect();
    assert_eq!(share, [0, 1, 2, 3, 4]);
    assert!((15..=20).contains(&new.len()), "{new:?} {old:?}");
}

#[tokio::test(start_paused = true)]
async fn the_bandwidth_cap_holds_and_is_no_stall() {
    let dir = tempfile::tempdir().unwrap();
    let spool = open(dir.path());
    record(&spool, "a", 4, 300_000);
    let bucket = Bucket::new(Looking::Denied, []);
    let settings = UploadSettings { bandwidth_bytes_per_second: Some(500), ..UploadSettings::default() };
    let (uploader, _shutdown) = uploader(&spool, &bucket, settings);
    let start = Instant::now();
    assert_eq!(drained(&uploader, HOUR).await, Drained::Empty);
    let seconds = start.elapsed().as_secs();
    assert!((2_390..2_420).contains(&seconds), "{seconds}");
    assert_eq!(uploader.stats().retries.transport, 0);
}
