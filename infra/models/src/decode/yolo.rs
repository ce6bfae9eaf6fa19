//! The heads of YOLOX and of YOLOv8 and its successors.

use super::{Candidate, Classes, DecodeError, View, around};
use crate::manifest::Input;

/// What precedes the scores of a cell of YOLOX: a box and the objectness.
const YOLOX_HEAD: usize = 5;
/// What precedes the scores of a candidate of YOLOv8: a box.
const YOLOV8_HEAD: usize = 4;

/// `[cells, 5 + classes]`. A box's centre is relative to its cell, in units of the stride, and its size the exponential of what is
/// given, in the same unit (YOLOX, `demo_postprocess`). Objectness and scores are probabilities already.
pub(super) fn yolox(
    output: &View<'_>,
    input: &Input,
    strides: &[u32],
    classes: &Classes<'_>,
) -> Result<Vec<Candidate>, DecodeError> {
    let cells: usize = strides.iter().map(|stride| (input.width / stride * (input.height / stride)) as usize).sum();
    let rows = output.rows(YOLOX_HEAD + classes.labels.len(), &cells.to_string())?;
    if rows.len() != cells {
        return Err(output.unexpected(format!("[1, {cells}, {}]", YOLOX_HEAD + classes.labels.len())));
    }
    let places = strides.iter().flat_map(|&stride| {
        let columns = input.width / stride;
        let rows = input.height / stride;
        (0..rows).flat_map(move |y| (0..columns).map(move |x| (x, y, stride)))
    });
    let candidate = |(row, (x, y, stride)): (&[f32], (u32, u32, u32))| {
        let (head, scores) = row.split_at(YOLOX_HEAD);
        // No class can be more probable than that there is something. This saves most of the work.
        if head[4] < classes.score {
            return None;
        }
        let (class, score) = classes.best(scores.iter().map(|score| score * head[4]))?;
        let stride = stride as f32;
        let box_ = [
            (head[0] + x as f32) * stride,
            (head[1] + y as f32) * stride,
            head[2].exp() * stride,
            head[3].exp() * stride,
        ];
        Some(Candidate { class, score, edges: around(box_) })
    };
    Ok(rows.zip(places).filter_map(candidate).collect())
}

/// `[4 + classes, candidates]`, or `[candidates, 4 + classes]`.
pub(super) fn yolov8(output: &View<'_>, classes: &Classes<'_>) -> Result<Vec<Candidate>, DecodeError> {
    let columns = YOLOV8_HEAD + classes.labels.len();
    match *output.shape {
        [found, candidates] if found == columns && candidates > 0 => {
            let value = |column: usize, candidate: usize| output.values[column * candidates + candidate];
            let candidate = |index: usize| {
                let (class, score) = classes.best((YOLOV8_HEAD..columns).map(|column| value(column, index)))?;
                let edges = around([0, 1, 2, 3].map(|column| value(column, index)));
                Some(Candidate { class, score, edges })
            };
            Ok((0..candidates).filter_map(candidate).collect())
        }
        [_, found] if found == columns => {
            let candidate = |row: &[f32]| {
                let (class, score) = classes.best(row[YOLOV8_HEAD..].iter().copied())?;
                Some(Candidate { class, score, edges: around([row[0], row[1], row[2], row[3]]) })
            };
            Ok(output.rows(columns, "candidates")?.filter_map(candidate).collect())
        }
        _ => Err(output.unexpected(format!("[1, {columns}, candidates] or [1, candidates, {columns}]"))),
    }
}
