//! Polygons in a picture.

use serde::{Deserialize, Serialize};

/// A polygon with at least three corners in fractions of the picture, from its left and its upper edge. It is closed: the
/// last corner is connected with the first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Vec<[f64; 2]>")]
pub struct Polygon(Vec<[f64; 2]>);

impl TryFrom<Vec<[f64; 2]>> for Polygon {
    type Error = &'static str;

    fn try_from(corners: Vec<[f64; 2]>) -> Result<Self, Self::Error> {
        let is_within = corners.iter().flatten().all(|value| (0.0..=1.0).contains(value));
        match corners.len() {
            0..3 => Err("a polygon has at least three corners"),
            3..=1000 if is_within => Ok(Self(corners)),
            _ => Err("a polygon has at most 1000 corners, each between [0, 0] and [1, 1]"),
        }
    }
}

impl Polygon {
    /// Returns whether the point is inside: a line from it to the right meets an odd number of edges.
    pub fn contains(&self, x: f64, y: f64) -> bool {
        let next = self.0.iter().cycle().skip(1);
        let crossed = self
            .0
            .iter()
            .zip(next)
            .filter(|([ax, ay], [bx, by])| (*ay > y) != (*by > y) && x < (bx - ax) * (y - ay) / (by - ay) + ax);
        crossed.count() % 2 == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_is_inside_or_outside_also_of_a_polygon_with_a_bay() {
        let bay = Polygon::try_from(vec![[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.5, 0.2], [0.0, 1.0]]).unwrap();
        for (x, y, expected) in
            [(0.5, 0.1, true), (0.05, 0.6, true), (0.95, 0.6, true), (0.5, 0.6, false), (2.0, 0.5, false)]
        {
            assert_eq!(bay.contains(x, y), expected, "{x} {y}");
        }
        for bad in [vec![[0.0, 0.0], [1.0, 1.0]], vec![[0.0, 0.0], [1.5, 0.0], [1.0, 1.0]], vec![[f64::NAN; 2]; 3]] {
            assert!(Polygon::try_from(bad).is_err());
        }
    }
}
