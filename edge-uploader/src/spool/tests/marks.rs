//! The mark that a put was sent: a second name of the sidecar.

use super::super::fs::{DiskFs, Fs as _};
use super::scenario::{Outside, options};
use crate::spool::{Claim, Durability, Order, Spool, Tried};
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

fn open(dir: &Path) -> Spool {
    Spool::open(dir, options(1 << 30, Durability::Fragment)).unwrap().0
}

fn file(dir: &Path, claim: &Claim, suffix: &str) -> PathBuf {
    dir.join("objects").join(format!("{}{suffix}", claim.key()))
}

fn take(spool: &Spool) -> Claim {
    spool.claim(Order::Oldest, &|_| false).unwrap()
}

fn links(path: &Path) -> u64 {
    std::fs::metadata(path).unwrap().nlink()
}

/// A spool with the chunks and the end of one span.
fn spool_of_a_span(dir: &Path, chunks: u64) -> (Spool, Outside) {
    let mut outside = Outside::new();
    let spool = open(dir);
    outside.span(&mut spool.writer("s".parse().unwrap(), "c".parse().unwrap()).unwrap(), chunks).unwrap();
    (spool, outside)
}

#[test]
fn a_mark_is_another_name_of_the_sidecar_and_goes_without_it() {
    let dir = tempfile::tempdir().unwrap();
    let (spool, mut outside) = spool_of_a_span(dir.path(), 1);
    let claim = take(&spool);
    let meta = file(dir.path(), &claim, ".meta");
    let mark = file(dir.path(), &claim, ".try");
    let said = std::fs::read(&meta).unwrap();
    claim.mark_tried().unwrap();
    assert_eq!((links(&meta), std::fs::read(&mark).unwrap()), (2, said.clone()));
    claim.reader().refused();
    assert!(!mark.exists());
    assert_eq!((links(&meta), std::fs::read(&meta).unwrap()), (1, said.clone()));
    drop(claim);
    // A put that fails and is repeated has one mark.
    for _ in 0..2 {
        let claim = take(&spool);
        claim.mark_tried().unwrap();
        drop(claim);
    }
    drop(spool);
    let spool = open(dir.path());
    let claim = take(&spool);
    assert_eq!((claim.tried(), std::fs::read(&meta).unwrap()), (Tried::Before, said));
    drop(claim);
    outside.upload(&spool, 9).unwrap();
    outside.check_nothing_lost();
    assert!(!mark.exists() && !meta.exists());
}

/// What an earlier version wrote, what a copy of the spool without links has, and a mark that is left where it was refused.
#[test]
fn any_file_with_a_marks_name_is_one() {
    for content in [&b""[..], b"{}", b"anything"] {
        let dir = tempfile::tempdir().unwrap();
        let (spool, mut outside) = spool_of_a_span(dir.path(), 1);
        let claim = take(&spool);
        let meta = file(dir.path(), &claim, ".meta");
        let mark = file(dir.path(), &claim, ".try");
        let said = std::fs::read(&meta).unwrap();
        std::fs::write(&mark, content).unwrap();
        claim.mark_tried().unwrap();
        assert_eq!((std::fs::read(&meta).unwrap(), std::fs::read(&mark).unwrap()), (said.clone(), content.to_vec()));
        drop((claim, spool));
        let spool = open(dir.path());
        let claim = take(&spool);
        assert_eq!((claim.tried(), std::fs::read(&meta).unwrap()), (Tried::Before, said));
        claim.reader().refused();
        assert!(!mark.exists());
        drop(claim);
        outside.upload(&spool, 9).unwrap();
        outside.check_nothing_lost();
    }
}

#[test]
fn an_object_whose_sidecar_is_gone_is_marked_by_an_empty_file() {
    let dir = tempfile::tempdir().unwrap();
    let (spool, _) = spool_of_a_span(dir.path(), 1);
    let claim = take(&spool);
    std::fs::remove_file(file(dir.path(), &claim, ".meta")).unwrap();
    claim.mark_tried().unwrap();
    assert_eq!(std::fs::metadata(file(dir.path(), &claim, ".try")).unwrap().len(), 0);
}

#[test]
fn quarantine_and_release_leave_the_sidecar_whole() {
    let dir = tempfile::tempdir().unwrap();
    let (spool, mut outside) = spool_of_a_span(dir.path(), 1);
    let claim = take(&spool);
    let key = claim.key().clone();
    let meta = file(dir.path(), &claim, ".meta");
    let mark = file(dir.path(), &claim, ".try");
    let said = std::fs::read(&meta).unwrap();
    claim.mark_tried().unwrap();
    claim.quarantine("the bucket says no").unwrap();
    drop(spool);
    let spool = Spool::open_unmended(dir.path()).unwrap();
    assert_eq!(spool.release_quarantine(Some(&key)).unwrap(), 1);
    assert!(!mark.exists());
    assert_eq!((links(&meta), std::fs::read(&meta).unwrap()), (1, said));
    drop(spool);
    let spool = open(dir.path());
    assert_eq!(take(&spool).tried(), Tried::Never);
    outside.upload(&spool, 9).unwrap();
    outside.check_nothing_lost();
}

/// As an earlier version writes its marks, and as somebody could have linked a file of the spool elsewhere.
#[test]
fn a_file_that_is_written_anew_leaves_its_other_names_alone() {
    let dir = tempfile::tempdir().unwrap();
    let fs = DiskFs::new(dir.path());
    let _lock = fs.lock(&dir.path().join(".lock")).unwrap();
    let first = dir.path().join("first");
    let second = dir.path().join("second");
    fs.create(&first).unwrap().write_all(b"first").unwrap();
    fs.link(&first, &second).unwrap();
    assert_eq!(fs.link(&first, &second).unwrap_err().kind(), std::io::ErrorKind::AlreadyExists);
    fs.create(&second).unwrap().write_all(b"second").unwrap();
    assert_eq!((std::fs::read(&first).unwrap(), std::fs::read(&second).unwrap()), (b"first".into(), b"second".into()));
    // A symbolic link gets a second name itself; no name of ours leads elsewhere.
    let outside = tempfile::NamedTempFile::new().unwrap();
    std::os::unix::fs::symlink(outside.path(), dir.path().join("planted")).unwrap();
    fs.link(&dir.path().join("planted"), &dir.path().join("third")).unwrap();
    assert!(fs.open_read(&dir.path().join("third")).is_err());
    assert_eq!(std::fs::metadata(outside.path()).unwrap().nlink(), 1);
}
