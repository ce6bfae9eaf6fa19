//! From a model's answer to detections. No I/O; an answer can be anything, and is refused or read, but does not panic.
//!
//! A candidate is of the class with its highest score. Candidates below the lowest score are dropped, the best 3 000 of the
//! others compared by class ("non-maximum suppression"), and the best 300 of what remains reported.

mod detr;
mod ssd;
mod suppress;
#[cfg(test)]
mod tests;
mod yolo;

use crate::manifest::{Decoder, Manifest};
use crate::prepare::Placement;
use crate::tensor::OutputTensor;
use framepost_events::detection::Detection;

/// The most candidates that are compared with each other, in the order of their scores.
const CANDIDATES_MAX: usize = 3000;
/// The most detections of one picture.
const DETECTIONS_MAX: usize = 300;

/// An answer that is not what the model's description says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// There is no output of that name, or it is not clear which one is meant.
    #[error("the model has no output {wanted}; it has {}", found.join(", "))]
    Missing {
        /// The name in `model.toml`.
        wanted: String,
        /// The names of the outputs.
        found: Vec<String>,
    },
    /// An output has other dimensions.
    #[error("output {name} has the shape {found:?}; expected is {expected}")]
    Shape {
        name: String,
        found: Vec<usize>,
        /// The shape that the decoder reads, with words for dimensions of any length.
        expected: String,
    },
    /// An output has fewer or more elements than its dimensions say.
    #[error("output {name} has the shape {shape:?} and {elements} elements")]
    Elements { name: String, shape: Vec<usize>, elements: usize },
}

/// Something that a model may have seen.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Candidate {
    class: usize,
    score: f32,
    /// Left, top, right, bottom in pixels of the input.
    edges: [f32; 4],
}

/// Reads a model's answer about the picture at `placement`. `labels` are the names of its classes.
pub fn decode(
    manifest: &Manifest,
    labels: &[String],
    outputs: &[OutputTensor],
    placement: &Placement,
) -> Result<Vec<Detection>, DecodeError> {
    let classes = Classes { labels, score: manifest.score };
    let mut candidates = match &manifest.decoder {
        Decoder::Yolox { output, strides } => {
            yolo::yolox(&find(outputs, output.as_deref())?, &manifest.input, strides, &classes)?
        }
        Decoder::Yolov8 { output } => yolo::yolov8(&find(outputs, output.as_deref())?, &classes)?,
        Decoder::Ssd(ssd) => ssd::ssd(outputs, ssd, &manifest.input, &classes)?,
        Decoder::Detr { boxes, logits, activation } => detr::detr(
            &find(outputs, Some(boxes))?,
            &find(outputs, Some(logits))?,
            *activation,
            &manifest.input,
            &classes,
        )?,
    };
    // Stable, so that equal scores keep the model's order.
    candidates.sort_by(|a, b| b.score.total_cmp(&a.score));
    candidates.truncate(CANDIDATES_MAX);
    if let Some(iou) = manifest.iou {
        suppress::by_class(&mut candidates, iou);
    }
    let detection = |candidate: &Candidate| {
        Some(Detection {
            label: labels.get(candidate.class)?.clone(),
            score: f64::from(candidate.score.min(1.0)),
            bounds: placement.bounds(candidate.edges)?,
            zones: Vec::new(),
        })
    };
    Ok(candidates.iter().filter_map(detection).take(DETECTIONS_MAX).collect())
}

/// What is known of classes.
struct Classes<'a> {
    labels: &'a [String],
    /// The lowest score that is reported; the best class of a candidate below it is none.
    score: f32,
}

impl Classes<'_> {
    /// The class with the highest score, if it is reported and its score is high enough. The first of equal ones.
    fn best(&self, scores: impl Iterator<Item = f32>) -> Option<(usize, f32)> {
        let mut best: Option<(usize, f32)> = None;
        for (class, score) in scores.enumerate() {
            // A score that is no number is no better than any other.
            let is_better = best.map_or(!score.is_nan(), |(_, highest)| score > highest);
            if is_better && self.is_reported(class) {
                best = Some((class, score));
            }
        }
        best.filter(|(_, score)| *score >= self.score)
    }

    fn is_reported(&self, class: usize) -> bool {
        self.labels.get(class).is_some_and(|label| !label.is_empty())
    }
}

/// An output whose number of elements is what its shape says.
struct View<'a> {
    name: &'a str,
    /// Without the first dimension, where that is 1.
    shape: &'a [usize],
    values: &'a [f32],
}

impl View<'_> {
    /// Rows of `columns` elements. Fails unless the shape is `[rows, columns]`.
    fn rows(&self, columns: usize, what: &str) -> Result<std::slice::ChunksExact<'_, f32>, DecodeError> {
        match *self.shape {
            [_, found] if found == columns && found > 0 => Ok(self.values.chunks_exact(columns)),
            _ => Err(self.unexpected(format!("[1, {what}, {columns}]"))),
        }
    }

    fn unexpected(&self, expected: impl Into<String>) -> DecodeError {
        DecodeError::Shape { name: self.name.to_owned(), found: self.shape.to_vec(), expected: expected.into() }
    }
}

/// The output of this name; without one, the only output.
fn find<'a>(outputs: &'a [OutputTensor], name: Option<&str>) -> Result<View<'a>, DecodeError> {
    let found = match (name, outputs) {
        (Some(name), _) => outputs.iter().find(|output| output.name == name),
        (None, [only]) => Some(only),
        (None, _) => None,
    };
    let found = found.ok_or_else(|| DecodeError::Missing {
        wanted: name.map_or_else(|| "that is the only one".to_owned(), |name| format!("`{name}`")),
        found: outputs.iter().map(|output| output.name.clone()).collect(),
    })?;
    let elements = found.shape.iter().try_fold(1_usize, |elements, side| elements.checked_mul(*side));
    if elements != Some(found.values.len()) {
        return Err(DecodeError::Elements {
            name: found.name.clone(),
            shape: found.shape.clone(),
            elements: found.values.len(),
        });
    }
    let shape = match found.shape.as_slice() {
        [1, rest @ ..] if !rest.is_empty() => rest,
        whole => whole,
    };
    Ok(View { name: &found.name, shape, values: &found.values })
}

/// The edges of a box that is given by its centre and size.
fn around([x, y, width, height]: [f32; 4]) -> [f32; 4] {
    [x - width / 2.0, y - height / 2.0, x + width / 2.0, y + height / 2.0]
}
