//! What a camera costs in a month with each detector, from measured times. `tests/run bench` runs it.

use crate::regions::{Nowhere, model};
use crate::served;
use crate::shared::clip;
use crate::support::{Counting, FRAGMENTED, Object, decoder, ffmpeg, record};
use bytes::Bytes;
use framepost_events::activity::Activity;
use framepost_events::record::{ChunkInferred, Container, Data, Record};
use framepost_infer::{Infer, Parts, Settings};
use framepost_local::MotionDetector;
use framepost_media::jpeg;
use framepost_models::oip::Token;
use framepost_models::{OipDetector, OnnxDetector};
use framepost_ports::memory::SimulatedClock;
use framepost_ports::prices::{aws, gcp};
use framepost_ports::{Detector, Picture, Price};
use nix::sys::resource::{Usage, UsageWho, getrusage};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

/// Seconds of a chunk, which is the gateway's default.
const CHUNK_S: f64 = 3.0;
/// Chunks of a month of 30 days.
const CHUNKS: f64 = 30.0 * 86_400.0 / CHUNK_S;
/// The part of the chunks that is looked at: every one, what a camera with much traffic may have, and one a minute, which is the
/// least (`FRAMEPOST_LOOK_EVERY_S`).
const LOOKED_AT: [f64; 3] = [1.0, 0.25, 0.05];
/// Each figure is the least of so many rounds.
const ROUNDS: usize = 5;

/// The function's memory, in GiB: `memory_mib` of its `function.yaml`.
const MEMORY_GIB: f64 = 1.5;
/// Lambda gives a whole processor for 1769 MB ("Configure Lambda function memory").
const LAMBDA_PROCESSORS: f64 = 1536.0 / 1769.0;
/// Cloud Run bills in steps of so many seconds.
const RUN_STEP_S: f64 = 0.1;
/// What a service or a model server takes to answer for a picture, in seconds. Assumed, not measured.
const ANSWER_S: f64 = 0.3;

/// What a detector takes for a chunk that is looked at.
struct Work {
    detector: &'static str,
    /// Seconds of a processor for one chunk, measured in this run.
    cpu_s: f64,
    /// Spent waiting for a service.
    waiting_s: f64,
    /// Dollars for the service.
    calls: f64,
}

/// Dollars a month on AWS Lambda. `still_s` is the processor time of a chunk that is not looked at.
fn on_lambda(work: &Work, looked_at: f64, still_s: f64) -> f64 {
    let seconds = |cpu_s: f64| (cpu_s / LAMBDA_PROCESSORS * 1e3).ceil() / 1e3;
    let looked_s = looked_at * (seconds(work.cpu_s) + work.waiting_s);
    let billed_s = looked_s + (1.0 - looked_at) * seconds(still_s);
    CHUNKS
        * (billed_s * MEMORY_GIB * aws::LAMBDA_GB_S_X86.dollars + aws::LAMBDA_REQUEST.dollars + looked_at * work.calls)
}

/// Dollars a month on Cloud Run, with one processor.
fn on_cloud_run(work: &Work, looked_at: f64, still_s: f64) -> f64 {
    let steps = |seconds: f64| (seconds / RUN_STEP_S).ceil() * RUN_STEP_S;
    let billed_s = looked_at * steps(work.cpu_s + work.waiting_s) + (1.0 - looked_at) * steps(still_s);
    let second = gcp::RUN_CPU_S.dollars + MEMORY_GIB * gcp::RUN_GIB_S.dollars;
    CHUNKS * (billed_s * second + gcp::RUN_REQUEST.dollars + looked_at * work.calls)
}

fn processor_s(usage: &Usage) -> f64 {
    let seconds = |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    seconds(usage.user_time()) + seconds(usage.system_time())
}

/// Processor time of this process and of those of ffmpeg that have ended, in seconds.
fn cpu_s() -> f64 {
    [UsageWho::RUSAGE_SELF, UsageWho::RUSAGE_CHILDREN].map(|who| processor_s(&getrusage(who).unwrap())).iter().sum()
}

