//! `framepost model add`: a model of one's own.

use super::{Directory, check};
use anyhow::Context as _;
use clap::ValueEnum;
use edge_uploader::terminal;
use framepost_events::Sha256;
use framepost_models::{MODEL_LIMIT_BYTES, Manifest};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    directory: Directory,
    /// The model's name: letters, digits, `.`, `_` and `-`.
    name: String,
    /// The model's file in ONNX; it is copied.
    #[arg(long, value_name = "FILE")]
    onnx: PathBuf,
    /// The labels of its classes, one a line.
    #[arg(long, value_name = "FILE")]
    labels: PathBuf,
    /// What its answer is like.
    #[arg(long, value_enum)]
    decoder: Kind,
    /// Its input, such as 640x640.
    #[arg(long, default_value = "640x640", value_name = "WIDTHxHEIGHT")]
    size: String,
    /// Further lines of `model.toml`, such as `input.layout="nhwc"` or `decoder.boxes="boxes"`.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
    /// The lowest score that is reported.
    #[arg(long, default_value_t = 0.3)]
    score: f32,
    /// Its version, for records.
    #[arg(long = "model-version", value_name = "VERSION")]
    model_version: Option<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Kind {
    /// YOLOX: 0 to 255, blue first.
    Yolox,
    /// YOLOv8 and its successors: 0 to 1, red first, in the middle of a letterbox.
    Yolov8,
    /// Lists of boxes and scores.
    Ssd,
    /// DETR: normalised as for ImageNet, softmax.
    Detr,
}

/// Keys of a section of `model.toml`, and their values as they are written there.
type Lines = &'static [(&'static str, &'static str)];

impl Kind {
    /// What is usual for the kind, as `[input]` and `[decoder]` say it where no setting says otherwise.
    fn usual(self) -> (Lines, Lines) {
        const UNIT: (&str, &str) = ("scale", "0.00392156862745098");
        match self {
            Self::Yolox => (&[("colour", "\"bgr\""), ("resize", "\"letterbox\"")], &[("kind", "\"yolox\"")]),
            Self::Yolov8 => (
                &[("colour", "\"rgb\""), UNIT, ("resize", "\"letterbox\""), ("align", "\"centre\"")],
                &[("kind", "\"yolov8\"")],
            ),
            Self::Ssd => (
                &[("colour", "\"rgb\""), UNIT, ("resize", "\"stretch\"")],
                &[("kind", "\"ssd\""), ("boxes", "\"boxes\""), ("scores", "\"scores\"")],
            ),
            Self::Detr => (
                &[
                    ("colour", "\"rgb\""),
                    UNIT,
                    ("mean", "[0.485, 0.456, 0.406]"),
                    ("std", "[0.229, 0.224, 0.225]"),
                    ("resize", "\"stretch\""),
                ],
                &[
                    ("kind", "\"detr\""),
                    ("boxes", "\"pred_boxes\""),
                    ("logits", "\"logits\""),
                    ("activation", "\"softmax\""),
                ],
            ),
        }
    }
}

pub(crate) async fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let size =
        std::fs::metadata(&arguments.onnx).with_context(|| format!("cannot read {}", arguments.onnx.display()))?;
    anyhow::ensure!(size.is_file() && size.len() <= MODEL_LIMIT_BYTES, "a model is a file of at most 512 MiB");
    let bytes = std::fs::read(&arguments.onnx)?;
    let labels =
        std::fs::read(&arguments.labels).with_context(|| format!("cannot read {}", arguments.labels.display()))?;
    let text = manifest(arguments, Sha256::of(&bytes))?;
    Manifest::parse(&text)?;
    lay(&arguments.directory.models, &arguments.name, &text, &[("model.onnx", &bytes), ("labels.txt", &labels)]).await
}

/// The directory of a model of this name, which is not there yet.
pub(super) fn free_place(models: &Path, name: &str) -> anyhow::Result<PathBuf> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    anyhow::ensure!(
        !name.is_empty() && name.len() <= 100 && name.chars().all(is_plain) && !name.starts_with('.'),
        "a model's name has letters, digits, `.`, `_` and `-`"
    );
    let place = models.join(name);
    anyhow::ensure!(!place.exists(), "{} is there already; remove it first", place.display());
    Ok(place)
}

/// Writes a model's directory, checks it, and only then gives it its name.
pub(super) async fn lay(models: &Path, name: &str, text: &str, files: &[(&str, &[u8])]) -> anyhow::Result<ExitCode> {
    let place = free_place(models, name)?;
    std::fs::create_dir_all(models)?;
    let new = tempfile::Builder::new().prefix(".new-").tempdir_in(models)?;
    for (file, bytes) in files {
        std::fs::write(new.path().join(file), bytes)?;
    }
    std::fs::write(new.path().join("model.toml"), text)?;
    let code = check::check(&std::path::absolute(new.path())?.display().to_string(), models).await?;
    if code == ExitCode::SUCCESS {
        // Readable for the functions, which may run as somebody else.
        std::fs::set_permissions(new.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
        std::fs::rename(new.keep(), &place)?;
        terminal::err(format_args!("{}: use it as onnx:{name}", place.display()));
    }
    Ok(code)
}

/// The text of `model.toml`.
fn manifest(arguments: &Arguments, digest: Sha256) -> anyhow::Result<String> {
    let (width, height) = arguments.size.split_once('x').context("--size: expected WIDTHxHEIGHT, such as 640x640")?;
    let (input, decoder) = arguments.decoder.usual();
    let mut input: Vec<(String, String)> =
        [("width", width), ("height", height), ("layout", "\"nchw\""), ("type", "\"f32\"")]
            .iter()
            .chain(input)
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
    let mut decoder: Vec<(String, String)> =
        decoder.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let mut top = vec![("score".to_owned(), arguments.score.to_string())];
    if matches!(arguments.decoder, Kind::Yolox | Kind::Yolov8) {
        top.push(("iou".to_owned(), "0.45".to_owned()));
    }
    for setting in &arguments.settings {
        let (key, value) = setting.split_once('=').context("--set: expected KEY=VALUE")?;
        anyhow::ensure!(!setting.contains('\n'), "--set: expected one line");
        let (section, key) = match key.trim().split_once('.') {
            Some(("input", key)) => (&mut input, key),
            Some(("decoder", key)) => (&mut decoder, key),
            _ => (&mut top, key.trim()),
        };
        section.retain(|(known, _)| known != key);
        section.push((key.to_owned(), value.trim().to_owned()));
    }
    let mut text = format!("name = {:?}\n", arguments.name);
    if let Some(version) = &arguments.model_version {
        writeln!(text, "version = {version:?}")?;
    }
    writeln!(text, "file = \"model.onnx\"\nsha256 = \"{digest}\"\nlabels = \"labels.txt\"")?;
    for (section, lines) in [("", &top), ("\n[input]\n", &input), ("\n[decoder]\n", &decoder)] {
        text.push_str(section);
        for (key, value) in lines {
            writeln!(text, "{key} = {value}")?;
        }
    }
    Ok(text)
}
