//! What a detector finds in one picture.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Something that a detector found in a picture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Detection {
    /// What it is, in the words of the model: `person`.
    pub label: String,
    /// The model's confidence, 0 to 1.
    pub score: f64,
    /// The rectangle around it. The middle of its lower edge decides about zones and masks.
    #[serde(rename = "box")]
    pub bounds: Bounds,
    /// The names of the configured zones that it is in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub zones: Vec<String>,
}

/// A rectangle in fractions of the picture as a person sees it: upright, with square pixels. All members are 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Bounds {
    /// Distance of the left edge from the picture's left edge.
    pub left: f64,
    /// Distance of the upper edge from the picture's upper edge.
    pub top: f64,
    /// Width of the rectangle.
    pub width: f64,
    /// Height of the rectangle.
    pub height: f64,
}

impl Bounds {
    /// The bounds of a detection that is about the picture as a whole.
    pub const WHOLE: Self = Self { left: 0.0, top: 0.0, width: 1.0, height: 1.0 };

    /// Makes a rectangle from its edges, cut off at the picture's edges.
    /// Returns `None` if nothing remains, or an edge is not a number.
    pub fn from_edges(left: f64, top: f64, right: f64, bottom: f64) -> Option<Self> {
        let [left, top, right, bottom] = [left, top, right, bottom].map(|edge| edge.clamp(0.0, 1.0));
        // A comparison with NaN, which `clamp` keeps, is false.
        (left < right && top < bottom).then_some(Self { left, top, width: right - left, height: bottom - top })
    }

    /// Returns the right edge's distance from the picture's left edge.
    pub fn right(&self) -> f64 {
        self.left + self.width
    }

    /// Returns the lower edge's distance from the picture's upper edge.
    pub fn bottom(&self) -> f64 {
        self.top + self.height
    }

    /// Returns the area as a fraction of the picture's.
    pub fn area(&self) -> f64 {
        self.width * self.height
    }

    /// Returns the area that both have in common.
    pub fn common_area(&self, other: &Self) -> f64 {
        let width = self.right().min(other.right()) - self.left.max(other.left);
        let height = self.bottom().min(other.bottom()) - self.top.max(other.top);
        width.max(0.0) * height.max(0.0)
    }

    /// Returns the intersection over union of both, 0 to 1.
    pub fn iou(&self, other: &Self) -> f64 {
        let common = self.common_area(other);
        let union = self.area() + other.area() - common;
        if union > 0.0 { common / union } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_are_cut_at_the_picture_and_nothing_remains_of_what_is_outside() {
        let cut = Bounds::from_edges(-0.5, 0.25, 0.5, 7.0).unwrap();
        assert_eq!(cut, Bounds { left: 0.0, top: 0.25, width: 0.5, height: 0.75 });
        for [left, top, right, bottom] in [
            [0.5, 0.0, 0.5, 1.0],
            [0.6, 0.0, 0.5, 1.0],
            [1.5, 0.0, 2.0, 1.0],
            [f64::NAN, 0.0, 1.0, 1.0],
            [0.0, 0.0, f64::NAN, 1.0],
        ] {
            assert_eq!(Bounds::from_edges(left, top, right, bottom), None, "{left} {top} {right} {bottom}");
        }
    }

    #[test]
    fn the_overlap_of_rectangles_is_a_fraction_of_what_they_cover() {
        let bounds = |left, top, right, bottom| Bounds::from_edges(left, top, right, bottom).unwrap();
        let whole = bounds(0.0, 0.0, 0.5, 0.5);
        assert!((whole.iou(&whole) - 1.0).abs() < 1e-12);
        assert!((whole.iou(&bounds(0.25, 0.0, 0.75, 0.5)) - 1.0 / 3.0).abs() < 1e-12);
        assert!(whole.iou(&bounds(0.5, 0.5, 1.0, 1.0)).abs() < 1e-12, "they touch");
    }
}
