//! Pictures as JPEG, for services that take nothing else.

use jpeg_encoder::{ColorType, Encoder, EncodingError, SamplingFactor};

/// The qualities that are tried, best first.
const QUALITIES: [u8; 5] = [90, 80, 65, 50, 30];

/// Why a picture cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum JpegError {
    /// A side has more pixels than JPEG allows: 65 535.
    #[error("a picture of {width} x {height} pixels is too large for JPEG")]
    Size { width: u32, height: u32 },
    /// Even at the lowest quality it has too many bytes.
    #[error("a picture of {width} x {height} pixels has more than {limit_bytes} bytes in any quality")]
    Bytes { width: u32, height: u32, limit_bytes: usize },
    /// The pixels are not as many as the sides say.
    #[error(transparent)]
    Encoding(#[from] EncodingError),
}

/// Writes a picture in the best quality that takes at most `limit_bytes`. `rgb` has three bytes for each pixel, row by row from the
/// top.
pub fn within(limit_bytes: usize, width: u32, height: u32, rgb: &[u8]) -> Result<Vec<u8>, JpegError> {
    let (Ok(columns), Ok(rows)) = (u16::try_from(width), u16::try_from(height)) else {
        return Err(JpegError::Size { width, height });
    };
    for quality in QUALITIES {
        let mut bytes = Vec::new();
        let mut encoder = Encoder::new(&mut bytes, quality);
        encoder.set_sampling_factor(SamplingFactor::F_2_2);
        encoder.encode(rgb, columns, rows, ColorType::Rgb)?;
        if bytes.len() <= limit_bytes {
            return Ok(bytes);
        }
    }
    Err(JpegError::Bytes { width, height, limit_bytes })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quality_sinks_until_the_picture_fits() {
        // Noise, which compresses badly.
        let mut state = 1_u32;
        let rgb: Vec<u8> = std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.to_be_bytes()[0]
        })
        .take(64 * 64 * 3)
        .collect();
        let best = within(usize::MAX, 64, 64, &rgb).unwrap();
        assert_eq!((&best[..3], &best[best.len() - 2..]), (&[0xff, 0xd8, 0xff][..], &[0xff, 0xd9][..]));
        let smaller = within(best.len() - 1, 64, 64, &rgb).unwrap();
        assert!(smaller.len() < best.len());
        assert!(matches!(within(100, 64, 64, &rgb), Err(JpegError::Bytes { .. })));
        assert!(matches!(within(100, 70_000, 1, &vec![0; 210_000]), Err(JpegError::Size { .. })));
        assert!(matches!(within(usize::MAX, 64, 64, &rgb[1..]), Err(JpegError::Encoding(_))));
    }
}
