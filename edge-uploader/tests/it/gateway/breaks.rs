//! What ends a span, and which gap is told of it.

use super::scene::{PATIENCE, Scene, at, record, stopped_after};
use super::scripted::{CLIP, FRAME, GROUP, LARGER, Scripted, Step};
use edge_uploader::camera::CameraEvent;
use edge_uploader::clock::TrustedClock;
use edge_uploader::gateway::CameraEnd;
use framepost_events::attributes::ClockSource;
use framepost_events::gap::GapCause;
use jiff::SignedDuration;
use std::time::Duration;

const S: fn(u64) -> Duration = Duration::from_secs;

/// Six seconds less a bit: twelve groups of pictures.
const FRAMES: usize = 12 * GROUP;
const LENGTH: Duration = Duration::from_millis(40 * 12 * 12);

#[tokio::test]
async fn an_undisturbed_recording_is_one_span() {
    let scene = Scene::new();
    let steps = [vec![CLIP.parameters()], CLIP.frames(FRAMES, 0, S(10))].into_iter().flatten().collect();
    let end = scene.record(Scripted::live([steps]), FRAMES as u64).await;
    assert!(matches!(end, CameraEnd::Stopped), "{end:?}");
    let recording = scene.recording();
    assert_eq!(recording.starts(), [at(S(10))]);
    assert_eq!(recording.ends, [at(S(10) + LENGTH)]);
    assert_eq!(recording.gaps, []);
    assert_eq!(recording.recorded(), LENGTH);
}

#[tokio::test]
async fn a_lost_session_is_a_gap_between_its_neighbours() {
    let scene = Scene::new();
    let mut first = vec![CLIP.parameters()];
    first.extend(CLIP.frames(FRAMES, 0, S(10)));
    first.push(Step::Lose("the cable was pulled"));
    // The second attempt breaks before it gives a picture: the first cause counts.
    let second = vec![CLIP.parameters(), Step::Lose("not yet there")];
    let mut third = vec![CLIP.parameters()];
    third.extend(CLIP.frames(FRAMES, 0, S(40)));
    scene.record(Scripted::live([first, second, third]), 2 * FRAMES as u64).await;
    let recording = scene.recording();
    assert_eq!(recording.starts(), [at(S(10)), at(S(40))]);
    assert_eq!(recording.ends, [at(S(10) + LENGTH), at(S(40) + LENGTH)]);
    let [gap] = &recording.gaps[..] else { panic!("{:?}", recording.gaps) };
    assert_eq!((gap.from, gap.to), (at(S(10) + LENGTH), at(S(40))));
    assert_eq!(gap.cause, GapCause::CameraLost);
    assert!(gap.detail.as_ref().is_some_and(|detail| detail.contains("the cable was pulled")), "{gap:?}");
}

#[tokio::test]
async fn frames_of_a_first_second_that_broke_off_are_recorded() {
    let scene = Scene::new();
    let mut first = vec![CLIP.parameters()];
    first.extend(CLIP.frames(GROUP, 0, S(10)));
    first.push(Step::Lose("gone"));
    let mut second = vec![CLIP.parameters()];
    second.extend(CLIP.frames(GROUP, 0, S(20)));
    scene.record(Scripted::live([first, second]), 2 * GROUP as u64).await;
    let recording = scene.recording();
    assert_eq!(recording.starts(), [at(S(10)), at(S(20))]);
    assert_eq!(recording.causes(), [GapCause::CameraLost]);
}

#[tokio::test]
async fn other_parameters_end_the_span_and_equal_ones_do_not() {
    let scene = Scene::new();
    let mut steps = vec![CLIP.parameters()];
    steps.extend(CLIP.frames(FRAMES, 0, S(10)));
    steps.push(CLIP.parameters());
    steps.extend(CLIP.frames(FRAMES, CLIP.ticks(LENGTH), S(10) + LENGTH));
    steps.push(LARGER.parameters());
    steps.extend(LARGER.frames(FRAMES, CLIP.ticks(2 * LENGTH), S(10) + 2 * LENGTH));
    scene.record(Scripted::live([steps]), 3 * FRAMES as u64).await;
    let recording = scene.recording();
    assert_eq!(recording.starts(), [at(S(10)), at(S(10) + 2 * LENGTH)]);
    assert_eq!(recording.ends, [at(S(10) + 2 * LENGTH), at(S(10) + 3 * LENGTH)]);
    assert_eq!(recording.gaps, []);
    let widths: Vec<_> = recording.chunks.iter().map(|(_, a)| a.video.as_ref().unwrap().width).collect();
    assert!(widths.starts_with(&[192]) && widths.ends_with(&[256]) && widths.is_sorted(), "{widths:?}");
}

