//! `framepost detect FILE...`: runs a detector on files, and on request draws its boxes into pictures,
//! which may be so coarse that nobody can be recognised in them.

use crate::apply::{self, Files};
use crate::functions::Functions;
use crate::output::Output;
use crate::up::{DEFAULT_MODELS, DETECTOR, MODELS};
use anyhow::{Context as _, bail};
use async_trait::async_trait;
use edge_uploader::terminal;
use framepost_events::detection::Detection;
use framepost_events::record::{Data, InferredFrame, Record};
use framepost_host::{Clouds, Variables};
use framepost_infer::{Infer, Seen};
use framepost_ports::{Bus, Carrier, Message, Outcome, Picture, Result};
use jpeg_encoder::{ColorType, Encoder};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

/// The quality of drawn pictures, of 100.
const QUALITY: u8 = 90;

/// The squares along the longer side of a picture that is blurred. A face that fills it has 12 × 12 of them at most; people
/// recognise one that they know in about 16 × 16.
const SQUARES: usize = 12;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// MP4, fragmented MP4, MKV or WebM files. Of a long file, pictures from start to end are used.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// What says what is to be seen: motion: (built in), onnx:NAME, oip+https://HOST/v2/models/NAME; rekognition: and vision: in
    /// a program that is built with aws and gcp, which cost. FRAMEPOST_DETECTOR otherwise, or motion:.
    #[arg(long, value_name = "URL")]
    detector: Option<String>,
    /// Writes each picture with its boxes into this directory, as JPEG. Its name begins with that of the file.
    #[arg(long, value_name = "DIR")]
    draw: Option<PathBuf>,
    /// Draws the boxes on pictures so coarse that nobody can be recognised in them: 12 squares along the longer side, each of one
    /// colour. That is done to all of the picture, since the detector may have missed somebody.
    #[arg(long, requires = "draw")]
    blur: bool,
}

/// Probes each file, looks at it even if nothing moves, and prints the record.
pub(crate) async fn run(arguments: Arguments, functions: &Functions) -> anyhow::Result<ExitCode> {
    if let Some(dir) = &arguments.draw {
        std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    }
    let ledger = std::env::temp_dir().join(format!("framepost-detect-{}", std::process::id()));
    let variables = variables(arguments.detector.clone(), &ledger)?;
    let output = Output::default();
    let mut code = ExitCode::SUCCESS;
    for (path, drawn) in arguments.files.iter().zip(drawn_names(&arguments.files)) {
        if let Err(error) = file(path, &drawn, &arguments, functions, &variables, &output).await {
            terminal::err(format_args!("framepost: {}: {error:#}", path.display()));
            code = ExitCode::FAILURE;
        }
    }
    // Only a paid detector made it.
    let _ = std::fs::remove_dir_all(ledger);
    Ok(code)
}

/// Settings with which every file is looked at: nothing counts as still, and nothing as done before.
fn variables(detector: Option<String>, ledger: &Path) -> anyhow::Result<Variables> {
    let ledger = url::Url::from_directory_path(ledger).ok().context("the temporary directory has no absolute path")?;
    Ok(Arc::new(move |name: &str| match name {
        DETECTOR => detector.clone().or_else(|| std::env::var(name).ok()),
        "FRAMEPOST_STILL_BELOW" | "FRAMEPOST_STILL_DIFFERENCE" => Some("0".to_owned()),
        "FRAMEPOST_LEDGER" => Some(ledger.to_string()),
        MODELS => Some(std::env::var(name).unwrap_or_else(|_| DEFAULT_MODELS.to_owned())),
        _ => std::env::var(name).ok(),
    }))
}

/// The beginnings of the names of each file's pictures: the file's name without its ending, and a number where an earlier file
/// has the same.
fn drawn_names(files: &[PathBuf]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for path in files {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let numbered = (2..).map(|number| format!("{stem}-{number}"));
        let free = std::iter::once(stem.clone()).chain(numbered).find(|name| !names.contains(name));
        names.push(free.unwrap_or(stem));
    }
    names
}

