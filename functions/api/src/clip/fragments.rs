//! Fragments, moved in time and in the file: their numbers, decode times and base offsets are changed where they stand.
//!
//! What is shown after a clip's end is taken off their sample tables in the same way. Nothing else of them changes, so the bytes that stood in those fields are enough to have the chunk's media again.

use super::ends;
use super::head::{Track, children};
use bytes::Bytes;
use framepost_media::be;
use std::collections::BTreeMap;
use std::ops::Range;

/// Media whose fields are changed.
pub(crate) struct Moved {
    pub(crate) bytes: Bytes,
    /// The fields that differ now, in order.
    pub(crate) changes: Vec<Changed>,
}

/// A field that was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Changed {
    /// Where it begins in the media.
    pub(crate) at: u64,
    /// Its bytes in the chunk's own object.
    pub(crate) was: Vec<u8>,
}

/// What a field says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Means {
    /// The fragment's number (§8.8.5).
    Number,
    /// Where in the file the track's data are (§8.8.7).
    Position,
    /// The decode time of its first sample, for a track with this id (§8.8.12).
    Time { track: u32 },
}

/// A field that a move may change.
struct Field {
    place: Range<usize>,
    means: Means,
}

/// The fields of these fragments that a move may change, in order; `None` where they are not fragments.
fn all_fields(media: &[u8]) -> Option<Vec<Field>> {
    let mut found = Vec::new();
    for top in children(media)?.into_iter().filter(|top| top.kind == *b"moof") {
        let base = top.at + (top.whole.len() - top.body.len());
        for inner in children(top.body)? {
            let at = base + inner.at + (inner.whole.len() - inner.body.len());
            match &inner.kind {
                b"mfhd" => found.push(field(inner.body, at, 4, 4, Means::Number)?),
                b"traf" => of_track(&mut found, inner.body, at)?,
                _ => {}
            }
        }
    }
    Some(found)
}

/// `len` bytes from `start` on of a box's body, which stands at `at`.
fn field(body: &[u8], at: usize, start: usize, len: usize, means: Means) -> Option<Field> {
    body.get(start..start + len)?;
    Some(Field { place: at + start..at + start + len, means })
}

fn of_track(found: &mut Vec<Field>, traf: &[u8], at: usize) -> Option<()> {
    let mut track = None;
    for inner in children(traf)? {
        let at = at + inner.at + (inner.whole.len() - inner.body.len());
        match &inner.kind {
            b"tfhd" => {
                track = Some(be::u32_at(inner.body, 4)?);
                // With the flag 1 there is a position.
                if be::u32_at(inner.body, 0)? & 1 == 1 {
                    found.push(field(inner.body, at, 8, 8, Means::Position)?);
                }
            }
            b"tfdt" => {
                let len = if be::u8_at(inner.body, 0)? == 1 { 8 } else { 4 };
                found.push(field(inner.body, at, 4, len, Means::Time { track: track? })?);
            }
            _ => {}
        }
    }
    Some(())
}

/// Fragments of one chunk in the numbers of a clip. A chunk has fewer.
const FRAGMENTS_OF_A_CHUNK: u32 = 1 << 12;

/// How the media of a chunk become a part of a clip.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Move {
    /// Which of the clip's chunks it is, from 0.
    pub(crate) number: u32,
    /// Seconds from the clip's start to the chunk's.
    pub(crate) begins_at: f64,
    /// Where its media begin in its own object.
    pub(crate) from: u64,
    /// Where they begin in the clip.
    pub(crate) to: u64,
    /// Seconds from the chunk's start after which nothing is shown; `None` if all of it is.
    pub(crate) ends_at: Option<f64>,
}

/// Returns the media of a chunk in a clip. `None` where they are not fragments.
pub(crate) fn moved(media: &[u8], how: &Move, tracks: &BTreeMap<u32, Track>) -> Option<Moved> {
    let mut written: Vec<(usize, Vec<u8>)> = Vec::new();
    for Field { place, means } in all_fields(media)? {
        let was = media.get(place.clone())?;
        let new = match means {
            Means::Number => {
                let own = be::u32_at(was, 0)? % FRAGMENTS_OF_A_CHUNK;
                how.number.wrapping_mul(FRAGMENTS_OF_A_CHUNK).wrapping_add(own).to_be_bytes().to_vec()
            }
            Means::Position => be::u64_at(was, 0)?.checked_sub(how.from)?.checked_add(how.to)?.to_be_bytes().to_vec(),
            Means::Time { track } => {
                let offset = units(how.begins_at, tracks.get(&track)?.timescale);
                if was.len() == 8 {
                    be::u64_at(was, 0)?.checked_add(offset)?.to_be_bytes().to_vec()
                } else {
                    be::u32_at(was, 0)?.checked_add(u32::try_from(offset).ok()?)?.to_be_bytes().to_vec()
                }
            }
        };
        written.push((place.start, new));
    }
    // Where the sample tables cannot be read, the edit list alone ends the clip.
    let over = how.ends_at.and_then(|end_s| ends::cut(media, end_s, tracks)).unwrap_or_default();
    written.extend(over.into_iter().map(|over| (over.at, over.bytes)));
    written.sort_by_key(|(at, _)| *at);
    let mut bytes = media.to_vec();
    let mut changes = Vec::new();
    for (at, new) in written {
        let place = at..at + new.len();
        let was = media.get(place.clone())?;
        if new != was {
            changes.push(Changed { at: at as u64, was: was.to_vec() });
            bytes.get_mut(place)?.copy_from_slice(&new);
        }
    }
    Some(Moved { bytes: bytes.into(), changes })
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a clip is far shorter than 2^64 units")]
fn units(seconds: f64, timescale: u32) -> u64 {
    (seconds * f64::from(timescale)).round().max(0.0) as u64
}
