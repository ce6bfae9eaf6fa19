//! `model.toml`: what a model expects and what its answer means.
//!
//! ```toml
//! name = "yolox-nano"
//! version = "0.1.1rc0"            # optional
//! file = "model.onnx"             # absent where a model server has the model
//! sha256 = "d39b…"                # of the file
//! labels = "labels.txt"           # a file with one a line, or a list; the label of a class that is not reported is empty
//! score = 0.3                     # the lowest score that is reported
//! iou = 0.45                      # of two boxes of one label that overlap more, one is dropped; absent: none is
//!
//! [input]
//! name = "images"                 # optional where there is only one
//! width = 416
//! height = 416
//! layout = "nchw"                 # or "nhwc"
//! type = "f32"                    # or "f16", "u8"
//! colour = "bgr"                  # or "rgb"
//! scale = 1.0                     # an element is (pixel × scale − mean) / std
//! mean = [0.0, 0.0, 0.0]          # in the order of the colours
//! std = [1.0, 1.0, 1.0]
//! resize = "letterbox"            # or "stretch"
//! fill = 114                      # what a letterbox is filled with
//! align = "top-left"              # or "centre": where the picture is in it
//!
//! [decoder]
//! kind = "yolox"                  # or "yolov8", "ssd", "detr"
//! strides = [8, 16, 32]
//! ```
//!
//! The keys of a decoder are described at [`Decoder`]. Everything that is not given here is refused with the line and the key,
//! and so is a key that does not apply.

mod raw;

pub(crate) use raw::{is_file_name, labels_of};

use framepost_events::Sha256;
use raw::RawManifest;
use serde::Deserialize;

/// The name of the file in a model's directory.
pub const FILE_NAME: &str = "model.toml";
/// The longest `model.toml` and file of labels, in bytes.
pub(crate) const TEXT_LIMIT_BYTES: u64 = 256 * 1024;
/// What is wrong with a `model.toml`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{FILE_NAME}{}: {}{problem}", at(*.line), key.as_ref().map(|key| format!("{key}: ")).unwrap_or_default())]
pub struct ManifestError {
    /// The line, from 1; `None` where it is not about one.
    pub line: Option<usize>,
    /// The key, such as `input.width`; `None` where the text is not TOML.
    pub key: Option<String>,
    /// What is wrong, and what is allowed.
    pub problem: String,
}

fn at(line: Option<usize>) -> String {
    line.map(|line| format!(" line {line}")).unwrap_or_default()
}

/// A model's description, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    /// The model's name, as records have it.
    pub name: String,
    /// Its version, where it has one.
    pub version: Option<String>,
    /// The file with the model; `None` where a model server has it.
    pub file: Option<ModelFile>,
    /// What its classes are called.
    pub labels: Labels,
    /// The lowest score that is reported, 0 to 1.
    pub score: f32,
    /// Of two boxes of one class with more intersection over union than this, the one with the lower score is dropped. `None`
    /// drops none.
    pub iou: Option<f32>,
    /// How a picture becomes its input: size, layout, type, colours, normalisation.
    pub input: Input,
    /// What its answer means.
    pub decoder: Decoder,
}

/// A model's file, and what it must contain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelFile {
    /// Its name, in the directory of the `model.toml`.
    pub name: String,
    /// The SHA-256 of its bytes; another file is refused.
    pub sha256: Sha256,
}

/// The labels of a model's classes, one for each class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Labels {
    /// In a file beside the `model.toml`, one a line.
    File(String),
    /// In the `model.toml` itself, in the order of the classes.
    List(Vec<String>),
}

/// What a model expects.
#[derive(Debug, Clone, PartialEq)]
pub struct Input {
    /// The name of the tensor; `None` where there is only one.
    pub name: Option<String>,
    /// In pixels, 8 to 4096.
    pub width: u32,
    /// In pixels, 8 to 4096.
    pub height: u32,
    /// The order of the dimensions.
    pub layout: Layout,
    /// The type of an element.
    pub element: Element,
    /// The order of the colours.
    pub colour: Colour,
    /// How a pixel becomes an element.
    pub normalisation: Normalisation,
    /// How a picture gets the model's size.
    pub resize: Resize,
}

/// The order of an input's dimensions. N is always 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// `[1, 3, height, width]`: one plane for each colour.
    Nchw,
    /// `[1, height, width, 3]`: the colours of each pixel side by side.
    Nhwc,
}

/// The type of an input's elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Element {
    /// 0 to 255, as the pixel is.
    U8,
    F32,
    /// Half precision: IEEE 754 binary16.
    F16,
}

/// The order of the colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Colour {
    Rgb,
    Bgr,
}

