//! The footage that people walk through and bottles pass in, where it is there.

use crate::support::{Object, chunk, decoder, ffmpeg};
use bytes::Bytes;
use framepost_events::detection::Bounds;
use framepost_events::record::Container;
use framepost_infer::pictures::{Wanted, pictures};
use framepost_local::MotionDetector;
use framepost_ports::Detector as _;
use std::path::PathBuf;
use std::process::Command;

pub(crate) fn clip(name: &str) -> Option<PathBuf> {
    let data = std::env::var_os("FRAMEPOST_TEST_DATA")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data")), PathBuf::from);
    let path = data.join("clips").join(name);
    if !path.exists() {
        println!("skipped: {} is not there", path.display());
        return None;
    }
    Some(path)
}

/// Three seconds of a clip from `start` on, encoded again so that they begin there.
fn cut(path: &std::path::Path, start: f64) -> Option<Bytes> {
    let dir = tempfile::tempdir().unwrap();
    let to = dir.path().join("cut.mp4");
    let status = Command::new(ffmpeg()?)
        .args(["-nostdin", "-v", "error", "-y", "-ss", &start.to_string(), "-t", "3", "-i"])
        .arg(path)
        .args(["-c:v", "libx264", "-preset", "veryfast", "-an"])
        .arg(&to)
        .status()
        .unwrap();
    assert!(status.success());
    Some(std::fs::read(to).unwrap().into())
}

/// The boxes in each picture of three seconds.
async fn moving(path: &std::path::Path, start: f64) -> Vec<Vec<Bounds>> {
    let bytes = cut(path, start).unwrap();
    let chunk = chunk(&bytes, Container::Mp4, 3.0);
    let object = Object::of(bytes);
    let decoded = pictures(&object, &decoder().unwrap(), &chunk, Wanted::PerSecond(3.0)).await.unwrap();
    let seen = MotionDetector::default().detect(&decoded).await.unwrap();
    seen.into_iter().map(|seen| seen.into_iter().map(|detection| detection.bounds).collect()).collect()
}

#[tokio::test]
async fn who_walks_into_the_room_is_boxed_and_an_empty_room_is_not() {
    let (Some(path), Some(_)) = (clip("one-by-one-person-detection.mp4"), decoder()) else { return };
    for (start, expected) in [(0.0, 0), (3.0, 0), (6.0, 8), (42.0, 8), (63.0, 8)] {
        let boxes = moving(&path, start).await;
        let large = boxes.iter().filter(|boxes| boxes.iter().any(|bounds| bounds.height > 0.35)).count();
        let all: usize = boxes.iter().map(Vec::len).sum();
        assert!(large >= expected && (expected > 0 || all == 0), "from {start} s: {boxes:?}");
    }
}
