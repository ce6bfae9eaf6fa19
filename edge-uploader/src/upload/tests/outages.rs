//! A bucket that does not answer, for all objects or for one.

use super::bucket::{Act, Bucket, Looking};
use super::{HOUR, drained, open, record, uploader};
use crate::upload::{Drained, UploadSettings};
use framepost_ports::ErrorKind;
use std::time::Duration;
use tokio::time::Instant;

/// For an hour nothing answers: the puts are few, no more than one in 2.5 s, and spread out; afterwards all goes at once.
#[tokio::test(start_paused = true)]
async fn an_outage_is_probed_and_not_hammered() {
    for kind in [ErrorKind::Transport, ErrorKind::Busy, ErrorKind::Denied, ErrorKind::NotFound] {
        let dir = tempfile::tempdir().unwrap();
        let spool = open(dir.path());
        record(&spool, "a", 50, 8);
        let bucket = Bucket::new(Looking::Denied, []);
        bucket.inside.lock().unwrap().always.push((String::new(), Act::Fail(kind)));
        let (uploader, _shutdown) = uploader(&spool, &bucket, UploadSettings::default());
        assert!(matches!(drained(&uploader, HOUR).await, Drained::Left { objects: 50, .. }));
        assert!(uploader.stats().is_unreachable);
        let puts = bucket.inside.lock().unwrap().puts.len();
        let most = if matches!(kind, ErrorKind::Transport | ErrorKind::Busy) { 3600 * 2 / 5 } else { 300 };
        assert!((8..most).contains(&puts), "{kind}: {puts}");
        bucket.inside.lock().unwrap().always.clear();
        let back = Instant::now();
        assert_eq!(drained(&uploader, HOUR).await, Drained::Empty, "{kind}");
        assert!(back.elapsed() < Duration::from_mins(21), "{kind}: {:?}", back.elapsed());
        assert_eq!((uploader.stats().created_objects, uploader.stats().quarantined_objects), (50, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_ends_an_attempt_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let spool = open(dir.path());
    record(&spool, "a", 3, 10);
    let bucket = Bucket::new(Looking::Denied, []);
    bucket.inside.lock().unwrap().always = vec![(".1.mp4".to_owned(), Act::Panic)];
    let (uploader, _shutdown) = uploader(&spool, &bucket, UploadSettings { workers: 1, ..UploadSettings::default() });
    assert_eq!(drained(&uploader, HOUR).await, Drained::Left { objects: 1, bytes: 14 });
    let tries = bucket.inside.lock().unwrap().puts.iter().filter(|(_, key)| key.contains(".1.mp4")).count();
    assert!((10..=3600).contains(&tries), "{tries} in an hour");
    // What is recorded meanwhile goes on.
    record(&spool, "bb", 3, 10);
    bucket.inside.lock().unwrap().always.clear();
    assert_eq!(drained(&uploader, HOUR).await, Drained::Empty);
    assert_eq!(uploader.stats().created_objects, 6);
}

#[tokio::test(start_paused = true)]
async fn a_stuck_object_does_not_hold_up_the_others() {
    for act in
        [Act::Stall, Act::Fail(ErrorKind::Transport), Act::Fail(ErrorKind::Invalid), Act::Fail(ErrorKind::Corrupt)]
    {
        let dir = tempfile::tempdir().unwrap();
        let spool = open(dir.path());
        record(&spool, "a", 20, 8);
        let bucket = Bucket::new(Looking::Denied, []);
        bucket.inside.lock().unwrap().always.push((".0.mp4".to_owned(), act));
        let (uploader, _shutdown) = uploader(&spool, &bucket, UploadSettings::default());
        let left = drained(&uploader, Duration::from_mins(3)).await;
        let stats = uploader.stats();
        assert_eq!(stats.created_objects, 19, "{act:?}");
        let set_aside = spool.quarantined().len();
        assert!(matches!((left, set_aside), (Drained::Left { objects: 1, .. }, 0) | (Drained::Empty, 1)), "{act:?}");
    }
}
