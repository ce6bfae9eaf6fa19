//! Examines the given files and plans their recording.

use super::Outcome;
use super::plan::{Candidate, Refusal, Step, plan};
use anyhow::Context as _;
use edge_uploader::camera::CameraError;
use edge_uploader::camera::file::{FileCamera, FileOptions};
use edge_uploader::terminal;
use framepost_ports::chain;
use jiff::Timestamp;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The result of the survey.
pub(super) struct Surveyed {
    pub(super) steps: Vec<Step>,
    /// The result for files that are left out.
    pub(super) outcome: Outcome,
}

/// Reads as much of the files as is needed for their times. Fails with a text for the operator if they cannot
/// be recorded together. A file that cannot be read is logged and left out, unless that would move other files.
pub(super) async fn survey(
    files: Vec<PathBuf>,
    options: FileOptions,
    given: Option<Timestamp>,
) -> anyhow::Result<Surveyed> {
    let looked = tokio::task::spawn_blocking(move || look(&files, &options, given));
    looked.await.context("inspecting the files failed unexpectedly")?
}

fn look(files: &[PathBuf], options: &FileOptions, given: Option<Timestamp>) -> anyhow::Result<Surveyed> {
    let mut candidates = Vec::new();
    let mut outcome = Outcome::Whole;
    for file in files {
        let camera = FileCamera::new(local(file), options.clone());
        match candidate(&camera, files.len(), options, given) {
            Ok(candidate) => candidates.push(candidate),
            Err(error) => {
                terminal::err(chain(&error));
                anyhow::ensure!(
                    given.is_none() || files.len() == 1,
                    "with --start each file begins where the one before it ends, which is not known here: leave the file \
                     out, or record the others with commands of their own"
                );
                let unfinished = matches!(error, CameraError::Unfinished { .. });
                outcome = outcome.max(if unfinished { Outcome::Unfinished } else { Outcome::Failed });
            }
        }
    }
    let steps = match plan(candidates.clone(), given) {
        // Durations in file headers may be wrong, so measure the frames.
        Err(Refusal::Overlap { .. }) => {
            for candidate in &mut candidates {
                candidate.length = measured(&FileCamera::new(&candidate.path, options.clone()))?;
            }
            plan(candidates, given)?
        }
        planned => planned?,
    };
    Ok(Surveyed { steps, outcome })
}

/// The length is needed if another file may begin before this one ends.
fn candidate(
    camera: &FileCamera,
    files: usize,
    options: &FileOptions,
    given: Option<Timestamp>,
) -> Result<Candidate, CameraError> {
    let survey = camera.survey(options.clock.now(), given)?;
    let length = match survey.claims {
        Some(length) => length,
        None if files > 1 => measured(camera)?,
        None => Duration::ZERO,
    };
    Ok(Candidate { path: camera.path().to_owned(), survey, length })
}

fn measured(camera: &FileCamera) -> Result<Duration, CameraError> {
    tracing::info!(file = %camera.path().display(), "reading the file to find its duration");
    camera.measured()
}

/// Returns the path of a `file:` URL. Any other text is a path.
fn local(file: &Path) -> PathBuf {
    let url = file.to_str().filter(|text| text.starts_with("file://")).and_then(|text| text.parse::<url::Url>().ok());
    url.and_then(|url| url.to_file_path().ok()).unwrap_or_else(|| file.to_owned())
}
