//! The benchmark: the cost of Framepost relative to ffmpeg and ffprobe on the same machine in the same run.
//!
//! `tests/run bench`, or `cargo run --release -p framepost-tests --bin bench` with the release binaries built before.
//! `bench SECTION` measures a part alone: `sizes` of programs, `recording` files and a few cameras, `load` a gateway with
//! hundreds of cameras, `events` from a chunk to its event, `clips` an hour's clip, `lambda` the Lambda function against one that does nothing, `cloud-run` the service on Cloud Run.
//!
//! `BENCH_SECONDS` is how long live cameras are recorded (60), `BENCH_RUNS` how often a file is cut and a clip is read (5),
//! `BENCH_CLIP_MINUTES` how long that clip is (60), `BENCH_LOAD_SECONDS`
//! how long hundreds of cameras are recorded (40), `BENCH_STARTS` how often each function is started (20), `BENCH_REQUESTS` how
//! many requests each service is sent (20000).

mod clips;
mod cloud_run;
mod events;
mod footage;
mod lambda;
mod load;
mod over_http;
mod processor;
mod recording;
mod report;

use framepost_events::KeyKind;
use framepost_tests::binaries::Program;
use framepost_tests::bucket::Bucket;
use framepost_tests::edge::backfill;
use framepost_tests::measure::{End, Measurement, measure_only_child, peak_bytes};
use framepost_tests::media::Clip;
use framepost_tests::range_server::{RangeServer, Served};
use report::{Budget, MIB, heading, row};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_some_and(|first| first == "measure") {
        return if measure_only_child(arguments) { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    let directory = tempfile::tempdir().expect("a temporary directory");
    heading();
    match std::env::args().nth(1).as_deref() {
        Some("recording") => recording::compare(directory.path()),
        Some("load") => load::compare(directory.path()),
        Some("events") => events::compare(directory.path()),
        Some("clips") => clips::compare(directory.path()),
        Some("sizes") => sizes(),
        Some("lambda") => lambda::compare(directory.path()),
        Some("cloud-run") => cloud_run::compare(directory.path()),
        Some(other) => {
            eprintln!("bench: unknown section: {other}");
            return ExitCode::FAILURE;
        }
        None => {
            sizes();
            recording::compare(directory.path());
            load::compare(directory.path());
            probing(directory.path());
            events::compare(directory.path());
            clips::compare(directory.path());
            lambda::compare(directory.path());
            cloud_run::compare(directory.path());
        }
    }
    ExitCode::SUCCESS
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

fn bytes(path: &Path) -> f64 {
    path.metadata().unwrap_or_else(|error| panic!("{}: {error}", path.display())).len() as f64
}

/// Returns a program that does nothing, to compare with.
fn empty(name: &str) -> PathBuf {
    let path = Program::Framepost.path().with_file_name(name);
    assert!(path.is_file(), "{} is not there; `tests/run bench` builds it", path.display());
    path
}

/// Returns the peak resident memory of a running process.
fn resident_bytes(id: u32) -> f64 {
    peak_bytes(id).expect("the process is there") as f64
}

fn sizes() {
    let edge = Program::EdgeUploader;
    for (clouds, path, budget) in
        [("aws", edge.built_for("aws"), 8.0), ("gcp", edge.built_for("gcp"), 8.0), ("aws and gcp", edge.path(), 12.0)]
    {
        row(&format!("edge-uploader for {clouds}"), "MiB", bytes(&path) / MIB, None, Budget::Value(budget));
    }
    row("framepost", "MiB", bytes(&Program::Framepost.path()) / MIB, None, Budget::None);
}

/// Measures probing over HTTP: a chunk of ours, and files from other sources.
fn probing(directory: &Path) {
    let (key, ours) = own_chunk(directory);
    let foreign = [Clip::MoovLast, Clip::H264Aac, Clip::FragmentedAac, Clip::MatroskaAac].map(Clip::path);
    let mut files = HashMap::from([(key.clone(), ours)]);
    let mut names = vec![key];
    for path in foreign {
        let name = path.file_name().expect("a clip has a name").to_string_lossy().into_owned();
        names.push(name.clone());
        files.insert(name, Served { path, headers: Vec::new() });
    }
    let server = RangeServer::start(files);
    for name in names {
        let started = Instant::now();
        over_http::probe(server.address(), &name);
        let our_time = started.elapsed();
        let our = server.take_traffic();
        let started = Instant::now();
        let ffprobe = Command::new("ffprobe")
            .args(["-v", "error", "-show_format", "-show_streams", "-of", "json", &server.url(&name)])
            .output()
            .expect("ffprobe can be started");
        assert!(ffprobe.status.success(), "ffprobe: {}", String::from_utf8_lossy(&ffprobe.stderr));
        let their_time = started.elapsed();
        let their = server.take_traffic();
        let what = format!("probe {}", name.rsplit('/').next().unwrap_or(&name));
        let own = name.contains('/');
        let budgets = if own { (1.0, 16.0) } else { (3.0, 128.0) };
        row(&what, "requests", our.requests as f64, Some(their.requests as f64), Budget::Value(budgets.0));
        row(&what, "KiB", our.bytes as f64 / 1024.0, Some(their.bytes as f64 / 1024.0), Budget::Value(budgets.1));
        // ffprobe's time includes the start of a process; ours does not.
        row(&what, "wall ms", our_time.as_secs_f64() * 1e3, Some(their_time.as_secs_f64() * 1e3), Budget::None);
    }
}

/// Returns a chunk of ours with its metadata, by its key.
fn own_chunk(directory: &Path) -> (String, Served) {
    let archive = directory.join("archive");
    let mut command =
        backfill(&Clip::H264Aac.path(), &directory.join("spool"), &format!("file://{}", archive.display()));
    command.args(["--start", "2026-11-20T12:00:00Z"]);
    Measurement::start(&command, End::ByItself).cost();
    let object = Bucket::at(archive).of("gate", KeyKind::Chunk).into_iter().next().expect("the backfill made a chunk");
    let metadata =
        object.attributes().and_then(|attributes| attributes.to_metadata().map_err(|error| error.to_string()));
    let metadata = metadata.unwrap_or_else(|fault| panic!("{}: {fault}", object.key));
    let headers = metadata.into_iter().map(|(name, value)| (format!("x-amz-meta-{}", name.to_lowercase()), value));
    (object.key.to_string(), Served { path: object.path, headers: headers.collect() })
}
