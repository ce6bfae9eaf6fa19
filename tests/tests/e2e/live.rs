//! Live cameras through the whole pipeline: GStreamer's RTSP server, every codec over every transport, and
//! the loss of a camera.

use framepost_events::gap::{Gap, GapCause};
use framepost_events::record::Data;
use framepost_events::report::ReportedState;
use framepost_events::{KeyKind, ObjectKey};
use framepost_tests::bucket::Bucket;
use framepost_tests::edge::{EdgeConfig, Transport};
use framepost_tests::gateway::{Gateway, eventually};
use framepost_tests::judge::recording::Recording;
use framepost_tests::onebox::Onebox;
use framepost_tests::rtsp::{RtspOptions, RtspServer};
use std::time::Duration;

/// How long chunks of 3 s may take to arrive on a busy machine.
const CHUNKS: Duration = Duration::from_mins(1);

/// Presentation times of a live stream jitter by less than a frame.
const FRAME_SECONDS: f64 = 1.0 / 25.0;

/// Records `url` until there are two chunks, stops with Ctrl-C, and judges the result. Returns
/// the recording and the log.
fn record(url: &str) -> (Recording, String) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut onebox = Onebox::up(directory.path(), &[url]);
    onebox.wait_for_chunks(2, CHUNKS);
    onebox.end();
    let recording = Recording::only(&onebox.bucket(), &onebox.records());
    let spans =
        recording.judge(FRAME_SECONDS).unwrap_or_else(|faults| panic!("{url}: {faults:#?}\n{}", onebox.running.log()));
    assert_eq!(spans.len(), 1, "{url}: one span was expected: {spans:?}");
    (recording, onebox.running.log())
}

#[test]
fn every_codec_over_tcp() {
    let server = RtspServer::start(RtspOptions::default());
    for (mount, codec, sound) in [
        ("h264", "avc1.", false),
        ("h264-bframes", "avc1.", false),
        ("h264-aac", "avc1.", true),
        ("h265", "hvc1.", false),
        ("h265-bframes", "hvc1.", false),
        ("h265-aac", "hvc1.", true),
    ] {
        let (recording, _) = record(&server.url(mount));
        for chunk in &recording.chunks {
            let record = chunk.record.as_ref().expect("the judge saw a record");
            assert!(record.codec.starts_with(codec), "{mount}: {record:?}");
            assert_eq!(record.audio.is_some(), sound, "{mount}: {record:?}");
        }
    }
}

#[test]
fn every_codec_over_udp() {
    let _processors = crate::processors::for_a_camera();
    let server = RtspServer::start(RtspOptions::default());
    for (mount, sound) in [("h264", false), ("h264-bframes", false), ("h264-aac", true), ("h265", false)] {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let bucket = Bucket::at(directory.path().join("archive"));
        let to = format!("file://{}", directory.path().join("archive").display());
        let mut config = EdgeConfig::one_camera(&directory.path().join("spool"), &to, &server.url(mount));
        config.cameras[0].transport = Transport::Udp;
        let mut gateway = Gateway::new(config, directory.path().join("edge.toml"));
        gateway.start();
        eventually("two chunks are recorded", CHUNKS, || bucket.of("gate", KeyKind::Chunk).len() >= 2);
        gateway.terminate();
        let recording = Recording::without_records(&bucket, "gate");
        let spans =
            recording.judge(FRAME_SECONDS).unwrap_or_else(|faults| panic!("{mount}: {faults:#?}\n{}", gateway.log()));
        assert_eq!(spans.len(), 1, "{mount}: one span was expected: {spans:?}");
        assert!(recording.chunks.iter().all(|chunk| chunk.attributes.audio.is_some() == sound), "{mount}: sound");
    }
}

#[test]
fn opus_is_left_out_with_a_warning_and_the_video_kept() {
    let server = RtspServer::start(RtspOptions::default());
    let (recording, log) = record(&server.url("h264-opus"));
    assert!(recording.chunks.iter().all(|chunk| chunk.attributes.audio.is_none()));
    assert!(log.to_lowercase().contains("opus"), "nothing is said of the sound:\n{log}");
}

#[test]
fn a_camera_with_a_password_is_recorded_and_its_password_is_nowhere() {
    let digest = Some(("viewer".to_owned(), "s3cret-word".to_owned()));
    let server = RtspServer::start(RtspOptions { digest, files: Vec::new() });
    let (recording, log) = record(&server.url_with_credentials("h264"));
    assert!(!log.contains("s3cret-word"), "the password is in the log");
    let said = format!("{:?}", recording.chunks);
    assert!(!said.contains("s3cret-word"), "the password is in a record");
}

