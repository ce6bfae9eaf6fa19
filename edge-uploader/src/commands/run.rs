//! `edge-uploader run`.

use super::{RecordingArguments, UploadArguments, parse_destination, signer};
use anyhow::{Context as _, bail};
use edge_uploader::config::{CameraConfig, Config, Report, Spool};
use edge_uploader::gateway::{CameraEnd, Gateway};
use edge_uploader::signals::Signals;
use edge_uploader::spool::Options;
use edge_uploader::{descriptors, destination, metrics, report};
use framepost_events::{Camera, Site};
use framepost_ports::SystemClock;
use framepost_ports::shown::ShownUrl;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// Options that a configuration file also sets, and that would be ignored beside one. The endpoint is not among
/// them, because its environment variable may be set.
const CAMERA_ARGUMENTS: [&str; 14] = [
    "site",
    "camera",
    "from",
    "username",
    "password_env",
    "password_file",
    "to",
    "spool",
    "window",
    "chunk_max",
    "keep",
    "signing_key",
    "bandwidth_per_second",
    "workers",
];

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The configuration file; `edge.example.toml` explains every setting. Without it, one camera
    /// on the command line:
    #[arg(long, value_name = "FILE", conflicts_with_all = CAMERA_ARGUMENTS)]
    config: Option<PathBuf>,
    /// The site's name, the first part of every key.
    #[arg(long, requires_all = ["camera", "from", "to", "spool"])]
    site: Option<Site>,
    /// The camera's name, the last part of the key's directory.
    #[arg(long, requires = "site")]
    camera: Option<Camera>,
    /// The camera's URL, rtsp://host/path, or a file's path. Give a password with --password-env or --password-file,
    /// because everybody on this machine can read a program's arguments.
    #[arg(long, value_name = "URL", requires = "site")]
    from: Option<String>,
    /// The camera's user, if the URL does not contain it.
    #[arg(long, value_name = "USER", requires = "site")]
    username: Option<String>,
    /// An environment variable that holds the camera's password.
    #[arg(long, value_name = "VARIABLE", requires = "site", conflicts_with = "password_file")]
    password_env: Option<String>,
    /// A file whose first line is the camera's password.
    #[arg(long, value_name = "FILE", requires = "site")]
    password_file: Option<PathBuf>,
    /// Destination of chunks: s3://bucket, gs://bucket or file:///directory.
    #[arg(long, value_name = "URL", value_parser = parse_destination, requires = "site")]
    to: Option<url::Url>,
    /// Directory where chunks wait for the network.
    #[arg(long, value_name = "DIR", requires = "site")]
    spool: Option<PathBuf>,
    #[command(flatten)]
    recording: RecordingArguments,
    #[command(flatten)]
    upload: UploadArguments,
    /// Time limit of a shutdown. Objects not uploaded by then stay in the spool for the next start.
    #[arg(long, value_parser = edge_uploader::config::units::parse_duration, default_value = "10s", value_name = "DURATION")]
    shutdown_deadline: Duration,
}

impl Arguments {
    fn config(&self) -> anyhow::Result<Config> {
        if let Some(path) = &self.config {
            return Ok(Config::load(path)?);
        }
        let (Some(site), Some(camera), Some(from), Some(to), Some(spool)) =
            (&self.site, &self.camera, &self.from, &self.to, &self.spool)
        else {
            bail!("give --config FILE, or --site S --camera C --from URL --to URL --spool DIR");
        };
        let config = Config {
            site: site.clone(),
            recording: self.recording.recording(),
            spool: Spool::at(spool),
            upload: self.upload.upload(to.clone()),
            signing: self.recording.signing(),
            metrics: None,
            report: Report::default(),
            cameras: vec![CameraConfig {
                username: self.username.clone(),
                password_env: self.password_env.clone(),
                password_file: self.password_file.clone(),
                ..CameraConfig::new(camera.clone(), from)
            }],
        };
        config.check()?;
        Ok(config)
    }
}

