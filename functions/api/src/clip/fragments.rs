//! Fragments, moved in time and in the file: their numbers, decode times and base offsets are changed where they stand.

use super::head::children;
use bytes::Bytes;
use framepost_media::be;
use std::collections::BTreeMap;

/// Fragments of one chunk in the numbers of a clip. A chunk has fewer.
const FRAGMENTS_OF_A_CHUNK: u32 = 1 << 12;

/// The media of a chunk, as the `number`th of a clip, `begins_at` seconds behind its start. They began at `from` in the chunk and
/// begin at `to` in the clip. `None` where they are not fragments.
pub(super) fn moved(
    media: &[u8],
    number: u32,
    begins_at: f64,
    from: u64,
    to: u64,
    timescales: &BTreeMap<u32, u32>,
) -> Option<Bytes> {
    let mut moved = media.to_vec();
    for top in children(media)?.into_iter().filter(|top| top.kind == *b"moof") {
        let base = top.at + (top.whole.len() - top.body.len());
        for inner in children(top.body)? {
            let at = base + inner.at + (inner.whole.len() - inner.body.len());
            match &inner.kind {
                b"mfhd" => {
                    let own = be::u32_at(inner.body, 4)? % FRAGMENTS_OF_A_CHUNK;
                    let new = number.wrapping_mul(FRAGMENTS_OF_A_CHUNK).wrapping_add(own);
                    put(&mut moved, at + 4, &new.to_be_bytes())?;
                }
                b"traf" => of_track(&mut moved, inner.body, at, begins_at, from, to, timescales)?,
                _ => {}
            }
        }
    }
    Some(moved.into())
}

/// Moves a track's part of a fragment, whose body is at `at`.
fn of_track(
    moved: &mut [u8],
    traf: &[u8],
    at: usize,
    begins_at: f64,
    from: u64,
    to: u64,
    timescales: &BTreeMap<u32, u32>,
) -> Option<()> {
    let mut timescale = None;
    for inner in children(traf)? {
        let at = at + inner.at + (inner.whole.len() - inner.body.len());
        match &inner.kind {
            // §8.8.7: the track's id, and with the flag 1 a position in the file.
            b"tfhd" => {
                timescale = timescales.get(&be::u32_at(inner.body, 4)?);
                if be::u32_at(inner.body, 0)? & 1 == 1 {
                    let position = be::u64_at(inner.body, 8)?.checked_sub(from)?.checked_add(to)?;
                    put(moved, at + 8, &position.to_be_bytes())?;
                }
            }
            // §8.8.12.
            b"tfdt" => {
                let offset = units(begins_at, *timescale?);
                if be::u8_at(inner.body, 0)? == 1 {
                    let time = be::u64_at(inner.body, 4)?.checked_add(offset)?;
                    put(moved, at + 4, &time.to_be_bytes())?;
                } else {
                    let time = be::u32_at(inner.body, 4)?.checked_add(u32::try_from(offset).ok()?)?;
                    put(moved, at + 4, &time.to_be_bytes())?;
                }
            }
            _ => {}
        }
    }
    Some(())
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a clip is far shorter than 2^64 units")]
fn units(seconds: f64, timescale: u32) -> u64 {
    (seconds * f64::from(timescale)).round().max(0.0) as u64
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) -> Option<()> {
    bytes.get_mut(at..at + value.len())?.copy_from_slice(value);
    Some(())
}
