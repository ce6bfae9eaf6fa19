//! How a player shows a picture: rotation, mirroring, non-square pixels.

use framepost_events::record::PixelAspect;

/// How a picture is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Shown {
    /// Rotation in degrees clockwise, 1 to 359.
    pub(crate) rotation: Option<u16>,
    /// Mirrored left to right, before the rotation.
    pub(crate) mirrored: Option<bool>,
    /// The pixel shape, if pixels are not square.
    pub(crate) pixel_aspect: Option<PixelAspect>,
}

/// The part of a display matrix (ISO/IEC 14496-12 §8.3.2) that rotates and mirrors: `a`,
/// `b`, `c`, `d`, each 16.16.
pub(crate) type Turn = [i32; 4];

/// The identity, without rotation.
pub(crate) const UNTURNED: Turn = [1 << 16, 0, 0, 1 << 16];

impl Shown {
    /// Applies the track's matrix, then the movie's.
    pub(crate) fn turned(self, track: Turn, movie: Turn) -> Self {
        let (track, movie) = (track.map(f64::from), movie.map(f64::from));
        let product =
            |row: usize, column: usize| track[2 * row] * movie[column] + track[2 * row + 1] * movie[2 + column];
        let [a, b, c, d] = [product(0, 0), product(0, 1), product(1, 0), product(1, 1)];
        let mirrored = a * d - b * c < 0.0;
        if a * d - b * c == 0.0 {
            // The matrix would leave no visible picture, so ignore it.
            return self;
        }
        let degrees = if mirrored { (-b).atan2(-a) } else { b.atan2(a) }.to_degrees();
        Self { rotation: whole_degrees(degrees), mirrored: mirrored.then_some(true), ..self }
    }

    /// Rotates by this many degrees clockwise.
    pub(crate) fn rotated(self, degrees: f64) -> Self {
        Self { rotation: whole_degrees(degrees), ..self }
    }

    /// Sets the pixel shape.
    pub(crate) fn with_pixels(self, horizontal: u32, vertical: u32) -> Self {
        let (mut a, mut b) = (horizontal, vertical);
        while b != 0 {
            (a, b) = (b, a % b);
        }
        let pixel_aspect = (horizontal != vertical && horizontal > 0 && vertical > 0)
            .then(|| PixelAspect { horizontal: horizontal / a, vertical: vertical / a });
        Self { pixel_aspect, ..self }
    }
}

fn whole_degrees(degrees: f64) -> Option<u16> {
    let degrees = degrees.round().rem_euclid(360.0);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "0 to 359, or not a number, which is 0"
    )]
    let degrees = degrees as u16;
    (degrees != 0).then_some(degrees)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matrices_turn_and_mirror() {
        const ONE: i32 = 1 << 16;
        const HALF: i32 = ONE / 2;
        for (track, rotation, mirrored) in [
            (UNTURNED, None, None),
            ([0, ONE, -ONE, 0], Some(90), None),
            ([-ONE, 0, 0, -ONE], Some(180), None),
            ([0, -ONE, ONE, 0], Some(270), None),
            ([-ONE, 0, 0, ONE], None, Some(true)),
            ([ONE, 0, 0, -ONE], Some(180), Some(true)),
            ([0, ONE, ONE, 0], Some(270), Some(true)),
            ([0, -ONE, -ONE, 0], Some(90), Some(true)),
            // Half the size, and rotated by 45 degrees.
            ([HALF, 0, 0, HALF], None, None),
            ([HALF, HALF, -HALF, HALF], Some(45), None),
            ([0; 4], None, None),
        ] {
            let shown = Shown::default().turned(track, UNTURNED);
            assert_eq!((shown.rotation, shown.mirrored), (rotation, mirrored), "{track:?}");
            assert_eq!(shown, Shown::default().turned(UNTURNED, track), "{track:?}");
        }
        assert_eq!(Shown::default().turned([0, ONE, -ONE, 0], [0, ONE, -ONE, 0]).rotation, Some(180));
    }

    #[test]
    fn shapes_of_pixels_are_in_lowest_terms() {
        let aspect = |a, b| Shown::default().with_pixels(a, b).pixel_aspect.map(|p| (p.horizontal, p.vertical));
        assert_eq!(aspect(64, 45), Some((64, 45)));
        assert_eq!(aspect(40, 30), Some((4, 3)));
        for (a, b) in [(1, 1), (7, 7), (0, 1), (1, 0), (0, 0)] {
            assert_eq!(aspect(a, b), None, "{a}:{b}");
        }
    }

    #[test]
    fn rotations_are_whole_and_clockwise() {
        for (degrees, rotation) in
            [(0.0, None), (-90.0, Some(270)), (90.2, Some(90)), (359.9, None), (f64::NAN, None), (1e300, None)]
        {
            let found = Shown::default().rotated(degrees).rotation;
            assert!(
                found == rotation || degrees > 1e9 && found.is_none_or(|found| found < 360),
                "{degrees}: {found:?}"
            );
        }
    }
}
