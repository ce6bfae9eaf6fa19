//! Trouble of one camera, and of the disk.

use super::scene::{PATIENCE, Scene, at, record, until};
use super::scripted::{CLIP, GROUP, Scripted, Step};
use edge_uploader::camera::CameraEvent;
use edge_uploader::clock::TrustedClock;
use edge_uploader::gateway::{CameraEnd, CameraState, GatewayError};
use edge_uploader::spool::SpoolLimits;
use framepost_events::KeyKind;
use framepost_events::gap::GapCause;
use framepost_ports::memory::{Fault, Operation};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::sync::Notify;

const S: fn(u64) -> Duration = Duration::from_secs;
const FRAMES: usize = 12 * GROUP;
const LENGTH: Duration = Duration::from_millis(40 * 12 * 12);

/// Equal but for a frame.
fn near(found: Duration, expected: Duration) {
    assert!(found.abs_diff(expected) <= super::scripted::FRAME, "{found:?} instead of {expected:?}");
}

#[tokio::test]
async fn a_camera_with_a_defect_disturbs_no_other() {
    let scene = Scene::new();
    let gateway = scene.start().await;
    let gate = Arc::new(Notify::new());
    let mut good = vec![CLIP.parameters()];
    good.extend(CLIP.frames(FRAMES / 2, 0, S(10)));
    good.push(Step::Wait(Arc::clone(&gate)));
    good.extend(CLIP.frames(FRAMES / 2, CLIP.ticks(LENGTH / 2), S(10) + LENGTH / 2));
    let mut bad = vec![CLIP.parameters()];
    bad.extend(CLIP.frames(FRAMES, 0, S(10)));
    bad.push(Step::Panic);
    let good = record(&gateway, "good", Scripted::live([good]), TrustedClock::Gateway);
    let bad = record(&gateway, "bad", Scripted::live([bad]), TrustedClock::Gateway);
    let refusing = record(&gateway, "refusing", Scripted::refusing(), TrustedClock::Gateway);
    let again = gateway.record(
        &"good".parse().unwrap(),
        Box::new(Scripted::refusing()),
        &super::scene::recording(),
        TrustedClock::Gateway,
    );
    assert!(matches!(again, Err(GatewayError::Spool(_))), "one name is one camera");
    assert_eq!(gateway.cameras().len(), 3);

    until("the defect has cost the session", || bad.stats.state() == CameraState::Lost).await;
    until("the third is lost", || refusing.stats.state() == CameraState::Lost).await;
    gate.notify_one();
    until("the first has gone on", || good.stats.frames.load(Relaxed) == FRAMES as u64).await;
    gateway.stop();
    assert!(matches!(good.ended().await, CameraEnd::Stopped));
    assert!(matches!(refusing.ended().await, CameraEnd::Stopped));
    assert!(matches!(bad.ended().await, CameraEnd::Stopped));
    gateway.shutdown(PATIENCE).await;
    let states: Vec<_> = gateway.cameras().iter().map(|camera| camera.state()).collect();
    assert_eq!(states, [CameraState::Stopped; 3]);
    // What the defect did not reach is closed as it should be.
    let recording = scene.recording();
    assert_eq!(recording.ends, [at(S(10) + LENGTH); 2]);
    assert_eq!(recording.gaps, []);
}

#[tokio::test]
async fn a_disk_that_is_too_slow_costs_whole_groups_and_is_a_gap() {
    let scene = Scene::new();
    let gateway = scene.start().await;
    let gate = Arc::new(Notify::new());
    let mut steps = vec![CLIP.parameters()];
    // 256 MB at once, where 4 MB may wait.
    for step in CLIP.frames(256, 0, S(10)) {
        let Step::Event(CameraEvent::Frame(mut frame)) = step else { continue };
        frame.data = BIG.clone();
        steps.push(Step::Event(CameraEvent::Frame(frame)));
    }
    let burst = Duration::from_millis(256 * 40);
    steps.push(Step::Wait(Arc::clone(&gate)));
    // Other parameters before frames come again: the gap is told all the same.
    steps.push(super::scripted::LARGER.parameters());
    steps.extend(super::scripted::LARGER.frames(FRAMES, CLIP.ticks(burst), S(10) + burst));
    let recorded = record(&gateway, "c", Scripted::live([steps]), TrustedClock::Gateway);
    until("the span is broken", || recorded.stats.spans.load(Relaxed) >= 1).await;
    until("the burst is over", || recorded.stats.frames.load(Relaxed) >= 256).await;
    gate.notify_one();
    until("frames come again", || recorded.stats.frames.load(Relaxed) >= 256 + FRAMES as u64).await;
    let dropped = recorded.stats.frames_dropped.load(Relaxed);
    gateway.stop();
    recorded.ended().await;
    gateway.shutdown(PATIENCE).await;
    let recording = scene.recording();
    assert!(recording.causes().iter().all(|cause| *cause == GapCause::ReceiverOverrun), "{:?}", recording.gaps);
    let told: u64 = recording.gaps.iter().filter_map(|gap| gap.frames_dropped).sum();
    assert!(dropped > 0 && told == dropped, "{dropped} {told}");
    near(recording.accounted_for(), burst + LENGTH);
}

static BIG: std::sync::LazyLock<bytes::Bytes> = std::sync::LazyLock::new(|| vec![7; 1_000_000].into());

