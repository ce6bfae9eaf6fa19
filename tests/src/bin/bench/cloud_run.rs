//! The probe as a Cloud Run service beside an empty axum service, by turns.
//!
//! Both are `tests/run bench`'s release builds. What is pushed is what Pub/Sub has of a chunk that really lies in the Cloud
//! Storage emulator; records go to the log, so that it is the service that is measured and not Pub/Sub's emulator. Requests a second
//! are measured on one machine: the emulator, which is asked once for each request, and whoever sends share its cores.

use super::{MIB, bytes, empty, median, resident_bytes, row, setting};
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

/// As many as Cloud Run sends one instance at a time by default.
const CONNECTIONS: usize = 80;
/// A service that takes no connection for so long has failed.
const START: Duration = Duration::from_secs(30);

/// A program, and with what it works.
struct Service {
    executable: PathBuf,
    /// Nothing, for one that asks nobody.
    storage: Option<String>,
}

/// One that runs.
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
        // As in the image: a directory of certificates would be read a second time, file by file.
        command.env("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt");
        command.env("K_SERVICE", "probe").env("K_REVISION", "probe-00001-abc").env("K_CONFIGURATION", "probe");
        // There is no metadata server here that would say it.
        command.env("GOOGLE_CLOUD_PROJECT", "framepost-test").env("FRAMEPOST_RECORDS", "log:");
        command.envs(self.storage.iter().map(|url| ("FRAMEPOST_GCS_ENDPOINT", url)));
        let started = Instant::now();
        Instance { running: Running::start(&mut command), host: format!("127.0.0.1:{port}"), started }
    }
}

/// Below the ports that the system gives to clients: whoever tries again and again to connect to one of those meets himself
/// in the end.
fn free_port() -> u16 {
    let free = |port: &u16| TcpListener::bind((Ipv4Addr::UNSPECIFIED, *port)).is_ok();
    (fastrand::u16(20_000..30_000)..32_000).find(free).expect("a free port")
}

impl Instance {
    /// As soon as it takes one.
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

/// One start: milliseconds to the first answer, and what is resident then.
fn start(service: &Service, body: &str) -> (f64, f64) {
    let mut instance = service.start();
    push(&mut instance.connection(), body);
    (instance.started.elapsed().as_secs_f64() * 1e3, resident_bytes(instance.running.id()))
}

/// Requests a second of a warm instance, and what was resident at most.
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

/// The push of a chunk that lies in the emulator, as Pub/Sub would send it.
fn pushed(google: &GoogleEmulators, directory: &Path) -> String {
    let (bucket, topic) = (google.bucket(), google.topic());
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

/// Prints the section.
pub(crate) fn compare(directory: &Path) {
    let Some(google) = GoogleEmulators::start() else {
        println!("cloud run: NOT MEASURED, for Google's emulators are not there (see above)");
        return;
    };
    let body = pushed(&google, directory);
    let ours = Service { executable: Program::Probe.built_for("gcp"), storage: Some(google.storage.clone()) };
    let theirs = Service { executable: empty("empty-axum"), storage: None };
    row("cloud run program", "MiB", bytes(&ours.executable) / MIB, Some(bytes(&theirs.executable) / MIB), "");

    let runs = setting("BENCH_STARTS", 20);
    let (our, their): (Vec<_>, Vec<_>) = (0..runs).map(|_| (start(&ours, &body), start(&theirs, &body))).unzip();
    let of = |runs: &[(f64, f64)], value: fn(&(f64, f64)) -> f64| median(runs.iter().map(value).collect());
    row("cloud run start, one chunk", "ms to answer", of(&our, |run| run.0), Some(of(&their, |run| run.0)), "");
    row("cloud run start, one chunk", "peak MiB", of(&our, |run| run.1) / MIB, Some(of(&their, |run| run.1) / MIB), "");
    let (our, their) = (load(&ours, &body), load(&theirs, &body));
    let what = format!("cloud run, {CONNECTIONS} at a time");
    row(&what, "requests/s", our.0, Some(their.0), "");
    row(&what, "peak MiB", our.1 / MIB, Some(their.1 / MIB), "");
}
