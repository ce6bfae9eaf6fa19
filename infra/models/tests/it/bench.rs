//! What a picture costs, against onnxruntime on one thread: `tests/run bench` runs it on one core.

use crate::judge::{YOLOX_NANO, decoded, picture, yolox_nano};
use crate::python::{judge, python, shared_data, skip};
use framepost_models::{Confinement, Manifest, ModelDirectory, OnnxDetector, prepare};
use framepost_ports::{Detector as _, Picture};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// Each figure is the best of so many rounds.
const ROUNDS: usize = 15;
/// The most that a chunk with three pictures may take, as a multiple of what onnxruntime with ffmpeg takes.
const BUDGET: f64 = 1.5;

/// Time by the clock and of a processor, in milliseconds.
#[derive(Debug, Clone, Copy)]
struct Cost {
    wall_ms: f64,
    cpu_ms: f64,
}

impl Cost {
    fn least(self, other: Self) -> Self {
        Self { wall_ms: self.wall_ms.min(other.wall_ms), cpu_ms: self.cpu_ms.min(other.cpu_ms) }
    }

    /// The part of one of so many.
    fn each(self, of: usize) -> Self {
        Self { wall_ms: self.wall_ms / of as f64, cpu_ms: self.cpu_ms / of as f64 }
    }
}

/// The processes that this one has started.
fn children() -> Vec<PathBuf> {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap().flatten();
    let ids = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    ids.flat_map(|ids| ids.split_whitespace().map(|id| Path::new("/proc").join(id)).collect::<Vec<_>>()).collect()
}

/// Milliseconds of a processor that the threads of this process and of its children have taken, by `sched(7)`'s `schedstat`.
fn cpu_ms() -> f64 {
    let processes = std::iter::once(PathBuf::from("/proc/self")).chain(children());
    let threads = processes.flat_map(|process| std::fs::read_dir(process.join("task")).into_iter().flatten().flatten());
    let nanoseconds = threads.filter_map(|thread| {
        let stat = std::fs::read_to_string(thread.path().join("schedstat")).ok()?;
        stat.split_whitespace().next()?.parse::<f64>().ok()
    });
    nanoseconds.sum::<f64>() / 1e6
}

/// The most that was resident of the process that runs the model, in MiB.
fn resident_mib() -> f64 {
    let status = children().into_iter().find_map(|child| std::fs::read_to_string(child.join("status")).ok()).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
}

/// The best of [`ROUNDS`] rounds, and one before that is not counted.
async fn best<F: Future<Output = ()>>(mut round: impl FnMut() -> F) -> Cost {
    round().await;
    let mut best = Cost { wall_ms: f64::MAX, cpu_ms: f64::MAX };
    for _ in 0..ROUNDS {
        let cpu = cpu_ms();
        let begun = Instant::now();
        round().await;
        let wall_ms = begun.elapsed().as_secs_f64() * 1e3;
        best = best.least(Cost { wall_ms, cpu_ms: cpu_ms() - cpu });
    }
    best
}

async fn looking(detector: &OnnxDetector, pictures: &[Picture]) -> Cost {
    let round = || async {
        detector.detect(pictures).await.unwrap();
    };
    best(round).await.each(pictures.len())
}

/// `framepost` beside this test, which can be the process of a model.
fn program() -> Option<PathBuf> {
    let own = std::env::current_exe().unwrap();
    let program = own.parent()?.parent()?.join("framepost");
    if program.is_file() {
        return Some(program);
    }
    skip(&format!("{} is not there: cargo build -p framepost", program.display()));
    None
}

/// Milliseconds of a processor that processes have taken which this one started and waited for: `cutime` and `cstime` of
/// `proc_pid_stat(5)`, in hundredths of a second.
fn ended_children_cpu_ms() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    fields[13..15].iter().map(|ticks| ticks.parse::<f64>().unwrap() * 10.0).sum()
}

