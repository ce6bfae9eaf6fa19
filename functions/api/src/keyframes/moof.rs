//! Finds the first picture of a fragment in the first bytes of its `moof` (ISO/IEC 14496-12 §8.8.4), and of a chunk.

use framepost_media::be;
use framepost_media::boxes;
use std::ops::Range;

/// `tfhd` has a base for the offsets of data (§8.8.7.1).
const HAS_BASE: u32 = 0x1;
/// What else stands in a `tfhd` before the size that samples have by default.
const HAS_DESCRIPTION: u32 = 0x2;
const HAS_DURATION: u32 = 0x8;
const HAS_SIZE: u32 = 0x10;
/// What stands in a `trun`, before its samples and for each of them (§8.8.8.1).
const RUN_HAS_OFFSET: u32 = 0x1;
const RUN_HAS_FIRST_FLAGS: u32 = 0x4;
const RUN_HAS_DURATIONS: u32 = 0x100;
const RUN_HAS_SIZES: u32 = 0x200;

/// A box, of which the end may be missing.
struct Begun<'a> {
    kind: [u8; 4],
    /// Its body as far as it is there.
    body: &'a [u8],
    /// Offset behind it, from the start of the bytes that were searched.
    end: u64,
}

/// Returns the boxes in these bytes, also the one that their end cuts.
fn begun(bytes: &[u8]) -> impl Iterator<Item = Begun<'_>> {
    let mut at = 0_u64;
    std::iter::from_fn(move || {
        let rest = bytes.get(usize::try_from(at).ok()?..)?;
        let (size, header) = boxes::size(rest)?;
        let kind = be::array(rest, 4)?;
        let len = usize::try_from(size).unwrap_or(usize::MAX).min(rest.len());
        let body = rest.get(header..len)?;
        at = at.checked_add(size)?;
        Some(Begun { kind, body, end: at })
    })
}

fn child(bytes: &[u8], kind: [u8; 4]) -> Option<Begun<'_>> {
    begun(bytes).find(|found| found.kind == kind)
}

/// What is known of the first picture of a fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    /// From the `moof` to the end of its first picture, as offsets in the object.
    Picture(Range<u64>),
    /// It takes this many bytes of the `moof` to say.
    Bytes(u64),
    /// There is no picture of the track, or what says where it is cannot be followed.
    Nothing,
}

/// Looks for the first picture of a track in a fragment whose `moof` begins with `bytes`, at the offset `at` of the object.
pub(super) fn first_picture(bytes: &[u8], at: u64, track: u32) -> Found {
    let Some(moof) = begun(bytes).next().filter(|moof| moof.kind == *b"moof") else { return Found::Nothing };
    let is_whole = moof.end <= bytes.len() as u64;
    match picture(moof.body, at, track) {
        Some(range) => Found::Picture(range),
        None if is_whole => Found::Nothing,
        None => Found::Bytes(moof.end),
    }
}

fn picture(moof: &[u8], at: u64, track: u32) -> Option<Range<u64>> {
    let is_of_track = |traf: &Begun<'_>| {
        traf.kind == *b"traf" && child(traf.body, *b"tfhd").and_then(|tfhd| be::u32_at(tfhd.body, 4)) == Some(track)
    };
    let traf = begun(moof).find(is_of_track)?;
    let tfhd = child(traf.body, *b"tfhd")?.body;
    let of_track = be::u32_at(tfhd, 0)?;
    let base = if of_track & HAS_BASE == 0 { at } else { be::u64_at(tfhd, 8)? };
    let by_default = || {
        let before = [(HAS_BASE, 8), (HAS_DESCRIPTION, 4), (HAS_DURATION, 4)];
        let before: usize = before.iter().filter(|(flag, _)| of_track & flag != 0).map(|(_, bytes)| bytes).sum();
        (of_track & HAS_SIZE != 0).then(|| be::u32_at(tfhd, 8 + before)).flatten()
    };
    let trun = child(traf.body, *b"trun")?.body;
    let of_run = be::u32_at(trun, 0)?;
    if of_run & RUN_HAS_OFFSET == 0 || be::u32_at(trun, 4)? == 0 {
        return None;
    }
    let offset = i64::from(be::u32_at(trun, 8)?.cast_signed());
    let sample = 12 + if of_run & RUN_HAS_FIRST_FLAGS == 0 { 0 } else { 4 };
    let size = if of_run & RUN_HAS_SIZES == 0 {
        by_default()?
    } else {
        be::u32_at(trun, sample + if of_run & RUN_HAS_DURATIONS == 0 { 0 } else { 4 })?
    };
    let start = base.checked_add_signed(offset)?;
    let end = start.checked_add(size.into())?;
    (start > at && size > 0).then_some(at..end)
}