/// Why the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// Finite sources were read to their end, and everything is uploaded.
    Complete,
    /// SIGINT or SIGTERM arrived.
    Interrupted,
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let signals = Signals::install()?;
    let config = arguments.config()?;
    let signer = match &config.signing {
        Some(signing) => Some(Arc::new(signer(&signing.key_file)?)),
        None => None,
    };
    // Report all configuration errors before the first camera is recorded.
    let mut sources = Vec::new();
    for camera in &config.cameras {
        sources.push((camera, camera.open().with_context(|| format!("camera {}", camera.name))?));
    }
    let sink = destination::connect(&config.upload).await?;
    let settings = config.upload.settings(config.cameras.len());
    let allowed = framepost_listener::descriptors::limit();
    let needed = descriptors::needed(config.cameras.len(), settings.workers);
    if allowed < needed {
        tracing::warn!(
            allowed,
            needed,
            "too few file descriptors for so many cameras: raise LimitNOFILE, or ulimit -Hn"
        );
    }
    let sink_of_reports = Arc::clone(&sink);
    let signer_of_reports = signer.clone();
    let options =
        Options { limits: config.spool.limits(), durability: config.spool.durability, signer, ..Options::default() };
    let clock = Arc::new(SystemClock);
    let gateway = Arc::new(Gateway::start(config.site.clone(), &config.spool.dir, options, sink, settings, clock)?);
    if let Some(listen) = config.metrics.as_ref().map(|metrics| metrics.listen) {
        metrics::serve(listen, Arc::downgrade(&gateway))
            .await
            .with_context(|| format!("cannot serve metrics at {listen}"))?;
    }
    if let Some(every) = config.report.every {
        let settings = report::ReportSettings { every, signer: signer_of_reports, quota_bytes: config.spool.quota };
        tokio::spawn(report::run(Arc::downgrade(&gateway), sink_of_reports, settings));
    }
    let mut cameras = Vec::new();
    for (camera, source) in sources {
        cameras.push(gateway.record(&camera.name, source, config.recording_of(camera), camera.trusted_clock())?);
    }
    tracing::info!(site = %config.site, cameras = cameras.len(), to = %ShownUrl::of(config.upload.to.as_str()), "started");

    let all_ended = futures::future::join_all(cameras.into_iter().map(edge_uploader::gateway::Recorded::ended));
    tokio::pin!(all_ended);
    let (ends, ending, deadline) = tokio::select! {
        ends = &mut all_ended => {
            // Only finite sources end on their own. Then wait until everything is uploaded.
            let ending = tokio::select! {
                () = gateway.uploaded() => Ending::Complete,
                () = signals.interrupted() => Ending::Interrupted,
            };
            (Some(ends), ending, arguments.shutdown_deadline)
        }
        () = signals.interrupted() => {
            tracing::info!(deadline = ?arguments.shutdown_deadline, "stopping");
            let began = tokio::time::Instant::now();
            gateway.stop();
            // A hanging disk must not delay the shutdown. The next start closes open chunks.
            let ends = tokio::time::timeout(arguments.shutdown_deadline, &mut all_ended).await.ok();
            if ends.is_none() {
                tracing::error!("spans could not be closed in time, the next start closes them");
            }
            (ends, Ending::Interrupted, arguments.shutdown_deadline.saturating_sub(began.elapsed()))
        }
    };
    gateway.shutdown(deadline).await;
    let left = gateway.spool().pending().0;
    let quarantined = gateway.spool().quarantined().len();
    tracing::info!(left_in_spool = left, quarantined, "stopped");
    if quarantined > 0 {
        tracing::warn!(
            quarantined,
            "the bucket permanently refuses objects: `edge-uploader quarantine` lists them with the reasons"
        );
    }
    let good = |end: &CameraEnd| matches!(end, CameraEnd::Finished | CameraEnd::Stopped);
    let failed = !ends.is_some_and(|ends| ends.iter().all(good));
    // Someone who stops a service wants to know whether it stopped cleanly. Objects in quarantine are safe
    // on disk, and a restart would not help them. If files were to be uploaded and some objects were
    // refused, that is a failure.
    let refused = quarantined > 0 && ending == Ending::Complete;
    Ok(if failed || refused { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
