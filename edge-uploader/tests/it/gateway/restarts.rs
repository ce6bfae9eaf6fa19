//! What a stop, a crash and a second start leave in the bucket.

use super::scene::{InBucket, PATIENCE, Scene, UploadWaits, at, record, stopped_after, until};
use super::scripted::{CLIP, GROUP, Scripted, Step};
use edge_uploader::clock::TrustedClock;
use edge_uploader::gateway::CameraEnd;
use edge_uploader::upload::Drained;
use framepost_events::gap::GapCause;
use framepost_ports::memory::{Fault, Operation};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::sync::Notify;

const S: fn(u64) -> Duration = Duration::from_secs;
const FRAMES: usize = 12 * GROUP;
const LENGTH: Duration = Duration::from_millis(40 * 12 * 12);

fn live(arrival: Duration) -> Vec<Step> {
    let mut steps = vec![CLIP.parameters()];
    steps.extend(CLIP.frames(FRAMES, 0, arrival));
    steps
}

/// A file with a break in its times, longer than a picture can be shown, so that there is a gap in it. `gate`, where one is
/// given, comes after so many frames.
fn file(gate: Option<(usize, Arc<Notify>)>) -> Vec<Step> {
    let mut steps = vec![CLIP.parameters()];
    steps.extend(CLIP.frames(FRAMES, 0, S(0)));
    steps.extend(CLIP.frames(2 * FRAMES, CLIP.ticks(S(100_000)), S(0)));
    if let Some((after, gate)) = gate {
        steps.insert(after + 1, Step::Wait(gate));
    }
    steps
}

async fn whole_file(scene: &Scene) {
    let gateway = scene.start().await;
    let recorded = record(&gateway, "c", Scripted::finite(at(S(0)), file(None)), TrustedClock::Gateway);
    let end = recorded.ended().await;
    assert!(matches!(end, CameraEnd::Finished), "{end:?}");
    assert_eq!(gateway.shutdown(PATIENCE).await, Drained::Empty);
    assert!(gateway.spool().quarantined().is_empty(), "{:?}", gateway.spool().quarantined());
}

fn objects(scene: &Scene) -> Vec<(String, bytes::Bytes)> {
    scene.bucket.keys().into_iter().map(|key| (key.clone(), scene.bucket.bytes(&key).unwrap())).collect()
}

async fn undisturbed() -> Scene {
    let scene = Scene::new();
    whole_file(&scene).await;
    let InBucket { gaps, ends, .. } = scene.recording();
    assert_eq!((gaps.len(), gaps[0].cause, ends.len()), (1, GapCause::NotInSource, 2));
    scene
}

#[tokio::test]
async fn a_stopped_gateway_is_a_gap_of_a_live_camera() {
    let scene = Scene::new();
    scene.record(Scripted::live([live(S(10))]), FRAMES as u64).await;
    scene.record(Scripted::live([live(S(100))]), FRAMES as u64).await;
    let recording = scene.recording();
    assert_eq!(recording.starts(), [at(S(10)), at(S(100))]);
    let [gap] = &recording.gaps[..] else { panic!("{:?}", recording.gaps) };
    assert_eq!((gap.from, gap.to, gap.cause), (at(S(10) + LENGTH), at(S(100)), GapCause::NotRunning));
}

#[tokio::test]
async fn a_file_that_is_read_again_puts_nothing_new() {
    let scene = undisturbed().await;
    let before = objects(&scene);
    whole_file(&scene).await;
    assert_eq!(before, objects(&scene));
}

#[tokio::test]
async fn a_file_that_was_stopped_goes_on_to_the_same_objects() {
    let expected = objects(&undisturbed().await);
    // Within the first chunk, in the middle, right behind the break, and near the end.
    for after in [GROUP, FRAMES / 2, FRAMES + 1, FRAMES + GROUP + 3, 3 * FRAMES - 1] {
        let scene = Scene::new();
        let gateway = scene.start().await;
        let camera = Scripted::finite(at(S(0)), file(Some((after, Arc::new(Notify::new())))));
        let recorded = record(&gateway, "c", camera, TrustedClock::Gateway);
        let end = stopped_after(&gateway, recorded, after as u64).await;
        assert!(matches!(end, CameraEnd::Stopped), "{end:?}");
        gateway.shutdown(PATIENCE).await;
        drop(gateway);
        whole_file(&scene).await;
        let keys = scene.bucket.keys();
        let expected_keys = expected.iter().map(|(key, _)| key).collect::<Vec<_>>();
        assert_eq!(keys.iter().collect::<Vec<_>>(), expected_keys, "stopped after {after}");
        assert_eq!(objects(&scene), expected, "stopped after {after}");
    }
}

