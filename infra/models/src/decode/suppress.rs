//! Non-maximum suppression: of boxes about the same thing, only the best remains.

use super::Candidate;

/// Drops each candidate that overlaps a better one of its class by more than `iou`. They are in the order of their scores.
pub(super) fn by_class(candidates: &mut Vec<Candidate>, iou: f32) {
    let mut kept: Vec<Candidate> = Vec::new();
    candidates.retain(|candidate| {
        let is_known =
            kept.iter().any(|better| better.class == candidate.class && overlap(&better.edges, &candidate.edges) > iou);
        if !is_known {
            kept.push(*candidate);
        }
        !is_known
    });
}

/// Intersection over union. 0 where an edge is no number.
fn overlap(a: &[f32; 4], b: &[f32; 4]) -> f32 {
    let area = |[left, top, right, bottom]: &[f32; 4]| (right - left).max(0.0) * (bottom - top).max(0.0);
    let common = [a[0].max(b[0]), a[1].max(b[1]), a[2].min(b[2]), a[3].min(b[3])];
    let common = area(&common);
    let union = area(a) + area(b) - common;
    let iou = common / union;
    if iou.is_nan() { 0.0 } else { iou }
}
