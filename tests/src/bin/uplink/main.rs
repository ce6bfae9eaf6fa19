//! How old the newest picture in the bucket is when the line is too short, and how soon it is new again after a tunnel: the
//! gateway and `rclone` side by side, in real time, each over its own line of the same trace.
//!
//! `tests/run bench-uplink`, or `cargo run -p framepost-tests --bin uplink [LINE...]` with `edge-uploader` built before; a LINE is
//! `lte`, `lte-fast` or `tunnel`, and all of them are taken unless some are named.
//!
//! Eight cameras together send 1.2 times what the line carries (`UPLINK_LOAD`). The lines are mahimahi's recordings of LTE
//! uplinks, played by the fault proxy for 150 s (`UPLINK_SECONDS`); in `tunnel` nothing leaves between 60 s and 120 s, and a connection
//! of that time never moves again. A second gateway records the same cameras into a directory, out of which `rclone move`,
//! started again whenever it ends, brings the files to a bucket of its own. `UPLINK_RCLONE` adds to its options, such as
//! `--order-by modtime,descending`.

mod scenario;
mod seen;

use framepost_tests::fault_proxy::Link;
use scenario::{Mover, Scenario};
use seen::Seen;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

/// Where the recorded LTE uplinks can be had, for the message when they are missing.
const TRACES: &str = "https://github.com/ravinet/mahimahi/tree/master/traces";

/// A line that the cameras share.
struct Line {
    name: &'static str,
    trace: &'static str,
    tunnel: Option<(Duration, Duration)>,
}

const LINES: [Line; 3] = [
    Line { name: "lte", trace: "ATT-LTE-driving-2016.up", tunnel: None },
    Line { name: "lte-fast", trace: "Verizon-LTE-short.up", tunnel: None },
    Line {
        name: "tunnel",
        trace: "ATT-LTE-driving-2016.up",
        tunnel: Some((Duration::from_mins(1), Duration::from_mins(2))),
    },
];

fn main() -> ExitCode {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    if let Some(unknown) = wanted.iter().find(|name| !LINES.iter().any(|line| line.name == **name)) {
        eprintln!("uplink: unknown line: {unknown}");
        return ExitCode::FAILURE;
    }
    let Some(traces) = traces() else { return ExitCode::FAILURE };
    let other = rclone();
    println!("{:<44} {:>12} {:>12} {:>8}   budget", "", "framepost", "rclone", "ratio");
    for line in LINES.iter().filter(|line| wanted.is_empty() || wanted.contains(&line.name.to_owned())) {
        let length =
            Duration::from_secs(setting("UPLINK_SECONDS", 150)).max(line.tunnel.map_or(Duration::ZERO, |(_, to)| {
                // Long enough that what is late is seen to be so.
                to + Duration::from_mins(1)
            }));
        let open = || Link::from_trace(&traces.join(line.trace));
        let link = || match line.tunnel {
            Some((from, to)) => open().with_tunnel(from, to),
            None => open(),
        };
        let bytes_a_second = open().capacity_bytes(length) as f64 / length.as_secs_f64() * load();
        let scenario = Scenario { link: &link, bytes_a_second, length, other };
        let (ours, theirs) = scenario.run();
        assert!(ours.stored_chunks > 0, "{}: the gateway stored nothing", line.name);
        rows(line, &ours, theirs.as_ref());
    }
    ExitCode::SUCCESS
}

fn setting(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(usual)
}

/// What the cameras send, as a share of what the line carries.
fn load() -> f64 {
    std::env::var("UPLINK_LOAD").ok().and_then(|value| value.parse().ok()).unwrap_or(1.2)
}

/// The directory of the traces, or a word on where to get them.
fn traces() -> Option<PathBuf> {
    let directory = std::env::var_os("FRAMEPOST_TEST_DATA").map(|data| PathBuf::from(data).join("traces"));
    let all_there = |directory: &PathBuf| LINES.iter().all(|line| directory.join(line.trace).is_file());
    let found = directory.filter(all_there);
    if found.is_none() {
        let names = LINES.map(|line| line.trace).join(", ");
        eprintln!(
            "the traces are missing ({names}): lay them from {TRACES} into a directory `traces`, and name the directory"
        );
        eprintln!("that holds it in FRAMEPOST_TEST_DATA");
    }
    found
}

/// Whether there is somebody to compare with; says how to get it otherwise.
fn rclone() -> Option<Mover> {
    let version = Command::new("rclone").arg("version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if version.is_ok_and(|status| status.success()) {
        return Some(Mover::Rclone);
    }
    eprintln!("rclone is missing, so there is nothing beside the gateway's figures: apt-get install rclone");
    None
}

fn rows(line: &Line, ours: &Seen, theirs: Option<&Seen>) {
    let row = |what: &str, value: &dyn Fn(&Seen) -> f64, budget: &str| {
        let ours = value(ours);
        let theirs = theirs.map(value);
        let ratio = theirs.map_or(String::new(), |theirs| format!("{:.2}", ours / theirs));
        let theirs = theirs.map_or(String::new(), |theirs| format!("{theirs:.2}"));
        println!("{:<44} {ours:>12.2} {theirs:>12} {ratio:>8}   {budget}", format!("{}: {what}", line.name));
    };
    if line.tunnel.is_some() {
        row("first chunk after the tunnel, s", &|seen| seen.first_back, "3");
        row("all cameras after the tunnel, s", &|seen| seen.all_back, "");
    } else {
        row("age of the newest chunk p50, s", &|seen| seen.age(0.5), "6");
        row("age of the newest chunk p95, s", &|seen| seen.age(0.95), "31");
    }
    row("share of the capacity used", &|seen| seen.used, "");
    row("aborted puts, MB", &|seen| seen.aborted_bytes as f64 / 1e6, "");
    row("chunks stored", &|seen| seen.stored_chunks as f64, "");
}
