//! The head of a clip: the initialization segment of its first chunk, with a duration and edit lists.

use super::plan::Timing;
use super::text::WallClockText;
use super::text_track::{self, Picture, TextTrack};
use bytes::Bytes;
use framepost_media::be;
use framepost_media::boxes::{self, boxed};
use jiff::Timestamp;
use std::collections::BTreeMap;

/// Seconds from the epoch of MP4 (1904) to 1970.
const EPOCH_1904: i64 = 2_082_844_800;

/// A head, and what is needed to move fragments behind it.
pub(crate) struct Head {
    pub(crate) bytes: Bytes,
    /// Each track by its id, as `tkhd` and `tfhd` have it.
    pub(crate) tracks: BTreeMap<u32, Track>,
}

/// What fragments need to know of a track.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Track {
    /// Units of the track's times in a second (`mdhd`, ISO/IEC 14496-12 §8.4.2).
    pub(crate) timescale: u32,
    /// The duration of a sample of which nothing else is said (§8.8.3).
    pub(crate) duration: u32,
    pub(crate) is_video: bool,
}

/// A box within its parent's bytes.
#[derive(Clone, Copy)]
pub(super) struct BoxIn<'a> {
    pub(super) kind: [u8; 4],
    /// Offset of its header from the start of the bytes that were searched.
    pub(super) at: usize,
    /// The box as it is in these bytes, header included.
    pub(super) whole: &'a [u8],
    pub(super) body: &'a [u8],
}

/// Returns the boxes in these bytes; `None` if the bytes are not boxes up to their end.
pub(super) fn children(bytes: &[u8]) -> Option<Vec<BoxIn<'_>>> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        let (size, header) = boxes::size(rest)?;
        let size = usize::try_from(size).ok().filter(|size| *size >= header && *size <= rest.len())?;
        found.push(BoxIn { kind: be::array(rest, 4)?, at, whole: &rest[..size], body: &rest[header..size] });
        at += size;
    }
    Some(found)
}

fn child(bytes: &[u8], kind: [u8; 4]) -> Option<BoxIn<'_>> {
    children(bytes)?.into_iter().find(|found| found.kind == kind)
}

/// Converts seconds to units; the result is not negative.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a clip is far shorter than 2^64 units")]
fn units(seconds: f64, timescale: u32) -> u64 {
    (seconds * f64::from(timescale)).round().max(0.0) as u64
}

/// Returns the timescale in an `mvhd` or `mdhd` (§8.2.2, §8.4.2).
fn timescale(header: &[u8]) -> Option<u32> {
    let at = if be::u8_at(header, 0)? == 1 { 20 } else { 12 };
    be::u32_at(header, at).filter(|timescale| *timescale > 0)
}

/// Returns the tracks of an initialization segment by their ids.
pub(crate) fn tracks(init: &[u8]) -> Option<BTreeMap<u32, Track>> {
    let moov = child(init, *b"moov")?;
    let trex = |id: u32| {
        let found = children(child(moov.body, *b"mvex")?.body)?.into_iter();
        found.filter(|inner| inner.kind == *b"trex").find(|trex| be::u32_at(trex.body, 4) == Some(id))
    };
    let traks = children(moov.body)?.into_iter().filter(|inner| inner.kind == *b"trak");
    let of = |trak: BoxIn<'_>| {
        let id = track_id(trak.body)?;
        let mdia = child(trak.body, *b"mdia")?.body;
        let timescale = timescale(child(mdia, *b"mdhd")?.body)?;
        let duration = trex(id).and_then(|trex| be::u32_at(trex.body, 12)).unwrap_or_default();
        // §8.4.3: the handler's type.
        let is_video = child(mdia, *b"hdlr").is_some_and(|hdlr| hdlr.body.get(8..12) == Some(b"vide"));
        Some((id, Track { timescale, duration, is_video }))
    };
    traks.map(of).collect()
}

impl Head {
    /// Makes the head of a clip out of the initialization segment of its first chunk. With `text` there is a track of it, whose
    /// samples are the head's last part.
    pub(crate) fn of(init: &[u8], timing: Timing, text: Option<&WallClockText>) -> Option<Self> {
        let tracks = tracks(init)?;
        let last = *tracks.keys().max()?;
        let bytes = match text {
            None => head(init, timing, &tracks, None)?,
            Some(text) => {
                let samples = text.samples();
                let data = boxed(*b"mdat", &[&samples.bytes]);
                let mut track = TextTrack { id: last.checked_add(1)?, text, samples: &samples, at: 0 };
                // Where they begin does not change how long the head is.
                let len = head(init, timing, &tracks, Some(&track))?.len();
                track.at = u32::try_from(len + data.len() - samples.bytes.len()).ok()?;
                [head(init, timing, &tracks, Some(&track))?, data].concat()
            }
        };
        Some(Self { bytes: bytes.into(), tracks })
    }
}

