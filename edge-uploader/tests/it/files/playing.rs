//! The wall clock of a file, its pace and its repetition, and files that cannot be recorded.

use super::{FILES, played};
use edge_uploader::camera::file::{Began, FileCamera, FileOptions, Pace, Repeat};
use edge_uploader::camera::{Camera as _, CameraError, CameraEvent};
use edge_uploader::media::{Timing, TrackKind};
use framepost_events::attributes::ClockSource;
use std::time::Duration;

#[tokio::test]
async fn the_wall_clock_is_given_or_the_files_own() {
    let start = "2020-02-02T02:02:02.5Z".parse().unwrap();
    let avc = FILES.path("avc.mp4");
    let given = played(&avc, FileOptions { start: Some(Began::given(start)), ..FileOptions::default() }, 1).await;
    assert_eq!(given.timing, Some(Timing::Media { start, source: ClockSource::Given }));
    let created = "2026-01-02T03:04:05Z".parse().unwrap();
    for name in ["avc.mp4", "avc.mkv", "fragmented.mp4"] {
        let own = played(&FILES.path(name), FileOptions::default(), 1).await;
        assert_eq!(own.timing, Some(Timing::Media { start: created, source: ClockSource::File }), "{name}");
    }
    let hevc = FILES.path("hevc.mp4");
    let written = "2026-03-04T05:06:10Z".parse::<jiff::Timestamp>().unwrap();
    std::fs::File::options().append(true).open(&hevc).unwrap().set_modified(written.into()).unwrap();
    let start = "2026-03-04T05:06:07Z".parse().unwrap();
    let own = played(&hevc, FileOptions::default(), 1).await;
    assert_eq!(own.timing, Some(Timing::Media { start, source: ClockSource::File }));
    let looped = played(&avc, FileOptions { repeat: Repeat::Forever, ..FileOptions::default() }, 1).await;
    assert_eq!((looped.timing, looped.total), (Some(Timing::Arrival), None));
}

#[tokio::test]
async fn what_cannot_be_recorded_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let text = directory.path().join("notes.mp4");
    std::fs::write(&text, "not a video at all").unwrap();
    let empty = directory.path().join("empty.mp4");
    std::fs::write(&empty, "").unwrap();
    for (path, words) in [
        (FILES.path("mpeg4.mp4"), "mp4v; H.264 and H.265"),
        (FILES.path("vp8.webm"), "V_VP8; H.264 and H.265"),
        (text, "neither MP4 nor Matroska"),
        (empty, "empty"),
        (directory.path().join("missing.mp4"), "cannot be opened"),
        (directory.path().to_owned(), "not a regular file"),
    ] {
        let error = played(&path, FileOptions::default(), 1).await.error.expect("an error");
        assert!(matches!(&error, CameraError::Unusable { problem, .. } if problem.contains(words)), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_repeated_file_goes_on_like_a_live_camera() {
    let options = FileOptions { repeat: Repeat::Forever, pace: Pace::Live, ..FileOptions::default() };
    let began = tokio::time::Instant::now();
    let played = played(&FILES.path("avc.mp4"), options, 700).await;
    let took = began.elapsed();
    assert!(played.error.is_none());
    assert_eq!(played.parameters.len(), 1, "the same parameters are not told again");
    let mut video: Vec<_> = played.of(TrackKind::Video).map(|f| f.pts).collect();
    assert!(video.len() > 75 * 3);
    video.sort_unstable();
    let scale = i64::from(played.parameters[0].video.timescale);
    let steps: Vec<_> = video.windows(2).map(|pair| pair[1] - pair[0]).collect();
    // The last frames given may lack some that are shown before them.
    for step in &steps[..steps.len() - 4] {
        assert!((scale / 25..scale / 8).contains(step), "{step}");
    }
    let audio: Vec<_> = played.of(TrackKind::Audio).map(|f| f.pts).collect();
    assert!(audio.windows(2).all(|pair| pair[1] > pair[0]));
    let shown = Duration::from_secs_f64(video.len() as f64 / 25.0);
    assert!(took > shown.mul_f64(0.9) && took < shown.mul_f64(1.1), "{took:?} for {shown:?}");
}

#[tokio::test(start_paused = true)]
async fn dropping_the_future_loses_nothing() {
    let path = FILES.path("avc.mp4");
    let whole = played(&path, FileOptions::default(), usize::MAX).await.frames.len();
    let mut session =
        FileCamera::new(&path, FileOptions { pace: Pace::Live, ..FileOptions::default() }).connect().await.unwrap();
    let mut frames = 0;
    loop {
        // Shorter than the step between frames: most polls are dropped while they wait.
        match tokio::time::timeout(Duration::from_millis(7), session.next()).await {
            Err(_) => {}
            Ok(event) => match event.unwrap() {
                Some(CameraEvent::Frame(_)) => frames += 1,
                Some(_) => {}
                None => break,
            },
        }
    }
    assert_eq!(frames, whole);
}
