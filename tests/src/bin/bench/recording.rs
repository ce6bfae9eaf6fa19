//! Files and a few live cameras into chunks, beside ffmpeg doing the same.

use super::report::{Budget, MIB, row, rows};
use super::setting;
use framepost_tests::edge::{CameraConfig, EdgeConfig, backfill};
use framepost_tests::judge::probe;
use framepost_tests::measure::{Cost, End, Measurement};
use framepost_tests::media::{Clip, ffmpeg};
use framepost_tests::onebox::Onebox;
use framepost_tests::rtsp::{RtspOptions, RtspServer};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Prints the section.
pub(crate) fn compare(directory: &Path) {
    println!(
        "SHA instructions: {}",
        if has_sha() { "yes; the budget of files is for processors without" } else { "no" }
    );
    file_to_chunks(directory);
    live(directory);
    many_cameras(directory);
}

fn has_sha() -> bool {
    let processor = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    processor.split_whitespace().any(|flag| matches!(flag, "sha_ni" | "sha2"))
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

/// The measure for the one time that footage is hashed.
fn hashing(file: &Path) -> Command {
    let mut command = Command::new("openssl");
    command.args(["dgst", "-sha256"]).arg(file);
    command
}

/// A file into chunks, against ffmpeg's segmenter, which hashes nothing, and one pass of OpenSSL's SHA-256 over the file.
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
        let segmented = Measurement::start(&command, End::ByItself).cost();
        let hashed = Measurement::start(&hashing(&file), End::ByItself).cost();
        theirs.push(Cost {
            wall_seconds: segmented.wall_seconds + hashed.wall_seconds,
            cpu_seconds: segmented.cpu_seconds + hashed.cpu_seconds,
            peak_bytes: segmented.peak_bytes.max(hashed.peak_bytes),
        });
        std::fs::remove_dir_all(&place).expect("a run's output is removed");
    }
    let seconds = probe(&file).map_or(0.0, |probed| probed.container_seconds);
    let what = format!("file of {:.0} min to chunks", seconds / 60.0);
    rows(&what, Cost::median(&ours), Cost::median(&theirs), Budget::Ratio(1.0), Budget::None);
}

/// Both record the same stream at the same time, so that neither has the quieter machine.
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
    rows(&what, ours.cost(), theirs.cost(), Budget::Ratio(0.4), Budget::Value(24.0));
}

/// The memory of one gateway with one camera of 4 Mb/s, and with five.
fn many_cameras(directory: &Path) {
    let server = RtspServer::start(RtspOptions::default());
    let onebox = Onebox::up::<&str>(&directory.join("onebox-many"), &[]);
    let url = server.url("h264-720p-4m");
    let time = Duration::from_secs(setting("BENCH_SECONDS", 60));
    for (cameras, budget) in [(1, 24.0), (5, 32.0)] {
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
        row(&what, "cpu s", cost.cpu_seconds, None, Budget::None);
        row(&what, "peak MiB", cost.peak_bytes / MIB, None, Budget::Value(budget));
    }
}
