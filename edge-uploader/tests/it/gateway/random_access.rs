//! Cameras that seldom or never send a frame that decoding can start at, and cameras whose frames are not stored.

use super::numbers::{get, value};
use super::scene::{PATIENCE, Scene, at, record, stopped_after, until};
use super::scripted::{CLIP, FRAME, Scripted, Step};
use edge_uploader::camera::CameraEvent;
use edge_uploader::clock::TrustedClock;
use edge_uploader::gateway::{CameraEnd, Unstored};
use edge_uploader::media::{Reference, TrackKind};
use edge_uploader::metrics;
use framepost_events::attributes::ChunkStart;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::sync::Notify;

const S: fn(u64) -> Duration = Duration::from_secs;

/// `count` frames in real time from 10 s on; decoding can start at each that `starts` says.
fn frames(count: usize, starts: impl Fn(usize) -> Option<Reference>) -> Vec<Step> {
    let mut steps = CLIP.frames(count, 0, S(10));
    for (n, step) in steps.iter_mut().enumerate() {
        let Step::Event(CameraEvent::Frame(frame)) = step else { continue };
        frame.reference = starts(n).unwrap_or(Reference::Needed);
    }
    steps
}

#[tokio::test]
async fn a_rare_or_missing_random_access_frame_means_an_object_every_ten_seconds() {
    type Starts = fn(usize) -> Option<Reference>;
    let table: [(Starts, [bool; 7]); 3] = [
        (|n| (n % 1500 == 0).then_some(Reference::RandomAccess), [false, true, true, true, true, true, false]),
        (|_| None, [true; 7]),
        (|n| (n == 1500).then_some(Reference::Refresh), [true, true, true, true, true, true, false]),
    ];
    for (starts, between) in table {
        let scene = Scene::new();
        let gateway = scene.start().await;
        let mut steps = vec![CLIP.parameters()];
        steps.extend(frames(65 * 25, starts));
        let held = Arc::new(Notify::new());
        steps.insert(1 + 31 * 25, Step::Wait(Arc::clone(&held)));
        let recorded = record(&gateway, "c", Scripted::live([steps]), TrustedClock::Gateway);
        // In time: while the camera goes on, and no frame that decoding can start at is in sight.
        until("three chunks are uploaded", || scene.bucket.keys().len() >= 3).await;
        held.notify_one();
        let stats = Arc::clone(&recorded.stats);
        let end = stopped_after(&gateway, recorded, 65 * 25).await;
        assert!(matches!(end, CameraEnd::Stopped), "{end:?}");
        gateway.shutdown(PATIENCE).await;
        let recording = scene.recording();
        assert_eq!(recording.starts(), [at(S(10))], "one span");
        assert_eq!(recording.ends, [at(S(75))]);
        assert_eq!(recording.gaps, []);
        let begins: Vec<_> = recording.chunks.iter().map(|(key, _)| key.start).collect();
        assert_eq!(begins, [10, 20, 30, 40, 50, 60, 70].map(|second| at(S(second))));
        let marked: Vec<_> = recording.chunks.iter().map(|(_, a)| a.start == ChunkStart::Between).collect();
        assert_eq!(marked, between);
        assert_eq!(stats.chunks_between.load(Relaxed), between.iter().filter(|between| **between).count() as u64);
        assert_eq!(stats.random_access_frames.load(Relaxed), (0..65 * 25).filter_map(starts).count() as u64);
    }
}

#[tokio::test]
async fn what_comes_before_the_first_random_access_frame_is_recorded() {
    let scene = Scene::new();
    let mut steps = vec![CLIP.parameters()];
    steps.extend(frames(100, |n| (n % 50 == 30).then_some(Reference::RandomAccess)));
    scene.record(Scripted::live([steps]), 100).await;
    let recording = scene.recording();
    let chunks: Vec<_> = recording.chunks.iter().map(|(key, a)| (key.start, a.start)).collect();
    let second = at(S(10) + FRAME * 30);
    let third = at(S(10) + FRAME * 80);
    let between = ChunkStart::Between;
    let start = ChunkStart::RandomAccess;
    // Two fragments' worth before it, and a window.
    assert_eq!(chunks, [(at(S(10)), between), (second, start), (third, start)]);
    assert_eq!(recording.recorded(), S(4));
}

#[tokio::test]
async fn frames_that_arrive_and_are_not_stored_are_told_of() {
    let scene = Scene::new();
    let gateway = Arc::new(scene.start().await);
    let address = metrics::serve("127.0.0.1:0".parse().unwrap(), Arc::downgrade(&gateway)).await.unwrap();
    let mended = Arc::new(Notify::new());
    let twelve_seconds = || CLIP.frames(12 * 25, 0, S(10));
    let with = |change: &dyn Fn(&mut edge_uploader::media::Frame)| {
        let mut steps = vec![CLIP.parameters()];
        steps.extend(twelve_seconds());
        for step in &mut steps {
            if let Step::Event(CameraEvent::Frame(frame)) = step {
                change(frame);
            }
        }
        steps
    };
    let empty = with(&|frame| frame.data = bytes::Bytes::new());
    let sound = with(&|frame| frame.track = TrackKind::Audio);
    let unannounced: Vec<Step> =
        (0..12 * 25).map(|n| Step::Event(CameraEvent::Undescribed { arrival: S(10) + FRAME * n })).collect();
    let mut undescribed = twelve_seconds();
    undescribed.push(Step::Wait(Arc::clone(&mended)));
    undescribed.push(CLIP.parameters());
    undescribed.extend(CLIP.frames(5 * 25, CLIP.ticks(S(12)), S(22)));
    let mut cameras = Vec::new();
    for (name, steps, why) in [
        ("honest", with(&|_| {}), None),
        ("empty", empty, Some(Unstored::Empty)),
        ("sound", sound, Some(Unstored::SoundOnly)),
        ("unannounced", unannounced, Some(Unstored::Undescribed)),
        ("undescribed", undescribed, Some(Unstored::Undescribed)),
    ] {
        cameras.push((record(&gateway, name, Scripted::live([steps]), TrustedClock::Gateway), name, why));
    }
    until("the frames came", || [0, 1, 4].iter().all(|n| cameras[*n].0.stats.frames.load(Relaxed) == 12 * 25)).await;
    assert_eq!(get(address, "/healthz").await.1, "ok\n");
    scene.clock.advance(S(22));
    for (camera, name, why) in &cameras {
        until(name, || camera.stats.unstored().map(|episode| episode.why) == *why).await;
    }
    let (head, body) = get(address, "/healthz").await;
    assert!(head.starts_with("http/1.1 503"), "{head}");
    for (_, name, why) in &cameras {
        let said = body.lines().find(|line| line.starts_with(&format!("{name}: ")));
        assert_eq!(said.is_some(), why.is_some(), "{body}");
        assert!(why.is_none_or(|why| said.is_some_and(|said| said.contains(&why.to_string()))), "{body}");
        let gauge = format!("framepost_edge_camera_unstored{{camera=\"{name}\"}}");
        assert_eq!(value(&get(address, "/metrics").await.1, &gauge), u64::from(why.is_some()), "{name}");
    }
    // Parameter sets at last: what follows is stored, and that camera is well.
    mended.notify_one();
    let (undescribed, ..) = &cameras[4];
    until("it is stored", || undescribed.stats.unstored().is_none()).await;
    assert!(!get(address, "/healthz").await.1.contains("undescribed: "));
    gateway.stop();
    for (camera, ..) in cameras {
        camera.ended().await;
    }
    gateway.shutdown(PATIENCE).await;
}
