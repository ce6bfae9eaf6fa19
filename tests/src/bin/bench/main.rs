//! The benchmark: the cost of Framepost relative to ffmpeg and ffprobe on the same machine in the same run.
//!
//! `tests/run bench`, or `cargo run --release -p framepost-tests --bin bench` with the release binaries built before.
//! `bench lambda` measures the Lambda function alone, against one that does nothing, and `bench cloud-run` the service on
//! Cloud Run. `BENCH_SECONDS` is how long the live camera is recorded (60), `BENCH_RUNS` how often a file is cut (5),
//! `BENCH_STARTS` how often each function is started (20), `BENCH_REQUESTS` how many requests each service is sent (20000).

mod cloud_run;
mod lambda;
mod over_http;

use framepost_events::KeyKind;
use framepost_tests::binaries::Program;
use framepost_tests::bucket::Bucket;
use framepost_tests::edge::{CameraConfig, EdgeConfig, backfill};
use framepost_tests::judge::probe;
use framepost_tests::measure::{Cost, End, Measurement, measure_only_child};
use framepost_tests::media::{Clip, ffmpeg};
use framepost_tests::onebox::Onebox;
use framepost_tests::range_server::{RangeServer, Served};
use framepost_tests::rtsp::{RtspOptions, RtspServer};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

