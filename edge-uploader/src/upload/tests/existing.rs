//! What is already in the bucket: ours from an earlier try, or another's.

use super::bucket::{Act, Bucket, Looking};
use super::{HOUR, drained, open, record, record_file, start_of, uploader};
use crate::segment::Output;
use crate::spool::{self, Durability, Options, ReadSeek, RepairFailure, SourceFile, Spool, SpoolLimits};
use crate::upload::{Drained, UploadSettings};
use bytes::Bytes;
use framepost_events::attributes::Attributes;
use std::sync::Arc;
use std::time::Duration;

/// (before, script, looking) → (created, already there, quarantined).
#[tokio::test(start_paused = true)]
async fn what_already_exists_means() {
    let ours = "inita0a0a0a0".to_owned();
    type Case<'a> = (&'a str, Option<&'a str>, Vec<Act>, Looking, (u64, u64, u64));
    let cases: [Case<'_>; 6] = [
        ("lost answer, may look", None, vec![Act::LoseAnswer], Looking::Allowed, (0, 1, 0)),
        ("lost answer, put only", None, vec![Act::LoseAnswer], Looking::Denied, (0, 1, 0)),
        ("ours is there, may look", Some(&ours), vec![], Looking::Allowed, (0, 1, 0)),
        ("ours is there, put only", Some(&ours), vec![], Looking::Denied, (0, 0, 1)),
        ("another is there, may look", Some("else"), vec![], Looking::Allowed, (0, 0, 1)),
        ("another is there, put only", Some("else"), vec![], Looking::Denied, (0, 0, 1)),
    ];
    for (name, before, script, looking, expected) in cases {
        let dir = tempfile::tempdir().unwrap();
        let spool = open(dir.path());
        record(&spool, "a", 1, 8);
        let bucket = Bucket::new(looking, script);
        if let Some(before) = before {
            let key = "s/2026-11-20/a/16/00-00Z.0.mp4".to_owned();
            bucket.inside.lock().unwrap().objects.insert(key, before.as_bytes().to_vec());
        }
        let (uploader, _shutdown) = uploader(&spool, &bucket, UploadSettings::default());
        assert_eq!(drained(&uploader, HOUR).await, Drained::Empty, "{name}");
        let stats = uploader.stats();
        let found = (stats.created_objects, stats.already_there_objects, stats.quarantined_objects);
        assert_eq!(found, expected, "{name}");
        assert_eq!(spool.quarantined().len() as u64, expected.2, "{name}");
    }
}

/// The answer is lost, and the process with it: the next one remembers the try.
#[tokio::test(start_paused = true)]
async fn a_try_is_remembered_over_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let spool = open(dir.path());
    record(&spool, "a", 1, 8);
    let bucket = Bucket::new(Looking::Denied, [Act::LoseAnswer]);
    let (first, shutdown) = uploader(&spool, &bucket, UploadSettings::default());
    let lost = async {
        while first.stats().retries.transport == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    lost.await;
    shutdown.cancel();
    drop((first, spool));
    let spool = loop {
        // The lock is free as soon as the last task has noticed.
        let repair = |_: &mut dyn ReadSeek, _: &Attributes| Err(RepairFailure::NothingWhole);
        let limits = SpoolLimits { quota_bytes: 1 << 30, free_floor_bytes: 0 };
        let options = Options { limits, durability: Durability::Chunk, signer: None, repair: Arc::new(repair) };
        match Spool::open(dir.path(), options) {
            Ok((spool, _)) => break spool,
            Err(_) => tokio::time::sleep(Duration::from_millis(1)).await,
        }
    };
    let (second, _shutdown) = uploader(&spool, &bucket, UploadSettings::default());
    assert_eq!(drained(&second, HOUR).await, Drained::Empty);
    assert_eq!((second.stats().already_there_objects, second.stats().quarantined_objects), (1, 0));
}

/// What is in the bucket cannot be compared. As long as the file is as it was, nothing can be lost by letting the spool's copy go.
#[tokio::test(start_paused = true)]
async fn what_a_file_still_holds_is_not_kept_twice() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("clip.mp4");
    std::fs::write(&file, "the recording").unwrap();
    let spool = open(&dir.path().join("spool"));
    let bucket = Bucket::new(Looking::Denied, []);
    let (uploader, _shutdown) = uploader(&spool, &bucket, UploadSettings::default());
    let counts = || (uploader.stats().created_objects, uploader.stats().uncompared_objects, spool.quarantined().len());
    record_file(&spool, &file, "a", 3);
    assert_eq!((drained(&uploader, HOUR).await, counts()), (Drained::Empty, (3, 0, 0)));
    record_file(&spool, &file, "a", 3);
    assert_eq!((drained(&uploader, HOUR).await, counts()), (Drained::Empty, (3, 3, 0)));
    // It is written to, and another recording after that: the copies may be the only ones.
    record_file(&spool, &file, "a", 2);
    std::fs::write(&file, "another").unwrap();
    assert_eq!((drained(&uploader, HOUR).await, counts()), (Drained::Empty, (3, 3, 2)));
    // What is set aside does not stand in the way of what the same file gives, and is not given up for another's.
    record_file(&spool, &file, "bb", 2);
    assert_eq!((drained(&uploader, HOUR).await, counts()), (Drained::Empty, (5, 3, 2)));
    let mut writer = spool.writer("s".parse().unwrap(), "a".parse().unwrap()).unwrap();
    writer.reads(SourceFile::of(&file));
    let begin = Output::Begin { start: start_of("a"), counter: 0, init: Bytes::new(), draft: Attributes::default() };
    assert!(matches!(writer.apply(begin), Err(spool::Error::KeyInQuarantine { .. })));
}
