//! Samples of size 0: a recorder's way to say that nothing changed, or sizes overwritten with zeros.
//!
//! If the size is really 0, the next sample or other data begins at the same position. If it is damaged, the
//! sample's own bytes are there, which no table describes.

use super::super::bytes::FileBytes;
use super::leaves;
use super::table::{Sample, Table};
use super::track::Track;
use crate::camera::nal;
use crate::media::{TrackKind, VideoCodec};

/// Most samples of size 0 that are examined, because a hostile file may have millions.
const LOOKS: u32 = 1 << 12;
/// Number of samples of a track that are searched for others at the same position.
const NEAR: usize = 256;

/// Known positions of data in the file.
#[derive(Default)]
pub(super) struct Places {
    /// The sorted chunk positions of all tables, computed when first needed.
    chunks: Option<Vec<u64>>,
    looks: u32,
}

/// Why a sample has size 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hollow {
    /// The sample has no data.
    True,
    /// The sample has data of unknown length.
    Damaged,
}

impl Places {
    /// Judges a sample of size 0 of `tracks[track]`. `base` is the origin of the tables' file positions.
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
            // The next sample begins here. Check that its size fits, or whether this sample's data is in front.
            let whole = file.read(next.offset, next.size.into()).is_ok_and(|data| is_whole(&data, length_bytes));
            return if is_video && !whole { Hollow::Damaged } else { Hollow::True };
        }
        let mut queued = tracks.iter().flat_map(|track| track.queue.iter().take(NEAR));
        if queued.any(|(other, _)| other.size > 0 && other.offset == sample.offset) {
            return Hollow::True;
        }
        let chunks = self.chunks(tracks);
        let in_tables = sample.offset.saturating_sub(base);
        // If the sample is the first of its chunk, that chunk begins here too, so another one is needed.
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

    /// Returns whether a chunk of any of `tracks` begins at this position of the tables.
    pub(super) fn begins_chunk(&mut self, tracks: &[Track], in_tables: u64) -> bool {
        self.chunks(tracks).binary_search(&in_tables).is_ok()
    }

    fn chunks(&mut self, tracks: &[Track]) -> &[u64] {
        self.chunks.get_or_insert_with(|| {
            let tables = tracks.iter().filter_map(|track| track.table.as_ref());
            let mut chunks: Vec<u64> = tables.flat_map(Table::chunk_places).collect();
            chunks.sort_unstable();
            chunks
        })
    }
}

fn is_whole(data: &[u8], length_bytes: u8) -> bool {
    match length_bytes {
        4 => nal::is_whole(data),
        other => nal::is_whole(&nal::with_four_byte_lengths(data, other)),
    }
}

/// Returns whether a NAL unit with its length may begin here, `left` bytes before the end.
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
