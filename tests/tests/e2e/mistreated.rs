//! A gateway that is killed at random, with a bucket that fails at random. No closed object may be lost or
//! stored twice, every object must be complete, and each kill may cost at most the fragment being written.
//!
//! The test prints its seed; `FRAMEPOST_SEED` repeats a run.

use framepost_events::KeyKind;
use framepost_tests::binaries::{Output, Running};
use framepost_tests::edge::{EdgeConfig, backfill};
use framepost_tests::fault_proxy::{Fault, FaultProxy, Link, Plan};
use framepost_tests::gateway::{Gateway, Ledger, Reference, eventually, faults_against};
use framepost_tests::judge::assert_faultless;
use framepost_tests::judge::packets::{Stream, packets, same_packets};
use framepost_tests::judge::recording::Recording;
use framepost_tests::media::{Clip, shared_data};
use framepost_tests::onebox::Onebox;
use framepost_tests::rtsp::{RtspOptions, RtspServer};
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

/// Every temporary failure of a bucket. The stall is longer than a request takes, and shorter
/// than the client's time limit.
const FAULTS: [Fault; 6] = [
    Fault::SlowDown { retry_after_s: 1 },
    Fault::ResetAtAccept,
    Fault::ResetInRequest,
    Fault::LoseAnswer,
    Fault::TruncateAnswer,
    Fault::Stall(Duration::from_secs(2)),
];

fn seed() -> u64 {
    let seed =
        std::env::var("FRAMEPOST_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(|| fastrand::u64(..));
    eprintln!("FRAMEPOST_SEED={seed}");
    seed
}

/// A camera, a gateway, a proxy and a bucket, in a directory of their own.
struct Scene {
    server: RtspServer,
    gateway: Gateway,
    proxy: FaultProxy,
    onebox: Onebox,
    reference: Reference,
    ledger: Ledger,
    _directory: tempfile::TempDir,
}

impl Scene {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let server = RtspServer::start(RtspOptions::default());
        // The onebox runs its own demo camera, which the test ignores.
        let onebox = Onebox::up::<&str>(&directory.path().join("onebox"), &[]);
        let proxy = FaultProxy::start(onebox.endpoint());
        let url = server.url("h264-short-gop");
        let mut config = EdgeConfig::one_camera(&directory.path().join("spool"), "s3://footage", &url);
        config.endpoint_url = Some(proxy.url());
        config.credentials = Some(onebox.credentials());
        config.window = Duration::from_millis(500);
        let gateway = Gateway::new(config, directory.path().join("edge.toml"));
        let reference = Reference::start(&url, &directory.path().join("reference.mkv"));
        Self { server, gateway, proxy, onebox, reference, ledger: Ledger::default(), _directory: directory }
    }

    fn chunks(&self) -> usize {
        self.onebox.bucket().of("gate", KeyKind::Chunk).len()
    }

    /// Runs the gateway `times` times, each for a random time, and notes its objects after each kill.
    fn kill_at_random(&mut self, chance: &mut fastrand::Rng, times: usize, after_ms: Range<u64>) {
        for _ in 0..times {
            self.gateway.start();
            // This sleep is the test itself: it chooses the moment of the power cut.
            std::thread::sleep(Duration::from_millis(chance.u64(after_ms.clone())));
            self.gateway.kill();
            self.ledger.note(&self.gateway, &self.onebox.bucket());
        }
    }

    /// Lets all uploads finish with a working bucket, and returns all faults. `spans` is
    /// the expected number of spans.
    fn faults(mut self, spans: Range<usize>) -> Vec<String> {
        self.proxy.set_plan(Plan::Always(Fault::None));
        self.gateway.start();
        self.gateway.wait_until_recording();
        let before = self.chunks();
        eventually("recording goes on after all this", Duration::from_mins(1), || self.chunks() > before);
        self.gateway.terminate();
        self.ledger.note(&self.gateway, &self.onebox.bucket());
        let reference = self.reference.end();
        self.server.kill();
        self.gateway.drain(Duration::from_mins(2));
        let bucket = self.onebox.bucket();
        let objects = bucket.objects().len();
        self.onebox.wait_for_records_of(objects, Duration::from_mins(1));
        self.onebox.end();

        let (closed, parts) = self.ledger.sizes();
        let mut faults = self.ledger.faults(&bucket);
        let recording = Recording::new(&bucket, "gate", &self.onebox.records());
        match recording.judge(1.0 / 25.0) {
            Ok(found) => {
                eprintln!(
                    "{} chunks in {} spans; {closed} closed and {parts} open ones seen at kills",
                    recording.chunks.len(),
                    found.len()
                );
                if !spans.contains(&found.len()) {
                    faults.push(format!("{} spans, expected {spans:?}", found.len()));
                }
                faults.extend(faults_against(&reference, &recording, &found));
            }
            Err(more) => faults.extend(more),
        }
        faults
    }
}

