//! From a picture to what a model expects: resized, filled up, in its order of colours, normalised.
//!
//! Resizing is that of OpenCV's `cv2.resize` with `INTER_LINEAR` on 8-bit pictures, bit for bit, because that is what most detection
//! models were trained with. It samples four pixels and does not average more, so that a picture that shrinks by more than 2
//! loses small things.

use crate::manifest::{Align, Colour, Element, Input, Layout, Resize};
use crate::tensor::{InputData, InputTensor};
use framepost_events::detection::Bounds;
use framepost_ports::Picture;
use half::f16;

const COLOURS: usize = 3;
/// OpenCV's `INTER_RESIZE_COEF_SCALE`: weights are fixed-point numbers of 11 bits.
const WEIGHT_ONE: i32 = 2048;

/// Where a picture is in a model's input.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Placement {
    /// Distance of the picture's left edge from the input's, in pixels of the input.
    left: f64,
    /// Distance of the upper edges.
    top: f64,
    /// Width of the whole picture in pixels of the input. In a letterbox it need not be a whole number.
    width: f64,
    height: f64,
}

impl Placement {
    /// Converts edges in pixels of the input to fractions of the picture. Returns `None` where nothing of them is in the picture,
    /// or an edge is no number.
    pub fn bounds(&self, [left, top, right, bottom]: [f32; 4]) -> Option<Bounds> {
        let x = |edge: f32| (f64::from(edge) - self.left) / self.width;
        let y = |edge: f32| (f64::from(edge) - self.top) / self.height;
        Bounds::from_edges(x(left), y(top), x(right), y(bottom))
    }
}

/// Makes a model's input of a picture.
pub fn prepare(picture: &Picture, input: &Input) -> (InputTensor, Placement) {
    let (canvas, placement) = canvas(picture, input);
    (tensor(&canvas, input), placement)
}

/// The picture in the input's size: `width × height × 3` bytes, red first.
fn canvas(picture: &Picture, input: &Input) -> (Vec<u8>, Placement) {
    let width = input.width as usize;
    let height = input.height as usize;
    let source = Source { rgb: picture.rgb(), width: picture.width() as usize, height: picture.height() as usize };
    let Resize::Letterbox { fill, align } = input.resize else {
        let placement =
            Placement { left: 0.0, top: 0.0, width: f64::from(input.width), height: f64::from(input.height) };
        return (source.resized(width, height), placement);
    };
    let ratio = (f64::from(input.width) / f64::from(picture.width()))
        .min(f64::from(input.height) / f64::from(picture.height()));
    let exact = (f64::from(picture.width()) * ratio, f64::from(picture.height()) * ratio);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most the input's side")]
    let whole = |side: f64, most: usize| (side as usize).clamp(1, most);
    let (fit_width, fit_height, left, top) = match align {
        Align::TopLeft => (whole(exact.0, width), whole(exact.1, height), 0, 0),
        Align::Centre => {
            let (fit_width, fit_height) =
                (whole(exact.0.round_ties_even(), width), whole(exact.1.round_ties_even(), height));
            // Ultralytics' `LetterBox`: a tenth less, so that half a pixel is rounded down.
            let margin = |side: usize, fit: usize| whole_or_none((side - fit) as f64 / 2.0 - 0.1);
            (fit_width, fit_height, margin(width, fit_width), margin(height, fit_height))
        }
    };
    let fit = source.resized(fit_width, fit_height);
    let mut canvas = vec![fill; width * height * COLOURS];
    for (y, row) in fit.chunks_exact(fit_width * COLOURS).enumerate() {
        let start = ((top + y) * width + left) * COLOURS;
        canvas[start..start + row.len()].copy_from_slice(row);
    }
    (canvas, Placement { left: left as f64, top: top as f64, width: exact.0, height: exact.1 })
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a negative one is clamped")]
fn whole_or_none(pixels: f64) -> usize {
    pixels.round_ties_even().max(0.0) as usize
}

struct Source<'a> {
    rgb: &'a [u8],
    width: usize,
    height: usize,
}

/// Where a pixel of the result comes from, along one side: two pixels of the source and their weights.
#[derive(Clone, Copy)]
struct Tap {
    first: usize,
    second: usize,
    weights: [i32; 2],
}

/// What happens to the weight of a pixel beyond an edge, which differs between the sides of OpenCV's `resize`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum AtEdge {
    /// The pixel at the edge gets it all.
    Whole,
    /// Both pixels are the one at the edge, with the weights that were computed, which may be beyond 0 to 1.
    Repeated,
}

fn taps(from: usize, to: usize, at_edge: AtEdge) -> Vec<Tap> {
    // As OpenCV: the scale is the inverse of the inverse, and places are single precision.
    let scale = 1.0 / (to as f64 / from as f64);
    let last = from - 1;
    let tap = |place: usize| {
        #[expect(clippy::cast_possible_truncation, reason = "as OpenCV does it")]
        let exact = ((place as f64 + 0.5) * scale - 0.5) as f32;
        let floor = exact.floor();
        let fraction = exact - floor;
        #[expect(clippy::cast_possible_truncation, reason = "a place in the picture, or -1")]
        let first = floor as i64;
        let clamp = |place: i64| usize::try_from(place.max(0)).unwrap_or(last).min(last);
        let is_outside = first < 0 || clamp(first) == last;
        if at_edge == AtEdge::Whole && is_outside {
            return Tap { first: clamp(first), second: clamp(first), weights: [WEIGHT_ONE, 0] };
        }
        #[expect(clippy::cast_possible_truncation, reason = "0 to 2048")]
        let weight = |part: f32| (part * WEIGHT_ONE as f32).round_ties_even() as i32;
        Tap { first: clamp(first), second: clamp(first + 1), weights: [weight(1.0 - fraction), weight(fraction)] }
    };
    (0..to).map(tap).collect()
}

