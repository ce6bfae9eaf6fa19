//! `edge-uploader backfill`.

use super::{RecordingArguments, UploadArguments, parse_destination, signer};
use edge_uploader::camera::file::Pace;
use edge_uploader::clock::TrustedClock;
use edge_uploader::config::CameraConfig;
use edge_uploader::display::Display;
use edge_uploader::gateway::{CameraEnd, Gateway};
use edge_uploader::signals::Signals;
use edge_uploader::spool::{Durability, Options};
use edge_uploader::{destination, terminal, upload};
use framepost_events::{Camera, Site};
use framepost_ports::SystemClock;
use jiff::Timestamp;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// MP4, fragmented MP4 or MKV files of one camera, in the order they were recorded.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The site's name, the first part of every key.
    #[arg(long)]
    site: Site,
    /// The camera's name.
    #[arg(long)]
    camera: Camera,
    /// Where chunks go: s3://bucket, gs://bucket or file:///directory.
    #[arg(long, value_name = "URL", value_parser = parse_destination)]
    to: url::Url,
    /// When the first frame of the first file was; the files then follow one another without a break. Without it each
    /// file's own creation time counts.
    #[arg(long, value_name = "RFC3339")]
    start: Option<Timestamp>,
    /// Where chunks wait for the network. The same command with the same spool goes on where an interrupted one stopped.
    #[arg(long, value_name = "DIR", default_value = "framepost-spool")]
    spool: PathBuf,
    #[command(flatten)]
    recording: RecordingArguments,
    #[command(flatten)]
    upload: UploadArguments,
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let signals = Signals::install()?;
    arguments.recording.recording().check("")?;
    let signer = match &arguments.recording.signing_key {
        Some(path) => Some(Arc::new(signer(path)?)),
        None => None,
    };
    let upload = arguments.upload.upload(arguments.to.clone());
    let sink = destination::connect(&upload).await?;
    // A file can be read again: what a power cut would cost is not worth a sync for every fragment.
    let options = Options { signer, durability: Durability::Chunk, ..Options::default() };
    let (settings, clock) = (upload::Settings::new(&upload, 1), Arc::new(SystemClock));
    let gateway = Arc::new(Gateway::start(arguments.site.clone(), &arguments.spool, options, sink, settings, clock)?);
    let display = Display::start(&gateway);
    let work = record_all(&gateway, &arguments);
    tokio::pin!(work);
    let recorded = tokio::select! {
        result = &mut work => Some(result?),
        () = signals.interrupted() => {
            gateway.stop();
            work.await?;
            None
        }
    };
    // The bucket may be unreachable for as long as it likes: that wait can be broken off too.
    let uploaded = tokio::select! {
        () = gateway.uploaded(), if recorded.is_some() => recorded,
        () = signals.interrupted() => None,
    };
    let Some(failed) = uploaded else {
        gateway.shutdown(Duration::from_secs(5)).await;
        display.finish();
        let left = gateway.spool().pending().0;
        let spool = arguments.spool.display();
        terminal::err(format_args!("interrupted; {left} objects wait in {spool}: the same command goes on"));
        return Ok(ExitCode::FAILURE);
    };
    gateway.shutdown(Duration::ZERO).await;
    let summary = display.finish();
    let quarantined = gateway.spool().quarantined();
    terminal::err(summary);
    for object in &quarantined {
        let spool = arguments.spool.display();
        terminal::err(format_args!("refused, kept in {spool}: {}: {}", object.key, object.reason));
    }
    Ok(if failed || !quarantined.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Records every file, one after the other. Whether any failed.
async fn record_all(gateway: &Gateway, arguments: &Arguments) -> anyhow::Result<bool> {
    let mut start = arguments.start;
    let mut failed = false;
    for file in &arguments.files {
        let mut config = CameraConfig::new(arguments.camera.clone(), file.to_string_lossy());
        config.pace = Pace::Fast;
        config.start = start;
        let camera = match config.open() {
            Ok(camera) => camera,
            Err(error) => {
                terminal::err(framepost_ports::chain(&error));
                failed = true;
                continue;
            }
        };
        let recorded =
            gateway.record(&arguments.camera, camera, &arguments.recording.recording(), TrustedClock::Gateway)?;
        let stats = Arc::clone(&recorded.stats);
        match recorded.ended().await {
            CameraEnd::Finished => {}
            CameraEnd::Stopped => return Ok(failed),
            CameraEnd::SpoolFailed(error) => return Err(error.into()),
            CameraEnd::Nothing | CameraEnd::Failed(_) | CameraEnd::Panicked => failed = true,
        }
        if start.is_some() {
            start = stats.last_end().or(start);
        }
    }
    Ok(failed)
}