/// What both need beside the model: a process of ffmpeg that decodes so many pictures of a clip's first ten seconds. Its time of a
/// processor is the mean of all rounds.
async fn decoding(clip: &Path, pictures: usize) -> Cost {
    let cpu = ended_children_cpu_ms();
    let best = best(|| async {
        let mut command = Command::new("ffmpeg");
        command.args(["-v", "error", "-threads", "1", "-t", "10", "-skip_frame", "nokey", "-i"]).arg(clip);
        command.args(["-frames:v", &pictures.to_string(), "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]);
        assert!(command.output().unwrap().status.success());
    });
    let wall_ms = best.await.wall_ms;
    Cost { wall_ms, cpu_ms: (ended_children_cpu_ms() - cpu) / (ROUNDS + 1) as f64 }
}

#[tokio::test]
#[ignore = "a benchmark: tests/run bench"]
async fn pictures_against_onnxruntime() {
    let (Some(python), Some(data)) = (python(), shared_data()) else { return };
    let dir = tempfile::tempdir().unwrap();
    let model = dir.path().join("yolox-nano");
    yolox_nano(&data, &model);
    let clip = data.join("clips/one-by-one-person-detection.mp4");
    let paths: Vec<_> = decoded(&clip, "1/4", dir.path()).into_iter().take(3).collect();
    let pictures: Vec<Picture> = paths.iter().map(|path| picture(path)).collect();
    let input = Manifest::parse(YOLOX_NANO).unwrap().input;
    let preparing = best(|| async {
        for picture in &pictures {
            std::hint::black_box(prepare(picture, &input));
        }
    });
    let preparing = preparing.await.each(pictures.len());
    let begun = Instant::now();
    let here = OnnxDetector::load(ModelDirectory::local(&model)).await.unwrap();
    let loading_ms = begun.elapsed().as_secs_f64() * 1e3;
    let here = looking(&here, &pictures).await;

    let mut arguments = vec![OsString::from("time"), model.clone().into()];
    arguments.extend(paths.iter().map(OsString::from));
    arguments.push(ROUNDS.to_string().into());
    let reference = &judge(&python, arguments)[0];
    let number = |key: &str| reference[key].as_f64().unwrap();
    let theirs = Cost { wall_ms: number("ms"), cpu_ms: number("cpu_s") * 1e3 };

    let cores = std::thread::available_parallelism().unwrap();
    eprintln!("cores: {cores}; loading the model: {loading_ms:.0} ms");
    eprintln!("| | ours | onnxruntime | ratio |\n|---|---|---|---|");
    let row =
        |what: &str, ours: f64, theirs: f64| eprintln!("| {what} | {ours:.1} | {theirs:.1} | {:.2} |", ours / theirs);
    eprintln!("| of a picture: scaling to the model's input, ms | {:.1} | | |", preparing.wall_ms);
    row("a picture, in this process, ms", here.wall_ms, theirs.wall_ms);
    row("the same: ms of a processor", here.cpu_ms, theirs.cpu_ms);
    let mut ours = here;
    if let Some(program) = program() {
        let confinement = Confinement {
            program,
            arguments: vec!["run-model".into()],
            memory_bytes: 2 << 30,
            processes: 1,
            timeout: Duration::from_mins(1),
        };
        let begun = Instant::now();
        let apart = OnnxDetector::load_confined(ModelDirectory::local(&model), confinement).await.unwrap();
        let starting_ms = begun.elapsed().as_secs_f64() * 1e3;
        ours = looking(&apart, &pictures).await;
        row("a picture, in a process of its own, ms", ours.wall_ms, theirs.wall_ms);
        row("the same: ms of a processor", ours.cpu_ms, theirs.cpu_ms);
        eprintln!("| starting that process, once: ms | {starting_ms:.0} | | |");
        eprintln!("| the most that is resident of it: MiB | {:.0} | | |", resident_mib());
    }
    for pictures in [1, 3] {
        let decoding = decoding(&clip, pictures).await;
        let of = |each: Cost| decoding.wall_ms + pictures as f64 * each.wall_ms;
        let cpu_s = |each: Cost| (decoding.cpu_ms + pictures as f64 * each.cpu_ms) / 1e3;
        row(&format!("a chunk with {pictures} pictures, decoding included, ms"), of(ours), of(theirs));
        let [ours_s, theirs_s] = [ours, theirs].map(cpu_s);
        eprintln!("| the same: seconds of a processor | {ours_s:.3} | {theirs_s:.3} | {:.2} |", ours_s / theirs_s);
        let ratio = of(ours) / of(theirs);
        eprintln!("  budget {BUDGET}: {}", if ratio <= BUDGET { "holds" } else { "MISSED" });
    }
}