fn peak_mib(who: UsageWho) -> f64 {
    getrusage(who).unwrap().max_rss() as f64 / 1024.0
}

/// A chunk as a gateway makes it of a camera of this width: 25 pictures a second, a random access frame each second.
fn chunk(clip: &Path, width: u32, to: &Path) -> Bytes {
    let mut command = Command::new(ffmpeg().unwrap());
    command.args(["-nostdin", "-v", "error", "-y", "-ss", "18", "-t", &CHUNK_S.to_string(), "-i"]).arg(clip);
    command.args(["-vf", &format!("fps=25,scale={width}:-2"), "-an", "-c:v", "libx264", "-preset", "veryfast"]);
    command.args(["-g", "25", "-pix_fmt", "yuv420p"]).args(FRAGMENTED).arg(to);
    assert!(command.status().unwrap().success());
    std::fs::read(to).unwrap().into()
}

fn infer(bytes: &Bytes, detector: Arc<dyn Detector>) -> Infer {
    let parts = Parts {
        source: Arc::new(Object::of(bytes.clone())),
        bus: Arc::new(Nowhere),
        clock: Arc::new(SimulatedClock::new("2026-11-26T12:00:00Z".parse().unwrap())),
        detectors: vec![detector],
        ledger: None,
        decoder: decoder().unwrap(),
    };
    Infer::new(parts, Settings::from_variables(|_| None).unwrap()).unwrap()
}

async fn seen(infer: &Infer, event: &Record) -> ChunkInferred {
    let Data::ChunkInferred(inferred) = infer.see(event).await.unwrap().record.data else { panic!("a record") };
    *inferred
}

