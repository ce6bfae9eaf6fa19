//! The port for detectors, which say what pictures show.

use crate::{Error, ErrorKind, Price, Result};
use async_trait::async_trait;
use bytes::Bytes;
use framepost_events::detection::{Bounds, Detection};
use framepost_events::record::Model;
use std::time::Duration;

/// Bytes of a pixel: red, green, blue.
const PIXEL_BYTES: usize = 3;

/// A decoded picture: upright, with square pixels, 8-bit sRGB in full range, rows from the top without padding.
///
/// Clones share the pixels.
#[derive(Clone, PartialEq, Eq)]
pub struct Picture {
    width: u32,
    height: u32,
    rgb: Bytes,
    offset: Duration,
}

impl Picture {
    /// Creates a picture from its pixels. `offset` is its time in the chunk, from the first sample.
    ///
    /// # Errors
    ///
    /// Fails with [`ErrorKind::Invalid`] unless `rgb` has three bytes for each pixel, and there is a pixel.
    pub fn new(width: u32, height: u32, rgb: Bytes, offset: Duration) -> Result<Self> {
        let expected = (width as usize).checked_mul(height as usize).and_then(|pixels| pixels.checked_mul(PIXEL_BYTES));
        if expected != Some(rgb.len()) || rgb.is_empty() {
            let what = format!("{width} x {height} pixels in {} bytes", rgb.len());
            return Err(Error::new(ErrorKind::Invalid, "read", "a picture").because(what));
        }
        Ok(Self { width, height, rgb, offset })
    }

    /// Returns the width in pixels, which is not 0.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Returns the height in pixels, which is not 0.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// Returns the pixels: `width × height × 3` bytes.
    pub fn rgb(&self) -> &Bytes {
        &self.rgb
    }

    /// Returns its time in the chunk, from the first sample.
    pub fn offset(&self) -> Duration {
        self.offset
    }

    /// Returns the pixels of row `y`, counted from the top.
    ///
    /// # Panics
    ///
    /// Panics if there is no such row.
    pub fn row(&self, y: u32) -> &[u8] {
        let row_bytes = self.width as usize * PIXEL_BYTES;
        &self.rgb[y as usize * row_bytes..][..row_bytes]
    }
}

impl std::fmt::Debug for Picture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Picture({} x {} at {:?})", self.width, self.height, self.offset)
    }
}

/// Which pictures of a chunk a detector works with best. It applies if the settings do not choose.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Sampling {
    /// The random access frames. They can be decoded without other frames.
    RandomAccess,
    /// This many pictures a second, evenly spaced, for detectors that compare pictures.
    PerSecond(f64),
}

/// Finds things in pictures.
#[async_trait]
pub trait Detector: Send + Sync {
    /// Returns the model, as records name it. Its `arm` is absent.
    fn model(&self) -> &Model;

    /// Returns the price of a picture; `None` if it is free.
    fn price(&self) -> Option<Price> {
        None
    }

    /// Returns the pictures that it works with best.
    fn sampling(&self) -> Sampling {
        Sampling::RandomAccess
    }

    /// Returns the width and height in pixels that the model sees, if it sees all pictures in one size. A larger picture is
    /// shrunk to it, so that small things in it are lost.
    fn input_size(&self) -> Option<(u32, u32)> {
        None
    }

    /// Looks at pictures of one chunk, in the order of their times. Returns the detections of each, in the same order. Boxes are
    /// fractions of the picture, and zones are empty. A paid detector charges for one request for each picture.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`] if a picture or the model's answer cannot be used, and repeating the request would not help; other
    /// kinds as for any service.
    async fn detect(&self, pictures: &[Picture]) -> Result<Vec<Vec<Detection>>>;
}

impl Picture {
    /// Cuts out the part within `bounds`, at least one pixel. Returns it with the rectangle that was cut, which lies on whole
    /// pixels.
    pub fn crop(&self, bounds: &Bounds) -> (Self, Bounds) {
        // Fractions of a u32 are within u32.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the picture")]
        let edge = |fraction: f64, whole: u32| (fraction.clamp(0.0, 1.0) * f64::from(whole)).round() as u32;
        let left = edge(bounds.left, self.width).min(self.width - 1);
        let top = edge(bounds.top, self.height).min(self.height - 1);
        let width = edge(bounds.right(), self.width).max(left + 1) - left;
        let height = edge(bounds.bottom(), self.height).max(top + 1) - top;
        let columns = left as usize * PIXEL_BYTES..(left + width) as usize * PIXEL_BYTES;
        let mut rgb = Vec::with_capacity(columns.len() * height as usize);
        for y in top..top + height {
            rgb.extend_from_slice(&self.row(y)[columns.clone()]);
        }
        let fraction = |pixels: u32, whole: u32| f64::from(pixels) / f64::from(whole);
        let cut = Bounds {
            left: fraction(left, self.width),
            top: fraction(top, self.height),
            width: fraction(width, self.width),
            height: fraction(height, self.height),
        };
        (Self { width, height, rgb: rgb.into(), offset: self.offset }, cut)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_has_three_bytes_a_pixel() {
        let picture = |width, height, bytes| Picture::new(width, height, Bytes::from(vec![0; bytes]), Duration::ZERO);
        assert!(picture(2, 3, 18).is_ok());
        for (width, height, bytes) in [(2, 3, 17), (2, 3, 19), (0, 3, 0), (u32::MAX, u32::MAX, 3)] {
            assert_eq!(picture(width, height, bytes).unwrap_err().kind(), ErrorKind::Invalid);
        }
    }

    #[test]
    fn a_crop_lies_on_whole_pixels_and_says_where() {
        let rgb: Vec<u8> = (0..4 * 4).flat_map(|n| [n, n, n]).collect();
        let picture = Picture::new(4, 4, rgb.into(), Duration::from_secs(1)).unwrap();
        let (crop, cut) = picture.crop(&Bounds { left: 0.3, top: 0.5, width: 0.5, height: 0.5 });
        assert_eq!((crop.width(), crop.height(), crop.offset()), (2, 2, Duration::from_secs(1)));
        assert_eq!(crop.row(0), [9, 9, 9, 10, 10, 10]);
        assert_eq!(cut, Bounds { left: 0.25, top: 0.5, width: 0.5, height: 0.5 });
        let (crop, _) = picture.crop(&Bounds { left: 1.0, top: 1.0, width: 0.0, height: 0.0 });
        assert_eq!(crop.row(0), [15, 15, 15], "the last pixel");
        let (crop, cut) = picture.crop(&Bounds::WHOLE);
        assert_eq!((crop, cut), (picture, Bounds::WHOLE));
    }
}
