//! Samples of no bytes: a recorder's way to say that nothing changed, or sizes that were overwritten with zeros.
//!
//! Where a sample of no bytes is true, the next one begins at the same place, or something else of the file does. Where its size
//! is damaged, its own bytes lie there, which no table names.

use super::super::bytes::FileBytes;
use super::leaves;
use super::table::{Sample, Table};
use super::track::Track;
use crate::camera::nal;
use crate::media::{TrackKind, VideoCodec};

/// Samples of no bytes that are looked at, at most: a hostile file has millions.
const LOOKS: u32 = 1 << 12;
/// Samples of a track that are looked through for those at the same place.
const NEAR: usize = 256;

/// What is known to lie where.
#[derive(Default)]
pub(super) struct Places {
    /// Where the chunks of all tables begin, in order; made when first asked for.
    chunks: Option<Vec<u64>>,
    looks: u32,
}

/// How a sample of no bytes came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hollow {
    /// It has none.
    True,
    /// Its bytes lie there, and nothing says how many.
    Damaged,
}

impl Places {
    /// Judges a sample of no bytes of `tracks[track]`; `base` is what the places in tables count from.
    pub(super) fn judge(
        &mut self,
        file: &mut FileBytes,
        tracks: &[Track],
        (track, sample): (usize, Sample),
        (base, codec, length_bytes): (u64, VideoCodec, u8),
    ) -> Hollow {
        self.looks += 1;
        let Some(of) = tracks.get(track) else { return Hollow::True };
        if self.looks > LOOKS || sample.offset >= file.size() {
            return Hollow::True;
        }
        let next = of.queue.iter().take(NEAR).map(|(next, _)| next).find(|next| next.size > 0);
        let is_video = of.kind == TrackKind::Video;
        if let Some(next) = next.filter(|next| next.offset == sample.offset) {
            // The next one lies here: by its size, or with the bytes of this one.
            let whole = file.read(next.offset, next.size.into()).is_ok_and(|data| is_whole(&data, length_bytes));
            return if is_video && !whole { Hollow::Damaged } else { Hollow::True };
        }
        let mut queued = tracks.iter().flat_map(|track| track.queue.iter().take(NEAR));
        if queued.any(|(other, _)| other.size > 0 && other.offset == sample.offset) {
            return Hollow::True;
        }
        let chunks = self.chunks.get_or_insert_with(|| {
            let tables = tracks.iter().filter_map(|track| track.table.as_ref());
            let mut chunks: Vec<u64> = tables.flat_map(Table::chunk_places).collect();
            chunks.sort_unstable();
            chunks
        });
        let in_tables = sample.offset.saturating_sub(base);
        // Its own chunk begins here too, if it is the first in it: there has to be another.
        let named =
            chunks.partition_point(|place| *place <= in_tables) - chunks.partition_point(|place| *place < in_tables);
        if named > usize::from(sample.is_first_in_chunk) {
            return Hollow::True;
        }
        let Ok(head) = file.read(sample.offset, 8) else { return Hollow::True };
        let is_box = head.get(4..).is_some_and(leaves::is_top);
        let is_unit = !is_video || begins_unit(&head, codec, length_bytes, file.size() - sample.offset);
        if is_box || !is_unit { Hollow::True } else { Hollow::Damaged }
    }
}

fn is_whole(data: &[u8], length_bytes: u8) -> bool {
    match length_bytes {
        4 => nal::is_whole(data),
        other => nal::is_whole(&nal::with_four_byte_lengths(data, other)),
    }
}

/// Whether a NAL unit with its length may begin here, `left` bytes before the end.
fn begins_unit(head: &[u8], codec: VideoCodec, length_bytes: u8, left: u64) -> bool {
    let width = usize::from(length_bytes);
    let Some((length, unit)) = head.split_at_checked(width) else { return false };
    let length = length.iter().fold(0_u64, |length, byte| length << 8 | u64::from(*byte));
    let is_allowed = unit.first().is_some_and(|first| first & 0x80 == 0);
    let is_used = match codec {
        VideoCodec::H264 => nal::kind(codec, unit).is_some_and(|kind| (1..=21).contains(&kind)),
        VideoCodec::H265 => nal::kind(codec, unit).is_some_and(|kind| kind <= 40),
    };
    length > 0 && length <= left && is_allowed && is_used
}
