//! Measures a program: wall time, CPU time and peak memory, as counted by the kernel.
//!
//! The kernel adds up the use of all ended children of a process. Each measured program therefore gets a parent
//! process of its own: [`measure_only_child`], run by the benchmark's executable as `bench measure`.

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::signal::{Signal, kill};
use nix::sys::time::{TimeVal, TimeValLike as _};
use nix::unistd::Pid;
use serde_json::{Value, json};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Returns the most memory of a process that was resident at once (`VmHWM`, proc(5)); `None` if the process is gone.
pub fn peak_bytes(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let kib = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.trim().trim_end_matches(" kB");
    Some(kib.parse::<u64>().ok()? * 1024)
}

/// In which Linux tells times of processes to programs, whatever its own are (time(7), `USER_HZ`).
const TICKS_A_SECOND: f64 = 100.0;

/// Returns the processor time that a process has taken so far, user and system (proc(5), `stat`). Panics if the process is gone.
pub fn cpu_seconds(process: u32) -> f64 {
    let path = format!("/proc/{process}/stat");
    let stat = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    // The name, in parentheses, may have any characters.
    let (_, fields) = stat.rsplit_once(')').expect("a name");
    let ticks: Vec<u64> = fields.split_whitespace().skip(11).take(2).filter_map(|text| text.parse().ok()).collect();
    ticks.iter().sum::<u64>() as f64 / TICKS_A_SECOND
}

/// What one run cost.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cost {
    /// From start to end.
    pub wall_seconds: f64,
    /// Processor time, user and system.
    pub cpu_seconds: f64,
    /// The most memory that was resident at once.
    pub peak_bytes: f64,
}

impl Cost {
    /// Returns the median of each value over several runs.
    pub fn median(runs: &[Self]) -> Self {
        let median = |value: fn(&Self) -> f64| {
            let mut values: Vec<f64> = runs.iter().map(value).collect();
            values.sort_by(f64::total_cmp);
            values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
        };
        Self {
            wall_seconds: median(|cost| cost.wall_seconds),
            cpu_seconds: median(|cost| cost.cpu_seconds),
            peak_bytes: median(|cost| cost.peak_bytes),
        }
    }
}

/// When a measured program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The program ends itself, and must succeed.
    ByItself,
    /// The program is interrupted after this time. Its exit code is ignored.
    After(Duration),
}

/// A measurement in progress in another process.
#[derive(Debug)]
pub struct Measurement(std::process::Child);

impl Measurement {
    /// Starts `command` through a process of this executable, whose `main`
    /// must call [`measure_only_child`] for `measure`.
    pub fn start(command: &Command, end: End) -> Self {
        let own = std::env::current_exe().expect("the path of this executable");
        let mut outer = Command::new(own);
        let after_ms = match end {
            End::ByItself => 0,
            End::After(time) => time.as_millis(),
        };
        outer.arg("measure").arg(after_ms.to_string()).arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => outer.env(name, value),
                None => outer.env_remove(name),
            };
        }
        outer.stdin(Stdio::null()).stdout(Stdio::piped());
        Self(outer.spawn().expect("the measuring process starts"))
    }

    /// Waits for the end and returns the cost. Panics if the program failed.
    pub fn cost(self) -> Cost {
        let output = self.0.wait_with_output().expect("the measuring process ends");
        assert!(output.status.success(), "the measured program failed: {}", output.status);
        let said: Value = serde_json::from_slice(&output.stdout).expect("the measuring process says JSON");
        let number = |name: &str| said[name].as_f64().expect("a number");
        Cost { wall_seconds: number("wall"), cpu_seconds: number("cpu"), peak_bytes: number("peak") }
    }
}

/// Implements `measure AFTER_MS PROGRAM ARGUMENT...`: runs the program, prints its cost as JSON,
/// and returns whether it succeeded.
pub fn measure_only_child(mut arguments: impl Iterator<Item = std::ffi::OsString>) -> bool {
    let after_ms: u64 = arguments.next().and_then(|text| text.to_str()?.parse().ok()).expect("AFTER_MS");
    let program = arguments.next().expect("PROGRAM");
    let started = Instant::now();
    let mut command = Command::new(&program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{}: {error}", program.display()));
    if after_ms > 0 {
        std::thread::sleep(Duration::from_millis(after_ms));
        let pid = Pid::from_raw(i32::try_from(child.id()).expect("a process id fits 31 bits"));
        kill(pid, Signal::SIGINT).expect("the measured program is still there");
    }
    let status = child.wait().expect("the measured program ends");
    let wall = started.elapsed().as_secs_f64();
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("the kernel tells what children used");
    let seconds = |time: TimeVal| time.num_microseconds() as f64 / 1e6;
    let cpu = seconds(usage.user_time()) + seconds(usage.system_time());
    println!("{}", json!({ "wall": wall, "cpu": cpu, "peak": usage.max_rss() as f64 * 1024.0 }));
    status.success() || after_ms > 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_a_peak_until_it_is_gone() {
        let filled = vec![1_u8; 8 << 20];
        assert!(peak_bytes(std::process::id()).is_some_and(|peak| peak > filled.len() as u64));
        let mut ended = Command::new("true").spawn().expect("true starts");
        ended.wait().expect("it ends");
        assert_eq!(peak_bytes(ended.id()), None);
    }

    #[test]
    fn the_time_of_a_process_grows_as_it_works() {
        let began = cpu_seconds(std::process::id());
        let deadline = Instant::now() + Duration::from_mins(1);
        while cpu_seconds(std::process::id()) - began < 0.05 {
            assert!(Instant::now() < deadline, "it has worked for a minute");
        }
    }

    #[test]
    fn the_median_is_of_each_by_itself() {
        let cost = |wall_seconds, cpu_seconds, peak_bytes| Cost { wall_seconds, cpu_seconds, peak_bytes };
        let runs = [cost(1.0, 9.0, 5.0), cost(3.0, 8.0, 4.0), cost(2.0, 7.0, 6.0)];
        assert_eq!(Cost::median(&runs), cost(2.0, 8.0, 5.0));
    }
}