#[tokio::test]
async fn a_file_whose_gateway_was_killed_goes_on_to_the_same_objects() {
    let expected = objects(&undisturbed().await);
    for after in [FRAMES / 2, FRAMES + 4 * GROUP] {
        let scene = Scene::new();
        let gateway = scene.start().await;
        let gate = Arc::new(Notify::new());
        let camera = Scripted::finite(at(S(0)), file(Some((after, Arc::clone(&gate)))));
        let recorded = record(&gateway, "c", camera, TrustedClock::Gateway);
        until("a chunk is closed and a part is written", || {
            recorded.stats.chunks.load(Relaxed) >= 1
                && files(scene.spool.path()).iter().any(|path| path.extension().is_some_and(|e| e == "part"))
        })
        .await;
        let left = left_by_a_crash(scene.spool.path()).await;
        gateway.stop();
        recorded.ended().await;
        gateway.shutdown(Duration::ZERO).await;
        drop(gateway);
        let scene = Scene { spool: left, ..scene };
        whole_file(&scene).await;
        assert_eq!(objects(&scene), expected, "killed after {after}");
    }
}

#[tokio::test]
async fn a_live_camera_whose_gateway_was_killed_has_a_gap_from_its_last_fragment_on() {
    let scene = Scene::new();
    let gateway = scene.start().await;
    let recorded = record(&gateway, "c", Scripted::live([live(S(10))]), TrustedClock::Gateway);
    until("frames are written", || recorded.stats.chunks.load(Relaxed) >= 3).await;
    let left = left_by_a_crash(scene.spool.path()).await;
    gateway.stop();
    recorded.ended().await;
    gateway.shutdown(Duration::ZERO).await;
    drop(gateway);
    let killed = Scene { spool: left, ..Scene::new() };
    killed.record(Scripted::live([live(S(100))]), FRAMES as u64).await;
    let recording = killed.recording();
    let [gap] = &recording.gaps[..] else { panic!("{:?}", recording.gaps) };
    assert_eq!((gap.cause, gap.to), (GapCause::NotRunning, at(S(100))));
    assert_eq!(Some(&gap.from), recording.ends.first());
}

#[tokio::test]
async fn a_dead_bucket_does_not_hold_up_a_shutdown_and_loses_nothing() {
    let scene = Scene { upload_waits: UploadWaits::Endless, ..Scene::new() };
    for _ in 0..64 {
        scene.bucket.inject(Operation::Put, Fault::Stall);
    }
    let gateway = scene.start().await;
    let recorded = record(&gateway, "c", Scripted::live([live(S(10))]), TrustedClock::Gateway);
    stopped_after(&gateway, recorded, FRAMES as u64).await;
    let waiting = gateway.spool().pending().0;
    assert!(waiting > 4, "{waiting}");
    // The uploader itself would wait for a day.
    let shutdown = tokio::time::timeout(PATIENCE, gateway.shutdown(Duration::from_millis(50))).await;
    let drained = shutdown.expect("the shutdown does not wait for the bucket");
    assert!(matches!(drained, Drained::Left { objects, .. } if objects == waiting), "{drained:?}");
    assert_eq!(scene.bucket.keys(), [""; 0]);
    drop(gateway);
    // The next start finds them all. (A new bucket, since the faults of the old one are not used up.)
    let scene = Scene { spool: scene.spool, ..Scene::new() };
    let gateway = scene.start().await;
    assert_eq!(gateway.shutdown(PATIENCE).await, Drained::Empty);
    assert_eq!(scene.bucket.keys().len() as u64, waiting);
    assert_eq!(scene.recording().recorded(), LENGTH);
}

fn files(dir: &Path) -> Vec<std::path::PathBuf> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(dir).into_iter().flatten() {
        let Ok(entry) = entry else { continue };
        let path = entry.path();
        if path.is_dir() {
            paths.extend(files(&path));
        } else {
            paths.push(path);
        }
    }
    paths
}

/// The files as they are at one moment, which may be anywhere: copied between two looks at which nothing has changed.
async fn left_by_a_crash(spool: &Path) -> tempfile::TempDir {
    let look = || -> std::io::Result<Vec<_>> {
        let seen = files(spool).into_iter().map(|path| {
            let metadata = path.metadata()?;
            Ok((path, metadata.len(), metadata.modified()?))
        });
        seen.collect()
    };
    let copied = async {
        loop {
            let left = tempfile::tempdir().unwrap();
            if let (Ok(before), Ok(()), Ok(after)) = (look(), copy(spool, left.path()), look())
                && before == after
            {
                return left;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, copied).await.expect("the gateway comes to rest")
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let path = entry?.path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target)?;
        } else {
            std::fs::copy(&path, &target)?;
        }
    }
    Ok(())
}
