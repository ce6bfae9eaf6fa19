//! SSD-type heads: lists of boxes whose anchors the model has applied already.

use super::{Candidate, Classes, DecodeError, View, find};
use crate::manifest::{Input, Order, Ssd, Unit};
use crate::tensor::OutputTensor;

/// Boxes, and scores by class or scores and classes.
pub(super) fn ssd(
    outputs: &[OutputTensor],
    ssd: &Ssd,
    input: &Input,
    classes: &Classes<'_>,
) -> Result<Vec<Candidate>, DecodeError> {
    let boxes = find(outputs, Some(&ssd.boxes))?;
    let scores = find(outputs, Some(&ssd.scores))?;
    let boxes = boxes.rows(4, "candidates")?;
    let best: Vec<Option<(usize, f32)>> = if let Some(name) = &ssd.classes {
        let found = find(outputs, Some(name))?;
        let of = list(&found, boxes.len())?;
        let scores = list(&scores, boxes.len())?;
        of.iter().zip(scores).map(|(class, score)| given(*class, *score, classes)).collect()
    } else {
        let rows = scores.rows(classes.labels.len(), &boxes.len().to_string())?;
        if rows.len() != boxes.len() {
            return Err(scores.unexpected(format!("[1, {}, {}]", boxes.len(), classes.labels.len())));
        }
        rows.map(|row| classes.best(row.iter().copied())).collect()
    };
    let (width, height) = match ssd.unit {
        Unit::Fraction => (input.width as f32, input.height as f32),
        Unit::Pixel => (1.0, 1.0),
    };
    let candidate = |(row, best): (&[f32], Option<(usize, f32)>)| {
        let (class, score) = best?;
        let [left, top, right, bottom] = match ssd.order {
            Order::Xyxy => [row[0], row[1], row[2], row[3]],
            Order::Yxyx => [row[1], row[0], row[3], row[2]],
        };
        Some(Candidate { class, score, edges: [left * width, top * height, right * width, bottom * height] })
    };
    Ok(boxes.zip(best).filter_map(candidate).collect())
}

/// A list of as many numbers as there are boxes.
fn list<'a>(view: &View<'a>, boxes: usize) -> Result<&'a [f32], DecodeError> {
    match *view.shape {
        [found] if found == boxes => Ok(view.values),
        _ => Err(view.unexpected(format!("[1, {boxes}]"))),
    }
}

/// A class that the model has chosen itself.
fn given(class: f32, score: f32, classes: &Classes<'_>) -> Option<(usize, f32)> {
    // Models that have fewer detections than places fill these with 0 or -1.
    if !(0.0..classes.labels.len() as f32).contains(&class) {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked above")]
    let class = class as usize;
    (score >= classes.score && classes.is_reported(class)).then_some((class, score))
}
