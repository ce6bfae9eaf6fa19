//! Crashes between the steps of a put. The crate's documentation numbers the steps.

use crate::support::{KEY, files, object};
use framepost_local::{LocalBucket, LocalInbox};
use framepost_ports::{ByteRange, Inbox as _, Keys, ObjectSink as _, ObjectSource as _, Put, Topic};
use std::fs;
use std::path::{Path, PathBuf};

/// The files of one finished put, from which the tests make the state after each step.
struct Finished {
    root: PathBuf,
    id: String,
    note: Vec<u8>,
    meta: PathBuf,
    event: PathBuf,
}

async fn subscriber(bucket: &LocalBucket) -> LocalInbox {
    bucket.inboxes().subscribe("probe", vec![Topic::ObjectFinalized(Keys::default())]).await.unwrap()
}

async fn finished(root: &Path) -> Finished {
    let bucket = LocalBucket::open(root).await.unwrap();
    let inbox = subscriber(&bucket).await;
    assert_eq!(bucket.put(&object(KEY, "bytes")).await.unwrap(), Put::Created);
    drop((bucket, inbox));
    let hidden = root.join(".framepost");
    let [meta] = &files(&hidden.join("meta"))[..] else { panic!() };
    let [event] = &files(&hidden.join("inboxes/probe/waiting"))[..] else { panic!() };
    let id = event.file_stem().unwrap().to_str().unwrap().to_owned();
    let note = fs::read(meta).unwrap();
    Finished { root: root.to_owned(), id, note, meta: meta.clone(), event: event.clone() }
}

impl Finished {
    fn staged(&self, name: &str) -> PathBuf {
        self.root.join(".framepost/tmp").join(name)
    }

    /// Restores the bytes and the note to their state before step 5.
    fn restage(&self) {
        fs::hard_link(self.root.join(KEY), self.staged(&self.id)).unwrap();
        fs::write(self.staged(&format!("{}.json", self.id)), &self.note).unwrap();
    }

    async fn assert_whole(&self) {
        let bucket = LocalBucket::open(&self.root).await.unwrap();
        let read = bucket.read(bucket.name(), KEY, None, ByteRange { start: 0, len: 99 }).await.unwrap();
        assert_eq!(read.bytes, "bytes");
        assert_eq!(read.head.metadata, [("Source".to_owned(), "bytes".to_owned())]);
        let inbox = subscriber(&bucket).await;
        assert_eq!(inbox.len(), 1);
        let received = inbox.receive(2).await.unwrap();
        let body = String::from_utf8_lossy(&received[0].message.body);
        assert!(body.contains(KEY), "{body}");
        assert_eq!(files(&self.root.join(".framepost/tmp")), [""; 0].map(PathBuf::from));
        assert_eq!(bucket.put(&object(KEY, "other")).await.unwrap(), Put::AlreadyExists);
    }
}

#[tokio::test]
async fn before_the_commit_the_put_never_was() {
    let dir = tempfile::tempdir().unwrap();
    let put = finished(dir.path()).await;
    put.restage();
    for path in [&put.meta, &put.event, &put.root.join(KEY)] {
        fs::remove_file(path).unwrap();
    }
    let bucket = LocalBucket::open(&put.root).await.unwrap();
    assert_eq!(files(&put.root.join(".framepost/tmp")), [""; 0].map(PathBuf::from));
    assert!(subscriber(&bucket).await.is_empty());
    assert_eq!(bucket.put(&object(KEY, "other")).await.unwrap(), Put::Created);
}

#[tokio::test]
async fn bytes_without_a_note_or_with_half_of_one_are_swept() {
    let dir = tempfile::tempdir().unwrap();
    let put = finished(dir.path()).await;
    fs::write(put.staged("0-1-2"), "half of the byt").unwrap();
    fs::write(put.staged("0-1-3"), "all of them").unwrap();
    fs::write(put.staged("0-1-3.json"), "{\"id\":\"0-1").unwrap();
    put.assert_whole().await;
}

