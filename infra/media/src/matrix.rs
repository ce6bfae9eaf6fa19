//! Rotation and mirroring of pictures for display.

use crate::be::u32_at;

/// Rotation, mirroring and placement of a picture for display: the matrix of a track header (ISO/IEC 14496-12
/// §8.3.2), `a b u c d v x y w`. `u`, `v` and `w` are 2.30 fixed-point numbers, the others 16.16.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DisplayMatrix([i32; 9]);

/// Whether a picture is mirrored for display, left to right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mirrored {
    /// The picture is mirrored, before it is rotated.
    Yes,
    /// The picture is not mirrored.
    No,
}

impl DisplayMatrix {
    /// Shows the picture as it is coded.
    pub const IDENTITY: Self = Self([1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30]);

    /// Creates a matrix with these values. Replaces a matrix that would leave no
    /// visible picture by the identity.
    pub fn new(values: [i32; 9]) -> Self {
        let [a, b, _, c, d, ..] = values.map(i64::from);
        if a * d == b * c { Self::IDENTITY } else { Self(values) }
    }

    /// Mirrors first, then rotates by `clockwise_degrees`. The picture has `width` times `height` pixels and is
    /// placed right of and below the origin, as players expect.
    pub fn turned(clockwise_degrees: f64, mirrored: Mirrored, width: u16, height: u16) -> Self {
        let (sin, cos) = clockwise_degrees.to_radians().sin_cos();
        let across = if mirrored == Mirrored::Yes { -1.0 } else { 1.0 };
        let turn = [across * cos, across * sin, -sin, cos];
        let [a, b, c, d] = turn.map(|value| fixed(value, 65_536.0));
        let place = |along: f64, down: f64| {
            let along = along * f64::from(width);
            let down = down * f64::from(height);
            fixed(-(along.min(0.0) + down.min(0.0)), 65_536.0)
        };
        Self([a, b, 0, c, d, 0, place(turn[0], turn[2]), place(turn[1], turn[3]), 1 << 30])
    }

    /// Applies this matrix, then the other: a track's, then the movie's.
    #[must_use]
    pub fn then(self, other: Self) -> Self {
        if other == Self::IDENTITY {
            return self;
        }
        let this = self.0.map(i64::from);
        let that = other.0.map(i64::from);
        let entry = |row: usize, column: usize| {
            let product = this[3 * row] * that[column] + this[3 * row + 1] * that[3 + column];
            let moved = if row == 2 { that[6 + column] } else { 0 };
            let value = (product >> 16) + moved;
            i32::try_from(value).unwrap_or(if value < 0 { i32::MIN } else { i32::MAX })
        };
        let one = 1 << 30;
        Self::new([entry(0, 0), entry(0, 1), 0, entry(1, 0), entry(1, 1), 0, entry(2, 0), entry(2, 1), one])
    }

    /// Reads a matrix from the first 36 bytes. Returns `None` if there are less.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let mut values = [0; 9];
        for (n, value) in values.iter_mut().enumerate() {
            *value = u32_at(bytes, 4 * n)?.cast_signed();
        }
        Some(Self::new(values))
    }

    /// Returns the rotation in whole degrees clockwise, 0 to 359, and whether the picture is mirrored
    /// left to right before it.
    pub fn turn(self) -> (u16, Mirrored) {
        let [a, b, _, c, d, ..] = self.0.map(f64::from);
        let mirrored = if a * d - b * c < 0.0 { Mirrored::Yes } else { Mirrored::No };
        let degrees = if mirrored == Mirrored::Yes { (-b).atan2(-a) } else { b.atan2(a) }.to_degrees();
        (whole_degrees(degrees), mirrored)
    }

    /// Returns `a b u c d v x y w`.
    pub fn values(self) -> [i32; 9] {
        self.0
    }
}

impl Default for DisplayMatrix {
    fn default() -> Self {
        Self::IDENTITY
    }
}

/// Converts an angle to whole degrees, 0 to 359. Returns 0 if it is not a number.
pub fn whole_degrees(degrees: f64) -> u16 {
    let degrees = degrees.round().rem_euclid(360.0);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "0 to 359, or not a number, which is 0"
    )]
    let degrees = degrees as u16;
    degrees
}

