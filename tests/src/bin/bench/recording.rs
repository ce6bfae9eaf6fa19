//! Files and a few live cameras into chunks, beside ffmpeg doing the same.

use super::footage::forty_minutes;
use super::processor::{Hiding, has_sha};
use super::report::{Budget, MIB, row, rows};
use super::setting;
use framepost_tests::edge::{CameraConfig, Credentials, EdgeConfig, backfill};
use framepost_tests::load::Sink;
use framepost_tests::measure::{Cost, End, Measurement};
use framepost_tests::rtsp::{RtspOptions, RtspServer};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Measures a file into chunks, live cameras and many cameras against their yardsticks, and prints a row for each.
pub(crate) fn compare(directory: &Path) {
    let file = forty_minutes(directory);
    if has_sha() {
        file_to_chunks("with SHA instructions", &file, directory, None, Budget::None);
        match Hiding::prepare(directory) {
            Ok(hiding) => {
                file_to_chunks("without SHA instructions", &file, directory, Some(&hiding), Budget::Ratio(1.0));
            }
            Err(reason) => {
                println!("file to chunks without SHA instructions: NOT MEASURED, they cannot be hidden: {reason}");
            }
        }
    } else {
        file_to_chunks("without SHA instructions", &file, directory, None, Budget::Ratio(1.0));
    }
    std::fs::remove_file(&file).expect("the file is removed");
    live(directory);
    many_cameras(directory);
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
fn file_to_chunks(on: &str, file: &Path, directory: &Path, hiding: Option<&Hiding>, budget: Budget) {
    let measured = |mut command: Command| {
        if let Some(hiding) = hiding {
            hiding.from(&mut command);
        }
        Measurement::start(&command, End::ByItself).cost()
    };
    let mut ours = Vec::new();
    let mut theirs = Vec::new();
    for run in 0..setting("BENCH_RUNS", 5) {
        let place = directory.join(format!("file-{run}"));
        let to = format!("file://{}", place.join("archive").display());
        let mut command = backfill(file, &place.join("spool"), &to);
        command.args(["--start", "2026-11-20T12:00:00Z"]);
        ours.push(measured(command));
        let segmented = measured(segmenting(&["-i", &file.to_string_lossy()], &place.join("segments")));
        let hashed = measured(hashing(file));
        theirs.push(Cost {
            wall_seconds: segmented.wall_seconds + hashed.wall_seconds,
            cpu_seconds: segmented.cpu_seconds + hashed.cpu_seconds,
            peak_bytes: segmented.peak_bytes.max(hashed.peak_bytes),
        });
        std::fs::remove_dir_all(&place).expect("a run's output is removed");
    }
    let what = format!("file of 40 min to chunks, {on}");
    rows(&what, Cost::median(&ours), Cost::median(&theirs), budget, Budget::None);
}

/// Both record the same stream at the same time, so that neither has the quieter machine.
fn live(directory: &Path) {
    let server = RtspServer::start(RtspOptions::default());
    let sink = Sink::start();
    let url = server.url("h264-720p");
    let mut config = EdgeConfig::one_camera(&directory.join("live-spool"), "s3://footage", &url);
    config.endpoint_url = Some(sink.endpoint());
    config.credentials = Some(Credentials::any());
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
    let sink = Sink::start();
    let url = server.url("h264-720p-4m");
    let time = Duration::from_secs(setting("BENCH_SECONDS", 60));
    for (cameras, budget) in [(1, 24.0), (5, 32.0)] {
        let place = directory.join(format!("{cameras}-cameras"));
        std::fs::create_dir_all(&place).expect("a place for a gateway");
        let mut config = EdgeConfig::one_camera(&place.join("spool"), "s3://footage", &url);
        config.endpoint_url = Some(sink.endpoint());
        config.credentials = Some(Credentials::any());
        let one = config.cameras.remove(0);
        let named = |n| CameraConfig { name: format!("of-{cameras}-{n}"), ..one.clone() };
        config.cameras = (0..cameras).map(named).collect();
        let cost = Measurement::start(&config.run(&place.join("edge.toml")), End::After(time)).cost();
        let what = format!("{cameras} live of 4 Mb/s, {} s", time.as_secs());
        row(&what, "cpu s", cost.cpu_seconds, None, Budget::None);
        row(&what, "peak MiB", cost.peak_bytes / MIB, None, Budget::Value(budget));
    }
}
