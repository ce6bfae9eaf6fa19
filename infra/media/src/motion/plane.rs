//! A shrunk grey picture, and how each pixel differs from its surroundings.

use super::Rgb;

/// The longer side of a shrunk picture in pixels. Smaller pictures are not enlarged.
const SIDE_MOST: u32 = 320;
/// Half the side of a pixel's surroundings.
const AROUND: usize = 8;
/// The most by which light is taken to scale contrast.
const SCALE_MOST: f32 = 5.0;

/// A picture shrunk to at most [`SIDE_MOST`] pixels a side, with what the comparison needs of each pixel.
pub(super) struct Plane {
    pub(super) width: usize,
    pub(super) height: usize,
    /// Grey levels, 0 to 255.
    pub(super) grey: Vec<f32>,
    /// The difference of each pixel to the mean of its surroundings, in grey levels.
    pub(super) detail: Vec<f32>,
    /// The standard deviation of its surroundings, in grey levels.
    spread: Vec<f32>,
}

/// Returns the size of the shrunk picture, at least one pixel.
pub(super) fn shrunk(width: u32, height: u32) -> (usize, usize) {
    let longer = width.max(height).max(1);
    let side = |side: u32| {
        let shrunk = (u64::from(side) * u64::from(SIDE_MOST.min(longer))).div_ceil(u64::from(longer));
        usize::try_from(shrunk.max(1)).unwrap_or(1)
    };
    (side(width), side(height))
}

impl Plane {
    pub(super) fn of(picture: &Rgb<'_>, width: usize, height: usize) -> Self {
        Self::of_grey(blurred(&averaged(picture, width, height), width, height), width, height)
    }

    fn of_grey(grey: Vec<f32>, width: usize, height: usize) -> Self {
        let sums = Sums::of(&grey, width, height);
        let mut detail = Vec::with_capacity(grey.len());
        let mut spread = Vec::with_capacity(grey.len());
        for y in 0..height {
            for x in 0..width {
                let (mean, variance) = sums.around(x, y);
                detail.push(grey[y * width + x] - mean);
                spread.push(variance.sqrt());
            }
        }
        Self { width, height, grey, detail, spread }
    }

    /// The median of each pixel. All planes have one size.
    pub(super) fn median(planes: &[Self]) -> Self {
        let (width, height) = planes.first().map_or((0, 0), |plane| (plane.width, plane.height));
        let mut values = vec![0.0; planes.len()];
        let grey = (0..width * height).map(|n| {
            for (value, plane) in values.iter_mut().zip(planes) {
                *value = plane.grey[n];
            }
            median(&mut values)
        });
        Self::of_grey(grey.collect(), width, height)
    }

    /// How much of pixel `n` is not explained by the background in another light, in grey levels: the light scales the
    /// contrast of the surroundings.
    pub(super) fn unexplained(&self, n: usize, background: &Self) -> f32 {
        let scale = (self.spread[n] / background.spread[n].max(f32::MIN_POSITIVE)).min(SCALE_MOST);
        (self.detail[n] - scale * background.detail[n]).abs()
    }

    /// The contrast of the surroundings of pixel `n` in grey levels.
    pub(super) fn spread(&self, n: usize) -> f32 {
        self.spread[n]
    }
}

/// Returns the median; of an even number of values, the mean of the middle two. 0 of none.
pub(super) fn median(values: &mut [f32]) -> f32 {
    let middle = values.len() / 2;
    if values.is_empty() {
        return 0.0;
    }
    let is_even = values.len().is_multiple_of(2);
    let (below, upper, _) = values.select_nth_unstable_by(middle, f32::total_cmp);
    let lower = below.iter().copied().max_by(f32::total_cmp).filter(|_| is_even);
    lower.map_or(*upper, |lower| f32::midpoint(lower, *upper))
}

/// The mean luma of the pixels that become one.
fn averaged(picture: &Rgb<'_>, width: usize, height: usize) -> Vec<f32> {
    let from_width = picture.width as usize;
    let from_height = picture.height as usize;
    let edge = |n: usize, to: usize, from: usize| n * from / to.max(1);
    let mut grey = vec![0.0; width * height];
    for y in 0..height {
        let top = edge(y, height, from_height);
        let rows = top..edge(y + 1, height, from_height).max(top + 1).min(from_height);
        let mut sums = vec![0_u64; width];
        let mut counts = vec![0_u64; width];
        for row in rows {
            let row = picture.pixels.get(row * from_width * 3..).unwrap_or_default();
            let (pixels, _) = row[..row.len().min(from_width * 3)].as_chunks::<3>();
            for x in 0..width {
                let left = edge(x, width, from_width);
                let right = edge(x + 1, width, from_width).max(left + 1);
                for [red, green, blue] in pixels.get(left..right.min(pixels.len())).unwrap_or_default() {
                    // BT.601 luma in 1/256.
                    sums[x] += 77 * u64::from(*red) + 150 * u64::from(*green) + 29 * u64::from(*blue);
                    counts[x] += 256;
                }
            }
        }
        for (to, (sum, count)) in grey[y * width..].iter_mut().zip(sums.iter().zip(&counts)) {
            *to = *sum as f32 / (*count).max(1) as f32;
        }
    }
    grey
}

/// The mean of 3 × 3 pixels, fewer at the edges.
fn blurred(grey: &[f32], width: usize, height: usize) -> Vec<f32> {
    let mut blurred = Vec::with_capacity(grey.len());
    for y in 0..height {
        for x in 0..width {
            let rows = y.saturating_sub(1)..(y + 2).min(height);
            let columns = x.saturating_sub(1)..(x + 2).min(width);
            let count = rows.len() * columns.len();
            let sum: f32 = rows.map(|row| grey[row * width..][columns.clone()].iter().sum::<f32>()).sum();
            blurred.push(sum / count as f32);
        }
    }
    blurred
}

/// Sums of all values, and of their squares, above and left of each corner.
struct Sums {
    width: usize,
    height: usize,
    values: Vec<f64>,
    squares: Vec<f64>,
}

impl Sums {
    fn of(grey: &[f32], width: usize, height: usize) -> Self {
        let line = width + 1;
        let mut values = vec![0.0; line * (height + 1)];
        let mut squares = values.clone();
        for y in 0..height {
            let mut value = 0.0;
            let mut square = 0.0;
            for x in 0..width {
                let here = f64::from(grey[y * width + x]);
                value += here;
                square += here * here;
                values[(y + 1) * line + x + 1] = values[y * line + x + 1] + value;
                squares[(y + 1) * line + x + 1] = squares[y * line + x + 1] + square;
            }
        }
        Self { width, height, values, squares }
    }

    /// The mean and the variance around a pixel.
    #[expect(clippy::cast_possible_truncation, reason = "means of grey levels")]
    fn around(&self, x: usize, y: usize) -> (f32, f32) {
        let left = x.saturating_sub(AROUND);
        let top = y.saturating_sub(AROUND);
        let right = (x + AROUND + 1).min(self.width);
        let bottom = (y + AROUND + 1).min(self.height);
        let line = self.width + 1;
        let sum = |sums: &[f64]| {
            sums[bottom * line + right] - sums[top * line + right] - sums[bottom * line + left]
                + sums[top * line + left]
        };
        let count = ((right - left) * (bottom - top)) as f64;
        let mean = sum(&self.values) / count;
        (mean as f32, (sum(&self.squares) / count - mean * mean).max(0.0) as f32)
    }
}