fn fixed(value: f64, one: f64) -> i32 {
    // A cast to an integer saturates.
    #[expect(clippy::cast_possible_truncation, reason = "rounded, and within the limits")]
    let fixed = (value * one).round() as i32;
    fixed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matrices_are_those_of_players() {
        const ONE: i32 = 1 << 16;
        let w = 320 * ONE;
        let h = 240 * ONE;
        for (degrees, mirrored, [a, b, c, d, x, y]) in [
            (0.0, Mirrored::No, [ONE, 0, 0, ONE, 0, 0]),
            (90.0, Mirrored::No, [0, ONE, -ONE, 0, h, 0]),
            (180.0, Mirrored::No, [-ONE, 0, 0, -ONE, w, h]),
            (-90.0, Mirrored::No, [0, -ONE, ONE, 0, 0, w]),
            (0.0, Mirrored::Yes, [-ONE, 0, 0, ONE, w, 0]),
            (180.0, Mirrored::Yes, [ONE, 0, 0, -ONE, 0, h]),
            (90.0, Mirrored::Yes, [0, -ONE, -ONE, 0, h, w]),
        ] {
            let matrix = DisplayMatrix::turned(degrees, mirrored, 320, 240);
            assert_eq!(matrix.values(), [a, b, 0, c, d, 0, x, y, 1 << 30], "{degrees} {mirrored:?}");
            assert_eq!(matrix.then(DisplayMatrix::IDENTITY), matrix);
            assert_eq!(DisplayMatrix::IDENTITY.then(matrix), matrix, "{degrees} {mirrored:?}");
        }
        let quarter = DisplayMatrix::turned(90.0, Mirrored::No, 320, 240);
        let half = quarter.then(DisplayMatrix::turned(90.0, Mirrored::No, 240, 320));
        assert_eq!(half, DisplayMatrix::turned(180.0, Mirrored::No, 320, 240));
        assert_eq!(DisplayMatrix::new([0; 9]), DisplayMatrix::IDENTITY);
        assert_eq!(DisplayMatrix::new([i32::MIN; 9]), DisplayMatrix::IDENTITY);
    }

    #[test]
    fn matrices_turn_and_mirror() {
        const ONE: i32 = 1 << 16;
        const HALF: i32 = ONE / 2;
        for ([a, b, c, d], rotation, mirrored) in [
            ([ONE, 0, 0, ONE], 0, Mirrored::No),
            ([0, ONE, -ONE, 0], 90, Mirrored::No),
            ([-ONE, 0, 0, -ONE], 180, Mirrored::No),
            ([0, -ONE, ONE, 0], 270, Mirrored::No),
            ([-ONE, 0, 0, ONE], 0, Mirrored::Yes),
            ([ONE, 0, 0, -ONE], 180, Mirrored::Yes),
            ([0, ONE, ONE, 0], 270, Mirrored::Yes),
            ([0, -ONE, -ONE, 0], 90, Mirrored::Yes),
            // Half the size, and rotated by 45 degrees.
            ([HALF, 0, 0, HALF], 0, Mirrored::No),
            ([HALF, HALF, -HALF, HALF], 45, Mirrored::No),
            ([0; 4], 0, Mirrored::No),
        ] {
            let values = [a, b, 0, c, d, 0, 0, 0, 1 << 30];
            let matrix = DisplayMatrix::new(values);
            assert_eq!(matrix.turn(), (rotation, mirrored), "{values:?}");
            assert_eq!(matrix.then(DisplayMatrix::IDENTITY).turn(), (rotation, mirrored), "{values:?}");
            assert_eq!(DisplayMatrix::IDENTITY.then(matrix).turn(), (rotation, mirrored), "{values:?}");
            let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_be_bytes()).collect();
            assert_eq!(DisplayMatrix::read(&bytes), Some(matrix));
            assert_eq!(DisplayMatrix::read(&bytes[..35]), None);
        }
        let quarter = DisplayMatrix::new([0, ONE, 0, -ONE, 0, 0, 0, 0, 1 << 30]);
        assert_eq!(quarter.then(quarter).turn(), (180, Mirrored::No));
    }

    #[test]
    fn rotations_are_whole_and_clockwise() {
        for (degrees, rotation) in [(0.0, 0), (-90.0, 270), (90.2, 90), (359.9, 0), (f64::NAN, 0)] {
            assert_eq!(whole_degrees(degrees), rotation, "{degrees}");
        }
        assert!(whole_degrees(1e300) < 360);
    }
}
