//! What the bucket refuses, or the disk no longer has as it was.

use super::bucket::{Act, Bucket, Looking};
use super::{HOUR, drained, open, record, record_file, uploader};
use crate::upload::{Drained, UploadSettings};
use framepost_ports::ErrorKind;

#[tokio::test(start_paused = true)]
async fn what_is_refused_for_good_is_set_aside_and_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let spool = open(dir.path());
    record(&spool, "a", 3, 8);
    let bucket = Bucket::new(Looking::Denied, []);
    bucket.inside.lock().unwrap().always.push((".1.mp4".to_owned(), Act::Fail(ErrorKind::Invalid)));
    let (uploader, _shutdown) = uploader(&spool, &bucket, UploadSettings::default());
    assert_eq!(drained(&uploader, HOUR).await, Drained::Empty);
    let puts = bucket.inside.lock().unwrap().puts.iter().filter(|(_, key)| key.ends_with(".1.mp4")).count();
    assert_eq!(puts, 4);
    assert!(spool.quarantined()[0].reason.contains("refused as invalid"));
    bucket.inside.lock().unwrap().always.clear();
    assert_eq!(spool.release_quarantine(None).unwrap(), 1);
    assert_eq!(drained(&uploader, HOUR).await, Drained::Empty);
    assert_eq!(uploader.stats().created_objects, 3);
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_of_a_file_is_made_again() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("clip.mp4");
    std::fs::write(&file, "the recording").unwrap();
    let spool = open(&dir.path().join("spool"));
    let bucket = Bucket::new(Looking::Denied, []);
    bucket.inside.lock().unwrap().always.push((".1.mp4".to_owned(), Act::Fail(ErrorKind::Invalid)));
    let (uploader, _shutdown) = uploader(&spool, &bucket, UploadSettings::default());
    for _ in 0..2 {
        record_file(&spool, &file, "a", 3);
        assert_eq!((drained(&uploader, HOUR).await, spool.quarantined().len()), (Drained::Empty, 1));
    }
    bucket.inside.lock().unwrap().always.clear();
    record_file(&spool, &file, "a", 3);
    assert_eq!((drained(&uploader, HOUR).await, spool.quarantined().len()), (Drained::Empty, 0));
    assert_eq!(bucket.inside.lock().unwrap().objects.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_file_that_rotted_is_set_aside_and_one_that_is_gone_is_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let spool = open(dir.path());
    record(&spool, "a", 3, 8);
    let hour = dir.path().join("objects/s/2026-11-20/a/16");
    std::fs::write(hour.join("00-00Z.0.mp4"), "inita0a0a0aX").unwrap();
    std::fs::remove_file(hour.join("00-03Z.1.mp4")).unwrap();
    let bucket = Bucket::new(Looking::Denied, []);
    let (uploader, _shutdown) = uploader(&spool, &bucket, UploadSettings::default());
    assert_eq!(drained(&uploader, HOUR).await, Drained::Empty);
    assert_eq!((uploader.stats().created_objects, spool.quarantined().len()), (1, 1));
    let quarantined = spool.quarantined();
    assert!(quarantined[0].reason.contains("differ from those of the closed chunk"), "{quarantined:?}");
}