#[test]
fn a_live_camera_is_in_the_report_of_its_gateway_and_its_password_is_not() {
    let digest = Some(("viewer".to_owned(), "s3cret-word".to_owned()));
    let server = RtspServer::start(RtspOptions { digest, files: Vec::new() });
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut onebox = Onebox::up(directory.path(), &[server.url_with_credentials("h264")]);
    onebox.running.wait_for(framepost_tests::binaries::Output::Stdout, CHUNKS, |lines| {
        lines.iter().any(|line| line.contains("io.framepost.gateway.reported.v1")).then_some(())
    });
    onebox.end();
    let records = onebox.records();
    let reported = records.iter().find_map(|record| match &record.data {
        Data::GatewayReported(reported) => Some((record, reported)),
        _ => None,
    });
    let (record, reported) = reported.expect("it was printed");
    let [camera] = &reported.report.cameras[..] else { panic!("{reported:?}") };
    assert_eq!(camera.state, ReportedState::Recording, "{camera:?}");
    assert!(camera.frames > 0 && camera.connects == 1 && camera.last_frame.is_some(), "{camera:?}");
    assert!(camera.codec.as_ref().is_some_and(|codec| codec.starts_with("avc1.")), "{camera:?}");
    assert!(camera.width.is_some() && camera.height.is_some(), "{camera:?}");
    assert_eq!(reported.report.cameras_silent, 0);
    let said = serde_json::to_string(record).expect("a record is JSON");
    assert!(camera.source.starts_with("rtsp://127.0.0.1") && !said.contains("s3cret-word"), "{said}");
    assert!(onebox.bucket().strangers().is_empty());
}

#[test]
fn a_camera_that_goes_away_and_comes_back_leaves_a_gap_and_no_broken_chunk() {
    let mut server = RtspServer::start(RtspOptions::default());
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut onebox = Onebox::up(directory.path(), &[server.url("h264")]);
    onebox.wait_for_chunks(1, CHUNKS);
    server.kill();
    // The span is closed while the camera is away. Its end shows that the loss was noticed.
    onebox.running.wait_for(framepost_tests::binaries::Output::Stdout, CHUNKS, |lines| {
        lines.iter().any(|line| line.contains("io.framepost.span.ended.v1")).then_some(())
    });
    let before = framepost_tests::onebox::chunks(&onebox.records()).len();
    server.restart();
    onebox.wait_for_chunks(before + 2, CHUNKS);
    onebox.end();

    let bucket = onebox.bucket();
    let recording = Recording::only(&bucket, &onebox.records());
    let spans = recording.judge(FRAME_SECONDS).unwrap_or_else(|faults| panic!("{faults:#?}"));
    assert_eq!(spans.len(), 2, "{spans:?}");
    let camera = bucket.cameras().remove(0);
    let gaps: Vec<Gap> = bucket
        .of(&camera, KeyKind::Gap)
        .iter()
        .map(|object| Gap::from_json(&object.bytes()).unwrap_or_else(|error| panic!("{}: {error}", object.key)))
        .collect();
    let [gap] = &gaps[..] else { panic!("one gap was expected: {gaps:?}") };
    assert_eq!((gap.from, gap.to, gap.cause), (spans[0].to, spans[1].from, GapCause::CameraLost));
}

#[test]
fn without_a_video_it_plays_its_own_and_a_second_start_goes_on() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut seen: Vec<ObjectKey> = Vec::new();
    for _ in 0..2 {
        let mut onebox = Onebox::up::<&str>(directory.path(), &[]);
        onebox.wait_for_chunks(2, CHUNKS);
        onebox.end();
        let records = onebox.records();
        let bucket = onebox.bucket();
        let objects: Vec<ObjectKey> = bucket.objects().into_iter().map(|object| object.key).collect();
        assert!(seen.iter().all(|key| objects.contains(key)), "what was there before is there still");
        let new = objects.iter().filter(|key| !seen.contains(key) && key.kind == KeyKind::Chunk);
        for key in new {
            let said = records.iter().filter(|record| record.subject == key.to_string()).count();
            assert_eq!(said, 1, "{key}");
        }
        seen = objects;
    }
}
