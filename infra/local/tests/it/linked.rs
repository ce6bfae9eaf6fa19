//! Content that is a file on the same file system is linked, and checked against its CRC-32C.

use bytes::Bytes;
use framepost_events::Sha256;
use framepost_local::LocalBucket;
use framepost_ports::{Content, ContentStream, ErrorKind, NewObject, ObjectSink as _, Put};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const BYTES: &[u8] = b"a chunk of footage";
const KEY: &str = "s/2026-11-20/c/15/08-23Z.0.mp4";

struct OnDisk(PathBuf);

impl Content for OnDisk {
    fn len_bytes(&self) -> u64 {
        BYTES.len() as u64
    }

    fn open(&self) -> ContentStream {
        let read = std::fs::read(&self.0).map(Bytes::from);
        Box::pin(futures::stream::iter([read]))
    }

    fn file(&self) -> Option<PathBuf> {
        Some(self.0.clone())
    }
}

fn object(file: &Path) -> NewObject {
    NewObject {
        key: KEY.to_owned(),
        content_type: "video/mp4".to_owned(),
        metadata: vec![],
        sha256: Sha256::of(BYTES),
        crc32c: Some(crc32c::crc32c(BYTES)),
        content: Arc::new(OnDisk(file.to_owned())),
    }
}

struct Place {
    dir: tempfile::TempDir,
    bucket: LocalBucket,
    file: PathBuf,
}

async fn place() -> Place {
    let dir = tempfile::tempdir().expect("a temporary directory works");
    let bucket = LocalBucket::open(dir.path().join("footage")).await.expect("a temporary directory works");
    let file = dir.path().join("spooled");
    std::fs::write(&file, BYTES).expect("a temporary directory works");
    Place { dir, bucket, file }
}

impl Place {
    fn stored(&self) -> PathBuf {
        self.dir.path().join("footage").join(KEY)
    }

    fn staged(&self) -> usize {
        std::fs::read_dir(self.dir.path().join("footage/.framepost/tmp")).expect("a temporary directory works").count()
    }
}

#[tokio::test]
async fn a_file_is_not_copied_and_stays_when_its_first_name_goes() {
    let place = place().await;
    std::fs::set_permissions(&place.file, std::fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(place.bucket.put(&object(&place.file)).await.unwrap(), Put::Created);
    let inode = |path: &Path| std::fs::metadata(path).unwrap().ino();
    assert_eq!(inode(&place.file), inode(&place.stored()));
    std::fs::remove_file(&place.file).unwrap();
    assert_eq!(std::fs::read(place.stored()).unwrap(), BYTES);
    let plain = place.dir.path().join("plain");
    std::fs::write(&plain, "").unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode(&place.stored()), mode(&plain), "the archive's permissions, not the spool's");
    assert_eq!(place.bucket.look(KEY).await.unwrap().sha256, Some(Sha256::of(BYTES)));
    assert_eq!(place.staged(), 0);
}

#[tokio::test]
async fn other_bytes_than_were_closed_are_refused() {
    let place = place().await;
    std::fs::write(&place.file, b"A chunk of footage").unwrap();
    let error = place.bucket.put(&object(&place.file)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    // The same where the bytes come as a stream.
    let stream = NewObject { content: Arc::new(Bytes::from_static(b"A chunk of footage")), ..object(&place.file) };
    assert_eq!(place.bucket.put(&stream).await.unwrap_err().kind(), ErrorKind::Corrupt);
    std::fs::write(&place.file, b"a chunk").unwrap();
    assert!(place.bucket.put(&object(&place.file)).await.is_err());
    assert!(!place.stored().exists());
    assert_eq!(place.staged(), 0);
}

#[tokio::test]
async fn what_cannot_be_linked_is_copied() {
    let place = place().await;
    let elsewhere = place.dir.path().join("by-symlink");
    std::os::unix::fs::symlink(&place.file, &elsewhere).unwrap();
    assert_eq!(place.bucket.put(&object(&elsewhere)).await.unwrap(), Put::Created);
    assert!(std::fs::symlink_metadata(place.stored()).unwrap().is_file());
    assert_eq!(std::fs::metadata(place.stored()).unwrap().nlink(), 1);
    assert_eq!(std::fs::read(place.stored()).unwrap(), BYTES);
    assert_eq!(place.staged(), 0);
}
