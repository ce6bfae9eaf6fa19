//! What a picture costs, against onnxruntime on one thread: `tests/run bench` runs it on one core.

use crate::judge::{decoded, picture, yolox_nano};
use crate::python::{judge, python, shared_data};
use framepost_models::{ModelDirectory, OnnxDetector};
use framepost_ports::{Detector as _, Picture};
use std::ffi::OsString;
use std::process::Command;
use std::time::Instant;

/// Each figure is the best of so many rounds.
const ROUNDS: usize = 15;

/// Seconds of a processor that this process has taken.
fn cpu_s() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    // Fields 14 and 15 of proc_pid_stat(5), in hundredths; what precedes them is in parentheses.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
}

#[tokio::test]
#[ignore = "a benchmark"]
async fn pictures_against_onnxruntime() {
    let (Some(python), Some(data)) = (python(), shared_data()) else { return };
    let dir = tempfile::tempdir().unwrap();
    let model = dir.path().join("yolox-nano");
    yolox_nano(&data, &model);
    let clip = data.join("clips/one-by-one-person-detection.mp4");
    let started = Instant::now();
    let detector = OnnxDetector::load(ModelDirectory::local(&model)).await.unwrap();
    eprintln!(
        "load: {:.0} ms, cores: {}",
        started.elapsed().as_secs_f64() * 1e3,
        std::thread::available_parallelism().unwrap()
    );
    let paths: Vec<_> = decoded(&clip, "1/4", dir.path()).into_iter().take(3).collect();
    let pictures: Vec<Picture> = paths.iter().map(|path| picture(path)).collect();
    let mut ours = f64::MAX;
    detector.detect(&pictures).await.unwrap();
    let before = cpu_s();
    for _ in 0..ROUNDS {
        let started = Instant::now();
        detector.detect(&pictures).await.unwrap();
        ours = ours.min(started.elapsed().as_secs_f64() / 3.0);
    }
    let ours_cpu = (cpu_s() - before) / (3 * ROUNDS) as f64;
    let mut arguments = vec![OsString::from("time"), model.clone().into()];
    arguments.extend(paths.iter().map(OsString::from));
    arguments.push(ROUNDS.to_string().into());
    let reference = &judge(&python, arguments)[0];
    let number = |key: &str| reference[key].as_f64().unwrap();
    let theirs = number("ms") / 1e3;
    let theirs_cpu = number("cpu_s");
    eprintln!("| | ours | onnxruntime | ratio |\n|---|---|---|---|");
    let row =
        |what: &str, ours: f64, theirs: f64| eprintln!("| {what} | {ours:.1} | {theirs:.1} | {:.2} |", ours / theirs);
    row("a picture, ms", ours * 1e3, theirs * 1e3);
    row("a picture, ms of a processor", ours_cpu * 1e3, theirs_cpu * 1e3);
    for pictures in [1_u32, 3] {
        // What both need beside: a process of ffmpeg that decodes a chunk's first pictures.
        let mut decode = f64::MAX;
        for _ in 0..5 {
            let started = Instant::now();
            let mut command = Command::new("ffmpeg");
            command.args(["-v", "error", "-threads", "1", "-t", "10", "-skip_frame", "nokey", "-i"]).arg(&clip);
            command.args(["-frames:v", &pictures.to_string(), "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]);
            assert!(command.output().unwrap().status.success());
            decode = decode.min(started.elapsed().as_secs_f64());
        }
        let of = |each: f64| (decode + f64::from(pictures) * each) * 1e3;
        row(&format!("a chunk with {pictures} pictures, decoding included, ms"), of(ours), of(theirs));
    }
}
