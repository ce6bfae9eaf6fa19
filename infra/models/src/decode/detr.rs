//! DETR-type heads: a fixed number of queries, each with a box and logits.

use super::{Candidate, Classes, DecodeError, View, around};
use crate::manifest::{Activation, Input};

/// `[queries, 4]` and `[queries, classes]`.
pub(super) fn detr(
    boxes: &View<'_>,
    logits: &View<'_>,
    activation: Activation,
    input: &Input,
    classes: &Classes<'_>,
) -> Result<Vec<Candidate>, DecodeError> {
    let labels = classes.labels.len();
    // DETR has one class more than labels, for "nothing".
    let columns = match (logits.shape, activation) {
        (&[_, found], Activation::Softmax) if found == labels + 1 => found,
        _ => labels,
    };
    let boxes = boxes.rows(4, "queries")?;
    let rows = logits.rows(columns, &boxes.len().to_string())?;
    if rows.len() != boxes.len() {
        return Err(logits.unexpected(format!("[1, {}, {columns}]", boxes.len())));
    }
    let width = input.width as f32;
    let height = input.height as f32;
    let candidate = |(row, logits): (&[f32], &[f32])| {
        let (class, score) = match activation {
            Activation::Softmax => {
                // The largest is subtracted, so that no exponential is infinite.
                let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                let sum: f32 = logits.iter().map(|logit| (logit - largest).exp()).sum();
                classes.best(logits.iter().map(|logit| (logit - largest).exp() / sum))?
            }
            Activation::Sigmoid => classes.best(logits.iter().map(|logit| 1.0 / (1.0 + (-logit).exp())))?,
        };
        let box_ = [row[0] * width, row[1] * height, row[2] * width, row[3] * height];
        Some(Candidate { class, score, edges: around(box_) })
    };
    Ok(boxes.zip(rows).filter_map(candidate).collect())
}
