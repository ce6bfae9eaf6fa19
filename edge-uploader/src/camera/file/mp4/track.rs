//! Tracks: what a `trak` describes, and where its edit list puts it.

use super::super::demux::{Fault, rescaled};
use super::boxes::{Box4, boxes};
use super::entry::{self, VideoEntry};
use super::table::{Sample, Table};
use crate::media::{AudioParameters, TrackKind};
use re_mp4::{ElstBox, MdhdBox, TkhdBox};
use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

/// A track that is recorded, and where the reading of it is.
pub(super) struct Track {
    pub(super) kind: TrackKind,
    pub(super) timescale: u32,
    /// Subtracted from the file's times: what the edit list skips, and where the session's 0 lies.
    pub(super) shift: i64,
    pub(super) table: Table,
    pub(super) queue: VecDeque<Sample>,
}

impl Track {
    /// The decoding time of the next sample, on the presentation timeline.
    pub(super) fn next_dts(&self) -> Option<i64> {
        self.queue.front().map(|sample| sample.dts.saturating_sub(self.shift))
    }
}

/// The timescale and the sample entries of a video track; its first entry must be one that can be recorded.
pub(super) fn video_track(trak: Box4<'_>) -> Result<(u32, Vec<VideoEntry>), String> {
    let (timescale, stsd) = described(trak)?;
    let mut entries = Vec::new();
    for found in entry::entries(stsd) {
        match entry::video(found, timescale) {
            Ok(entry) => entries.push(entry),
            Err(problem) if entries.is_empty() => return Err(problem),
            // Only a file that comes to use it is at fault.
            Err(_) => break,
        }
    }
    if entries.is_empty() { Err("its video track describes no codec".to_owned()) } else { Ok((timescale, entries)) }
}

pub(super) fn audio_track(trak: Box4<'_>) -> Result<AudioParameters, String> {
    let (timescale, stsd) = described(trak)?;
    entry::audio(entry::entries(stsd).next().ok_or("audio describes no codec")?, timescale)
}

fn described(trak: Box4<'_>) -> Result<(u32, Box4<'_>), String> {
    let header = trak.descendant(&[*b"mdia", *b"mdhd"]).ok_or("a track has no media header")?;
    let header: MdhdBox = header.read().map_err(|_| "a media header is damaged")?;
    let stsd = trak.descendant(&[*b"mdia", *b"minf", *b"stbl", *b"stsd"]).ok_or("a track describes no codec")?;
    if header.timescale == 0 { Err("a track has no timescale".to_owned()) } else { Ok((header.timescale, stsd)) }
}

pub(super) fn track(trak: Box4<'_>, kind: TrackKind, timescale: u32, movie_timescale: u32) -> Result<Track, Fault> {
    let stbl =
        trak.descendant(&[*b"mdia", *b"minf", *b"stbl"]).ok_or_else(|| Fault::new("a track has no sample table"))?;
    let edits = trak.descendant(&[*b"edts", *b"elst"]).map(Box4::read::<ElstBox>).transpose()?;
    let shift = edits.map_or(0, |edits| skipped_by(&edits, timescale, movie_timescale));
    Ok(Track { kind, timescale, shift, table: Table::read(stbl)?, queue: VecDeque::new() })
}

/// What the edit list takes from a track's times: it begins with empty edits (a delay), then names the media time that
/// is shown first. What comes after that is not followed; every sample is given.
fn skipped_by(edits: &ElstBox, timescale: u32, movie_timescale: u32) -> i64 {
    // re_mp4 reads the signed media time unsigned, and in version 0 from 32 bits.
    let media_time = |raw: u64| match edits.version {
        0 => u32::try_from(raw).map_or(0, |raw| i64::from(raw.cast_signed())),
        _ => raw.cast_signed(),
    };
    let mut delay = 0_i64;
    for edit in &edits.entries {
        match media_time(edit.media_time) {
            -1 => delay = delay.saturating_add(i64::try_from(edit.segment_duration).unwrap_or(0)),
            time => return time.saturating_sub(rescaled(delay, movie_timescale, timescale)),
        }
    }
    0
}

/// What the tracks of a movie are, as a number to compare.
pub(super) fn description(moov: Box4<'_>) -> u64 {
    let mut hasher = DefaultHasher::new();
    for trak in boxes(moov.body()).filter(|b| &b.kind == b"trak") {
        let header = trak.child(*b"tkhd").and_then(|b| b.read::<TkhdBox>().ok());
        let scaled = described(trak).ok().map(|(timescale, stsd)| (timescale, stsd.body()));
        (header.map(|header| header.track_id), scaled).hash(&mut hasher);
    }
    hasher.finish()
}
