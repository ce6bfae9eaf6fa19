//! A gateway records an honest camera beside one of every kind that attacks its client. The honest recording
//! must be complete, the gateway must not restart, and its memory and disk use for the others must be bounded.
//!
//! They attack for 15 s (`FRAMEPOST_HOSTILE_SECONDS`) at 400 kB/s each (`FRAMEPOST_HOSTILE_RATE`), all of them together. What each
//! costs alone, at 100 Mb/s and within the limits of the unit, is measured by `tests/run bench-hostile`.

use framepost_events::KeyKind;
use framepost_tests::binaries::{Output, Running};
use framepost_tests::bucket::Bucket;
use framepost_tests::edge::{CameraConfig, EdgeConfig, Trusted};
use framepost_tests::gateway::eventually;
use framepost_tests::hostile_rtsp::{Attack, HostileCamera};
use framepost_tests::judge::recording::Recording;
use framepost_tests::measure::peak_bytes;
use framepost_tests::rtsp::{RtspOptions, RtspServer};
use std::time::Duration;

/// The gateway's memory limit in its systemd unit, `MemoryMax=256M`.
const MEMORY_MAX_KIB: u64 = 256 << 10;
/// Seconds per frame of the honest camera.
const FRAME_SECONDS: f64 = 0.04;

fn setting(name: &str, usual: u32) -> u32 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// Returns the peak resident memory of a process in KiB.
fn peak_kib(process: u32) -> u64 {
    peak_bytes(process).expect("the process runs") / 1024
}

#[test]
fn hostile_cameras_cost_themselves() {
    let seconds = setting("FRAMEPOST_HOSTILE_SECONDS", 15);
    let rate = setting("FRAMEPOST_HOSTILE_RATE", 400_000);
    let server = RtspServer::start(RtspOptions::default());
    let directory = tempfile::tempdir().expect("a temporary directory");
    let bucket = Bucket::at(directory.path().join("archive"));
    let to = format!("file://{}", directory.path().join("archive").display());
    let mut config = EdgeConfig::one_camera(&directory.path().join("spool"), &to, &server.url("h264"));
    config.cameras.extend(Attack::ALL.map(|attack| CameraConfig {
        name: attack.name(),
        url: HostileCamera::start(attack, rate).url(),
        transport: attack.transport(),
        trusted: Trusted::Gateway,
    }));

    let mut gateway = Running::start(&mut config.run(&directory.path().join("edge.toml")));
    let honest = || bucket.of("gate", KeyKind::Chunk).len();
    // The number of chunks of 3 s if nothing delays them.
    let expected = usize::try_from(seconds / 3).expect("a few");
    eventually("the honest camera's chunks are there", Duration::from_secs((seconds + 15).into()), || {
        honest() >= expected
    });
    let peak = peak_kib(gateway.id());
    let ended = gateway.exited();
    assert!(ended.is_none(), "the gateway ended: {ended:?}\n{}", gateway.log());
    gateway.terminate();
    gateway.wait_for_exit_code(0, Duration::from_mins(1));
    let log = gateway.lines(Output::Stderr);

    let recording = Recording::without_records(&bucket, "gate");
    let spans = recording.judge(FRAME_SECONDS).unwrap_or_else(|faults| panic!("{faults:#?}"));
    assert_eq!(spans.len(), 1, "the honest camera: {spans:?}");
    assert_eq!(bucket.of("gate", KeyKind::Gap).len(), 0, "the honest camera has gaps");
    assert!(peak < MEMORY_MAX_KIB, "{peak} KiB at most");

    for attack in Attack::ALL {
        let name = attack.name();
        let objects: usize =
            [KeyKind::Chunk, KeyKind::SpanEnd, KeyKind::Gap].map(|kind| bucket.of(&name, kind).len()).iter().sum();
        println!("{name}: {objects} objects");
        // One chunk for each window, and the objects that end and explain the spans of each attempt.
        let mut most = expected + 24;
        if matches!(attack, Attack::Pictures | Attack::FastParameters) {
            // Each attempt may deliver at once what a network can have held back: 1500 pictures, which are 20 windows. The
            // chunks are cut less often, and each attempt ends a span of its own.
            let of = format!("camera={name}");
            most += 3 * (1 + log.iter().filter(|line| line.contains("camera lost") && line.contains(&of)).count());
        }
        assert!(objects <= most, "{name}: {objects} objects, not {most}");
        let lines = log.iter().filter(|line| line.contains(&format!("camera={name}"))).count();
        assert!(lines <= 30, "{name}: {lines} lines in the log");
    }
    println!("peak {peak} KiB");
}
