//! Limits for reading and decoding one chunk.

use super::Wanted;
use std::time::Duration;

/// The largest number of pictures of a chunk.
pub const PICTURES_MAX: usize = 30;

/// Limits for one chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Processor time of ffmpeg. By the clock, it may take three times as long.
    pub decoding: Duration,
    /// Address space of ffmpeg in bytes.
    pub memory_bytes: u64,
    /// Pixels of all pictures together. Pictures are shrunk to fit.
    pub pixels: u64,
    /// The most bytes that are read of an object.
    pub read_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { decoding: Duration::from_secs(20), memory_bytes: 1 << 30, pixels: 4096 * 4096, read_bytes: 256 << 20 }
    }
}

impl Limits {
    /// Returns the time by the clock after which ffmpeg is killed.
    pub(super) fn wall(&self) -> Duration {
        self.decoding * 3
    }

    /// Returns the most pixels of one picture, if a chunk of this length has as many pictures as it can have.
    pub(super) fn pixels_of_one(&self, wanted: Wanted, seconds: Option<f64>) -> u64 {
        let length = seconds.filter(|seconds| seconds.is_finite()).unwrap_or(f64::MAX);
        let gap = wanted.gap(seconds).as_secs_f64();
        let expected = if wanted == Wanted::First { 1.0 } else { length / gap + 1.0 };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "1 to PICTURES_MAX")]
        let expected = expected.clamp(1.0, PICTURES_MAX as f64) as u64;
        (self.pixels / expected).max(1)
    }
}
