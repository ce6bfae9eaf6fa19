//! The output of a camera: stream parameters and frames.

use bytes::Bytes;
use std::time::Duration;

/// The stream that a frame belongs to. A camera has one video stream and at most one audio stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TrackKind {
    Video,
    Audio,
}

/// The video codecs that can be recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VideoCodec {
    /// ITU-T H.264.
    H264,
    /// ITU-T H.265.
    H265,
}

/// Rotation, mirroring and placement of a picture for display: the matrix of a track header (ISO/IEC 14496-12
/// §8.3.2), `a b u c d v x y w`. `u`, `v` and `w` are 2.30 fixed-point numbers, the others 16.16.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DisplayMatrix([i32; 9]);

/// Whether a picture is mirrored for display, left to right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mirrored {
    Yes,
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

fn fixed(value: f64, one: f64) -> i32 {
    // A cast to an integer saturates.
    #[expect(clippy::cast_possible_truncation, reason = "rounded, and within the limits")]
    let fixed = (value * one).round() as i32;
    fixed
}

/// The parameters of a video stream. A change of any of them ends the span.
#[derive(Debug, Clone, PartialEq)]
pub struct VideoParameters {
    pub codec: VideoCodec,
    /// The decoder configuration record (ISO/IEC 14496-15): the body of `avcC` or `hvcC`.
    pub config: Bytes,
    /// RFC 6381 codec string: `avc1.64001F`, `hvc1.1.6.L120.90`.
    pub rfc6381: String,
    /// Width in pixels, after cropping.
    pub width: u16,
    /// Height in pixels, after cropping.
    pub height: u16,
    /// The sample aspect ratio, width to height, if it is not 1:1.
    pub pixel_aspect: Option<(u32, u32)>,
    /// The display matrix of the source.
    pub matrix: DisplayMatrix,
    /// Units per second of the frames' `pts`.
    pub timescale: u32,
}

/// The parameters of an AAC stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AudioParameters {
    /// The AudioSpecificConfig (ISO/IEC 14496-3).
    pub config: Bytes,
    /// RFC 6381 codec string: `mp4a.40.2`.
    pub rfc6381: String,
    /// Number of channels.
    pub channels: u16,
    /// Samples per second.
    pub sample_rate: u32,
    /// Units per second of the frames' `pts`.
    pub timescale: u32,
}

/// The parameters of all streams of a camera.
#[derive(Debug, Clone, PartialEq)]
pub struct StreamParameters {
    pub video: VideoParameters,
    /// The audio stream, if there is one that can be recorded.
    pub audio: Option<AudioParameters>,
}

/// How other frames depend on a frame. [`Reference::is_random_access`] says whether decoding can begin there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reference {
    /// Decoding can begin here, and this picture is complete: IDR, an IRAP picture of H.265 (IDR, CRA, BLA), or
    /// a recovery point that names this very picture. Also every audio frame.
    RandomAccess,
    /// Decoding can begin here, and pictures are complete some frames later: a recovery point of a gradual
    /// refresh. It refers to earlier frames, and later frames refer to it.
    Refresh,
    /// Other frames refer to it, or may do so.
    Needed,
    /// No other frame refers to it, so it can be left out without harm.
    Disposable,
}

impl Reference {
    /// Returns whether a decoder can begin at the frame. A chunk that starts with it does
    /// not need the chunk before.
    pub fn is_random_access(self) -> bool {
        matches!(self, Self::RandomAccess | Self::Refresh)
    }
}

/// One coded access unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    pub track: TrackKind,
    /// Presentation time in units of the stream's timescale. It starts anywhere and never wraps.
    pub pts: i64,
    /// Display duration in the same units, if the source gives it: files do, RTP does not.
    pub duration: Option<u32>,
    /// Whether decoding can begin here.
    pub reference: Reference,
    /// Time at which the frame was complete, on the gateway's
    /// monotonic clock ([`framepost_ports::Clock::monotonic`]).
    pub arrival: Duration,
    /// The access unit as a sample of the file format: NAL units with 4-byte lengths, or a raw AAC frame.
    pub data: Bytes,
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
}
