//! One line, two who bring the same cameras' chunks over it.

use crate::seen::{Clocks, Seen};
use framepost_tests::binaries::Running;
use framepost_tests::edge::{CameraConfig, Credentials, EdgeConfig, Transport, Trusted};
use framepost_tests::fault_proxy::{Fault, FaultProxy, Link, Plan};
use framepost_tests::lying_bucket::{Echo, LyingBucket};
use framepost_tests::plain_camera::PlainCamera;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

pub(crate) const CAMERAS: u32 = 8;
/// The length of a chunk.
pub(crate) const WINDOW: Duration = Duration::from_secs(3);
/// What an LTE uplink takes to a bucket and back.
const ROUND_TRIP: Duration = Duration::from_millis(60);

/// Who moves files beside the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mover {
    Rclone,
}

pub(crate) struct Scenario<'a> {
    /// A new line of the kind that is meant. It begins when it is made.
    pub(crate) link: &'a dyn Fn() -> Link,
    /// What all cameras send together.
    pub(crate) bytes_a_second: f64,
    pub(crate) length: Duration,
    pub(crate) other: Option<Mover>,
}

impl Scenario<'_> {
    /// What the gateway did, and what the other one.
    pub(crate) fn run(&self) -> (Seen, Option<Seen>) {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let cameras = self.cameras();
        let lines = [to_a_bucket(), to_a_bucket()];
        let clocks = Clocks::now();
        for proxy in &lines {
            proxy.set_link(Some((self.link)()));
        }
        let [to_bucket, beside] = &lines;
        let gateway = gateway(&directory.path().join("ours"), "s3://footage", Some(to_bucket.url()), &cameras);
        let other = self.other.map(|mover| {
            let place = directory.path().join("theirs");
            let archive = place.join("archive");
            std::fs::create_dir_all(&archive).expect("a directory for the other's files");
            let recorder = gateway_into(&place, &archive, &cameras);
            (recorder, Moving::start(mover, &archive, &beside.url()))
        });
        // The measurement itself: so long.
        std::thread::sleep((clocks.began + self.length).saturating_duration_since(Instant::now()));
        let link = (self.link)();
        let seen = |proxy: &FaultProxy| Seen::new(&proxy.uploads(), &clocks, &link, self.length);
        let found = (seen(to_bucket), other.is_some().then(|| seen(beside)));
        drop((gateway, other));
        found
    }

    /// Cameras whose chunks end one after the other, as those of cameras do that were not started at once.
    fn cameras(&self) -> Vec<CameraConfig> {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a camera's rate is small")]
        let each = (self.bytes_a_second / f64::from(CAMERAS)) as u32;
        let camera = |n: u32| CameraConfig {
            name: format!("c{n}"),
            url: PlainCamera::start(each, WINDOW * n / CAMERAS).url(),
            transport: Transport::Tcp,
            trusted: Trusted::Gateway,
        };
        (0..CAMERAS).map(camera).collect()
    }
}

/// A bucket, and the proxy before it.
fn to_a_bucket() -> FaultProxy {
    let bucket = LyingBucket::start(Echo::Checksum);
    let proxy = FaultProxy::start(bucket.address());
    proxy.set_plan(Plan::Always(Fault::Latency(ROUND_TRIP)));
    proxy
}

fn gateway_into(place: &Path, archive: &Path, cameras: &[CameraConfig]) -> Running {
    gateway(place, &format!("file://{}", archive.display()), None, cameras)
}

fn gateway(place: &Path, to: &str, endpoint_url: Option<String>, cameras: &[CameraConfig]) -> Running {
    std::fs::create_dir_all(place).expect("a directory for a gateway");
    let mut config = EdgeConfig::one_camera(&place.join("spool"), to, "rtsp://127.0.0.1/none");
    config.endpoint_url = endpoint_url;
    config.credentials =
        Some(Credentials { access_key_id: "uplink".to_owned(), secret_access_key: "uplink".to_owned() });
    config.window = WINDOW;
    config.cameras = cameras.to_vec();
    Running::start(&mut config.run(&place.join("edge.toml")))
}

/// Somebody who moves files again and again. Dropped, it ends.
struct Moving {
    ended: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Moving {
    fn start(mover: Mover, archive: &Path, endpoint: &str) -> Self {
        let ended = Arc::new(AtomicBool::new(false));
        let mut command = match mover {
            Mover::Rclone => rclone(archive, endpoint),
        };
        let told = Arc::clone(&ended);
        let thread = std::thread::spawn(move || {
            while !told.load(Ordering::Relaxed) {
                let mut child = command.spawn().expect("rclone starts");
                while child.try_wait().expect("rclone can be waited for").is_none() {
                    if told.load(Ordering::Relaxed) {
                        let _ = child.kill();
                    }
                    std::thread::park_timeout(Duration::from_millis(50));
                }
                std::thread::park_timeout(Duration::from_millis(500));
            }
        });
        Self { ended, thread: Some(thread) }
    }
}

impl Drop for Moving {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// `rclone move`, asking no more of the bucket than the gateway does: it may only put, and only where there is nothing.
fn rclone(archive: &Path, endpoint: &str) -> Command {
    let mut command = Command::new("rclone");
    command.arg("move").arg(archive).arg(":s3:footage").args(["--config", "/dev/null"]);
    command.args(["--s3-provider", "Other", "--s3-endpoint", endpoint, "--s3-env-auth=false"]);
    command.args(["--s3-access-key-id", "uplink", "--s3-secret-access-key", "uplink", "--s3-region", "us-east-1"]);
    command.args(["--s3-no-check-bucket", "--s3-no-head", "--no-check-dest", "--header", "If-None-Match: *"]);
    command.args(["--exclude", ".*", "--exclude", ".*/**", "--transfers", "8"]);
    // Nothing of this machine's own settings.
    for (name, _) in std::env::vars_os().filter(|(name, _)| {
        let name = name.to_string_lossy();
        name.starts_with("AWS_") || name.starts_with("RCLONE_")
    }) {
        command.env_remove(name);
    }
    let more = std::env::var("UPLINK_RCLONE").unwrap_or_default();
    command.args(more.split_whitespace());
    let quiet = if std::env::var_os("UPLINK_VERBOSE").is_some() { Stdio::inherit() } else { Stdio::null() };
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(quiet);
    command
}
