//! The pipeline on Google Cloud, every part of it real but the cloud itself: the gateway's program uploads to Cloud Storage,
//! the bucket tells Pub/Sub, the function takes the message, and its record is read back from Pub/Sub.

use framepost_events::KeyKind;
use framepost_tests::binaries::{Output, Running};
use framepost_tests::edge::backfill;
use framepost_tests::fault_proxy::{Fault, FaultProxy, Plan};
use framepost_tests::google_emulators::GoogleEmulators;
use framepost_tests::judge::packets::Stream;
use framepost_tests::judge::recording::Recording;
use framepost_tests::media::Clip;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_mins(3);

/// `edge-uploader backfill` of a clip into a bucket.
fn backfill_to(bucket: &str, endpoint: &str, clip: Clip, spool: &Path) -> Command {
    let mut command = backfill(&clip.path(), spool, &format!("gs://{bucket}"));
    command.args(["--endpoint-url", endpoint, "--start", "2026-11-20T12:00:00Z"]);
    command
}

fn address(url: &str) -> std::net::SocketAddr {
    url.strip_prefix("http://").and_then(|host| host.parse().ok()).unwrap_or_else(|| panic!("{url} is no address"))
}

/// Every packet of the clip is in the bucket, in chunks that are what they have to be.
fn assert_holds(google: &GoogleEmulators, bucket: &str, clip: Clip, directory: &Path) {
    let recording = Recording::without_records(&google.copy(bucket, directory), "gate");
    let spans = recording.judge(clip.frame_seconds()).unwrap_or_else(|faults| panic!("{faults:#?}"));
    assert_eq!(spans.len(), 1, "{spans:?}");
    recording.is_the_same_as(&clip.path(), &[Stream::Video]).unwrap_or_else(|faults| panic!("{faults:#?}"));
}

#[test]
fn a_clip_is_put_into_cloud_storage_and_a_second_time_changes_nothing() {
    let Some(google) = GoogleEmulators::start() else { return };
    let directory = tempfile::tempdir().expect("a temporary directory");
    let (bucket, clip) = (google.bucket(), Clip::H264);
    let put = |spool: &str| {
        let mut running =
            Running::start(&mut backfill_to(&bucket, &google.storage, clip, &directory.path().join(spool)));
        running.wait_for_exit_code(0, PATIENCE);
        running.lines(Output::Stderr).join("\n")
    };
    put("first");
    assert_holds(&google, &bucket, clip, &directory.path().join("copy"));
    let generations = || -> Vec<(String, serde_json::Value)> {
        let generation = |name: &String| (name.clone(), google.object(&bucket, name)["generation"].clone());
        google.names(&bucket).iter().map(generation).collect()
    };
    let before = generations();
    assert!(before.len() > 3, "{before:?}");
    // Another spool knows nothing of the first time: the bucket is asked, and has them all.
    put("second");
    assert_eq!(generations(), before);
    let chunk = before.iter().find(|(name, _)| name.ends_with(".mp4")).expect("a chunk");
    let object = google.object(&bucket, &chunk.0);
    assert_eq!(object["contentType"].as_str().map(|name| name.split(';').next()), Some(Some("video/mp4")), "{object}");
}

#[test]
fn a_bucket_that_fails_gets_every_chunk_once() {
    let Some(google) = GoogleEmulators::start() else { return };
    let directory = tempfile::tempdir().expect("a temporary directory");
    let (bucket, clip) = (google.bucket(), Clip::H264);
    let proxy = FaultProxy::start(address(&google.storage));
    let faults = [
        Fault::SlowDown { retry_after_s: 1 },
        Fault::ResetAtAccept,
        Fault::ResetInRequest,
        Fault::LoseAnswer,
        Fault::TruncateAnswer,
    ];
    let with_pauses = faults.iter().flat_map(|fault| [*fault, Fault::None]).collect();
    proxy.set_plan(Plan::Cycle(with_pauses));
    let mut command = backfill_to(&bucket, &proxy.url(), clip, &directory.path().join("spool"));
    Running::start(&mut command).wait_for_exit_code(0, PATIENCE);
    let seen = proxy.seen();
    assert!(faults.iter().all(|fault| seen.fault(*fault) > 0), "{seen:?}");
    assert_holds(&google, &bucket, clip, &directory.path().join("copy"));
}

#[test]
fn something_else_under_a_chunks_name_is_left_there_and_the_chunk_set_aside() {
    let Some(google) = GoogleEmulators::start() else { return };
    let directory = tempfile::tempdir().expect("a temporary directory");
    let (bucket, clip) = (google.bucket(), Clip::H264);
    let taken = "plant-7/2026-11-20/gate/12/00-00Z.0.mp4";
    google.overwrite(&bucket, taken, "text/plain", b"something else");
    let spool = directory.path().join("spool");
    let mut running = Running::start(&mut backfill_to(&bucket, &google.storage, clip, &spool));
    running.wait(PATIENCE);
    assert!(running.log().contains("something else is there"), "{}", running.log());
    assert_eq!(google.bytes(&bucket, taken), b"something else");
    let chunks = google.copy(&bucket, &directory.path().join("copy")).of("gate", KeyKind::Chunk);
    assert!(chunks.len() > 2, "the other chunks are there: {chunks:?}");
}
