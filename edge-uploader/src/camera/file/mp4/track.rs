//! Tracks: the description in a `trak`, and the effect of its edit list.

use super::super::demux::{Fault, rescaled};
use super::boxes::{Box4, boxes};
use super::entry::{self, VideoEntry};
use super::table::{Sample, Table};
use crate::camera::SourceFault;
use crate::media::{AudioParameters, DisplayMatrix, TrackKind};
use re_mp4::{ElstBox, MdhdBox, TkhdBox};
use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

/// A recorded track, with the state of reading it.
pub(super) struct Track {
    pub(super) kind: TrackKind,
    pub(super) timescale: u32,
    /// Offset subtracted from the file's times: what the edit list skips, and the session's time 0.
    pub(super) shift: i64,
    /// `None` after the last sample.
    pub(super) table: Option<Table>,
    /// Samples in decoding order, each with the fault before it.
    pub(super) queue: VecDeque<(Sample, Option<SourceFault>)>,
}

impl Track {
    /// Returns the decoding time of the next sample on the presentation time line.
    pub(super) fn next_dts(&self) -> Option<i64> {
        self.queue.front().map(|(sample, _)| sample.dts.saturating_sub(self.shift))
    }
}

/// Returns the timescale and the sample entries of a video track. The first entry must be
/// one that can be recorded.
pub(super) fn video_track(trak: Box4<'_>, movie: DisplayMatrix) -> Result<(u32, Vec<VideoEntry>), String> {
    let (timescale, stsd) = described(trak)?;
    let matrix = trak.child(*b"tkhd").map_or(movie, |header| matrix(header).then(movie));
    let mut entries = Vec::new();
    for found in entry::entries(stsd) {
        match entry::video(found, matrix, timescale) {
            Ok(entry) => entries.push(entry),
            Err(problem) if entries.is_empty() => return Err(problem),
            // An unsupported entry matters only if samples use it.
            Err(_) => break,
        }
    }
    if entries.is_empty() { Err("its video track describes no codec".to_owned()) } else { Ok((timescale, entries)) }
}

/// Reads the display matrix of a `tkhd` or `mvhd` (ISO/IEC 14496-12 §8.3.2, §8.2.2). Returns the
/// identity if it is truncated.
pub(super) fn matrix(header: Box4<'_>) -> DisplayMatrix {
    let body = header.body();
    let at = match (&header.kind, body.first()) {
        (b"tkhd", Some(1)) => 52,
        (b"tkhd", _) => 40,
        (_, Some(1)) => 48,
        _ => 36,
    };
    body.get(at..).and_then(DisplayMatrix::read).unwrap_or_default()
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

/// Prepares the reading of a track. A damaged edit list skips nothing. In a fragmented movie, the tables
/// may be damaged or missing.
pub(super) fn track(
    trak: Box4<'_>,
    kind: TrackKind,
    (timescale, movie_timescale): (u32, u32),
    samples: Samples,
) -> Result<Track, Fault> {
    let duration = trak.descendant(&[*b"mdia", *b"mdhd"]).and_then(|b| b.read::<MdhdBox>().ok());
    let duration = duration.map_or(0, |header| header.duration);
    let movie_timescale = match movie_timescale {
        0 => guessed_timescale(trak, duration, timescale),
        told => told,
    };
    let edits = trak.descendant(&[*b"edts", *b"elst"]).and_then(|b| b.read::<ElstBox>().ok());
    let shift = edits.map_or(0, |edits| skipped_by(&edits, timescale, movie_timescale));
    let stbl = trak.descendant(&[*b"mdia", *b"minf", *b"stbl"]);
    let stbl = stbl.ok_or_else(|| Fault::new("a track has no sample table"));
    let table = match (stbl.and_then(|stbl| Table::read(stbl, duration, timescale)), samples) {
        (Ok(table), _) => Some(table),
        (Err(_), Samples::InFragments) => None,
        (Err(fault), Samples::InTables) => return Err(fault),
    };
    Ok(Track { kind, timescale, shift, table, queue: VecDeque::new() })
}

/// Estimates the timescale of a movie whose header is lost: from the track's duration, which is given
/// in both timescales, otherwise 1000.
fn guessed_timescale(trak: Box4<'_>, duration: u64, timescale: u32) -> u32 {
    let header = trak.child(*b"tkhd").and_then(|b| b.read::<TkhdBox>().ok());
    let guess = header.filter(|_| duration > 0).and_then(|header| {
        let scaled = u128::from(header.duration) * u128::from(timescale);
        u32::try_from((scaled + u128::from(duration / 2)) / u128::from(duration)).ok()
    });
    guess.filter(|guess| *guess > 0).unwrap_or(1000)
}

/// Where a movie's samples are described.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Samples {
    InTables,
    InFragments,
}

/// Returns the offset that the edit list (ISO/IEC 14496-12 §8.6.6) subtracts from a track's times. Empty edits
/// at its start are a delay; the next edit has the media time that is shown first. Later edits are ignored,
/// and every sample is returned.
fn skipped_by(edits: &ElstBox, timescale: u32, movie_timescale: u32) -> i64 {
    // re_mp4 reads the signed media time as unsigned, and in version 0 from 32 bits.
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

/// Returns a hash of what a movie's tracks describe, for comparisons.
pub(super) fn description(moov: Box4<'_>) -> u64 {
    let mut hasher = DefaultHasher::new();
    moov.child(*b"mvex").is_some().hash(&mut hasher);
    for trak in boxes(moov.body()).filter(|b| &b.kind == b"trak") {
        let header = trak.child(*b"tkhd").and_then(|b| b.read::<TkhdBox>().ok());
        let scaled = described(trak).ok().map(|(timescale, stsd)| (timescale, stsd.body()));
        (header.map(|header| header.track_id), scaled).hash(&mut hasher);
    }
    hasher.finish()
}
