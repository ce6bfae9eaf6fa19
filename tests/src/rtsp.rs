//! A live RTSP server as a child process: `tests/rtsp/server.py`. It can be killed and
//! restarted on the same port.

use crate::binaries::{Output, Running};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// How long GStreamer may take to load its plugins.
const START: Duration = Duration::from_secs(30);

/// What the server offers beside its live mounts (`/h264`, `/h264-bframes`, `/h264-aac`, `/h264-opus`, `/h264-720p`,
/// `/h264-720p-4m`, `/h265`, `/h265-bframes`, `/h265-aac` and some more).
#[derive(Debug, Clone, Default)]
pub struct RtspOptions {
    /// User and password of digest authentication.
    pub digest: Option<(String, String)>,
    /// Files to play once in real time, by the name of their mount.
    pub files: Vec<(String, PathBuf)>,
}

/// A running server. Dropping it kills the process.
#[derive(Debug)]
pub struct RtspServer {
    options: RtspOptions,
    port: u16,
    running: Option<Running>,
}

impl RtspServer {
    /// Starts a server on a free port.
    pub fn start(options: RtspOptions) -> Self {
        let (running, port) = launch(&options, 0);
        Self { options, port, running: Some(running) }
    }

    /// Returns `rtsp://127.0.0.1:PORT/mount`, without credentials.
    pub fn url(&self, mount: &str) -> String {
        format!("rtsp://127.0.0.1:{}/{mount}", self.port)
    }

    /// The URL with the server's own user and password in it.
    pub fn url_with_credentials(&self, mount: &str) -> String {
        match &self.options.digest {
            Some((user, password)) => format!("rtsp://{user}:{password}@127.0.0.1:{}/{mount}", self.port),
            None => self.url(mount),
        }
    }

    /// Kills it. Its connections are reset or fall silent, as when a camera loses power.
    pub fn kill(&mut self) {
        if let Some(mut running) = self.running.take() {
            running.kill();
        }
    }

    /// Starts it again on the same port.
    pub fn restart(&mut self) {
        self.kill();
        let (running, port) = launch(&self.options, self.port);
        assert_eq!(port, self.port);
        self.running = Some(running);
    }
}

fn launch(options: &RtspOptions, port: u16) -> (Running, u16) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("rtsp/server.py");
    // Use Debian's interpreter, because the GStreamer bindings belong to it.
    let mut command = Command::new("/usr/bin/python3");
    command.arg(script).args(["--port", &port.to_string()]);
    if let Some((user, password)) = &options.digest {
        command.args(["--user", user, "--password", password]);
    }
    for (name, path) in &options.files {
        command.arg("--file").arg(format!("{name}={}", path.display()));
    }
    let running = Running::start(&mut command);
    let ready = running.wait_for(Output::Stdout, START, |lines| lines.first().cloned());
    let ready: serde_json::Value =
        serde_json::from_str(&ready).unwrap_or_else(|error| panic!("the RTSP server said {ready:?}: {error}"));
    let port = ready["port"].as_u64().and_then(|port| u16::try_from(port).ok()).expect("the RTSP server says its port");
    (running, port)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first_packets(url: &str) -> std::process::Output {
        Command::new("ffmpeg")
            .args([
                "-v",
                "error",
                "-rtsp_transport",
                "tcp",
                "-i",
                url,
                "-t",
                "0.5",
                "-c",
                "copy",
                "-f",
                "framemd5",
                "-",
            ])
            .output()
            .expect("ffmpeg can be started")
    }

    #[test]
    fn serves_whom_it_should_and_comes_back_on_its_port() {
        let digest = Some(("viewer".to_owned(), "s3cret".to_owned()));
        let mut server = RtspServer::start(RtspOptions { digest, files: Vec::new() });
        assert!(!first_packets(&server.url("h264")).status.success(), "no password, no picture");
        assert!(first_packets(&server.url_with_credentials("h264")).status.success());
        server.kill();
        assert!(!first_packets(&server.url_with_credentials("h264")).status.success(), "it is gone");
        server.restart();
        assert!(first_packets(&server.url_with_credentials("h265")).status.success());
    }
}
