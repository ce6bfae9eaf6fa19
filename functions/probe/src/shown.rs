//! How a player shows a picture: rotation, mirroring, non-square pixels.

use framepost_events::record::PixelAspect;
use framepost_media::matrix::{DisplayMatrix, Mirrored, whole_degrees};

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

impl Shown {
    /// Turned by the track's matrix, then by the movie's.
    pub(crate) fn turned(self, track: DisplayMatrix, movie: DisplayMatrix) -> Self {
        let (degrees, mirrored) = track.then(movie).turn();
        let mirrored = (mirrored == Mirrored::Yes).then_some(true);
        Self { rotation: Some(degrees).filter(|degrees| *degrees != 0), mirrored, ..self }
    }

    /// Rotates by this many degrees clockwise.
    pub(crate) fn rotated(self, degrees: f64) -> Self {
        Self { rotation: Some(whole_degrees(degrees)).filter(|degrees| *degrees != 0), ..self }
    }

    /// Sets the pixel shape.
    pub(crate) fn with_pixels(self, horizontal: u32, vertical: u32) -> Self {
        let mut a = horizontal;
        let mut b = vertical;
        while b != 0 {
            (a, b) = (b, a % b);
        }
        let pixel_aspect = (horizontal != vertical && horizontal > 0 && vertical > 0)
            .then(|| PixelAspect { horizontal: horizontal / a, vertical: vertical / a });
        Self { pixel_aspect, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_turns_nothing_says_nothing() {
        const ONE: i32 = 1 << 16;
        let turned = |[a, b, c, d]: [i32; 4]| {
            let track = DisplayMatrix::new([a, b, 0, c, d, 0, 0, 0, 1 << 30]);
            let shown = Shown::default().turned(track, DisplayMatrix::IDENTITY);
            assert_eq!(shown, Shown::default().turned(DisplayMatrix::IDENTITY, track));
            (shown.rotation, shown.mirrored)
        };
        assert_eq!(turned([ONE, 0, 0, ONE]), (None, None));
        assert_eq!(turned([0, ONE, -ONE, 0]), (Some(90), None));
        assert_eq!(turned([-ONE, 0, 0, ONE]), (None, Some(true)));
        assert_eq!(turned([0; 4]), (None, None));
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
}
