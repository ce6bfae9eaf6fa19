//! Sizes of pictures that their NAL units contradict.
//!
//! In a chunk, each sample begins where the one before it ends (ISO/IEC 14496-12 §8.7.4), so that one wrong size moves all that
//! follow. A picture whose NAL units do not end with it therefore has a wrong size, or damaged bytes. The next picture of its
//! chunk tells which: it begins behind the claimed size or behind the NAL units.

use super::super::demux::{Fault, note};
use super::sizes::{Ending, Units};
use super::table::Sample;
use super::{FRAME_LIMIT_BYTES, Mp4, leaves};
use crate::camera::{FaultCost, SourceFault, nal};
use crate::media::TrackKind;
use bytes::Bytes;
use framepost_events::gap::SourceBytes;

/// How much is read at first and at most to find the end of a picture.
const WINDOWS_BYTES: [u64; 3] = [64 << 10, 1 << 20, 16 << 20];

impl Mp4 {
    /// Reads the bytes of a sample. Of a picture with a wrong size, returns the right one and moves the pictures after it.
    /// Returns `None`, with a fault noted, if the bytes are not in the file.
    pub(super) fn sample(&mut self, track: usize, sample: Sample) -> Result<Option<(Sample, Bytes)>, Fault> {
        let kind = self.movie.tracks[track].kind;
        let size = u64::from(sample.size);
        let is_possible = sample.offset.saturating_add(size) <= self.file.size() && size <= FRAME_LIMIT_BYTES;
        if is_possible || kind == TrackKind::Audio {
            let Some(data) = self.read_sample(sample, kind)? else { return Ok(None) };
            if kind == TrackKind::Audio || nal::is_whole(&self.with_lengths(sample.description, data.clone())) {
                return Ok(Some((sample, data)));
            }
            let Some(size) = self.told_size(track, sample, Claim::Possible) else { return Ok(Some((sample, data))) };
            let sample = Sample { size, ..sample };
            return Ok(self.read_sample(sample, kind)?.map(|data| (sample, data)));
        }
        let size = self.told_size(track, sample, Claim::Impossible).unwrap_or(sample.size);
        let sample = Sample { size, ..sample };
        Ok(self.read_sample(sample, kind)?.map(|data| (sample, data)))
    }

    /// Returns the size of a picture by its NAL units, if the claimed one is wrong, and moves what follows in its chunk.
    fn told_size(&mut self, track: usize, sample: Sample, claim: Claim) -> Option<u32> {
        let entry = self.described(sample.description)?;
        let units = Units { codec: entry.parameters.codec, length_bytes: entry.length_bytes };
        let size = self.access_unit(units, sample.offset)?;
        self.fill(track);
        let claimed_end = sample.offset.saturating_add(sample.size.into());
        let next = self.movie.tracks[track].queue.front().map(|(next, _)| *next);
        match next.filter(|next| !next.is_first_in_chunk && next.offset == claimed_end) {
            Some(_) => {
                let told_end = sample.offset.saturating_add(size.into());
                let is_sure =
                    self.access_unit(units, claimed_end).is_none() && self.access_unit(units, told_end).is_some();
                if size == sample.size || (claim == Claim::Possible && !is_sure) {
                    return None;
                }
                self.move_rest_of_chunk(track, i64::from(size) - i64::from(sample.size));
            }
            // Behind the last picture of a chunk another chunk begins, or a box.
            None if size >= sample.size || self.ends_chunk(track, claimed_end) => return None,
            None => {}
        }
        let detail = format!("frame {} has a wrong size: {} instead of {size} bytes", self.frames, sample.size);
        let bytes = Some(SourceBytes { start: sample.offset, end: sample.offset.saturating_add(size.into()) });
        note(&mut self.lost, SourceFault { cost: FaultCost::NoPicture, detail, bytes });
        Some(size)
    }

    /// Returns the size of the access unit at `offset`, if there is one.
    fn access_unit(&mut self, units: Units, offset: u64) -> Option<u32> {
        for window in WINDOWS_BYTES {
            let length = window.min(self.file.size().checked_sub(offset)?);
            self.mended_left = self.mended_left.checked_sub(length)?;
            let data = self.file.read(offset, length).ok()?;
            let found = units.access_unit(&data);
            // The window may have cut a NAL unit.
            if length < window || matches!(found, Some((_, Ending::Next))) || !units.is_cut(&data) {
                return u32::try_from(found?.0).ok();
            }
        }
        None
    }

    /// Returns whether a chunk may end at `offset`. Those of fragments may end anywhere.
    fn ends_chunk(&mut self, track: usize, offset: u64) -> bool {
        let tracks = &self.movie.tracks;
        if tracks[track].table.is_none() || offset == self.file.size() {
            return true;
        }
        let in_tables = offset.saturating_sub(self.base);
        let is_box = |head: Vec<u8>| head.get(4..).is_some_and(leaves::is_top);
        self.places.begins_chunk(tracks, in_tables) || self.file.read(offset, 8).is_ok_and(is_box)
    }

    /// Moves the samples after this one, up to the end of its chunk.
    fn move_rest_of_chunk(&mut self, track: usize, by: i64) {
        let track = &mut self.movie.tracks[track];
        for (sample, _) in &mut track.queue {
            if sample.is_first_in_chunk {
                return;
            }
            sample.offset = sample.offset.saturating_add_signed(by);
        }
        if let Some(table) = &mut track.table {
            table.move_rest_of_chunk(by);
        }
    }
}

/// Whether the file has as many bytes as a sample claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Claim {
    Possible,
    Impossible,
}
