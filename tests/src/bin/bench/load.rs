//! One gateway with as many cameras as a site may have, and a bucket that takes all they give.

use super::footage::ten_seconds;
use super::report::{Budget, MIB, row};
use super::{resident_bytes, setting};
use framepost_tests::binaries::Running;
use framepost_tests::edge::{CameraConfig, Credentials, EdgeConfig};
use framepost_tests::http::Connection;
use framepost_tests::load::{Cameras, Played, Sink};
use std::io::Write as _;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::time::{Duration, Instant};

/// Until all cameras are connected and have closed chunks.
const SETTLING: Duration = Duration::from_secs(10);

/// Prints the rows of 140 cameras and of 250.
pub(crate) fn compare(directory: &Path) {
    let cameras = Cameras::start(&ten_seconds(directory));
    for (count, cores) in [(140, Budget::Value(0.9)), (250, Budget::None)] {
        with(count, cores, &cameras, &directory.join(format!("load-{count}")));
    }
}

fn with(count: usize, cores: Budget, cameras: &Cameras, place: &Path) {
    std::fs::create_dir_all(place).expect("a place for a gateway");
    let sink = Sink::start();
    let mut config = EdgeConfig::one_camera(&place.join("spool"), "s3://footage", &cameras.url(0));
    config.endpoint_url = Some(sink.endpoint());
    config.credentials = Some(Credentials::any());
    let one = config.cameras.remove(0);
    let named = |n| CameraConfig { name: format!("c{n}"), url: cameras.url(n), ..one.clone() };
    config.cameras = (0..count).map(named).collect();
    let file = place.join("edge.toml");
    let mut command = config.run(&file);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let metrics = listener.local_addr().expect("a bound listener has an address").to_string();
    drop(listener);
    let mut text = std::fs::OpenOptions::new().append(true).open(&file).expect("the configuration");
    write!(text, "\n[metrics]\nlisten = {metrics:?}\n").expect("the configuration is written");
    let before = cameras.played();
    let mut running = Running::start(command.env("RUST_LOG", "warn"));
    std::thread::sleep(SETTLING);
    let began = Instant::now();
    let spent = cpu_seconds(running.id());
    let put = sink.puts();
    std::thread::sleep(Duration::from_secs(setting("BENCH_LOAD_SECONDS", 40)));
    let wall = began.elapsed().as_secs_f64();
    let spent = cpu_seconds(running.id()) - spent;
    let put = sink.puts() - put;
    let resident = resident_bytes(running.id());
    let counters =
        Connection::open(&metrics).and_then(|mut connection| connection.request("GET", "/metrics", &[], b""));
    let counters = String::from_utf8(counters.expect("the gateway's metrics").body).expect("metrics are text");
    running.interrupt();
    running.wait(Duration::from_mins(1));
    let what = format!("{count} cameras of 4 Mb/s, {wall:.0} s");
    row(&what, "cores", spent / wall, None, cores);
    row(&what, "peak MiB", resident / MIB, None, Budget::None);
    row(&what, "objects/s", put as f64 / wall, None, Budget::None);
    row(&what, "frames dropped", sum(&counters, "frames_dropped_total"), None, Budget::Value(0.0));
    row(&what, "gaps", sum(&counters, "gaps_total"), None, Budget::Value(0.0));
    let played = cameras.played();
    let Played { late, gone, .. } =
        Played { late: played.late - before.late, gone: played.gone - before.gone, ..played };
    if late > 0 {
        println!("  the cameras themselves were late {late} times: this machine is too busy to say");
    }
    row(&what, "connections lost", (gone as f64 - count as f64).max(0.0), None, Budget::Value(0.0));
}

/// All cameras' values of a counter.
fn sum(metrics: &str, name: &str) -> f64 {
    let name = format!("framepost_edge_{name}");
    let of_name = metrics.lines().filter(|line| line.starts_with(&name));
    of_name.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}

/// What a running process used so far, user and system, all threads.
fn cpu_seconds(id: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).expect("the process is there");
    // The name, in parentheses, may have spaces. Then come the state as field 3, user time as 14 and system time as 15, in
    // hundredths of a second (`USER_HZ`).
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}
