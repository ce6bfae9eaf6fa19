//! Conversion between units of a track's timescale, microseconds, and clocks.

/// A timescale, in units per second.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale(u32);

impl Scale {
    pub(super) fn new(timescale: u32) -> Self {
        Self(timescale.max(1))
    }

    /// Converts to microseconds, rounded down.
    pub(super) fn micros(self, ticks: i64) -> i64 {
        let micros = (i128::from(ticks) * 1_000_000).div_euclid(i128::from(self.0));
        i64::try_from(micros).unwrap_or(if ticks < 0 { i64::MIN / 4 } else { i64::MAX / 4 })
    }

    /// Converts microseconds to timescale units, rounded down.
    pub(super) fn ticks(self, micros: i64) -> i64 {
        let ticks = (i128::from(micros) * i128::from(self.0)).div_euclid(1_000_000);
        i64::try_from(ticks).unwrap_or(if micros < 0 { i64::MIN / 4 } else { i64::MAX / 4 })
    }
}

/// Converts camera times to recorded times in the same units: `out + (media - self.media) × scale`.
/// Exact if `scale` is 1.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line {
    pub(super) media: i64,
    pub(super) out: i64,
    pub(super) scale: f64,
}

impl Line {
    pub(super) fn at(&self, media: i64) -> i64 {
        let ahead = i128::from(media) - i128::from(self.media);
        #[expect(clippy::float_cmp, reason = "exactly 1 is what a right clock has")]
        let scaled = if self.scale == 1.0 { ahead } else { rounded(ahead as f64 * self.scale).into() };
        i64::try_from(i128::from(self.out) + scaled).unwrap_or(self.out)
    }
}

/// Rounds to the nearest integer.
#[expect(clippy::cast_possible_truncation, reason = "a cast from a float saturates")]
pub(super) fn rounded(value: f64) -> i64 {
    value.round() as i64
}
