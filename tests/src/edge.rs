//! `edge-uploader`: its configuration, and its command line.

use crate::binaries::Program;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// The part of a gateway's configuration that the tests vary.
#[derive(Debug, Clone)]
pub struct EdgeConfig {
    pub spool: PathBuf,
    /// Where chunks go: `s3://…` or `file:///…`.
    pub to: String,
    /// The S3 endpoint, where it is not AWS's.
    pub endpoint_url: Option<String>,
    /// The access key for it, passed in the environment.
    pub credentials: Option<Credentials>,
    /// How long a chunk is.
    pub window: Duration,
    /// How often the gateway reports, as its configuration has it; `off` unless a test is about reports.
    pub report: &'static str,
    pub cameras: Vec<CameraConfig>,
}

/// An S3 access key.
#[derive(Debug, Clone)]
pub struct Credentials {
    pub access_key_id: String,
    pub secret_access_key: String,
}

impl Credentials {
    /// For an endpoint that does not look at them.
    pub fn any() -> Self {
        Self { access_key_id: "any".to_owned(), secret_access_key: "any".to_owned() }
    }

    /// Puts the credentials into the environment of a program, under AWS's names.
    pub fn give_to(&self, command: &mut Command) {
        command.env("AWS_ACCESS_KEY_ID", &self.access_key_id).env("AWS_SECRET_ACCESS_KEY", &self.secret_access_key);
    }
}

#[derive(Debug, Clone)]
pub struct CameraConfig {
    pub name: String,
    pub url: String,
    pub transport: Transport,
    /// The clock for wall times.
    pub trusted: Trusted,
}

/// The clock for wall times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trusted {
    /// The gateway's, the default.
    Gateway,
    Camera,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// Interleaved with RTSP, the default.
    Tcp,
    Udp,
}

/// The site of all tests' gateways.
pub const SITE: &str = "plant-7";

impl EdgeConfig {
    /// One camera into `to`.
    pub fn one_camera(spool: &Path, to: &str, url: &str) -> Self {
        Self {
            spool: spool.to_owned(),
            to: to.to_owned(),
            endpoint_url: None,
            credentials: None,
            window: Duration::from_secs(3),
            report: "off",
            cameras: vec![CameraConfig {
                name: "gate".to_owned(),
                url: url.to_owned(),
                transport: Transport::Tcp,
                trusted: Trusted::Gateway,
            }],
        }
    }

    /// The configuration file's text.
    pub fn toml(&self) -> String {
        let window_ms = self.window.as_millis();
        let spool = self.spool.to_string_lossy();
        let mut text = format!("site = \"{SITE}\"\n\n[recording]\nwindow = \"{window_ms}ms\"\n");
        // The disk of a test machine may be nearly full.
        let _ = write!(text, "\n[spool]\ndir = {spool:?}\nfree_floor = \"10 MB\"\n\n[upload]\nto = {:?}\n", self.to);
        if let Some(url) = &self.endpoint_url {
            let _ = writeln!(text, "endpoint_url = {url:?}");
        }
        let _ = write!(text, "\n[report]\nevery = {:?}\n", self.report);
        for CameraConfig { name, url, transport, trusted } in &self.cameras {
            let _ = write!(text, "\n[[camera]]\nname = {name:?}\nurl = {url:?}\n");
            if *transport == Transport::Udp {
                text.push_str("transport = \"udp\"\n");
            }
            if *trusted == Trusted::Camera {
                text.push_str("clock = \"camera\"\n");
            }
        }
        text
    }

    /// `edge-uploader run --config FILE`, with the configuration written to `file`.
    pub fn run(&self, file: &Path) -> Command {
        self.command("run", file)
    }

    /// `edge-uploader check --config FILE`, with the configuration written to `file`.
    pub fn check(&self, file: &Path) -> Command {
        self.command("check", file)
    }

    fn command(&self, verb: &str, file: &Path) -> Command {
        std::fs::write(file, self.toml()).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let mut command = edge_uploader();
        if let Some(credentials) = &self.credentials {
            credentials.give_to(&mut command);
        }
        command.args([verb, "--config"]).arg(file);
        command
    }
}

/// Returns a command for `edge-uploader` in an environment without AWS's own files and services.
pub fn edge_uploader() -> Command {
    let mut command = Program::EdgeUploader.command();
    command
        .env("AWS_REGION", "us-east-1")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null");
    command
}

/// `edge-uploader backfill FILE --site … --camera gate --to …`.
pub fn backfill(file: &Path, spool: &Path, to: &str) -> Command {
    backfill_as("gate", file, spool, to)
}

/// [`backfill`], as another camera's footage.
pub fn backfill_as(camera: &str, file: &Path, spool: &Path, to: &str) -> Command {
    let mut command = edge_uploader();
    command.arg("backfill").arg(file).args(["--site", SITE, "--camera", camera, "--to", to]);
    command.arg("--spool").arg(spool);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_is_what_is_documented() {
        let mut config = EdgeConfig::one_camera(Path::new("/spool"), "s3://footage", "rtsp://127.0.0.1/x");
        config.endpoint_url = Some("http://127.0.0.1:1".to_owned());
        let expected = "site = \"plant-7\"\n\n[recording]\nwindow = \"3000ms\"\n\n[spool]\ndir = \"/spool\"\n\
                        free_floor = \"10 MB\"\n\n[upload]\nto = \"s3://footage\"\n\
                        endpoint_url = \"http://127.0.0.1:1\"\n\n[report]\nevery = \"off\"\n\n[[camera]]\nname = \"gate\"\n\
                        url = \"rtsp://127.0.0.1/x\"\n";
        assert_eq!(config.toml(), expected);
    }
}
