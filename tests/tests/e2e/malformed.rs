//! Broken files: each gets a record or a rejection, and none crashes the probe.

use framepost_events::record::{Data, RejectReason};
use framepost_tests::binaries::{Output, Program, Running};
use framepost_tests::bucket::files;
use framepost_tests::media::{Clip, shared_data};
use framepost_tests::onebox::records;
use std::path::PathBuf;
use std::time::Duration;

fn probe(files: &[PathBuf]) -> Running {
    Running::start(Program::Framepost.command().arg("probe").args(files))
}

#[test]
fn every_malformed_file_gets_its_record() {
    let Some(data) = shared_data() else { return };
    let inputs = files(&data.join("malformed"));
    assert!(inputs.len() > 50, "{} files", inputs.len());
    let mut together = probe(&inputs);
    together.wait_for_exit_code(1, Duration::from_mins(1));
    let all = records(&together.lines(Output::Stdout));
    assert_eq!(all.len(), inputs.len(), "one record a file\n{}", together.log());
    assert!(!together.log().contains("panicked"), "{}", together.log());
    assert!(all.iter().any(|record| matches!(record.data, Data::ObjectRejected(_))));
    assert!(all.iter().any(|record| matches!(record.data, Data::ChunkProbed(_))), "some of them are only odd");
}

#[test]
fn what_is_wrong_has_a_name() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let whole = std::fs::read(Clip::H264.path()).expect("the clip's bytes");
    for (name, bytes, reason) in [
        ("empty.mp4", Vec::new(), RejectReason::Empty),
        ("text.mp4", b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n".repeat(50), RejectReason::NotMedia),
        ("cut.mp4", whole[..200].to_vec(), RejectReason::Truncated),
    ] {
        let path = directory.path().join(name);
        std::fs::write(&path, bytes).expect("a file to probe");
        let mut probed = probe(&[path]);
        probed.wait_for_exit_code(1, Duration::from_secs(10));
        let said = records(&probed.lines(Output::Stdout));
        let [record] = &said[..] else { panic!("{name}: one record was expected: {said:?}") };
        assert!(
            matches!(&record.data, Data::ObjectRejected(rejected) if rejected.reason == reason),
            "{name}: {record:?}"
        );
    }
}

#[test]
fn good_files_are_probed_and_the_exit_code_says_so() {
    let clips = Clip::SHORT.map(Clip::path);
    let mut probed = probe(&clips);
    probed.wait_for_exit_code(0, Duration::from_secs(30));
    let said = records(&probed.lines(Output::Stdout));
    assert_eq!(said.len(), clips.len());
    for (record, clip) in said.iter().zip(Clip::SHORT) {
        let Data::ChunkProbed(chunk) = &record.data else { panic!("{clip:?}: {record:?}") };
        assert_eq!(
            (chunk.resolution.width, chunk.resolution.height, chunk.resolution.channels),
            (320, 240, 3),
            "{clip:?}"
        );
        assert!(
            chunk.duration.seconds.is_some_and(|seconds| (seconds - 10.0).abs() < 0.2),
            "{clip:?}: {:?}",
            chunk.duration
        );
    }
}
