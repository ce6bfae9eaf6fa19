//! What one hostile camera costs a gateway that records an honest one beside it: each attack against a gateway of its own.
//!
//! `tests/run bench-hostile`, or `cargo run -p framepost-tests --bin hostile [ATTACK...]` with `edge-uploader` built before, optimised;
//! all attacks are run unless some are named. Each goes on for 60 s (`HOSTILE_SECONDS`) at 12 500 000 bytes a second
//! (`HOSTILE_RATE`), and the gateway may have 256 MiB as its unit allows, where this runs as root with control groups.
//!
//! Printed is what the gateway took beyond what it takes for the honest camera alone, and whether that one is complete. The exit
//! code is 1 if a budget was not kept.

mod cage;

use cage::Cage;
use framepost_events::KeyKind;
use framepost_tests::binaries::{Output, Running};
use framepost_tests::bucket::Bucket;
use framepost_tests::edge::{CameraConfig, EdgeConfig, Trusted};
use framepost_tests::hostile_rtsp::{Attack, HostileCamera};
use framepost_tests::plain_camera::PlainCamera;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// What a hostile camera may cost.
const CORES_MAX: f64 = 0.1;
const MIB_MAX: f64 = 64.0;
/// The honest camera: 4 Mb/s.
const HONEST_BYTES_A_SECOND: u32 = 500_000;
const WINDOW: Duration = Duration::from_secs(3);

/// What one gateway did.
struct Outcome {
    cores: f64,
    peak_mib: f64,
    /// How it ended, if it did before it was asked to.
    ended: Option<String>,
    /// What is missing of the honest camera.
    honest: Result<(), String>,
    objects: usize,
    log_lines: usize,
}

fn main() -> ExitCode {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    if let Some(unknown) = wanted.iter().find(|name| !Attack::ALL.iter().any(|attack| attack.name() == **name)) {
        eprintln!("hostile: unknown attack: {unknown}");
        return ExitCode::FAILURE;
    }
    let time = Duration::from_secs(setting("HOSTILE_SECONDS", 60).into());
    let rate = setting("HOSTILE_RATE", 12_500_000);
    let cage = Cage::new();
    let alone = run(None, rate, time, &cage);
    println!("{:<18} {:>7} {:>7}  honest camera", "attack", "MiB", "cores");
    println!("{:<18} {:>7.1} {:>7.3}  {}", "none", alone.peak_mib, alone.cores, complete(&alone));
    let mut failures = 0;
    for attack in Attack::ALL.into_iter().filter(|attack| wanted.is_empty() || wanted.contains(&attack.name())) {
        let found = run(Some(attack), rate, time, &cage);
        let mib = found.peak_mib - alone.peak_mib;
        let cores = found.cores - alone.cores;
        let kept = mib <= MIB_MAX && cores <= CORES_MAX && found.ended.is_none() && found.honest.is_ok();
        failures += u32::from(!kept);
        println!(
            "{:<18} {mib:>+7.1} {cores:>+7.3}  {}; {} objects, {} lines{}",
            attack.name(),
            complete(&found),
            found.objects,
            found.log_lines,
            if kept { "" } else { "  NOT KEPT" }
        );
    }
    if failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn setting(name: &str, usual: u32) -> u32 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(usual)
}

fn complete(outcome: &Outcome) -> String {
    match (&outcome.ended, &outcome.honest) {
        (Some(status), _) => format!("the gateway ended with {status}"),
        (None, Ok(())) => "complete".to_owned(),
        (None, Err(fault)) => fault.clone(),
    }
}

fn run(attack: Option<Attack>, rate: u32, time: Duration, cage: &Cage) -> Outcome {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let archive = directory.path().join("archive");
    let bucket = Bucket::at(&archive);
    let honest = PlainCamera::start(HONEST_BYTES_A_SECOND, Duration::ZERO);
    let to = format!("file://{}", archive.display());
    let mut config = EdgeConfig::one_camera(&directory.path().join("spool"), &to, &honest.url());
    config.cameras.extend(attack.map(|attack| CameraConfig {
        name: attack.name(),
        url: HostileCamera::start(attack, rate).url(),
        transport: attack.transport(),
        trusted: Trusted::Gateway,
    }));
    let mut gateway = Running::start(&mut cage.confine(&config.run(&directory.path().join("edge.toml"))));
    let began = Instant::now();
    let mut cores = 0.0;
    let mut peak_mib = 0.0;
    while began.elapsed() < time {
        std::thread::sleep(Duration::from_millis(250));
        let Some(cost) = cage::cost(gateway.id()) else { break };
        cores = cost.cpu_seconds / began.elapsed().as_secs_f64();
        peak_mib = cost.peak_mib;
    }
    let ended = gateway.exited().map(|status| status.to_string());
    if ended.is_none() {
        gateway.terminate();
        gateway.wait(Duration::from_mins(1));
    }
    let name = attack.map(Attack::name).unwrap_or_default();
    let kinds = [KeyKind::Chunk, KeyKind::SpanEnd, KeyKind::Gap];
    let is_about = |line: &&String| line.contains(&format!("camera={name}"));
    Outcome {
        cores,
        peak_mib,
        ended,
        honest: judge(&bucket, time),
        objects: kinds.map(|kind| bucket.of(&name, kind).len()).iter().sum(),
        log_lines: gateway.lines(Output::Stderr).iter().filter(is_about).count(),
    }
}

/// The honest camera's recording: one span without gaps, as long as the time, with every byte that was sent.
fn judge(bucket: &Bucket, time: Duration) -> Result<(), String> {
    let gaps = bucket.of("gate", KeyKind::Gap).len();
    let mut chunks = bucket.of("gate", KeyKind::Chunk);
    // The last one was cut short by the end.
    chunks.pop();
    // Two seconds for the start.
    let expected = usize::try_from(time.as_secs().saturating_sub(2) / WINDOW.as_secs()).unwrap_or(usize::MAX);
    if gaps > 0 || chunks.len() < expected.saturating_sub(1) {
        return Err(format!("{gaps} gaps, {} whole chunks of {expected}", chunks.len()));
    }
    if let Some((n, chunk)) = (0..).zip(&chunks).find(|(n, chunk)| chunk.key.counter != *n) {
        return Err(format!("chunk {n} is missing before {}", chunk.key));
    }
    let least = u64::from(HONEST_BYTES_A_SECOND) * WINDOW.as_secs();
    let small = chunks.iter().find(|chunk| std::fs::metadata(&chunk.path).is_ok_and(|file| file.len() < least));
    small.map_or(Ok(()), |chunk| Err(format!("frames are missing in {}", chunk.key)))
}
