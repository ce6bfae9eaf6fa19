//! On a real file system.

use super::scenario::{Outside, options};
use crate::spool::{Claim, Durability, Error, Order, Spool, Tried};

fn open(dir: &std::path::Path) -> Spool {
    Spool::open(dir, options(1 << 30, Durability::Fragment)).unwrap().0
}

#[test]
fn a_second_process_is_told_which_directory() {
    let dir = tempfile::tempdir().unwrap();
    let spool = open(dir.path());
    let Err(error) = Spool::open(dir.path(), options(1 << 30, Durability::Fragment)) else { panic!("opened twice") };
    assert!(matches!(&error, Error::Locked { .. }));
    assert!(error.to_string().contains(dir.path().to_str().unwrap()), "{error}");
    drop(spool);
    open(dir.path());
}

#[test]
fn one_camera_one_writer() {
    let dir = tempfile::tempdir().unwrap();
    let spool = open(dir.path());
    let writer = spool.writer("s".parse().unwrap(), "c".parse().unwrap()).unwrap();
    assert!(matches!(spool.writer("s".parse().unwrap(), "c".parse().unwrap()), Err(Error::WriterTaken { .. })));
    drop(writer);
    assert!(spool.writer("s".parse().unwrap(), "c".parse().unwrap()).is_ok());
}

#[test]
fn foreign_files_are_left_alone_and_nothing_else_is_left() {
    let dir = tempfile::tempdir().unwrap();
    let mut outside = Outside::new();
    let objects = dir.path().join("objects");
    std::fs::create_dir_all(objects.join("s/2026-11-20/c/10/deep/deeper")).unwrap();
    let foreign = [
        objects.join("notes.txt"),
        objects.join("s/2026-11-20/c/10/08-23.5Z.0.mp4"),
        objects.join("s/2026-11-20/c/10/deep/deeper/59-50Z.0.mp4"),
    ];
    for path in &foreign {
        std::fs::write(path, "mine").unwrap();
    }
    std::os::unix::fs::symlink("/", objects.join("s/2026-11-20/loop")).unwrap();
    let orphan = objects.join("s/2026-11-20/c/10/59-50Z.0.mp4.try");
    std::fs::write(&orphan, "").unwrap();
    let spool = open(dir.path());
    assert!(!orphan.exists());
    let mut writer = spool.writer("s".parse().unwrap(), "d".parse().unwrap()).unwrap();
    outside.span(&mut writer, 2).unwrap();
    outside.upload(&spool, 9).unwrap();
    outside.check_nothing_lost();
    assert!(foreign.iter().all(|path| path.exists()));
    assert!(!objects.join("s/2026-11-20/d").exists(), "empty directories are pruned");
}

#[test]
fn quarantine_and_tries_survive_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let mut outside = Outside::new();
    let spool = open(dir.path());
    let mut writer = spool.writer("s".parse().unwrap(), "c".parse().unwrap()).unwrap();
    outside.span(&mut writer, 2).unwrap();
    let take = |spool: &Spool| spool.claim(Order::Oldest, &|_| false);
    let claim = take(&spool).unwrap();
    claim.mark_tried().unwrap();
    let bad = claim.key().clone();
    claim.quarantine("the bucket says no").unwrap();
    take(&spool).unwrap().mark_tried().unwrap();
    drop((writer, spool));

    let spool = open(dir.path());
    let quarantined = spool.quarantined();
    assert_eq!((quarantined.len(), &quarantined[0].key), (1, &bad));
    assert_eq!(quarantined[0].reason, "the bucket says no");
    let first = take(&spool).unwrap();
    let second = take(&spool).unwrap();
    assert_eq!((first.tried(), second.tried()), (Tried::Before, Tried::Never));
    assert!(take(&spool).is_none());
    assert_eq!(spool.release_quarantine(Some(&bad)).unwrap(), 1);
    assert_eq!(take(&spool).unwrap().key(), &bad);
    drop((first, second));
    outside.upload(&spool, 9).unwrap();
    outside.check_nothing_lost();
}

fn names(claims: &[Claim]) -> Vec<String> {
    claims.iter().map(|c| format!("{}{}", c.key().camera.as_ref().unwrap(), c.key().counter)).collect()
}

#[test]
fn cameras_take_turns_with_their_newest_and_the_oldest_of_all_has_its_slot() {
    let dir = tempfile::tempdir().unwrap();
    let mut outside = Outside::new();
    let spool = open(dir.path());
    for camera in ["a", "b"] {
        let mut writer = spool.writer("s".parse().unwrap(), camera.parse().unwrap()).unwrap();
        for counter in 0..3 {
            outside.chunk(&mut writer, counter, 1).unwrap();
        }
    }
    let all = |order| std::iter::from_fn(|| spool.claim(order, &|_| false)).collect::<Vec<_>>();
    assert_eq!(names(&all(Order::Newest)), ["a2", "b2", "a1", "b1", "a0", "b0"]);
    assert_eq!(names(&all(Order::Oldest)), ["a0", "a1", "a2", "b0", "b1", "b2"]);
}

/// A camera whose clock was set back is not taken for one with old footage, nor its newest for its oldest.
#[test]
fn newest_is_what_was_closed_last_whatever_its_time_says() {
    let dir = tempfile::tempdir().unwrap();
    let mut outside = Outside::new();
    let spool = open(dir.path());
    let mut honest = spool.writer("s".parse().unwrap(), "honest".parse().unwrap()).unwrap();
    outside.chunk(&mut honest, 0, 1).unwrap();
    let mut lying = spool.writer("s".parse().unwrap(), "lying".parse().unwrap()).unwrap();
    outside.chunk(&mut lying, 0, 1).unwrap();
    outside.now -= jiff::SignedDuration::from_hours(1);
    outside.chunk(&mut lying, 1, 1).unwrap();
    let all = |order| std::iter::from_fn(|| spool.claim(order, &|_| false)).collect::<Vec<_>>();
    assert_eq!(names(&all(Order::Oldest)), ["honest0", "lying0", "lying1"]);
    assert_eq!(names(&all(Order::Newest)), ["honest0", "lying1", "lying0"]);
}