#[tokio::test]
async fn from_the_commit_on_the_put_stands() {
    for (after, event_is_there, object_is_there) in [(2, false, false), (3, true, false), (4, true, true)] {
        let dir = tempfile::tempdir().unwrap();
        let put = finished(dir.path()).await;
        put.restage();
        if !event_is_there {
            fs::remove_file(&put.event).unwrap();
        }
        if !object_is_there {
            fs::remove_file(put.root.join(KEY)).unwrap();
        }
        eprintln!("crash after step {after}");
        put.assert_whole().await;
    }
}

#[tokio::test]
async fn a_second_writer_finishes_what_the_first_one_committed() {
    let dir = tempfile::tempdir().unwrap();
    let put = finished(dir.path()).await;
    let bucket = LocalBucket::open(&put.root).await.unwrap();
    // The first writer crashed after step 2 while the bucket is open.
    put.restage();
    fs::remove_file(&put.event).unwrap();
    fs::remove_file(put.root.join(KEY)).unwrap();
    assert_eq!(bucket.put(&object(KEY, "other")).await.unwrap(), Put::AlreadyExists);
    drop(bucket);
    put.assert_whole().await;
}

#[tokio::test]
async fn a_file_removed_by_hand_frees_its_key_for_one() {
    let dir = tempfile::tempdir().unwrap();
    let put = finished(dir.path()).await;
    fs::remove_file(put.root.join(KEY)).unwrap();
    let bucket = LocalBucket::open(&put.root).await.unwrap();
    let objects = ["one", "two", "three", "four"].map(|bytes| object(KEY, bytes));
    let puts = futures::future::join_all(objects.iter().map(|object| bucket.put(object))).await;
    let created = puts.iter().filter(|put| matches!(put, Ok(Put::Created))).count();
    assert_eq!(created, 1, "{puts:?}");
    assert_eq!(puts.iter().filter(|put| matches!(put, Ok(Put::AlreadyExists))).count(), 3, "{puts:?}");
}

#[tokio::test]
async fn an_opening_beside_another_leaves_its_puts_alone() {
    let dir = tempfile::tempdir().unwrap();
    let first = LocalBucket::open(dir.path()).await.unwrap();
    let under_way = dir.path().join(".framepost/tmp/0-1-2");
    fs::write(&under_way, "half of the byt").unwrap();
    let second = LocalBucket::open(dir.path()).await.unwrap();
    assert!(under_way.exists());
    drop((first, second));
    LocalBucket::open(dir.path()).await.unwrap();
    assert!(!under_way.exists());
}

#[tokio::test]
async fn listings_are_in_the_order_of_keys() {
    let dir = tempfile::tempdir().unwrap();
    let bucket = LocalBucket::open(dir.path()).await.unwrap();
    let mut keys = ["a/b", "a.b", "a/b.c", "a-b", "b", "a/c/d", "aa"].map(str::to_owned);
    for key in &keys {
        bucket.put(&object(key, "x")).await.unwrap();
    }
    keys.sort_unstable();
    let list = async |prefix: &str, after: &str, limit| -> Vec<String> {
        bucket.list(prefix, after, limit).await.unwrap().into_iter().map(|listed| listed.key).collect()
    };
    assert_eq!(list("", "", 100).await, keys);
    assert_eq!(list("", "", 3).await, keys[..3]);
    for n in 0..keys.len() {
        assert_eq!(list("", &keys[n], 100).await, keys[n + 1..]);
    }
    assert_eq!(list("a/", "", 100).await, ["a/b", "a/b.c", "a/c/d"]);
    assert_eq!(list("a/b", "", 100).await, ["a/b", "a/b.c"]);
    assert_eq!(list("a/", "a/b", 100).await, ["a/b.c", "a/c/d"]);
    assert_eq!(list("nothing", "", 100).await, [""; 0]);
}

#[tokio::test]
async fn a_key_that_needs_a_file_to_be_a_directory_is_invalid() {
    let dir = tempfile::tempdir().unwrap();
    let bucket = LocalBucket::open(dir.path()).await.unwrap();
    bucket.put(&object("a/b", "x")).await.unwrap();
    for key in ["a", "a/b/c", "../x", ".framepost/meta/x"] {
        let error = bucket.put(&object(key, "x")).await.unwrap_err();
        assert_eq!(error.kind(), framepost_ports::ErrorKind::Invalid, "{key}: {}", framepost_ports::chain(&error));
    }
}
