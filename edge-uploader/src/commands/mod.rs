//! The command line interface.

mod arguments;
mod backfill;
mod check;
mod keygen;
mod quarantine;
mod run;

pub(crate) use arguments::parse;

use anyhow::{Context as _, bail};
use clap::{Args, Parser, Subcommand};
use edge_uploader::config::units::{parse_bytes, parse_duration};
use edge_uploader::config::{Echo, Recording, Signing, Upload};
use edge_uploader::segment::Keep;
use edge_uploader::terminal;
use framepost_events::manifest::ManifestSigner;
use framepost_ports::location::{self, Role};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// Records video from cameras to your bucket: RTSP streams and files become time-stamped fMP4 chunks, wait on
/// disk for the network, and are uploaded once.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
    /// How log lines look.
    #[arg(long, global = true, value_enum, default_value = "text", env = "FRAMEPOST_LOG_FORMAT")]
    pub(crate) log: LogFormat,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Records cameras until SIGTERM or Ctrl-C.
    Run(run::Arguments),
    /// Uploads video files as if a camera had sent them, as fast as possible.
    Backfill(backfill::Arguments),
    /// Tries everything that recording needs: configuration, cameras, bucket, clock, disk.
    Check(check::Arguments),
    /// Lists the objects in quarantine, compares them with the bucket, or returns them to the uploader.
    Quarantine(quarantine::Arguments),
    /// Makes a key pair for signing chunks.
    Keygen(keygen::Arguments),
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum LogFormat {
    /// Text lines for people to read.
    Text,
    /// One JSON object per line.
    Json,
}

impl Cli {
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        match self.command {
            Command::Run(arguments) => run::run(arguments).await,
            Command::Backfill(arguments) => backfill::run(arguments).await,
            Command::Check(arguments) => check::run(arguments).await,
            Command::Quarantine(arguments) => quarantine::run(arguments).await,
            Command::Keygen(arguments) => keygen::run(&arguments),
        }
    }
}

/// Sends logs to standard error. `RUST_LOG` selects the level, `info` by default.
pub(crate) fn telemetry(format: LogFormat) {
    use tracing_subscriber::filter::{LevelFilter, Targets};
    use tracing_subscriber::prelude::*;
    let chosen = std::env::var("RUST_LOG").ok().and_then(|text| text.parse::<Targets>().ok());
    let filter = chosen.unwrap_or_else(|| Targets::new().with_default(LevelFilter::INFO));
    let lines = tracing_subscriber::fmt::layer().with_writer(terminal::log_lines);
    let registry = tracing_subscriber::registry().with(filter);
    match format {
        LogFormat::Json => registry.with(lines.json()).init(),
        LogFormat::Text => registry.with(lines.with_target(false)).init(),
    }
    terminal::log_panics();
}

/// Recording options that several commands share.
#[derive(Debug, Args)]
struct RecordingArguments {
    /// The length of a chunk: it closes at the first random access frame after this time.
    #[arg(long, value_parser = parse_duration, default_value = "3s", value_name = "DURATION")]
    window: Duration,
    /// The longest chunk: if no random access frame arrives for this long, the next chunk starts without one,
    /// and says so. The default is 10 s, or the window if that is longer.
    #[arg(long, value_parser = parse_duration, value_name = "DURATION")]
    chunk_max: Option<Duration>,
    /// Which frames are kept: all, keyframes, or every=N (every Nth without re-encoding, as far as no other
    /// frame refers to the dropped ones).
    #[arg(long, value_parser = parse_keep, default_value = "all", value_name = "WHICH")]
    keep: Keep,
    /// Signs every chunk with this key (see `keygen`).
    #[arg(long, value_name = "FILE")]
    signing_key: Option<PathBuf>,
}

impl RecordingArguments {
    fn recording(&self) -> Recording {
        Recording { window: self.window, chunk_max: self.chunk_max, keep: self.keep }
    }

    fn signing(&self) -> Option<Signing> {
        self.signing_key.clone().map(|key_file| Signing { key_file })
    }
}

/// Upload options that several commands share.
#[derive(Debug, Args)]
struct UploadArguments {
    /// Another endpoint with the bucket's protocol. AWS_ENDPOINT_URL_S3 can also set it for s3://,
    /// and FRAMEPOST_GCS_ENDPOINT for gs://.
    #[arg(long, value_name = "URL")]
    endpoint_url: Option<String>,
    /// S3 only: whether a put's answer must carry a checksum, which shows that it comes from the bucket. With
    /// "detected", each object is put twice to a server that returns no checksums; with "absent", answers
    /// without one are accepted.
    #[arg(long, default_value = "detected", value_parser = parse_echo, value_name = "detected|required|absent")]
    echo: Echo,
    /// Limit in bytes per second, such as "2 MB".
    #[arg(long, value_parser = parse_bytes, value_name = "SIZE")]
    bandwidth_per_second: Option<u64>,
    /// Number of concurrent uploads. The default is half the number of cameras, 4 to 8.
    #[arg(long, value_name = "N")]
    workers: Option<usize>,
}

impl UploadArguments {
    fn upload(&self, to: url::Url) -> Upload {
        Upload {
            endpoint_url: self.endpoint_url.clone().or_else(|| endpoint_of_environment(&to)),
            echo: self.echo,
            bandwidth_per_second: self.bandwidth_per_second,
            workers: self.workers.map(|workers| workers.max(1)),
            ..Upload::to(to)
        }
    }
}

/// Returns the endpoint that the environment sets for a destination.
fn endpoint_of_environment(to: &url::Url) -> Option<String> {
    let variable = match to.scheme() {
        "s3" => "AWS_ENDPOINT_URL_S3",
        _ => "FRAMEPOST_GCS_ENDPOINT",
    };
    std::env::var(variable).ok().filter(|url| !url.is_empty())
}

fn parse_keep(text: &str) -> Result<Keep, String> {
    match text {
        "all" => Ok(Keep::All),
        "keyframes" => Ok(Keep::Keyframes),
        _ => text
            .strip_prefix("every=")
            .and_then(|n| n.parse().ok())
            .map(Keep::Every)
            .ok_or_else(|| "expected all, keyframes or every=N".to_owned()),
    }
}

fn parse_echo(text: &str) -> Result<Echo, String> {
    match text {
        "detected" => Ok(Echo::Detected),
        "required" => Ok(Echo::Required),
        "absent" => Ok(Echo::Absent),
        _ => Err("expected detected, required or absent".to_owned()),
    }
}

/// Parses a destination: a URL or a directory's path.
fn parse_destination(text: &str) -> Result<url::Url, String> {
    let no_destination = || format!("not a destination: expected {}", location::expected(Role::Bucket));
    if text.contains("://") {
        return text.parse().map_err(|_| no_destination());
    }
    let path = std::path::absolute(text).map_err(|error| error.to_string())?;
    url::Url::from_directory_path(path).map_err(|()| no_destination())
}

/// Reads the secret key that `keygen` wrote.
fn signer(path: &Path) -> anyhow::Result<ManifestSigner> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("cannot read the signing key {}", path.display()))?;
    let mut secret = [0; 32];
    if hex::decode_to_slice(text.trim(), &mut secret).is_err() {
        bail!("{} is not a signing key; `edge-uploader keygen` makes one", path.display());
    }
    Ok(ManifestSigner::from_secret(&secret))
}