#[test]
fn a_hundred_kills_lose_nothing_that_was_closed() {
    let mut chance = fastrand::Rng::with_seed(seed());
    let mut scene = Scene::new();
    scene.kill_at_random(&mut chance, 100, 50..3000);
    let (closed, parts) = scene.ledger.sizes();
    assert!(closed > 50 && parts > 10, "the kills hit too little: {closed} closed, {parts} open");
    assert_faultless(&scene.faults(20..102));
}

#[test]
fn a_bucket_that_fails_for_a_while_loses_nothing() {
    let mut scene = Scene::new();
    scene.gateway.start();
    for fault in FAULTS {
        scene.proxy.set_plan(Plan::Cycle(vec![fault, Fault::None]));
        scene.proxy.wait_for(Duration::from_mins(2), |seen| seen.fault(fault) >= 3);
    }
    scene.proxy.set_plan(Plan::Always(Fault::SlowDown { retry_after_s: 1 }));
    let before = scene.proxy.seen().fault(FAULTS[0]);
    scene.proxy.wait_for(Duration::from_mins(2), |seen| seen.fault(FAULTS[0]) >= before + 5);
    scene.proxy.set_plan(Plan::Always(Fault::None));
    let chunks = scene.chunks();
    eventually("uploads go on", Duration::from_mins(2), || scene.chunks() > chunks + 2);
    scene.gateway.terminate();
    // One span while the bucket failed, because the camera was not interrupted, and one more at the end.
    assert_faultless(&scene.faults(2..3));
}

#[test]
fn kills_before_a_failing_bucket_lose_nothing_that_was_closed() {
    let seed = seed();
    let mut chance = fastrand::Rng::with_seed(seed);
    let mut scene = Scene::new();
    scene.proxy.set_plan(Plan::Random { seed, one_in: 3, faults: FAULTS.to_vec() });
    scene.kill_at_random(&mut chance, 25, 500..3000);
    let met = scene.proxy.seen().faults;
    assert!(met.values().sum::<u64>() >= 5, "too few faults: {met:?}");
    assert_faultless(&scene.faults(5..27));
}

/// Backfills a clip into a bucket through `proxy`, and compares the result with the clip.
fn backfill_through(proxy: &FaultProxy, onebox: &mut Onebox, directory: &Path) {
    let clip = Clip::H264.path();
    let mut command = backfill(&clip, &directory.join("spool"), "s3://footage");
    command.args(["--endpoint-url", &proxy.url(), "--start", "2026-11-20T12:00:00Z"]);
    onebox.credentials().give_to(&mut command);
    let mut running = Running::start(&mut command);
    running.wait_for_exit_code(0, Duration::from_mins(3));
    assert!(running.lines(Output::Stdout).iter().all(|line| !line.contains("panicked")));
    let found: Vec<_> = onebox
        .bucket()
        .of("gate", KeyKind::Chunk)
        .iter()
        .flat_map(|chunk| packets(&chunk.path, Stream::Video).expect("the chunk's packets"))
        .collect();
    assert_eq!(same_packets(&packets(&clip, Stream::Video).expect("the clip's packets"), &found), Ok(()));
    onebox.end();
}

#[test]
fn a_mobile_uplink_is_slow_and_carries_everything() {
    let Some(data) = shared_data() else { return };
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut onebox = Onebox::up::<&str>(&directory.path().join("onebox"), &[]);
    let proxy = FaultProxy::start(onebox.endpoint());
    proxy.set_link(Some(Link::from_trace(&data.join("traces/ATT-LTE-driving-2016.up"))));
    backfill_through(&proxy, &mut onebox, directory.path());
}

#[test]
fn lost_answers_do_not_make_an_object_twice_or_quarantine_it() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut onebox = Onebox::up::<&str>(&directory.path().join("onebox"), &[]);
    let proxy = FaultProxy::start(onebox.endpoint());
    proxy.set_plan(Plan::Cycle(vec![Fault::LoseAnswer, Fault::None]));
    backfill_through(&proxy, &mut onebox, directory.path());
    assert!(proxy.seen().fault(Fault::LoseAnswer) > 0);
}