/// Frames that jump by `by` ticks after the first `before` frames, though they arrive as if nothing were.
async fn jumped(before: usize, by: i64) -> super::scene::InBucket {
    let scene = Scene::new();
    let mut steps = vec![CLIP.parameters()];
    let passed = FRAME * u32::try_from(before).unwrap();
    let origin = CLIP.ticks(S(3600));
    steps.extend(CLIP.frames(before, origin, S(10)));
    steps.extend(CLIP.frames(FRAMES, origin + CLIP.ticks(passed) + by, S(10) + passed));
    scene.record(Scripted::live([steps]), (before + FRAMES) as u64).await;
    scene.recording()
}

#[tokio::test]
async fn a_jump_of_the_cameras_time_breaks_nothing_and_moves_no_picture() {
    for (before, by) in [
        (FRAMES, CLIP.ticks(S(600))),
        (FRAMES, -CLIP.ticks(S(5))),
        (FRAMES, -CLIP.ticks(S(600))),
        // Within the second in which the clock has not settled.
        (GROUP, CLIP.ticks(S(600))),
        (GROUP, -CLIP.ticks(S(600))),
    ] {
        let recording = jumped(before, by).await;
        let whole = FRAME * u32::try_from(before).unwrap() + LENGTH;
        let case = format!("{before} frames, then {by}: {recording:?}");
        assert_eq!(recording.starts(), [at(S(10))], "{case}");
        assert_eq!(recording.ends, [at(S(10) + whole)], "{case}");
        assert_eq!((recording.gaps.len(), recording.recorded()), (0, whole), "{case}");
    }
}

#[tokio::test]
async fn a_camera_whose_clock_stands_still_is_recorded_in_chunks_of_the_usual_length() {
    let scene = Scene::new();
    let mut steps = vec![CLIP.parameters()];
    let count = 200 * GROUP;
    steps.extend((0..count).map(|n| CLIP.frame(n, 0, S(10) + FRAME * u32::try_from(n).unwrap())));
    scene.record(Scripted::live([steps]), count as u64).await;
    let recording = scene.recording();
    assert_eq!((recording.starts(), recording.gaps.len()), (vec![at(S(10))], 0));
    // A window of one second ends with the third group of 0.48 s.
    assert!((66..=68).contains(&recording.chunks.len()), "{}", recording.chunks.len());
    let replaced: u64 = recording.chunks.iter().filter_map(|(_, a)| a.clock.unwrap().replaced).sum();
    assert_eq!(replaced, count as u64 - 1, "all but the first, which says when the others are");
}

#[tokio::test]
async fn a_silence_that_the_operator_allows_is_no_jump() {
    let scene = Scene::new();
    let silence = S(100);
    let mut steps = vec![CLIP.parameters()];
    steps.extend(CLIP.frames(FRAMES, 0, S(10)));
    steps.extend(CLIP.frames(FRAMES, CLIP.ticks(LENGTH + silence), S(10) + LENGTH + silence));
    scene.record(Scripted::live([steps]).silent_up_to(silence), 2 * FRAMES as u64).await;
    let recording = scene.recording();
    assert_eq!(recording.gaps, [], "the last picture before it is shown for so long");
    assert_eq!(recording.ends, [at(S(10) + 2 * LENGTH + silence)]);
    assert_eq!(recording.recorded(), 2 * LENGTH + silence);
}

#[tokio::test]
async fn a_trusted_camera_gives_the_time_from_its_first_report_on() {
    let scene = Scene::new();
    let gateway = scene.start().await;
    let mut steps = vec![CLIP.parameters()];
    steps.extend(CLIP.frames(FRAMES, 0, S(10)));
    let report = |after: Duration, off: SignedDuration| {
        Step::Event(CameraEvent::SenderReport { pts: CLIP.ticks(after), ntp: at(S(10) + after) + off })
    };
    steps.push(report(LENGTH, SignedDuration::from_secs(100)));
    steps.extend(CLIP.frames(FRAMES, CLIP.ticks(LENGTH), S(10) + LENGTH));
    // Much the same: it is followed without a break.
    steps.push(report(2 * LENGTH, SignedDuration::from_millis(100_002)));
    steps.extend(CLIP.frames(FRAMES, CLIP.ticks(2 * LENGTH), S(10) + 2 * LENGTH));
    let recorded = record(&gateway, "c", Scripted::live([steps]), TrustedClock::Camera);
    stopped_after(&gateway, recorded, 3 * FRAMES as u64).await;
    gateway.shutdown(PATIENCE).await;
    let recording = scene.recording();
    assert_eq!(recording.starts(), [at(S(10)), at(S(110) + LENGTH)]);
    assert_eq!(recording.causes(), [GapCause::ClockJump]);
    let sources: Vec<_> = recording.chunks.iter().map(|(_, a)| a.clock.unwrap().source).collect();
    assert_eq!(sources.last(), Some(&ClockSource::Camera));
    assert_ne!(sources.first(), Some(&ClockSource::Camera));
}