/// Returns the id of the first video track of an initialization segment (§8.4.3: the handler `vide`).
pub(super) fn video_track(init: &[u8]) -> Option<u32> {
    let moov = child(init, *b"moov")?;
    begun(moov.body).filter(|found| found.kind == *b"trak").find_map(|trak| {
        let hdlr = child(child(trak.body, *b"mdia")?.body, *b"hdlr")?.body;
        let tkhd = child(trak.body, *b"tkhd")?.body;
        let id = be::u32_at(tkhd, if be::u8_at(tkhd, 0)? == 1 { 20 } else { 12 })?;
        (hdlr.get(8..12)? == b"vide").then_some(id)
    })
}

/// Returns the offset of the first `moof` in bytes that begin with a box.
pub(super) fn first_moof(bytes: &[u8]) -> Option<u64> {
    let mut at = 0;
    for found in begun(bytes) {
        if found.kind == *b"moof" {
            return Some(at);
        }
        at = found.end;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clip::made::{moof, numbers, traf};
    use framepost_media::boxes::boxed;

    #[test]
    fn a_picture_is_found_by_all_ways_of_saying_its_size() {
        let sound = traf(&[0x02_0000, 2], 0, &[0x201, 3, 900, 5, 5, 5]);
        for (video, expected) in [
            // Duration, size and flags of each sample.
            (traf(&[0x02_0000, 1], 0, &[0x701, 2, 300, 3600, 70, 0, 3600, 20, 1]), Some(1_000..1_370)),
            // Flags of the first sample, then sizes.
            (traf(&[0x02_0000, 1], 0, &[0x205, 2, 300, 0, 80, 20]), Some(1_000..1_380)),
            // The track's default size, behind a base in the file, a description and a duration.
            (traf(&[0x1b, 1, 0, 7_000, 1, 3600, 90], 0, &[0x1, 2, 8]), Some(1_000..7_098)),
            // Before the fragment, without an offset, without a sample, and without a size.
            (traf(&[0x02_0000, 1], 0, &[0x201, 1, u32::MAX, 70]), None),
            (traf(&[0x02_0000, 1], 0, &[0x200, 1, 70]), None),
            (traf(&[0x02_0000, 1], 0, &[0x201, 0, 300]), None),
            (traf(&[0x02_0000, 1], 0, &[0x1, 1, 300]), None),
        ] {
            for order in [[video.clone(), sound.clone()], [sound.clone(), video.clone()]] {
                let whole = moof(&order);
                let expected = expected.clone().map_or(Found::Nothing, Found::Picture);
                assert_eq!(first_picture(&whole, 1_000, 1), expected);
                for cut in 0..whole.len() {
                    let found = first_picture(&whole[..cut], 1_000, 1);
                    let is_right = found == expected || found == Found::Bytes(whole.len() as u64);
                    assert!(is_right || cut < 8, "{cut}: {found:?}");
                }
            }
        }
        assert_eq!(first_picture(&moof(&[sound]), 0, 1), Found::Nothing);
        assert_eq!(first_picture(&boxed(*b"mdat", &[&[0; 90]]), 0, 1), Found::Nothing);
    }

    #[test]
    fn the_first_fragment_and_the_video_track_are_found_in_a_head() {
        let trak = |id: u32, handler: &[u8; 4]| {
            let tkhd = boxed(*b"tkhd", &[&numbers(&[0, 0, 0, id, 0])]);
            let hdlr = boxed(*b"hdlr", &[&[0; 8], handler, &[0; 12]]);
            boxed(*b"trak", &[&tkhd, &boxed(*b"mdia", &[&hdlr])])
        };
        let moov = boxed(*b"moov", &[&trak(4, b"soun"), &trak(9, b"vide")]);
        let head = [boxed(*b"ftyp", &[&[0; 8]]), moov, boxed(*b"prft", &[&[0; 24]])].concat();
        assert_eq!(video_track(&head), Some(9));
        assert_eq!(first_moof(&head), None);
        let whole = [&head[..], &moof(&[])[..12]].concat();
        assert_eq!(first_moof(&whole), Some(head.len() as u64));
        assert_eq!(video_track(&boxed(*b"moov", &[&trak(4, b"soun")])), None);
    }
}