/// An element is `(pixel × scale − mean) / std`, with the pixel 0 to 255, and mean and std in the order of the colours.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Normalisation {
    pub scale: f32,
    pub mean: [f32; 3],
    pub std: [f32; 3],
}

impl Default for Normalisation {
    fn default() -> Self {
        Self { scale: 1.0, mean: [0.0; 3], std: [1.0; 3] }
    }
}

/// How a picture gets the model's size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resize {
    /// Keeps the ratio of its sides; the rest is filled.
    Letterbox {
        /// The value of each colour, before normalisation.
        fill: u8,
        align: Align,
    },
    /// Does not keep it.
    Stretch,
}

/// Where a picture is in its letterbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Align {
    /// In the corner, its size rounded down: as YOLOX does it.
    TopLeft,
    /// In the middle, its size rounded to the nearest: as Ultralytics does it.
    Centre,
}

/// What a model's answer means. Each output is given by its name, which may be left out where there is only one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decoder {
    /// `kind = "yolox"`: `output` is `[1, cells, 5 + classes]`: centre and logarithm of the size in units of the cell, objectness,
    /// scores. The cells of each of `strides` (8, 16 and 32 by default) follow one another, row by row.
    Yolox { output: Option<String>, strides: Vec<u32> },
    /// `kind = "yolov8"`: `output` is `[1, 4 + classes, candidates]`, or with the last two dimensions exchanged: centre and size in
    /// pixels of the input, scores. So do YOLOv8, v9, v11 and later ones without an end-to-end head.
    Yolov8 { output: Option<String> },
    /// `kind = "ssd"`: lists.
    Ssd(Ssd),
    /// `kind = "detr"`: `boxes` is `[1, queries, 4]`: centre and size in fractions of the input; `logits` is `[1, queries, classes]`.
    Detr { boxes: String, logits: String, activation: Activation },
}

/// The answer of an SSD-type head, whose boxes are decoded by the model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ssd {
    /// `boxes`: `[1, candidates, 4]`.
    pub boxes: String,
    /// `scores`: `[1, candidates, classes]`; with `classes` `[1, candidates]`.
    pub scores: String,
    /// `classes`: `[1, candidates]`, the class of each.
    pub classes: Option<String>,
    /// `order`: which edges come first; `xyxy` by default.
    pub order: Order,
    /// `unit` of the boxes; `fraction` by default.
    pub unit: Unit,
}

/// The order of a box's edges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// Left, top, right, bottom.
    Xyxy,
    /// Top, left, bottom, right, as TensorFlow has it.
    Yxyx,
}

/// The unit of a box's edges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// Fractions of the input.
    Fraction,
    /// Pixels of the input.
    Pixel,
}

/// How logits become scores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Activation {
    /// Over all classes, the last of which is "nothing" where there is one more than labels: DETR.
    Softmax,
    /// Each by itself: Deformable DETR, RT-DETR.
    Sigmoid,
}

impl Decoder {
    /// The names of the outputs that it reads; `None` where it is the only one.
    pub fn outputs(&self) -> Option<Vec<&str>> {
        match self {
            Self::Yolox { output, .. } | Self::Yolov8 { output } => output.as_deref().map(|output| vec![output]),
            Self::Ssd(ssd) => {
                let mut names = vec![ssd.boxes.as_str(), ssd.scores.as_str()];
                names.extend(ssd.classes.as_deref());
                Some(names)
            }
            Self::Detr { boxes, logits, .. } => Some(vec![boxes, logits]),
        }
    }
}

impl Manifest {
    /// Reads and checks a `model.toml`.
    pub fn parse(text: &str) -> Result<Self, ManifestError> {
        let not_toml = |error: &toml::de::Error, key| ManifestError {
            line: error.span().map(|span| line_of(text, span.start)),
            key,
            problem: error.message().to_owned(),
        };
        let raw = toml::Deserializer::parse(text).map_err(|error| not_toml(&error, None))?;
        let raw: RawManifest = serde_path_to_error::deserialize(raw).map_err(|error| {
            let path = error.path().to_string();
            // What `Spanned` is to serde is nothing to a person.
            let path = path.split(".$__serde_spanned").next().unwrap_or_default();
            not_toml(error.inner(), (path != ".").then(|| path.to_owned()))
        })?;
        raw.check().map_err(|wrong| ManifestError {
            line: wrong.span.map(|span| line_of(text, span.start)),
            key: Some(wrong.key.to_owned()),
            problem: wrong.problem,
        })
    }
}

/// Returns the number of the line that holds the byte at this offset, counted from 1.
fn line_of(text: &str, byte: usize) -> usize {
    1 + text.as_bytes().iter().take(byte).filter(|byte| **byte == b'\n').count()
}

#[cfg(test)]
mod tests;
