//! Measures the probe as a Cloud Run service and an empty axum service, alternating.
//!
//! Both are release builds made by `tests/run bench`. The pushed messages are those that Pub/Sub sends for a
//! chunk that exists in the Cloud Storage emulator. Records go to the log, so that Pub/Sub's emulator is not
//! measured. The rate of requests is measured on one machine: the emulator, which gets one request for each
//! push, and the senders share its cores.

use super::report::{Budget, MIB, median, row};
use super::{bytes, empty, resident_bytes, setting};
use framepost_tests::binaries::{Program, Running};
use framepost_tests::edge::backfill;
use framepost_tests::google_emulators::GoogleEmulators;
use framepost_tests::http::Connection;
use framepost_tests::measure::{End, Measurement};
use framepost_tests::media::Clip;
use serde_json::json;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// Cloud Run's default concurrency of one instance.
const CONNECTIONS: usize = 80;
/// A service that accepts no connection for this long has failed.
const START: Duration = Duration::from_secs(30);

/// A program and the services that it uses.
struct Service {
    executable: PathBuf,
    /// `None` for a program that calls no service.
    storage: Option<String>,
}

struct Instance {
    running: Running,
    host: String,
    started: Instant,
}

impl Service {
    fn start(&self) -> Instance {
        let port = free_port();
        let mut command = Command::new(&self.executable);
        command.env_clear().env("PORT", port.to_string()).env("FRAMEPOST_ADDRESS", "0.0.0.0");
        // As in the image. A directory of certificates would be read a second time, file by file.
        command.env("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt");
        command.env("K_SERVICE", "probe").env("K_REVISION", "probe-00001-abc").env("K_CONFIGURATION", "probe");
        // Set the project id here, because there is no metadata server.
        command.env("GOOGLE_CLOUD_PROJECT", "framepost-test").env("FRAMEPOST_RECORDS", "log:");
        command.envs(self.storage.iter().map(|url| ("FRAMEPOST_GCS_ENDPOINT", url)));
        let started = Instant::now();
        Instance { running: Running::start(&mut command), host: format!("127.0.0.1:{port}"), started }
    }
}

/// Returns a port below the range for outgoing connections. A client that repeatedly connects to a port within
/// that range can end up connected to itself.
fn free_port() -> u16 {
    let free = |port: &u16| TcpListener::bind((Ipv4Addr::UNSPECIFIED, *port)).is_ok();
    (fastrand::u16(20_000..30_000)..32_000).find(free).expect("a free port")
}

impl Instance {
    /// Connects as soon as the service accepts connections.
    fn connection(&mut self) -> Connection {
        loop {
            match Connection::open(&self.host) {
                Ok(connection) => return connection,
                Err(error) => {
                    let alive = self.running.exited().is_none() && self.started.elapsed() < START;
                    assert!(alive, "no service at {}: {error}\n{}", self.host, self.running.log());
                    std::thread::sleep(Duration::from_micros(100));
                }
            }
        }
    }
}

fn push(connection: &mut Connection, body: &str) {
    let answer = connection.request("POST", "/", &[("content-type", "application/json")], body.as_bytes());
    let status = answer.map(|answer| answer.status);
    assert!(matches!(status, Ok(204)), "{status:?}");
}

/// Starts the service once. Returns the time to the first answer in ms and the resident memory at that time.
fn start(service: &Service, body: &str) -> (f64, f64) {
    let mut instance = service.start();
    push(&mut instance.connection(), body);
    (instance.started.elapsed().as_secs_f64() * 1e3, resident_bytes(instance.running.id()))
}

/// Returns the requests per second of a warm instance and its peak resident memory.
fn load(service: &Service, body: &str) -> (f64, f64) {
    let mut instance = service.start();
    let mut connections: Vec<Connection> = (0..CONNECTIONS).map(|_| instance.connection()).collect();
    push(&mut connections[0], body);
    let each = usize::try_from(setting("BENCH_REQUESTS", 20_000)).expect("a number of requests") / CONNECTIONS;
    let started = Instant::now();
    std::thread::scope(|scope| {
        for connection in &mut connections {
            scope.spawn(|| (0..each).for_each(|_| push(connection, body)));
        }
    });
    let per_second = (each * CONNECTIONS) as f64 / started.elapsed().as_secs_f64();
    (per_second, resident_bytes(instance.running.id()))
}

/// Returns the push for a chunk that exists in the emulator, as Pub/Sub would send it.
fn pushed(google: &GoogleEmulators, directory: &Path) -> String {
    let bucket = google.bucket();
    let topic = google.topic();
    let subscription = google.subscription(&topic, 600);
    google.notify(&bucket, &topic);
    let mut upload = backfill(&Clip::Long.path(), &directory.join("cloud-run-spool"), &format!("gs://{bucket}"));
    upload.args(["--endpoint-url", &google.storage, "--start", "2026-11-20T12:00:00Z"]);
    Measurement::start(&upload, End::ByItself).cost();
    let messages = google.drain(&subscription, Duration::from_mins(1), |messages| !messages.is_empty());
    let is_chunk = |name: &String| !name.ends_with("_end");
    let of_chunk = messages.iter().find(|message| message.attributes.get("objectId").is_some_and(is_chunk));
    let message = &of_chunk.expect("a message about a chunk").json;
    json!({ "message": message, "subscription": subscription }).to_string()
}

pub(crate) fn compare(directory: &Path) {
    let Some(google) = GoogleEmulators::start() else {
        println!("cloud run: NOT MEASURED, for Google's emulators are not there (see above)");
        return;
    };
    let body = pushed(&google, directory);
    let ours = Service { executable: Program::Probe.built_for("gcp"), storage: Some(google.storage.clone()) };
    let theirs = Service { executable: empty("empty-axum"), storage: None };
    row("cloud run program", "MiB", bytes(&ours.executable) / MIB, Some(bytes(&theirs.executable) / MIB), Budget::None);

    let runs = setting("BENCH_STARTS", 20);
    let (our, their): (Vec<_>, Vec<_>) = (0..runs).map(|_| (start(&ours, &body), start(&theirs, &body))).unzip();
    let of = |runs: &[(f64, f64)], value: fn(&(f64, f64)) -> f64| median(runs.iter().map(value).collect());
    row(
        "cloud run start, one chunk",
        "ms to answer",
        of(&our, |run| run.0),
        Some(of(&their, |run| run.0)),
        Budget::None,
    );
    row(
        "cloud run start, one chunk",
        "peak MiB",
        of(&our, |run| run.1) / MIB,
        Some(of(&their, |run| run.1) / MIB),
        Budget::None,
    );
    let our = load(&ours, &body);
    let their = load(&theirs, &body);
    let what = format!("cloud run, {CONNECTIONS} at a time");
    row(&what, "requests/s", our.0, Some(their.0), Budget::None);
    row(&what, "peak MiB", our.1 / MIB, Some(their.1 / MIB), Budget::None);
}
