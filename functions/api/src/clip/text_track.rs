//! The head of a clip's timed text: its track, with the form in which players show it (3GPP TS 26.245 §5, ISO/IEC 14496-12 §8).

use super::head::edit_list;
use super::text::{Samples, TIMESCALE, WallClockText};
use framepost_media::be;
use framepost_media::boxes::boxed;

/// Bytes of the matrix of a `tkhd`, and of the width and height behind it (ISO/IEC 14496-12 §8.3.2).
const MATRIX_BYTES: usize = 36;
const SIZE_BYTES: usize = 8;
/// Text of a twentieth of the picture's height, within what can be read.
const LINES_OF_A_PICTURE: u16 = 20;

/// The width and height of the picture as it is shown, in 16.16 pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Picture {
    width: u32,
    height: u32,
}

impl Picture {
    /// Of the header of a video track. A picture that is turned by a quarter is as wide as it was high.
    pub(super) fn of(tkhd: &[u8]) -> Option<Self> {
        let at = tkhd.len().checked_sub(SIZE_BYTES)?;
        let width = be::u32_at(tkhd, at)?;
        let height = be::u32_at(tkhd, at + 4)?;
        let turned = be::u32_at(tkhd, at.checked_sub(MATRIX_BYTES)?)? == 0;
        Some(if turned { Self { width: height, height: width } } else { Self { width, height } })
    }
}

fn pixels(fixed: u32) -> u16 {
    u16::try_from(fixed >> 16).unwrap_or(u16::MAX)
}

/// What a track of text is made of.
pub(super) struct TextTrack<'a> {
    pub(super) id: u32,
    pub(super) text: &'a WallClockText,
    pub(super) samples: &'a Samples,
    /// Where its samples begin in the file.
    pub(super) at: u32,
}

impl TextTrack<'_> {
    /// The track over this picture. `played` is the clip's duration in units of the movie.
    pub(super) fn trak(&self, picture: Picture, played: u64) -> Vec<u8> {
        let Picture { width, height } = picture;
        let one = 0x0001_0000_u32.to_be_bytes();
        let matrix = [&one[..], &[0; 12], &one, &[0; 12], &0x4000_0000_u32.to_be_bytes()].concat();
        // Enabled and shown in the movie; of the alternate group 2, as picture and sound are of none.
        let group = [0, 0, 0, 2, 0, 0, 0, 0];
        let id = self.id.to_be_bytes();
        let tkhd = [&[1, 0, 0, 3][..], &[0; 16], &id, &[0; 4], &played.to_be_bytes(), &[0; 8], &group, &matrix];
        let tkhd = boxed(*b"tkhd", &[&tkhd.concat(), &width.to_be_bytes(), &height.to_be_bytes()]);
        // The language `und`, as three letters of 5 bits (§8.4.2).
        let language = [0x55, 0xc4, 0, 0];
        let lasts = u64::try_from(self.text.ends_us()).unwrap_or(0).to_be_bytes();
        let mdhd = boxed(*b"mdhd", &[&[1, 0, 0, 0], &[0; 16], &TIMESCALE.to_be_bytes(), &lasts, &language]);
        let hdlr = boxed(*b"hdlr", &[&[0; 8], b"text", &[0; 12], b"wall clock\0"]);
        let nmhd = boxed(*b"nmhd", &[&[0; 4]]);
        // The data are in this file.
        let url = boxed(*b"url ", &[&[0, 0, 0, 1]]);
        let dinf = boxed(*b"dinf", &[&boxed(*b"dref", &[&[0, 0, 0, 0, 0, 0, 0, 1], &url])]);
        let minf = boxed(*b"minf", &[&nmhd, &dinf, &self.sample_table(picture)]);
        boxed(*b"trak", &[&tkhd, &edit_list(0, played), &boxed(*b"mdia", &[&mdhd, &hdlr, &minf])])
    }

    /// Durations, sizes and the place of the samples, which are one run of bytes (§8.6.1.2, §8.7).
    fn sample_table(&self, picture: Picture) -> Vec<u8> {
        let Samples { sizes, durations, .. } = self.samples;
        let count = |len: usize| u32::try_from(len).unwrap_or(u32::MAX);
        let table = |kind, before: &[u32], entries: u32, values: &[u32]| {
            let numbers = [&[0], before, &[entries], values].concat();
            let bytes: Vec<u8> = numbers.into_iter().flat_map(u32::to_be_bytes).collect();
            boxed(kind, &[&bytes])
        };
        let descriptions = boxed(*b"stsd", &[&[0, 0, 0, 0, 0, 0, 0, 1], &sample_entry(picture)]);
        let lasting: Vec<u32> = durations.iter().flat_map(|(count, lasts)| [*count, *lasts]).collect();
        let lengths = table(*b"stts", &[], count(durations.len()), &lasting);
        // From the first run on, each has all samples, and they have the first description.
        let runs_of_bytes = usize::from(!sizes.is_empty());
        let all = [1, count(sizes.len()), 1];
        let chunks = table(*b"stsc", &[], count(runs_of_bytes), &all[..3 * runs_of_bytes]);
        // Each has a size of its own.
        let each = table(*b"stsz", &[0], count(sizes.len()), sizes);
        let places = table(*b"stco", &[], count(runs_of_bytes), &[self.at][..runs_of_bytes]);
        boxed(*b"stbl", &[&descriptions, &lengths, &chunks, &each, &places])
    }
}

/// What samples of the track have unless they say otherwise (§8.8.3): its one description.
pub(super) fn defaults(id: u32) -> Vec<u8> {
    boxed(*b"trex", &[&[0; 4], &id.to_be_bytes(), &1_u32.to_be_bytes(), &[0; 12]])
}

/// White text on a dark ground, at the bottom in the middle of the picture (TS 26.245 §5.16).
fn sample_entry(picture: Picture) -> Vec<u8> {
    let width = pixels(picture.width);
    let height = pixels(picture.height);
    let size = u8::try_from((height / LINES_OF_A_PICTURE).clamp(10, 96)).unwrap_or(10);
    let reference = [0, 0, 0, 0, 0, 0, 0, 1];
    let flags = [0; 4];
    // Horizontally centred (1), vertically at the bottom (-1).
    let place = [1, 0xff];
    let ground = [0, 0, 0, 0x80];
    // Top, left, bottom, right.
    let frame = [&[0; 4][..], &height.to_be_bytes(), &width.to_be_bytes()].concat();
    // All characters in font 1, without a style.
    let style = [0, 0, 0, 0, 0, 1, 0, size, 0xff, 0xff, 0xff, 0xff];
    let fonts = boxed(*b"ftab", &[&[0, 1, 0, 1, 10], b"Sans-Serif"]);
    boxed(*b"tx3g", &[&reference, &flags, &place, &ground, &frame, &style, &fonts])
}
