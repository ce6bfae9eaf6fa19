//! The benchmark: what Framepost costs beside ffmpeg and ffprobe doing the same, as ratios of one run on one machine.
//!
//! `tests/run bench`, or `cargo run --release -p framepost-tests --bin bench` with the release binaries built before.
//! `BENCH_SECONDS` is how long the live camera is recorded (60), `BENCH_RUNS` how often a file is cut (5).

use framepost_tests::binaries::Program;
use framepost_tests::edge::{EdgeConfig, backfill};
use framepost_tests::judge::probe;
use framepost_tests::measure::{Cost, End, Measurement, measure_only_child};
use framepost_tests::media::{Clip, ffmpeg};
use framepost_tests::onebox::Onebox;
use framepost_tests::rtsp::{RtspOptions, RtspServer};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

const MIB: f64 = 1024.0 * 1024.0;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_some_and(|first| first == "measure") {
        return if measure_only_child(arguments) { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    let directory = tempfile::tempdir().expect("a temporary directory");
    println!("{:<34} {:>12} {:>12} {:>8}   budget", "", "framepost", "other", "ratio");
    sizes();
    file_to_chunks(directory.path());
    live(directory.path());
    probing(directory.path());
    ExitCode::SUCCESS
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

fn row(what: &str, unit: &str, ours: f64, other: Option<f64>, budget: &str) {
    let (other_text, ratio) = match other {
        Some(other) => (format!("{other:.3}"), format!("{:.2}", ours / other)),
        None => (String::new(), String::new()),
    };
    println!("{:<34} {ours:>12.3} {other_text:>12} {ratio:>8}   {budget}", format!("{what}, {unit}"));
}

fn rows(what: &str, ours: Cost, other: Cost, cpu_budget: &str, memory_budget: &str) {
    row(what, "cpu s", ours.cpu_seconds, Some(other.cpu_seconds), cpu_budget);
    row(what, "peak MiB", ours.peak_bytes / MIB, Some(other.peak_bytes / MIB), memory_budget);
    row(what, "wall s", ours.wall_seconds, Some(other.wall_seconds), "");
}

fn sizes() {
    for (program, budget) in [(Program::EdgeUploader, "8 MiB"), (Program::Framepost, "")] {
        let bytes = program.path().metadata().expect("the executable's size").len() as f64;
        row(&format!("{} executable", program.name()), "MiB", bytes / MIB, None, budget);
    }
}

/// About three quarters of an hour of footage: a real scene where there is one, a test pattern otherwise.
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

/// Both record the same stream at the same time, so that neither has the quieter machine.
fn live(directory: &Path) {
    let server = RtspServer::start(RtspOptions::default());
    let onebox = Onebox::up::<&str>(&directory.join("onebox"), &[]);
    let url = server.url("h264-720p");
    let mut config = EdgeConfig::one_camera(&directory.join("live-spool"), "s3://footage", &url);
    config.endpoint_url = Some(format!("http://{}", onebox.endpoint()));
    let time = Duration::from_secs(setting("BENCH_SECONDS", 60));
    let ours = Measurement::start(&config.run(&directory.join("edge.toml")), End::After(time));
    let segments = segmenting(&["-rtsp_transport", "tcp", "-i", &url], &directory.join("live-segments"));
    let theirs = Measurement::start(&segments, End::After(time));
    let what = format!("live camera, {} s, with upload", time.as_secs());
    rows(&what, ours.cost(), theirs.cost(), "0.5", "24 MiB");
}

/// Reading what a file is, from start to exit.
fn probing(directory: &Path) {
    let file = directory.join("long.mp4");
    let mut ours = Vec::new();
    let mut theirs = Vec::new();
    for _ in 0..setting("BENCH_RUNS", 5) {
        let mut command = Program::Framepost.command();
        command.arg("probe").arg(&file);
        ours.push(Measurement::start(&command, End::ByItself).cost());
        let mut command = Command::new("ffprobe");
        command.args(["-v", "error", "-show_format", "-show_streams", "-of", "json"]).arg(&file);
        theirs.push(Measurement::start(&command, End::ByItself).cost());
    }
    rows("probe of a file, against ffprobe", Cost::median(&ours), Cost::median(&theirs), "", "");
}
