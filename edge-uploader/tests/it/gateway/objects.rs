//! What a camera sends does not choose how many objects there are: about one for each window of time that passes.

use super::scene::{Scene, at, record, until};
use super::scripted::{CLIP, FRAME, GROUP, Scripted, Step};
use edge_uploader::camera::file::{FileCamera, FileOptions};
use edge_uploader::camera::{Camera as _, CameraEvent};
use edge_uploader::clock::TrustedClock;
use edge_uploader::media::Reference;
use edge_uploader::upload::Drained;
use jiff::SignedDuration;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

const S: fn(u64) -> Duration = Duration::from_secs;

/// The window of [`recording`](super::scene::recording) less what chunks may be shorter.
const EVERY: Duration = Duration::from_millis(750);

/// The time for uploading what is left in the spool.
const UPLOAD_PATIENCE: Duration = Duration::from_mins(5);

/// `count` frames as a good clock tells their times, that arrive when `arrival` says, after 10 s. They are as small as can be, because
/// they come faster than any disk takes pictures.
fn frames(count: usize, arrival: impl Fn(Duration) -> Duration) -> Vec<Step> {
    let taken = |n: usize| FRAME * u32::try_from(n).unwrap();
    let mut steps: Vec<Step> =
        (0..count).map(|n| CLIP.frame(n, CLIP.ticks(taken(n)), S(10) + arrival(taken(n)))).collect();
    for step in &mut steps {
        let Step::Event(CameraEvent::Frame(frame)) = step else { continue };
        let slice = if frame.reference == Reference::RandomAccess { 0x65 } else { 0x41 };
        frame.data = vec![0, 0, 0, 3, slice, 0x9a, 0x80].into();
    }
    steps
}

/// Records what a camera sends, and returns what is in the bucket, after checking that every frame is.
async fn recorded(what: &str, steps: Vec<Step>, trusted: TrustedClock) -> super::scene::InBucket {
    let sent = steps.iter().filter(|step| matches!(step, Step::Event(CameraEvent::Frame(_)))).count();
    let scene = Scene::new();
    let gateway = scene.start().await;
    let steps = [CLIP.parameters()].into_iter().chain(steps).collect();
    let recorded = record(&gateway, "c", Scripted::live([steps]), trusted);
    until("all is received", || recorded.stats.frames.load(Relaxed) >= sent as u64).await;
    gateway.stop();
    recorded.ended().await;
    assert_eq!(gateway.shutdown(UPLOAD_PATIENCE).await, Drained::Empty, "{what}");
    let recording = scene.recording();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chunk.mp4");
    let mut stored = 0;
    for (key, _) in &recording.chunks {
        std::fs::write(&path, scene.bucket.bytes(&key.to_string()).unwrap()).unwrap();
        let mut session = FileCamera::new(path.clone(), FileOptions::default()).connect().await.unwrap();
        while let Some(event) = session.next().await.unwrap() {
            stored += usize::from(matches!(event, CameraEvent::Frame(_)));
        }
    }
    assert_eq!(stored, sent, "{what}: frames");
    recording
}

#[tokio::test]
async fn objects_are_bounded_by_the_time_that_passes() {
    type Arrival = fn(Duration) -> Duration;
    let cases: [(&str, usize, Arrival); 5] = [
        ("a minute at once", 125 * GROUP, |_| Duration::ZERO),
        ("ten times as fast", 300 * GROUP, |taken| taken / 10),
        ("twice as fast", 150 * GROUP, |taken| taken / 2),
        ("ten seconds at once every three", 150 * GROUP, |taken| S(taken.as_secs() / 10 * 3)),
        ("two seconds at once every second", 150 * GROUP, |taken| S(taken.as_secs() / 2)),
    ];
    for (what, count, arrival) in cases {
        let passed = arrival(FRAME * u32::try_from(count).unwrap());
        let recording = recorded(what, frames(count, arrival), TrustedClock::Gateway).await;
        let objects = recording.chunks.len() + recording.ends.len() + recording.gaps.len();
        // Those that may be created at once, and the last chunk with the end of its span.
        let most = 6 + 2 + passed.as_nanos() / EVERY.as_nanos() + recording.recorded().as_nanos() / S(60).as_nanos();
        assert!(objects as u128 <= most, "{what}: {objects} objects in {passed:?}, at most {most}: {recording:?}");
    }
}

#[tokio::test]
async fn a_trusted_clock_that_swings_ends_few_spans() {
    let count = 90 * GROUP;
    let mut steps = Vec::new();
    for (n, step) in frames(count, |taken| taken).into_iter().enumerate() {
        let taken = FRAME * u32::try_from(n).unwrap();
        steps.push(step);
        // Two that agree are believed.
        if n % GROUP == 5 {
            let off =
                if (n / GROUP / 2).is_multiple_of(2) { SignedDuration::ZERO } else { SignedDuration::from_hours(1) };
            steps.push(Step::Event(CameraEvent::SenderReport { pts: CLIP.ticks(taken), ntp: at(S(10) + taken) + off }));
        }
    }
    let recording = recorded("a clock that swings", steps, TrustedClock::Camera).await;
    let objects = recording.chunks.len() + recording.ends.len() + recording.gaps.len();
    let passed = FRAME * u32::try_from(count).unwrap();
    let most = 6 + 2 + 3 + passed.as_nanos() / EVERY.as_nanos();
    assert!(objects as u128 <= most, "{objects} objects in {passed:?}, at most {most}");
    assert!(recording.ends.len() > 2, "it is still believed: {recording:?}");
}

/// A camera whose connection stalls sends what it kept, and then goes on.
#[tokio::test]
async fn what_a_stall_held_back_is_stored_whole_and_at_its_time() {
    for held in [S(4), S(30)] {
        let arrival = |taken: Duration| if taken < S(12) { taken } else { taken.max(S(12) + held) };
        let count = usize::try_from((S(30) + held).as_millis() / FRAME.as_millis()).unwrap() / GROUP * GROUP;
        let recording = recorded("a stall", frames(count, arrival), TrustedClock::Gateway).await;
        let end = at(S(10) + FRAME * u32::try_from(count).unwrap());
        assert_eq!((recording.starts(), recording.ends.clone()), (vec![at(S(10))], vec![end]), "{held:?}");
        assert_eq!(recording.gaps, [], "{held:?}");
        // The usual length before it and after it.
        let long = recording.chunks.iter().filter(|(_, a)| a.duration.unwrap().unsigned_abs() > S(2)).count();
        assert!(long <= 1, "{held:?}: {recording:?}");
    }
}