/// Processor seconds for a chunk, and the record.
async fn measured(infer: &Infer, event: &Record) -> (f64, ChunkInferred) {
    let inferred = seen(infer, event).await;
    let mut least = f64::MAX;
    for _ in 0..ROUNDS {
        let before = cpu_s();
        seen(infer, event).await;
        least = least.min(cpu_s() - before);
    }
    (least, inferred)
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a benchmark: tests/run bench"]
async fn what_a_camera_costs_in_a_month() {
    let Some(clip) = clip("one-by-one-person-detection.mp4") else { return };
    if decoder().is_none() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let models = clip.parent().unwrap().parent().unwrap().join("models");
    let directory = model(&models, dir.path());
    let onnx = Arc::new(OnnxDetector::load(directory.clone()).await.unwrap());
    let server = served::yolox().parse().unwrap();
    let oip = Arc::new(OipDetector::new(server, directory, Token::None).await.unwrap());
    let hd = chunk(&clip, 1920, &dir.path().join("1920.mp4"));
    let event = record(&hd, Container::Fmp4, CHUNK_S);

    let (motion_s, moved) = measured(&infer(&hd, Arc::new(MotionDetector::default())), &event).await;
    let (onnx_s, found) = measured(&infer(&hd, onnx.clone()), &event).await;
    let (asking_s, nothing) = measured(&infer(&hd, oip), &event).await;
    assert_eq!((nothing.frames.len(), nothing.summary.len()), (3, 0));
    let (decoding_s, _) = measured(&infer(&hd, Arc::new(Counting::free())), &event).await;
    let pictures = found.frames.len();
    assert_eq!((moved.frames.len(), pictures), (9, 3));
    assert!(found.summary.iter().any(|label| label.label == "person"), "{:?}", found.summary);
    let picture = Picture::new(1920, 1080, vec![90; 1920 * 1080 * 3].into(), Duration::ZERO).unwrap();
    let before = cpu_s();
    jpeg::within(5 << 20, picture.width(), picture.height(), picture.rgb()).unwrap();
    let jpeg_s = cpu_s() - before;
    let mut still = event.clone();
    let Data::ChunkProbed(probed) = &mut still.data else { panic!("a chunk") };
    probed.activity = Some(Activity { level: 0.1, quiet_bytes_per_second: 1000, level_before: None });
    let start = probed.duration.from;
    let motion = infer(&hd, Arc::new(MotionDetector::default()));
    let mut still_s = f64::MAX;
    for n in 0..20 {
        let Data::ChunkProbed(probed) = &mut still.data else { panic!("a chunk") };
        probed.duration.from = start.map(|from| from + jiff::SignedDuration::from_secs(3 * n));
        probed.duration.to = start.map(|from| from + jiff::SignedDuration::from_secs(3 * n + 3));
        let before = cpu_s();
        if seen(&motion, &still).await.skipped.is_some() {
            still_s = still_s.min(cpu_s() - before);
        }
    }
    eprintln!(
        "seconds of a processor, 1080p, 3 s, {pictures} random access frames: decoding {decoding_s:.3}, jpeg {jpeg_s:.3}, still {still_s:.4}"
    );

    let paid = |detector, price: Price, pictures: f64| Work {
        detector,
        cpu_s: decoding_s + pictures * jpeg_s,
        waiting_s: pictures * ANSWER_S,
        calls: pictures * price.dollars,
    };
    let free = |detector, cpu_s| Work { detector, cpu_s, waiting_s: 0.0, calls: 0.0 };
    let works = [
        free("`motion:`", motion_s),
        free("`onnx:`, YOLOX-nano", onnx_s),
        Work { waiting_s: pictures as f64 * ANSWER_S, ..free("`oip+http:`, YOLOX-nano", asking_s) },
        paid("`rekognition:`, one picture a chunk", aws::REKOGNITION_PICTURE, 1.0),
        paid("`rekognition:`", aws::REKOGNITION_PICTURE, pictures as f64),
        paid("`vision:`, one picture a chunk", gcp::VISION_PICTURE, 1.0),
        paid("`vision:`", gcp::VISION_PICTURE, pictures as f64),
    ];
    eprintln!("| | a chunk, s of a processor | Lambda: ungated | 25 % | 5 % | Cloud Run: ungated | 25 % | 5 % |");
    eprintln!("|---|---|---|---|---|---|---|---|");
    for work in &works {
        let on_lambda = LOOKED_AT.map(|part| format!("{:.2}", on_lambda(work, part, still_s))).join(" | ");
        let on_cloud_run = LOOKED_AT.map(|part| format!("{:.2}", on_cloud_run(work, part, still_s))).join(" | ");
        eprintln!("| {} | {:.2} | {on_lambda} | {on_cloud_run} |", work.detector, work.cpu_s);
    }

    // The most that an instance handles at once.
    let uhd = chunk(&clip, 3840, &dir.path().join("3840.mp4"));
    let event = record(&uhd, Container::Fmp4, CHUNK_S);
    let infer = infer(&uhd, onnx);
    let both = futures::join!(seen(&infer, &event), seen(&infer, &event));
    assert_eq!((both.0.frames.len(), both.1.frames.len()), (3, 3));
    eprintln!(
        "two chunks of 2160p at once: MiB that were resident of this process {:.0}, of each ffmpeg at most {:.0}",
        peak_mib(UsageWho::RUSAGE_SELF),
        peak_mib(UsageWho::RUSAGE_CHILDREN)
    );
}

#[test]
fn what_is_not_looked_at_costs_next_to_nothing() {
    let work = Work { detector: "rekognition", cpu_s: 0.1, waiting_s: 0.3, calls: aws::REKOGNITION_PICTURE.dollars };
    let ungated = on_lambda(&work, 1.0, 0.0001);
    // DESIGN: one picture of each chunk is $864.
    assert!((864.0..880.0).contains(&ungated), "{ungated}");
    let gated = on_lambda(&work, 0.05, 0.0001);
    assert!((43.0..45.0).contains(&gated), "{gated}");
    assert!(on_cloud_run(&work, 0.05, 0.0001) < on_cloud_run(&work, 0.25, 0.0001));
}
