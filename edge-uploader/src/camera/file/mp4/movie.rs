//! A movie: the description of the recorded tracks in a `moov`. Damaged parts are left out if the video
//! can be read without them.

use super::super::demux::{Fault, duration_of};
use super::boxes::{Box4, boxes};
use super::entry::VideoEntry;
use super::fragment::FragmentedTrack;
use super::track::{Samples, Track, audio_track, description, matrix, track, video_track};
use crate::media::{AudioParameters, DisplayMatrix, TrackKind};
use jiff::Timestamp;
use re_mp4::{HdlrBox, MvhdBox, TkhdBox, TrexBox};
use std::time::Duration;

/// A movie, with the state of reading it.
pub(super) struct Movie {
    pub(super) created: Option<Timestamp>,
    pub(super) duration: Option<Duration>,
    /// A hash of what the `moov` describes, for comparisons.
    pub(super) description: u64,
    /// The video track, then the audio track if there is one.
    pub(super) tracks: Vec<Track>,
    /// The same tracks for fragments; empty if there are none.
    pub(super) fragmented: Vec<FragmentedTrack>,
    /// The ids of all tracks in the movie.
    pub(super) ids: Vec<u32>,
    pub(super) entries: Vec<VideoEntry>,
    pub(super) audio: Option<AudioParameters>,
}

impl Movie {
    /// Reads the `moov` of a file with `size` bytes.
    pub(super) fn read(moov: Box4<'_>, size: u64) -> Result<Self, Fault> {
        if moov.child(*b"cmov").is_some() {
            return Err(Fault::new("its moov is compressed (cmov); remux it, for example with ffmpeg -c copy"));
        }
        let header = moov.child(*b"mvhd");
        let movie_matrix = header.map_or(DisplayMatrix::IDENTITY, matrix);
        let header = header.and_then(|b| b.read::<MvhdBox>().ok());
        let movie_timescale = header.as_ref().map_or(0, |header| header.timescale);
        let mut video = None;
        let mut audio = None;
        let mut problem = None;
        for trak in boxes(moov.body()).filter(|b| &b.kind == b"trak") {
            match handler(trak) {
                Some(kind) if &kind == b"vide" && video.is_none() => match video_track(trak, movie_matrix) {
                    Ok(track) => video = Some((trak, track)),
                    Err(said) => problem = problem.or(Some(said)),
                },
                // A track without a handler is recognised by its sample description.
                None if video.is_none() => video = video_track(trak, movie_matrix).ok().map(|track| (trak, track)),
                Some(kind) if &kind == b"soun" && audio.is_none() => match audio_track(trak) {
                    Ok(track) => audio = Some((trak, track)),
                    Err(reason) => tracing::warn!(reason, "audio track left out"),
                },
                _ => {}
            }
        }
        let Some((video_trak, (timescale, entries))) = video else {
            return Err(Fault::new(problem.unwrap_or_else(|| "it has no video track".to_owned())));
        };
        let extends = moov.child(*b"mvex");
        let samples = if extends.is_some() { Samples::InFragments } else { Samples::InTables };
        let mut tracks = vec![track(video_trak, TrackKind::Video, (timescale, movie_timescale), samples)?];
        let mut described = vec![video_trak];
        let audio = audio.and_then(|(trak, parameters)| {
            match track(trak, TrackKind::Audio, (parameters.timescale, movie_timescale), samples)
                .and_then(|t| plausible(t, size))
            {
                Ok(track) => {
                    tracks.push(track);
                    described.push(trak);
                    Some(parameters)
                }
                Err(fault) => {
                    tracing::warn!(reason = fault.problem(), "audio track left out");
                    None
                }
            }
        });
        let video = plausible(tracks.remove(0), size)?;
        tracks.insert(0, video);
        // Tables without samples belong to a fragmented movie, even if the box that says so is damaged.
        let is_empty = tracks[0].table.as_ref().is_none_or(|table| table.len() == 0);
        let fragmented = if extends.is_some() || is_empty { fragmented(extends, &described) } else { Vec::new() };
        let all = boxes(moov.body()).filter(|b| &b.kind == b"trak");
        let heads = all.filter_map(|trak| trak.child(*b"tkhd")?.read::<TkhdBox>().ok());
        let ids = heads.map(|head| head.track_id).chain(fragmented.iter().map(|track| track.id)).collect();
        let duration = header
            .as_ref()
            .filter(|header| header.duration > 0 && header.timescale > 0)
            .map(|header| duration_of(i64::try_from(header.duration).unwrap_or(0), header.timescale));
        Ok(Self {
            created: header.and_then(|header| since_1904(header.creation_time)),
            duration,
            description: description(moov),
            tracks,
            fragmented,
            ids,
            entries,
            audio,
        })
    }
}

fn handler(trak: Box4<'_>) -> Option<[u8; 4]> {
    let handler: HdlrBox = trak.descendant(&[*b"mdia", *b"hdlr"])?.read().ok()?;
    Some(handler.handler_type.value)
}

/// Refuses a track with more samples than the file has bytes.
fn plausible(track: Track, size: u64) -> Result<Track, Fault> {
    match track.table.as_ref().map(|table| u64::from(table.len())).filter(|samples| *samples > size) {
        None => Ok(track),
        Some(claimed) => Err(Fault::new(format!("a track claims {claimed} samples, but the file has {size} bytes"))),
    }
}

fn fragmented(extends: Option<Box4<'_>>, described: &[Box4<'_>]) -> Vec<FragmentedTrack> {
    let tracks = (1_u32..).zip(described).map(|(number, trak)| {
        let header = trak.child(*b"tkhd").and_then(|b| b.read::<TkhdBox>().ok());
        let id = header.map_or(number, |header| header.track_id);
        let mut defaults = extends
            .into_iter()
            .flat_map(|extends| boxes(extends.body()))
            .filter(|b| &b.kind == b"trex")
            .map(Box4::read::<TrexBox>);
        let defaults = defaults.find_map(|b| b.ok().filter(|b| b.track_id == id)).unwrap_or_default();
        FragmentedTrack { id, defaults, next_dts: 0 }
    });
    tracks.collect()
}

/// Converts a time in the file format. 0 means "not set"; times before 1970 or out of range
/// count as not set too.
fn since_1904(seconds: u64) -> Option<Timestamp> {
    let since_1970 = i64::try_from(seconds).ok()?.checked_sub(2_082_844_800)?;
    Timestamp::from_second(since_1970).ok().filter(|time| *time > Timestamp::UNIX_EPOCH && since_1970 < 1 << 33)
}