/// Makes the boxes of a clip before its data.
fn head(init: &[u8], timing: Timing, tracks: &BTreeMap<u32, Track>, text: Option<&TextTrack<'_>>) -> Option<Vec<u8>> {
    let Timing { starts_at, skipped, played, .. } = timing;
    let mut made = Vec::with_capacity(init.len() + 256);
    let mut picture = Picture::default();
    for top in children(init)? {
        if top.kind != *b"moov" {
            made.extend_from_slice(top.whole);
            continue;
        }
        let movie = timescale(child(top.body, *b"mvhd")?.body)?;
        let mut parts: Vec<Vec<u8>> = Vec::new();
        for inner in children(top.body)? {
            parts.push(match &inner.kind {
                b"mvhd" => {
                    let added = text.map(|text| text.id);
                    boxed(*b"mvhd", &[&with_next(created(inner.body, starts_at), added)])
                }
                b"trak" => {
                    let track = tracks.get(&track_id(inner.body)?)?;
                    if track.is_video {
                        picture = Picture::of(child(inner.body, *b"tkhd")?.body).unwrap_or_default();
                    }
                    let list = edit_list(units(skipped, track.timescale), units(played, movie));
                    with_edits(inner.body, &list)?
                }
                b"mvex" => {
                    let trak = text.map(|text| text.trak(picture, units(played, movie))).unwrap_or_default();
                    let defaults = text.map(|text| text_track::defaults(text.id)).unwrap_or_default();
                    [trak, with_duration(inner.body, units(skipped + played, movie), &defaults)?].concat()
                }
                _ => inner.whole.to_vec(),
            });
        }
        let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
        made.extend(boxed(*b"moov", &parts));
    }
    Some(made)
}

/// Returns the id of a track.
fn track_id(trak: &[u8]) -> Option<u32> {
    let tkhd = child(trak, *b"tkhd")?.body;
    be::u32_at(tkhd, if be::u8_at(tkhd, 0)? == 1 { 20 } else { 12 })
}

/// Returns the movie's header with the wall-clock time of the clip's start as creation time (§8.2.2).
fn created(mvhd: &[u8], start: Timestamp) -> Vec<u8> {
    let mut header = mvhd.to_vec();
    let time = u64::try_from(start.as_second() + EPOCH_1904).unwrap_or(0);
    match header.first() {
        Some(1) if header.len() >= 12 => header[4..12].copy_from_slice(&time.to_be_bytes()),
        Some(0) if header.len() >= 8 => {
            header[4..8].copy_from_slice(&u32::try_from(time).unwrap_or(0).to_be_bytes());
        }
        _ => {}
    }
    header
}

/// Returns the movie's header with the id after the last track's, if a track is added. It is the header's last field.
fn with_next(mut mvhd: Vec<u8>, added: Option<u32>) -> Vec<u8> {
    if let Some((added, next)) = added.zip(mvhd.last_chunk_mut::<4>()) {
        *next = added.saturating_add(1).to_be_bytes();
    }
    mvhd
}

/// One edit: plays from `media_time` on for `duration` (§8.6.6). Times of a fragment count from the first sample, which is at 0.
pub(super) fn edit_list(media_time: u64, duration: u64) -> Vec<u8> {
    let list = [
        &[1, 0, 0, 0][..],
        &1_u32.to_be_bytes(),
        &duration.to_be_bytes(),
        &media_time.to_be_bytes(),
        // The rate 1.0.
        &0x0001_0000_u32.to_be_bytes(),
    ];
    boxed(*b"edts", &[&boxed(*b"elst", &list)])
}

/// Returns a track with this edit list instead of its own.
fn with_edits(trak: &[u8], edits: &[u8]) -> Option<Vec<u8>> {
    let mut parts: Vec<&[u8]> = Vec::new();
    for inner in children(trak)? {
        if inner.kind != *b"edts" {
            parts.push(inner.whole);
        }
        if inner.kind == *b"tkhd" {
            parts.push(edits);
        }
    }
    Some(boxed(*b"trak", &parts))
}

/// Returns the movie's `mvex` with a duration (§8.8.2), and with what is `added` last.
fn with_duration(mvex: &[u8], duration: u64, added: &[u8]) -> Option<Vec<u8>> {
    let header = boxed(*b"mehd", &[&[1, 0, 0, 0], &duration.to_be_bytes()]);
    let inner = children(mvex)?;
    let rest = inner.iter().filter(|inner| inner.kind != *b"mehd").map(|inner| inner.whole);
    Some(boxed(*b"mvex", &std::iter::once(&header[..]).chain(rest).chain([added]).collect::<Vec<_>>()))
}