impl Source<'_> {
    fn row(&self, y: usize) -> &[u8] {
        &self.rgb[y * self.width * COLOURS..][..self.width * COLOURS]
    }

    fn resized(&self, width: usize, height: usize) -> Vec<u8> {
        if (width, height) == (self.width, self.height) {
            return self.rgb.to_vec();
        }
        if (width * 2, height * 2) == (self.width, self.height) {
            return self.halved(width, height);
        }
        let columns = taps(self.width, width, AtEdge::Whole);
        let rows = taps(self.height, height, AtEdge::Repeated);
        // The two rows of the source that were stretched last, by their numbers.
        let mut upper = Stretched::new(width);
        let mut lower = Stretched::new(width);
        let mut pixels = vec![0; width * height * COLOURS];
        for (row, tap) in pixels.chunks_exact_mut(width * COLOURS).zip(&rows) {
            if upper.of != Some(tap.first) && lower.of == Some(tap.first) {
                std::mem::swap(&mut upper, &mut lower);
            }
            upper.fill(self, tap.first, &columns);
            lower.fill(self, tap.second, &columns);
            let [above, below] = tap.weights;
            for ((pixel, upper), lower) in row.iter_mut().zip(&upper.values).zip(&lower.values) {
                // OpenCV's `VResizeLinear` for 8-bit pictures.
                let value = (((above * (upper >> 4)) >> 16) + ((below * (lower >> 4)) >> 16) + 2) >> 2;
                #[expect(clippy::cast_sign_loss, reason = "clamped")]
                let value = value.clamp(0, 255) as u8;
                *pixel = value;
            }
        }
        pixels
    }

    /// OpenCV averages four pixels where both sides are halved.
    fn halved(&self, width: usize, height: usize) -> Vec<u8> {
        let mut pixels = Vec::with_capacity(width * height * COLOURS);
        for y in 0..height {
            let upper = self.row(2 * y);
            let lower = self.row(2 * y + 1);
            for x in 0..width {
                for colour in 0..COLOURS {
                    let first = 2 * x * COLOURS + colour;
                    let second = (2 * x + 1) * COLOURS + colour;
                    let sum = [upper[first], upper[second], lower[first], lower[second]].map(u16::from);
                    #[expect(clippy::cast_possible_truncation, reason = "the mean of bytes")]
                    pixels.push(((sum.iter().sum::<u16>() + 2) >> 2) as u8);
                }
            }
        }
        pixels
    }
}

/// A row of the source in the result's width, each value 2048 times as large.
struct Stretched {
    of: Option<usize>,
    values: Vec<i32>,
}

impl Stretched {
    fn new(width: usize) -> Self {
        Self { of: None, values: vec![0; width * COLOURS] }
    }

    fn fill(&mut self, source: &Source<'_>, y: usize, columns: &[Tap]) {
        if self.of == Some(y) {
            return;
        }
        let row = source.row(y);
        for (pixel, tap) in self.values.chunks_exact_mut(COLOURS).zip(columns) {
            let first = &row[tap.first * COLOURS..][..COLOURS];
            let second = &row[tap.second * COLOURS..][..COLOURS];
            for colour in 0..COLOURS {
                pixel[colour] = i32::from(first[colour]) * tap.weights[0] + i32::from(second[colour]) * tap.weights[1];
            }
        }
        self.of = Some(y);
    }
}

/// The shape of a model's input.
pub fn shape(input: &Input) -> [usize; 4] {
    let width = input.width as usize;
    let height = input.height as usize;
    match input.layout {
        Layout::Nchw => [1, COLOURS, height, width],
        Layout::Nhwc => [1, height, width, COLOURS],
    }
}

fn tensor(canvas: &[u8], input: &Input) -> InputTensor {
    let data = match input.element {
        Element::U8 => InputData::U8(ordered(canvas, input, |_, pixel| pixel)),
        Element::F32 => {
            let table = table(input);
            InputData::F32(ordered(canvas, input, |colour, pixel| table[colour][usize::from(pixel)]))
        }
        Element::F16 => {
            let table = table(input).map(|values| values.map(f16::from_f32));
            InputData::F16(ordered(canvas, input, |colour, pixel| table[colour][usize::from(pixel)]))
        }
    };
    InputTensor { shape: shape(input), data }
}

/// The element for each value of a pixel, by the colour's place in the model's order.
fn table(input: &Input) -> [[f32; 256]; COLOURS] {
    let normalisation = input.normalisation;
    let mut table = [[0.0; 256]; COLOURS];
    for (colour, values) in table.iter_mut().enumerate() {
        for (value, pixel) in values.iter_mut().zip(0_u8..=255) {
            *value = (f32::from(pixel) * normalisation.scale - normalisation.mean[colour]) / normalisation.std[colour];
        }
    }
    table
}

/// The pixels in the model's order of dimensions and colours, each made an element.
fn ordered<T>(canvas: &[u8], input: &Input, element: impl Fn(usize, u8) -> T) -> Vec<T> {
    let order = match input.colour {
        Colour::Rgb => [0, 1, 2],
        Colour::Bgr => [2, 1, 0],
    };
    let mut elements = Vec::with_capacity(canvas.len());
    match input.layout {
        Layout::Nchw => {
            for (place, colour) in order.into_iter().enumerate() {
                elements.extend(canvas.chunks_exact(COLOURS).map(|pixel| element(place, pixel[colour])));
            }
        }
        Layout::Nhwc => {
            for pixel in canvas.chunks_exact(COLOURS) {
                elements.extend(order.into_iter().enumerate().map(|(place, colour)| element(place, pixel[colour])));
            }
        }
    }
    elements
}
