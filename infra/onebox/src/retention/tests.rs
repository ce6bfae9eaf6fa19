//! One sweep at a time, over a real bucket.

use super::*;
use framepost_ports::contract::Footage;
use framepost_ports::memory::MemoryCatalog;
use framepost_ports::{Inbox as _, Keys, NewObject, ObjectSink as _, Topic};
use std::time::SystemTime;

struct Case {
    dir: tempfile::TempDir,
    bucket: LocalBucket,
    catalog: Arc<MemoryCatalog>,
}

impl Case {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let bucket = LocalBucket::open(dir.path().join("footage")).await.unwrap();
        Self { dir, bucket, catalog: Arc::default() }
    }

    /// Puts an object of so many hours ago.
    async fn put(&self, key: &str, hours: u64) {
        self.bucket.put(&NewObject::of_bytes(key, "", key.to_owned())).await.unwrap();
        let file = std::fs::File::options().append(true).open(self.dir.path().join("footage").join(key)).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_hours(hours)).unwrap();
    }

    fn retention(&self, limits: RetentionLimits) -> Retention {
        Retention::new(self.bucket.clone(), self.catalog.clone(), limits, self.dir.path())
    }

    async fn keys(&self) -> Vec<String> {
        self.bucket.list("", "", 1000).await.unwrap().into_iter().map(|object| object.key).collect()
    }
}

const HOURS: fn(i64) -> RetentionLimits =
    |hours| RetentionLimits { keep: Some(SignedDuration::from_hours(hours)), keep_bytes: None };

#[tokio::test]
async fn what_a_function_has_yet_to_handle_stays() {
    let case = Case::new().await;
    let inboxes = case.bucket.inboxes();
    let topics = || vec![Topic::ObjectFinalized(Keys::default())];
    let inbox = inboxes.subscribe("probe", topics()).await.unwrap();
    inboxes.keep("left-out", topics()).await.unwrap();
    case.put("in/a.mp4", 30).await;
    let retention = case.retention(HOURS(24));
    retention.sweep().await;
    assert_eq!(case.keys().await, ["in/a.mp4"]);
    let delivery = inbox.receive(1).await.unwrap().remove(0);
    retention.sweep().await;
    assert_eq!(case.keys().await, ["in/a.mp4"], "it is in somebody's hands");
    delivery.done().await.unwrap();
    retention.sweep().await;
    assert_eq!(case.keys().await, [""; 0], "nobody waits for a function that does not run");
}

#[tokio::test]
async fn a_hold_covers_what_reaches_into_it() {
    let mut footage = Footage::new(3);
    let camera = Footage::camera(0);
    let case = Case::new().await;
    let mut keys = Vec::new();
    for n in 0..4_i64 {
        // Three seconds each.
        let records = footage.chunk(&camera, n * 3_000, n.unsigned_abs(), "1");
        keys.push(records[0].data.object().key.clone());
        let changes = [framepost_ports::catalog::Change::Record(Box::new(records[0].clone()))];
        case.catalog.apply(&changes).await.unwrap();
    }
    let gap = footage.gap(&camera, -60_000, 60_000);
    keys.insert(0, gap.data.object().key.clone());
    case.catalog.apply(&[framepost_ports::catalog::Change::Record(Box::new(gap))]).await.unwrap();
    for key in &keys {
        case.put(key, 30).await;
    }
    let at = |ms: i64| footage.start() + SignedDuration::from_millis(ms);
    let mut hold = Hold {
        id: "h".to_owned(),
        camera,
        within: Interval { from: at(-30_000), to: at(3_001) },
        reason: String::new(),
        created: at(0),
        created_by: None,
    };
    case.catalog.hold(&hold).await.unwrap();
    let retention = case.retention(HOURS(24));
    retention.sweep().await;
    assert_eq!(case.keys().await, {
        let mut left = keys[..3].to_vec();
        left.sort();
        left
    });
    // Only the end of the second chunk: a microsecond of it.
    hold.within = Interval { from: at(5_999) + SignedDuration::from_micros(999), to: at(60_000) };
    case.catalog.hold(&hold).await.unwrap();
    retention.sweep().await;
    assert_eq!(case.keys().await, [keys[2].clone()]);
    hold.within.from = at(6_000);
    case.catalog.hold(&hold).await.unwrap();
    retention.sweep().await;
    assert_eq!(case.keys().await, [""; 0]);
}

#[tokio::test]
async fn the_oldest_go_whatever_they_are_called() {
    let case = Case::new().await;
    for n in 0..40 {
        case.put(&format!("in/{n:02}"), 100 - n).await;
    }
    case.put("exports/1/a.mp4", 1_000).await;
    std::fs::write(case.dir.path().join("footage/by-hand"), "x").unwrap();
    let limits = RetentionLimits { keep: None, keep_bytes: Some(5 * 10) };
    case.retention(limits).sweep().await;
    let left: Vec<String> = (31..40).map(|n| format!("in/{n:02}")).collect();
    let expected: Vec<&str> =
        ["by-hand", "exports/1/a.mp4"].into_iter().chain(left.iter().map(String::as_str)).collect();
    assert_eq!(case.keys().await, expected, "9 objects of 5 bytes, and a file that counts and stays");
}
