//! Where something moves between the pictures of one chunk.
//!
//! ```text
//! picture ─▶ Plane: luma, shrunk to 320 pixels, blurred, smoothed away from its surroundings (contrast)
//! planes  ─▶ background: the median of each pixel
//! each plane against the background ─▶ pixels that moved ─▶ areas ─▶ boxes
//! ```
//!
//! A pixel has moved if the structure around it changed: its difference to the mean of its surroundings, which the light scales
//! together with their contrast. A light that is switched on, a cloud or the camera's exposure changes brightness and contrast of whole areas, and
//! leaves the structure. Noise changes single pixels: averaging removes most of it, and the threshold rises with what remains.
//! Where most of the picture changed, the light or the camera did, and nothing is reported.
//!
//! The background is made of the chunk's own pictures, so the same pictures give the same boxes, whatever came before. What
//! stands still in more than half of them belongs to the background.

mod areas;
mod plane;

use plane::Plane;

/// Rows of 8-bit red, green and blue, from the top, without padding.
#[derive(Debug, Clone, Copy)]
pub struct Rgb<'a> {
    /// Pixels of a row.
    pub width: u32,
    /// Number of rows in `pixels`.
    pub height: u32,
    /// `width × height × 3` bytes. Missing ones count as black.
    pub pixels: &'a [u8],
}

/// A rectangle in which something moved. The edges are fractions of the picture, from its left and its upper edge.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Moving {
    /// The left edge's distance from the picture's left edge.
    pub left: f64,
    /// The upper edge's distance from the picture's upper edge.
    pub top: f64,
    /// The right edge's distance from the picture's left edge.
    pub right: f64,
    /// The lower edge's distance from the picture's upper edge.
    pub bottom: f64,
    /// How strongly it differs from the background, 0 to 1.
    pub score: f64,
}

/// What moved in one picture, compared with the others.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Movement {
    /// The rectangles, the strongest first.
    pub boxes: Vec<Moving>,
    /// The part of the picture that moved, 0 to 1. It counts single pixels, also such that are too few for a box.
    pub part: f64,
}

/// A pixel moved if all three of these hold. First: the background, in any light, leaves at least this part of the contrast
/// around the pixel unexplained.
const CONTRAST_LEAST: f32 = 0.35;
/// Second: the pixel differs from the background by at least this many grey levels, of 255.
const LEVELS_LEAST: f32 = 6.0;
/// Third: its difference is at least this many times the median difference of all pixels, which is noise. For a normal
/// distribution, this is four standard deviations. Fewer than half of the pixels can therefore count as moved. If the
/// camera was turned, they are those that differ most.
const NOISE_FACTOR: f32 = 6.0;
/// Grey levels of a difference that has the score 1.
const LEVELS_FULL: f32 = 80.0;

/// Compares the pictures with each other. Returns what moved in each, in the same order. One picture alone has no movement.
/// Pictures of different sizes are compared as if they had the first one's.
pub fn movement(pictures: &[Rgb<'_>]) -> Vec<Movement> {
    let Some(first) = pictures.first() else { return vec![] };
    let (width, height) = plane::shrunk(first.width, first.height);
    let planes: Vec<Plane> = pictures.iter().map(|picture| Plane::of(picture, width, height)).collect();
    if planes.len() < 2 {
        return vec![Movement::default(); planes.len()];
    }
    let background = Plane::median(&planes);
    planes.iter().map(|plane| moved(plane, &background)).collect()
}

fn moved(plane: &Plane, background: &Plane) -> Movement {
    let differences: Vec<f32> = plane.detail.iter().zip(&background.detail).map(|(a, b)| (a - b).abs()).collect();
    let least = LEVELS_LEAST.max(NOISE_FACTOR * plane::median(&mut differences.clone()));
    let marks: Vec<bool> = differences
        .iter()
        .enumerate()
        .map(|(n, difference)| {
            // Beside what moves, the surroundings changed, and the pixel itself did not.
            let itself = (plane.grey[n] - background.grey[n]).abs();
            difference.min(itself) >= least
                && plane.unexplained(n, background) >= least.max(CONTRAST_LEAST * plane.spread(n))
        })
        .collect();
    let part = marks.iter().filter(|mark| **mark).count() as f64 / marks.len().max(1) as f64;
    let width = plane.width as f64;
    let height = plane.height as f64;
    let mut boxes: Vec<Moving> = areas::find(&marks, plane.width, plane.height)
        .into_iter()
        .map(|area| {
            let strength = area.mean(&marks, &differences, plane.width);
            Moving {
                left: area.left as f64 / width,
                top: area.top as f64 / height,
                right: area.right as f64 / width,
                bottom: area.bottom as f64 / height,
                // Three digits say enough, and keep records short.
                score: (f64::from((strength / LEVELS_FULL).clamp(0.0, 1.0)) * 1000.0).round() / 1000.0,
            }
        })
        .collect();
    boxes.sort_by(|a, b| b.score.total_cmp(&a.score));
    Movement { boxes, part }
}

#[cfg(test)]
mod tests;
