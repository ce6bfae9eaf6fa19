//! Parameter sets in the file's description, in the frames, and both.

use super::{FILES, played};
use edge_uploader::camera::file::{FileCamera, FileOptions};
use edge_uploader::camera::{Camera as _, CameraEvent};
use edge_uploader::media::{StreamParameters, TrackKind};

#[tokio::test]
async fn the_parameter_sets_of_the_frames_count() {
    for name in ["changing-h264.mp4", "changing-h264.mkv", "changing-hevc.mp4", "changing-hevc.mkv"] {
        let mut session = FileCamera::new(FILES.path(name), FileOptions::default()).connect().await.expect(name);
        let mut told = Vec::new();
        let mut frames = 0;
        while let Some(event) = session.next().await.expect(name) {
            match event {
                CameraEvent::Parameters(StreamParameters { video, .. }) => {
                    told.push((frames, video.width, video.height));
                }
                _ => frames += 1,
            }
        }
        assert_eq!((told, frames), (vec![(0, 192, 108), (25, 96, 64), (50, 192, 108)], 75), "{name}");
    }
}

#[tokio::test]
async fn parameter_sets_may_be_in_the_frames_only() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("avc3.mp4");
    for (source, frames, complete) in [("changing-h264.mp4", 75, true), ("avc.mp4", 0, false)] {
        let mut bytes = std::fs::read(FILES.path(source)).unwrap();
        let avcc = bytes.windows(4).position(|kind| kind == b"avcC").unwrap();
        bytes[avcc + 9..avcc + 11].copy_from_slice(&[0xe0, 0]);
        std::fs::write(&path, &bytes).unwrap();
        let played = played(&path, FileOptions::default(), usize::MAX).await;
        assert_eq!(played.of(TrackKind::Video).count(), frames, "{source}");
        match played.error {
            None => assert!(complete && played.parameters[0].video.width == 192, "{source}: {:?}", played.parameters),
            Some(error) => assert!(!complete && error.to_string().contains("parameter sets"), "{source}: {error}"),
        }
    }
}
