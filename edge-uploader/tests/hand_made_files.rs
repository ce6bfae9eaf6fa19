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
    let end = tokio::time::timeout(Duration::from_mins(1), play).await.expect("every file has an end");
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

/// A box of ISO/IEC 14496-12.
fn mp4_box(kind: [u8; 4], body: &[u8]) -> Vec<u8> {
    let size = u32::try_from(8 + body.len()).unwrap();
    [&size.to_be_bytes()[..], &kind, body].concat()
}

/// A file among the fuzz targets' seeds.
fn seed(name: &str) -> Vec<u8> {
    let seeds = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fuzz/seeds/media");
    std::fs::read(std::path::Path::new(seeds).join(name)).unwrap()
}

fn position(bytes: &[u8], what: &[u8]) -> usize {
    bytes.windows(what.len()).position(|found| found == what).unwrap()
}

#[tokio::test]
async fn the_seeds_play() {
    for name in ["h264-aac.mp4", "faststart.mp4", "fragments.mp4", "h265.mp4", "h264.mkv", "h265-aac.mkv", "live.mkv"] {
        let (frames, end) = played(&seed(name)).await;
        assert!(frames >= 8 && end.is_ok(), "{name}: {frames} frames, {end:?}");
    }
}

#[tokio::test]
async fn samples_without_bytes_are_not_counted_for_ever() {
    let start = seed("fragments.mp4");
    let start = &start[..position(&start, b"moof") - 4];
    for track in [1_u32, 99] {
        let run = mp4_box(*b"trun", &[[0; 4], (1_u32 << 18).to_be_bytes()].concat());
        let header = mp4_box(*b"tfhd", &[[0; 4], track.to_be_bytes()].concat());
        let moof = mp4_box(*b"moof", &mp4_box(*b"traf", &[header, run].concat()));
        let (frames, end) = played(&[start, &moof.repeat(40_000)].concat()).await;
        assert_eq!(frames, 0);
        let end = end.unwrap_err().to_string();
        assert!(end.contains("too many samples"), "{end}");
    }
}

#[tokio::test]
async fn a_table_has_no_more_samples_than_the_file_bytes() {
    let mut bytes = seed("faststart.mp4");
    let stsz = position(&bytes, b"stsz");
    // All of one byte, four billion of them.
    bytes[stsz + 8..stsz + 16].copy_from_slice(&[0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff]);
    let (frames, end) = played(&bytes).await;
    assert_eq!(frames, 0);
    let end = end.unwrap_err().to_string();
    assert!(end.contains("4294967295 samples"), "{end}");
}
