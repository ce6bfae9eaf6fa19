//! `edge-uploader backfill`.
//!
//! Examines all files before it uploads anything: when each begins, and whether they can
//! be from one camera ([`plan`]).

mod chapters;
mod plan;
mod survey;

use self::plan::{Start, Step};
use super::{RecordingArguments, UploadArguments, parse_destination, signer};
use edge_uploader::camera::file::{Began, Ends, FileCamera, FileOptions, Pace};
use edge_uploader::clock::TrustedClock;
use edge_uploader::display::Display;
use edge_uploader::gateway::{CameraEnd, Gateway};
use edge_uploader::signals::Signals;
use edge_uploader::spool::{Durability, Options};
use edge_uploader::{destination, terminal};
use framepost_events::{Camera, Site};
use framepost_ports::SystemClock;
use jiff::Timestamp;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// Exit code if a file is unfinished.
const UNFINISHED: u8 = 3;

/// Appended to the text of `--help`.
const EXIT_CODES: &str = "\
Exit codes:
  0  all of every file is in the bucket, what was there already included
  1  a file could not be read or is damaged, files overlap, the bucket refused objects, or it was interrupted
  2  the command line makes no sense
  3  a file is still being written or was cut short: the last piece of it is left for the next run

The same command with the same spool goes on where an interrupted or unfinished one stopped. Nothing in the bucket is
put twice, and files are never changed.";

#[derive(Debug, clap::Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct Arguments {
    /// MP4, fragmented MP4 or MKV files of one camera. Chapters of one recording follow one another without a
    /// break (the same creation time, numbered names: GX010042 and GX020042, DJI_0001 and DJI_0002). Other
    /// files must not overlap.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The site's name, the first part of every key.
    #[arg(long)]
    site: Site,
    /// The camera's name, the last part of the key's directory.
    #[arg(long)]
    camera: Camera,
    /// Destination of chunks: s3://bucket, gs://bucket or file:///directory.
    #[arg(long, value_name = "URL", value_parser = parse_destination)]
    to: url::Url,
    /// Time of the first frame of the first file. The other files follow in this order without a break. Without
    /// this option, each file's own creation time is used, or the time it was last written minus its length.
    #[arg(long, value_name = "RFC3339")]
    start: Option<Timestamp>,
    /// The files are complete: the end of a file that was cut short is its end. Without this option, that holds
    /// from ten minutes after the file was last written; before that, its last piece is left for the next run.
    #[arg(long = "final")]
    is_final: bool,
    /// Directory where chunks wait for the network. To resume an interrupted backfill, run the same command
    /// with the same spool.
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
    let looked = survey::survey(arguments.files.clone(), arguments.options(), arguments.start);
    let surveyed = tokio::select! {
        surveyed = looked => surveyed?,
        () = signals.interrupted() => {
            terminal::err("interrupted; nothing was uploaded");
            // A file may be long and is read on a thread of its own, so end the process here.
            std::process::exit(1);
        }
    };
    let signer = match &arguments.recording.signing_key {
        Some(path) => Some(Arc::new(signer(path)?)),
        None => None,
    };
    let upload = arguments.upload.upload(arguments.to.clone());
    let sink = destination::connect(&upload).await?;
    // The file can be read again after a power cut, so syncing every fragment is not necessary.
    let options = Options { signer, durability: Durability::Chunk, ..Options::default() };
    let settings = upload.settings(1);
    let clock = Arc::new(SystemClock);
    let gateway = Arc::new(Gateway::start(arguments.site.clone(), &arguments.spool, options, sink, settings, clock)?);
    let display = Display::start(&gateway);
    let work = record_all(&gateway, &arguments, surveyed.steps);
    tokio::pin!(work);
    let recorded = tokio::select! {
        result = &mut work => Some(result?),
        () = signals.interrupted() => {
            gateway.stop();
            work.await?;
            None
        }
    };
    // The bucket may be unreachable for any length of time, so this wait must be interruptible.
    let uploaded = tokio::select! {
        () = gateway.uploaded(), if recorded.is_some() => recorded,
        () = signals.interrupted() => None,
    };
    let Some(recorded) = uploaded else {
        gateway.shutdown(Duration::from_secs(5)).await;
        display.finish();
        let left = gateway.spool().pending().0;
        let spool = arguments.spool.display();
        terminal::err(format_args!(
            "interrupted; {left} objects wait in {spool}: run the same command again to continue"
        ));
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
    let refused = if quarantined.is_empty() { Outcome::Whole } else { Outcome::Failed };
    Ok(match recorded.max(surveyed.outcome).max(refused) {
        Outcome::Whole => ExitCode::SUCCESS,
        Outcome::Failed => ExitCode::FAILURE,
        Outcome::Unfinished => {
            terminal::err(
                "a file is unfinished: run the same command again later, or with --final if it does not grow any more",
            );
            ExitCode::from(UNFINISHED)
        }
    })
}

impl Arguments {
    /// Returns the options for reading the files, except their start.
    fn options(&self) -> FileOptions {
        let ends = if self.is_final { Ends::Final } else { Ends::Judged };
        FileOptions { pace: Pace::Fast, ends, ..FileOptions::default() }
    }
}

/// The result of recording the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    Whole,
    /// A file is unfinished and should be recorded again later.
    Unfinished,
    Failed,
}

/// Records every file, one after the other.
async fn record_all(gateway: &Gateway, arguments: &Arguments, steps: Vec<Step>) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::Whole;
    // The end of the previous file; `None` if it is not known.
    let mut end = None;
    for Step { path, start, length } in steps {
        let start = match (start, end) {
            (Start::At(began), _) | (Start::AfterPrevious, Some(began)) => began,
            (Start::AfterPrevious, None) => {
                let path = path.display();
                terminal::err(format_args!(
                    "{path} waits: it starts where the file before it ends, and that is not known yet"
                ));
                outcome = outcome.max(Outcome::Unfinished);
                continue;
            }
        };
        let options = FileOptions { start: Some(start), ..arguments.options() };
        let camera = Box::new(FileCamera::new(&path, options));
        let recorded =
            gateway.record(&arguments.camera, camera, &arguments.recording.recording(), TrustedClock::Gateway)?;
        let stats = Arc::clone(&recorded.stats);
        // A damaged file may lack frames at its end. The next file must not begin earlier because of that.
        let says = start.at.checked_add(length).ok();
        let (read, ends_at) = match recorded.ended().await {
            CameraEnd::Finished => (Outcome::Whole, stats.last_end()),
            CameraEnd::Stopped => return Ok(outcome),
            CameraEnd::SpoolFailed(error) => return Err(error.into()),
            CameraEnd::Unfinished(_) => (Outcome::Unfinished, None),
            CameraEnd::Damaged | CameraEnd::Nothing | CameraEnd::Failed(_) | CameraEnd::Panicked => {
                (Outcome::Failed, stats.last_end().max(says))
            }
        };
        outcome = outcome.max(read);
        end = ends_at.map(|at| Began { at, ..start });
    }
    Ok(outcome)
}
