//! Files made to harm, or found by the fuzz target `file`: each ends soon, in words.

#![allow(clippy::unwrap_used, reason = "tests")]

use edge_uploader::camera::file::{FileCamera, FileOptions};
use edge_uploader::camera::{Camera as _, CameraError, CameraEvent};
use std::io::Write as _;
use std::time::Duration;

/// Plays bytes to their end: the frames, and what was said.
async fn played(bytes: &[u8]) -> (usize, Result<(), CameraError>) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    let mut camera = FileCamera::new(file.path(), FileOptions::default());
    let mut frames = 0;
    let play = async {
        let mut session = camera.connect().await?;
        while let Some(event) = session.next().await? {
            frames += usize::from(matches!(event, CameraEvent::Frame(_)));
        }
        Ok(())
    };
    let end = tokio::time::timeout(Duration::from_secs(60), play).await.expect("every file has an end");
    (frames, end)
}

/// An EBML element.
fn element(id: &[u8], body: &[u8]) -> Vec<u8> {
    let size = 0x1000_0000 | u32::try_from(body.len()).unwrap();
    [id, &size.to_be_bytes(), body].concat()
}

/// A Matroska file of one segment.
fn matroska(segment: &[u8]) -> Vec<u8> {
    let header = [element(b"\x42\x82", b"matroska"), element(b"\x42\x87", &[4]), element(b"\x42\x85", &[2])].concat();
    [element(b"\x1a\x45\xdf\xa3", &header), element(b"\x18\x53\x80\x67", segment)].concat()
}

/// An entry of a seek head.
fn seek(id: &[u8], position: u8) -> Vec<u8> {
    element(b"\x4d\xbb", &[element(b"\x53\xab", id), element(b"\x53\xac", &[position])].concat())
}

const SEEK_HEAD: &[u8] = b"\x11\x4d\x9b\x74";

#[tokio::test]
async fn matroska_that_leads_round_in_circles() {
    let crc = element(b"\xbf", &[0; 4]);
    for (name, segment) in [
        ("a checksum in the place of the seek head", crc),
        ("a seek head that names itself", element(SEEK_HEAD, &seek(SEEK_HEAD, 0))),
        ("a seek head that names itself twice", element(SEEK_HEAD, &seek(SEEK_HEAD, 0).repeat(2))),
    ] {
        let (frames, end) = played(&matroska(&segment)).await;
        assert_eq!(frames, 0, "{name}");
        assert!(matches!(end, Err(CameraError::Unusable { .. })), "{name}: {end:?}");
    }
}