/// Prints the record of a file. The names of its pictures begin with `drawn`.
async fn file(
    path: &Path,
    drawn: &str,
    arguments: &Arguments,
    functions: &Functions,
    variables: &Variables,
    output: &Output,
) -> anyhow::Result<()> {
    let event = apply::finalized(path)?;
    let source = Arc::new(Files::beside(path)?);
    let kept = Arc::new(Kept::default());
    let probe =
        functions.get("probe")?.make(Clouds::new(source.clone(), kept.clone(), Arc::new(|_: &str| None))).await?;
    probe.settle(&Message::new(event.key.clone(), Carrier::Queue, event.to_json()), None).await;
    let Some(probed) = kept.take() else { bail!("it cannot be read") };
    let infer: Infer = framepost_infer::start(Clouds::new(source, kept, variables.clone())).await?;
    let Seen { record, pictures } = match &probed.data {
        Data::ChunkProbed(_) => infer.see(&probed).await.map_err(|outcome| anyhow::anyhow!(why(outcome)))?,
        Data::ObjectRejected(rejected) => bail!("{}", rejected.detail),
        other => bail!("{} has no pictures", other.event_type()),
    };
    output.publish(&record).await?;
    if let (Some(dir), Data::ChunkInferred(inferred)) = (&arguments.draw, &record.data) {
        for (picture, InferredFrame { detections, .. }) in pictures.iter().zip(&inferred.frames) {
            let place = dir.join(format!("{drawn}-{:06}ms.jpg", picture.offset().as_millis()));
            let mut rgb = picture.rgb().to_vec();
            if arguments.blur {
                blur(&mut rgb, picture.width() as usize, picture.height() as usize);
            }
            write(picture, rgb, detections, &place).with_context(|| format!("cannot write {}", place.display()))?;
        }
    }
    Ok(())
}

fn why(outcome: Outcome) -> String {
    match outcome {
        Outcome::Done => "it is done".to_owned(),
        Outcome::Skip(reason) | Outcome::Reject(reason) | Outcome::Retry { reason, .. } => reason.detail,
    }
}

/// Gives each square of the picture the mean of its colours.
fn blur(rgb: &mut [u8], width: usize, height: usize) {
    let side = width.max(height).div_ceil(SQUARES).max(1);
    for top in (0..height).step_by(side) {
        for left in (0..width).step_by(side) {
            let columns = left * 3..(left + side).min(width) * 3;
            let rows = top..(top + side).min(height);
            let mut sums = [0_u64; 3];
            for y in rows.clone() {
                for pixel in rgb[y * width * 3..][columns.clone()].as_chunks::<3>().0 {
                    for (sum, value) in sums.iter_mut().zip(pixel) {
                        *sum += u64::from(*value);
                    }
                }
            }
            let pixels = (columns.len() / 3 * rows.len()) as u64;
            // The mean of bytes is a byte.
            let mean = sums.map(|sum| u8::try_from(sum / pixels).unwrap_or(u8::MAX));
            for y in rows {
                rgb[y * width * 3..][columns.clone()].as_chunks_mut::<3>().0.fill(mean);
            }
        }
    }
}

/// Writes these pixels of the picture with a frame around each box, in one colour for each label.
fn write(picture: &Picture, mut rgb: Vec<u8>, detections: &[Detection], place: &Path) -> anyhow::Result<()> {
    let width = picture.width() as usize;
    let height = picture.height() as usize;
    let thickness = (width / 400).max(2);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "fractions of the picture")]
    let at = |fraction: f64, side: usize| (fraction * side as f64) as usize;
    for Detection { label, bounds, .. } in detections {
        let colour = colour(label);
        let left = at(bounds.left, width);
        let right = at(bounds.right(), width);
        let top = at(bounds.top, height);
        let bottom = at(bounds.bottom(), height);
        for y in top..bottom.min(height) {
            for x in left..right.min(width) {
                let edge = (x - left).min(right - 1 - x).min(y - top).min(bottom - 1 - y);
                if edge < thickness {
                    rgb[(y * width + x) * 3..][..3].copy_from_slice(&colour);
                }
            }
        }
    }
    let side = |side: u32| u16::try_from(side).context("a JPEG has at most 65 535 pixels a side");
    Encoder::new_file(place, QUALITY)?.encode(&rgb, side(picture.width())?, side(picture.height())?, ColorType::Rgb)?;
    Ok(())
}

/// Returns a bright colour, always the same for the same label.
fn colour(label: &str) -> [u8; 3] {
    const COLOURS: [[u8; 3]; 6] =
        [[255, 64, 64], [64, 255, 64], [80, 160, 255], [255, 220, 0], [255, 0, 255], [0, 255, 255]];
    let sum: usize = label.bytes().map(usize::from).sum();
    COLOURS[sum % COLOURS.len()]
}

/// A bus that keeps the last record.
#[derive(Debug, Default)]
struct Kept(Mutex<Option<Record>>);

impl Kept {
    fn take(&self) -> Option<Record> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

#[async_trait]
impl Bus for Kept {
    async fn publish(&self, record: &Record) -> Result<()> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(record.clone());
        Ok(())
    }
}