const MIB: f64 = 1024.0 * 1024.0;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_some_and(|first| first == "measure") {
        return if measure_only_child(arguments) { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    let directory = tempfile::tempdir().expect("a temporary directory");
    heading();
    match std::env::args().nth(1).as_deref() {
        Some("lambda") => lambda::compare(directory.path()),
        Some("cloud-run") => cloud_run::compare(directory.path()),
        Some(other) => {
            eprintln!("bench: unknown section: {other}");
            return ExitCode::FAILURE;
        }
        None => {
            sizes();
            file_to_chunks(directory.path());
            live(directory.path());
            many_cameras(directory.path());
            probing(directory.path());
            lambda::compare(directory.path());
            cloud_run::compare(directory.path());
        }
    }
    ExitCode::SUCCESS
}

fn heading() {
    println!("{:<42} {:>12} {:>12} {:>8}   budget", "", "framepost", "other", "ratio");
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

fn row(what: &str, unit: &str, ours: f64, other: Option<f64>, budget: &str) {
    let (other_text, ratio) = match other {
        Some(other) => (format!("{other:.3}"), format!("{:.2}", ours / other)),
        None => (String::new(), String::new()),
    };
    println!("{:<42} {ours:>12.3} {other_text:>12} {ratio:>8}   {budget}", format!("{what}, {unit}"));
}

fn rows(what: &str, ours: Cost, other: Cost, cpu_budget: &str, memory_budget: &str) {
    row(what, "cpu s", ours.cpu_seconds, Some(other.cpu_seconds), cpu_budget);
    row(what, "peak MiB", ours.peak_bytes / MIB, Some(other.peak_bytes / MIB), memory_budget);
    row(what, "wall s", ours.wall_seconds, Some(other.wall_seconds), "");
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

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Returns the peak resident memory of a running process.
fn resident_bytes(id: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).expect("the process is there");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("the kernel tells what was resident");
    let kib: f64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
    kib * 1024.0
}

fn sizes() {
    let edge = Program::EdgeUploader;
    for (clouds, path, budget) in [
        ("aws", edge.built_for("aws"), "8 MiB"),
        ("gcp", edge.built_for("gcp"), "8 MiB"),
        ("aws and gcp", edge.path(), "12 MiB"),
    ] {
        row(&format!("edge-uploader for {clouds}"), "MiB", bytes(&path) / MIB, None, budget);
    }
    row("framepost", "MiB", bytes(&Program::Framepost.path()) / MIB, None, "");
}

/// Returns about 45 minutes of footage: a real scene if one is available, otherwise a test pattern.
fn long_file(directory: &Path) -> PathBuf {
    let real = std::env::var_os("FRAMEPOST_TEST_DATA")
        .map(|data| PathBuf::from(data).join("clips/one-by-one-person-detection.mp4"))
        .filter(|clip| clip.is_file());
    let source = real.unwrap_or_else(|| Clip::Long.path());
    let path = directory.join("long.mp4");
    ffmpeg(["-stream_loop", "19", "-i", &source.to_string_lossy(), "-c", "copy", "-an"], &path);
    path
}

/// `ffmpeg -c copy -f segment`, with chunks of the same length in the same container.
fn segmenting(input: &[&str], directory: &Path) -> Command {
    std::fs::create_dir_all(directory).expect("a place for ffmpeg's segments");
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-hide_banner", "-loglevel", "error", "-y"]).args(input);
    command.args(["-map", "0:v:0", "-c", "copy", "-f", "segment", "-segment_time", "3", "-reset_timestamps", "1"]);
    command.args(["-segment_format_options", "movflags=frag_keyframe+empty_moov+default_base_moof"]);
    command.arg(directory.join("%05d.mp4"));
    command
}

fn file_to_chunks(directory: &Path) {
    let file = long_file(directory);
    let mut ours = Vec::new();
    let mut theirs = Vec::new();
    for run in 0..setting("BENCH_RUNS", 5) {
        let place = directory.join(format!("file-{run}"));
        let to = format!("file://{}", place.join("archive").display());
        let mut command = backfill(&file, &place.join("spool"), &to);
        command.args(["--start", "2026-11-20T12:00:00Z"]);
        ours.push(Measurement::start(&command, End::ByItself).cost());
        let command = segmenting(&["-i", &file.to_string_lossy()], &place.join("segments"));
        theirs.push(Measurement::start(&command, End::ByItself).cost());
        std::fs::remove_dir_all(&place).expect("a run's output is removed");
    }
    let seconds = probe(&file).map_or(0.0, |probed| probed.container_seconds);
    let what = format!("file of {:.0} min to chunks", seconds / 60.0);
    rows(&what, Cost::median(&ours), Cost::median(&theirs), "", "");
}

/// Records the same stream with both at the same time, so that they run under equal conditions.
fn live(directory: &Path) {
    let server = RtspServer::start(RtspOptions::default());
    let onebox = Onebox::up::<&str>(&directory.join("onebox"), &[]);
    let url = server.url("h264-720p");
    let mut config = EdgeConfig::one_camera(&directory.join("live-spool"), "s3://footage", &url);
    config.endpoint_url = Some(format!("http://{}", onebox.endpoint()));
    config.credentials = Some(onebox.credentials());
    let time = Duration::from_secs(setting("BENCH_SECONDS", 60));
    let ours = Measurement::start(&config.run(&directory.join("edge.toml")), End::After(time));
    let segments = segmenting(&["-rtsp_transport", "tcp", "-i", &url], &directory.join("live-segments"));
    let theirs = Measurement::start(&segments, End::After(time));
    let what = format!("live camera, {} s, with upload", time.as_secs());
    rows(&what, ours.cost(), theirs.cost(), "0.5", "24 MiB");
}

/// Measures the memory of a gateway with one 4 Mb/s camera and with five.
fn many_cameras(directory: &Path) {
    let server = RtspServer::start(RtspOptions::default());
    let onebox = Onebox::up::<&str>(&directory.join("onebox-many"), &[]);
    let url = server.url("h264-720p-4m");
    let time = Duration::from_secs(setting("BENCH_SECONDS", 60));
    for (cameras, budget) in [(1, "24 MiB"), (5, "32 MiB")] {
        let place = directory.join(format!("{cameras}-cameras"));
        std::fs::create_dir_all(&place).expect("a place for a gateway");
        let mut config = EdgeConfig::one_camera(&place.join("spool"), "s3://footage", &url);
        config.endpoint_url = Some(format!("http://{}", onebox.endpoint()));
        config.credentials = Some(onebox.credentials());
        let one = config.cameras.remove(0);
        let named = |n| CameraConfig { name: format!("of-{cameras}-{n}"), ..one.clone() };
        config.cameras = (0..cameras).map(named).collect();
        let cost = Measurement::start(&config.run(&place.join("edge.toml")), End::After(time)).cost();
        let what = format!("{cameras} live of 4 Mb/s, {} s", time.as_secs());
        row(&what, "cpu s", cost.cpu_seconds, None, "");
        row(&what, "peak MiB", cost.peak_bytes / MIB, None, budget);
    }
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
        let (our_time, our) = (started.elapsed(), server.take_traffic());
        let started = Instant::now();
        let ffprobe = Command::new("ffprobe")
            .args(["-v", "error", "-show_format", "-show_streams", "-of", "json", &server.url(&name)])
            .output()
            .expect("ffprobe can be started");
        assert!(ffprobe.status.success(), "ffprobe: {}", String::from_utf8_lossy(&ffprobe.stderr));
        let (their_time, their) = (started.elapsed(), server.take_traffic());
        let what = format!("probe {}", name.rsplit('/').next().unwrap_or(&name));
        let own = name.contains('/');
        let budgets = if own { ("1", "16 KiB") } else { ("3", "128 KiB") };
        row(&what, "requests", our.requests as f64, Some(their.requests as f64), budgets.0);
        row(&what, "KiB", our.bytes as f64 / 1024.0, Some(their.bytes as f64 / 1024.0), budgets.1);
        // ffprobe's time includes the start of a process; ours does not.
        row(&what, "wall ms", our_time.as_secs_f64() * 1e3, Some(their_time.as_secs_f64() * 1e3), "");
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
