//! Files that are cut short, changed or malformed end in words.

use super::{FILES, played};
use edge_uploader::camera::CameraError;
use edge_uploader::camera::file::FileOptions;
use edge_uploader::media::TrackKind;
use proptest::prelude::*;
use std::path::PathBuf;
use std::time::Duration;

#[tokio::test]
async fn a_truncated_file_gives_what_is_there() {
    let directory = tempfile::tempdir().unwrap();
    for name in ["front.mp4", "fragmented.mp4", "avc.mkv"] {
        let bytes = std::fs::read(FILES.path(name)).unwrap();
        let cut = directory.path().join(name);
        std::fs::write(&cut, &bytes[..bytes.len() * 2 / 3]).unwrap();
        let played = played(&cut, FileOptions::default(), usize::MAX).await;
        let frames = played.of(TrackKind::Video).count();
        assert!((30..75).contains(&frames), "{name}: {frames}");
        let error = played.error.unwrap_or_else(|| panic!("{name}: no error after {frames} frames"));
        let text = error.to_string();
        assert!(matches!(error, CameraError::Unusable { .. }) && text.contains("cut short"), "{name}: {text}");
    }
}

/// A file with its bytes changed, inserted and cut; most changes fall on the structure.
fn mutated(original: &[u8], changes: &[(prop::sample::Index, u8)], cut: Option<prop::sample::Index>) -> Vec<u8> {
    let mut bytes = original.to_vec();
    for (i, (index, byte)) in changes.iter().enumerate() {
        // Every other change lands in the first or the last 4 KiB, where the tables are.
        let near = bytes.len().min(4096);
        let at = match i % 3 {
            0 => index.index(near),
            1 => bytes.len() - near + index.index(near),
            _ => index.index(bytes.len()),
        };
        bytes[at] = *byte;
    }
    if let Some(cut) = cut {
        bytes.truncate(cut.index(bytes.len()));
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damage_never_panics_nor_hangs(
        name in prop::sample::select(vec!["avc.mp4", "front.mp4", "fragmented.mp4", "hybrid.mp4", "avc.mkv", "hevc.mkv"]),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        cut in proptest::option::weighted(0.3, any::<prop::sample::Index>()),
    ) {
        let bytes = mutated(&std::fs::read(FILES.path(name)).unwrap(), &changes, cut);
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(name);
        std::fs::write(&path, &bytes).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let played = runtime.block_on(async {
            tokio::time::timeout(Duration::from_secs(20), played(&path, FileOptions::default(), 100_000)).await
        });
        let played = played.expect("it ends in time");
        prop_assert!(played.frames.iter().all(|frame| frame.data.len() <= bytes.len() + 4096));
        let text = played.error.map(|error| error.to_string()).unwrap_or_default();
        prop_assert!(!text.contains("failed unexpectedly"), "a parser panicked: {}", text);
    }
}

#[tokio::test]
async fn malformed_files_end_in_words() {
    let Some(data) = std::env::var_os("FRAMEPOST_TEST_DATA") else {
        eprintln!("skipped: FRAMEPOST_TEST_DATA is not set");
        return;
    };
    let mut files = 0;
    for directory in std::fs::read_dir(PathBuf::from(data).join("malformed")).unwrap() {
        for file in std::fs::read_dir(directory.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            let ended =
                tokio::time::timeout(Duration::from_secs(10), played(&path, FileOptions::default(), 10_000)).await;
            let ended = ended.unwrap_or_else(|_| panic!("{} hangs", path.display()));
            let told = ended.error.is_some() || !ended.faults.is_empty();
            assert!(!ended.frames.is_empty() || told, "{}: neither frames nor words", path.display());
            let text = ended.error.map(|error| error.to_string()).unwrap_or_default();
            assert!(!text.contains("failed unexpectedly"), "{text}");
            files += 1;
        }
    }
    assert!(files > 0);
}