#[tokio::test]
async fn a_full_spool_costs_the_oldest_chunks_and_says_so() {
    let scene = Scene { limits: SpoolLimits { quota_bytes: 400_000, free_floor_bytes: 0 }, ..Scene::new() };
    for _ in 0..4 {
        scene.bucket.inject(Operation::Put, Fault::Stall);
    }
    let gateway = scene.start().await;
    // Less than what may wait for the disk, so that nothing else is lost.
    let count = 8 * FRAMES;
    let mut steps = vec![CLIP.parameters()];
    steps.extend(CLIP.frames(count, 0, S(10)));
    let recorded = record(&gateway, "c", Scripted::live([steps]), TrustedClock::Gateway);
    until("all is received", || recorded.stats.frames.load(Relaxed) >= count as u64).await;
    gateway.stop();
    assert!(matches!(recorded.ended().await, CameraEnd::Stopped));
    gateway.shutdown(Duration::ZERO).await;
    assert!(gateway.spool().used_bytes() <= 400_000, "{}", gateway.spool().used_bytes());
    drop(gateway);
    let scene = Scene { spool: scene.spool, ..Scene::new() };
    scene.start().await.shutdown(PATIENCE).await;
    let recording = scene.recording();
    assert!(!recording.gaps.is_empty());
    assert!(recording.causes().iter().all(|cause| *cause == GapCause::SpoolFull), "{:?}", recording.gaps);
    near(recording.accounted_for(), LENGTH * 8);
    assert_eq!(recording.ends, [at(S(10) + LENGTH * 8)]);
}

#[tokio::test]
async fn while_nothing_can_be_written_there_is_one_gap_and_not_one_an_attempt() {
    // Room for less than a fragment: until the disk has room again, every group of pictures is an attempt.
    let scene = Scene { limits: SpoolLimits { quota_bytes: 2_000, free_floor_bytes: 0 }, ..Scene::new() };
    let first = Scene { spool: tempfile::tempdir().unwrap(), ..Scene::new() };
    let mut steps = vec![CLIP.parameters()];
    steps.extend(CLIP.frames(FRAMES, 0, S(10)));
    first.record(Scripted::live([steps]), FRAMES as u64).await;
    let full = Scene { spool: first.spool, bucket: first.bucket, ..scene };
    let mut steps = vec![CLIP.parameters()];
    steps.extend(CLIP.frames(10 * FRAMES, 0, S(20)));
    full.record(Scripted::live([steps]), 10 * FRAMES as u64).await;
    let gaps = || full.bucket.keys().iter().filter(|key| is_gap(key)).count();
    assert_eq!(gaps(), 0, "nothing followed yet");
    // Room again.
    let roomy = Scene { spool: full.spool, bucket: full.bucket, ..Scene::new() };
    let mut steps = vec![CLIP.parameters()];
    steps.extend(CLIP.frames(FRAMES, 0, S(200)));
    roomy.record(Scripted::live([steps]), FRAMES as u64).await;
    let recording = roomy.recording();
    let [gap] = &recording.gaps[..] else { panic!("{:?}", recording.gaps) };
    assert_eq!((gap.from, gap.to), (at(S(10) + LENGTH), at(S(200))));
    assert_eq!(recording.starts(), [at(S(10)), at(S(200))]);
}

fn is_gap(key: &str) -> bool {
    key.parse::<framepost_events::ObjectKey>().is_ok_and(|key| key.kind == KeyKind::Gap)
}

#[tokio::test]
async fn a_live_camera_outlasts_a_spool_that_cannot_be_written() {
    let scene = Scene::new();
    let gateway = scene.start().await;
    let broken = Arc::new(Notify::new());
    let mended = Arc::new(Notify::new());
    let part = |n: u32| CLIP.frames(FRAMES, CLIP.ticks(LENGTH * n), S(10) + LENGTH * n);
    let mut steps = vec![CLIP.parameters()];
    steps.extend(part(0));
    steps.push(Step::Wait(Arc::clone(&broken)));
    steps.extend(part(1));
    // Counted by the recorder, so that the test knows when it has seen all before.
    steps.push(Step::Event(CameraEvent::PacketsLost(1)));
    steps.push(Step::Wait(Arc::clone(&mended)));
    steps.extend(part(2));
    let recorded = record(&gateway, "c", Scripted::live([steps]), TrustedClock::Gateway);
    until("a chunk is closed", || recorded.stats.chunks.load(Relaxed) >= 3).await;
    until("it is uploaded", || gateway.spool().pending().0 == 0).await;
    // A file in the place of the directory: nothing can be created below it, as root neither.
    let objects = scene.spool.path().join("objects");
    let aside = scene.spool.path().join("aside");
    std::fs::rename(&objects, &aside).unwrap();
    std::fs::write(&objects, b"in the way").unwrap();
    broken.notify_one();
    until("the recorder has tried", || recorded.stats.packets_lost.load(Relaxed) == 1).await;
    std::fs::remove_file(&objects).unwrap();
    std::fs::rename(&aside, &objects).unwrap();
    mended.notify_one();
    until("the rest came", || recorded.stats.frames.load(Relaxed) >= 3 * FRAMES as u64).await;
    gateway.stop();
    assert!(matches!(recorded.ended().await, CameraEnd::Stopped));
    gateway.shutdown(PATIENCE).await;
    let recording = scene.recording();
    assert!(!recording.gaps.is_empty());
    assert!(recording.causes().iter().all(|cause| *cause == GapCause::SpoolFailed), "{:?}", recording.gaps);
    near(recording.accounted_for(), LENGTH * 3);
    assert_eq!(recording.ends.last(), Some(&at(S(10) + LENGTH * 3)));
}
