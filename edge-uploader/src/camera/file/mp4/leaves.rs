//! Finds the boxes with a movie's information one by one, where the boxes around them are damaged.
//!
//! The information of a movie is in boxes without children (`tkhd`, `stsd`, `stsz` and so on). Their lengths
//! follow from their contents, so that a damaged size or a damaged container around them loses nothing.

use super::super::bytes::FileBytes;
use super::boxes;
use crate::media::VideoCodec;
use framepost_media::config;

/// A box without children.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Leaf<'a> {
    pub(super) kind: [u8; 4],
    pub(super) body: &'a [u8],
}

/// A part of a damaged movie, in file order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part<'a> {
    /// The start of a `trak`.
    Track,
    /// A sign that the movie has fragments.
    Extends,
    Leaf(Leaf<'a>),
}

/// Types of sample entries that can be recorded.
const ENTRIES: [&[u8; 4]; 9] = [b"avc1", b"avc3", b"dva1", b"dvav", b"hvc1", b"hev1", b"dvh1", b"dvhe", b"mp4a"];

/// Types of leaves, and of their parts in case the leaves themselves are damaged.
const MARKS: [&[u8; 4]; 21] = [
    b"mvhd", b"tkhd", b"elst", b"mdhd", b"hdlr", b"stsd", b"stts", b"ctts", b"stsc", b"stsz", b"stz2", b"stco",
    b"co64", b"trex", b"trak", b"mvex", b"avcC", b"hvcC", b"tfhd", b"tfdt", b"trun",
];

fn is_mark(kind: &[u8]) -> bool {
    MARKS.iter().chain(&ENTRIES).any(|mark| mark[..] == *kind)
}

/// Returns whether this is the type of a sample entry that can be recorded.
pub(super) fn is_entry(kind: [u8; 4]) -> bool {
    ENTRIES.contains(&&kind)
}

/// Returns the parts of a movie, whatever the state of its containers.
pub(super) fn parts(bytes: &[u8]) -> impl Iterator<Item = Part<'_>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            let step = bytes.get(at..)?.windows(4).skip(4).position(is_mark)?;
            let start = at + step;
            match part(&bytes[start..]) {
                Some((part, length)) => {
                    at = start + length.max(8);
                    return Some(part);
                }
                None => at = start + 1,
            }
        }
    })
}

/// Returns the part that begins here according to its type, and its length.
fn part(bytes: &[u8]) -> Option<(Part<'_>, usize)> {
    let kind = *bytes.get(4..)?.first_chunk::<4>()?;
    match &kind {
        b"trak" => return Some((Part::Track, 8)),
        b"mvex" => return Some((Part::Extends, 8)),
        _ => {}
    }
    let length = length(kind, bytes)?;
    Some((Part::Leaf(Leaf { kind, body: bytes.get(8..length)? }), length))
}

/// Returns the length of the box at the start of `bytes`: the length that its contents imply, the length that
/// it states, or the distance to the next box.
fn length(kind: [u8; 4], bytes: &[u8]) -> Option<usize> {
    let word = |at: usize| Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk::<4>()?) as usize);
    let claimed = word(0)?;
    let body = bytes.get(8..)?;
    let version = *body.first()?;
    // In a `trun`, the count precedes the fields that occur once.
    let count_at = |head: usize| if &kind == b"trun" { 12 } else { head - 4 };
    let rows =
        |head: usize, row: usize| word(count_at(head)).and_then(|count| head.checked_add(count.checked_mul(row)?));
    let by_version = |lengths: [usize; 2]| lengths.get(usize::from(version)).copied();
    let expected = match &kind {
        b"mvhd" => by_version([108, 120]),
        b"tkhd" => by_version([92, 104]),
        b"mdhd" => by_version([32, 44]),
        b"trex" => Some(32),
        b"tfdt" => by_version([16, 20]),
        b"tfhd" => flags(body).map(|flags| 16 + 8 * set(flags, &[0x1]) + 4 * set(flags, &[0x2, 0x8, 0x10, 0x20])),
        b"trun" => flags(body).and_then(|flags| {
            rows(16 + 4 * set(flags, &[0x1, 0x4]), 4 * set(flags, &[0x100, 0x200, 0x400, 0x800]))
                .filter(|_| flags >> 12 == 0)
        }),
        b"hdlr" => return handler(bytes, claimed),
        b"elst" => by_version([12, 20]).and_then(|row| rows(16, row)),
        b"stts" | b"ctts" | b"co64" => rows(16, 8),
        b"stsc" => rows(16, 12),
        b"stco" => rows(16, 4),
        b"stsz" if word(12) == Some(0) => rows(20, 4),
        b"stsz" => Some(20),
        b"stz2" => {
            word(16).map(|count| 20 + (count.saturating_mul(body.get(7).copied().unwrap_or(8).into())).div_ceil(8))
        }
        b"avcC" => config::record_bytes(VideoCodec::H264, body).map(|length| 8 + length),
        b"hvcC" => config::record_bytes(VideoCodec::H265, body).map(|length| 8 + length),
        _ => None,
    };
    // If the record is invalid, the type matched by chance, or the record is lost.
    if matches!(&kind, b"avcC" | b"hvcC") {
        return expected;
    }
    // A sample entry begins with six zero bytes and the index of a data reference (ISO/IEC 14496-12 §8.5.2).
    if ENTRIES.contains(&&kind) && body.get(..6) != Some(&[0; 6]) {
        return None;
    }
    let fits = |length: usize| (9..=bytes.len()).contains(&length);
    let goes_on = |length: usize| {
        let next = bytes.get(length..).unwrap_or_default();
        next.len() < 8 || next.get(4..8).is_some_and(|kind| is_mark(kind) || is_beside(kind))
    };
    let likely = expected.into_iter().chain([claimed]).filter(|length| fits(*length));
    if expected == Some(claimed) && fits(claimed) {
        return expected;
    }
    if let Some(length) = likely.clone().find(|length| goes_on(*length)) {
        return Some(length);
    }
    let has_records = &kind == b"stsd" || is_entry(kind);
    let lies_within = |other: [u8; 4]| has_records && (is_entry(other) || matches!(&other, b"avcC" | b"hvcC"));
    let ends = |other: &[u8]| {
        (is_mark(other) || is_beside(other)) && !other.first_chunk().is_some_and(|other| lies_within(*other))
    };
    let next = bytes.windows(4).skip(12).position(ends).map(|at| at + 8);
    Some(next.unwrap_or(bytes.len()))
}

/// Returns the flags of a full box (ISO/IEC 14496-12 §4.2).
fn flags(body: &[u8]) -> Option<u32> {
    let [_, a, b, c] = *body.first_chunk::<4>()?;
    Some(u32::from_be_bytes([0, a, b, c]))
}

/// Returns how many of the flags `of` are set.
fn set(flags: u32, of: &[u32]) -> usize {
    of.iter().filter(|flag| flags & **flag != 0).count()
}

/// Returns whether this box occurs beside the leaves and has no information on samples.
fn is_beside(kind: &[u8]) -> bool {
    const BESIDE: [&[u8; 4]; 23] = [
        b"mdia", b"minf", b"stbl", b"edts", b"dinf", b"dref", b"url ", b"vmhd", b"smhd", b"nmhd", b"hmhd", b"gmhd",
        b"stss", b"sgpd", b"sbgp", b"sdtp", b"cslg", b"udta", b"meta", b"ilst", b"mehd", b"free", b"traf",
    ];
    BESIDE.iter().any(|beside| beside[..] == *kind)
}

/// Returns whether this is a top-level box type.
pub(super) fn is_top(kind: &[u8]) -> bool {
    const TOP: [&[u8; 4]; 9] = [b"moov", b"moof", b"mdat", b"free", b"skip", b"mfra", b"udta", b"uuid", b"ftyp"];
    TOP.iter().any(|top| top[..] == *kind)
}

/// Returns the length of a handler box if it is for a recorded track. Metadata has handlers too.
fn handler(bytes: &[u8], claimed: usize) -> Option<usize> {
    let kind = bytes.get(16..20)?;
    let known = matches!(kind, b"vide" | b"soun");
    known.then(|| if (32..=1024).contains(&claimed) && claimed <= bytes.len() { claimed } else { 32.min(bytes.len()) })
}

/// The largest movie that is rebuilt from its parts.
const MOVIE_LIMIT_BYTES: u64 = 64 << 20;

/// Finds the remains of a movie without `moov` in `from..until`: from the first box that only movies contain to
/// the start of something else.
pub(super) fn find_movie(file: &mut FileBytes, from: u64, until: u64) -> Option<(u64, u64)> {
    let is_head = |mark: &[u8]| matches!(mark, b"mvhd" | b"tkhd" | b"mdhd" | b"stsd" | b"stbl" | b"trak");
    let kind_at = file.find(from.saturating_add(4), until, is_head, |file, kind_at| is_movie(file, kind_at - 4))?;
    let start = kind_at - 4;
    let is_other = |mark: &[u8]| matches!(mark, b"mdat" | b"moof" | b"moov");
    let limit = start.saturating_add(MOVIE_LIMIT_BYTES).min(until);
    let other = file.find(start + 8, limit, is_other, |_, _| true).map(|kind_at| kind_at - 4);
    Some((start, other.unwrap_or(limit.min(file.size()))))
}

/// Returns whether the box at `start` certainly belongs to a movie: another box of a movie follows
/// in it or after it.
fn is_movie(file: &mut FileBytes, start: u64) -> bool {
    const LONGEST: u64 = 120 + 8;
    let Ok(bytes) = file.read(start, LONGEST) else { return false };
    let Some(kind) = bytes.get(4..8) else { return false };
    let next = match kind {
        b"trak" | b"stbl" => Some(8),
        b"stsd" => Some(16),
        _ => bytes.first_chunk::<4>().map(|size| u32::from_be_bytes(*size) as usize),
    };
    let next = next.and_then(|at| bytes.get(at.checked_add(4)?..)?.get(..4));
    next.is_some_and(|kind| is_mark(kind) || is_beside(kind) || boxes::is_sought(kind))
}

#[cfg(test)]
mod tests {
    use super::*;
    use framepost_media::boxes::boxed;

    fn kinds(bytes: &[u8]) -> Vec<String> {
        let name = |part: Part<'_>| match part {
            Part::Track => "trak".to_owned(),
            Part::Extends => "mvex".to_owned(),
            Part::Leaf(leaf) => format!("{} {}", boxes::name(leaf.kind), leaf.body.len()),
        };
        parts(bytes).map(name).collect()
    }

    #[test]
    fn lengths_follow_from_contents() {
        let sizes = boxed(*b"stsz", &[&[0; 11], &[2], &[0, 0, 0, 5, 0, 0, 0, 6]]);
        let places = boxed(*b"stco", &[&[0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 48]]);
        let whole = [&sizes[..], &places].concat();
        let expected = ["stsz 20", "stco 12"];
        assert_eq!(kinds(&whole), expected);
        for size in [0_u32, 1, 7, 19, 27, 29, 1 << 20, u32::MAX] {
            let mut damaged = whole.clone();
            damaged[..4].copy_from_slice(&size.to_be_bytes());
            assert_eq!(kinds(&damaged), expected, "{size}");
        }
        // With a damaged number of rows, the stated length is used.
        let mut damaged = whole.clone();
        damaged[16..20].copy_from_slice(&[9, 9, 9, 9]);
        assert_eq!(kinds(&damaged), expected);
        // With both damaged, the box extends to the next one.
        damaged[..4].copy_from_slice(&[7, 7, 7, 7]);
        assert_eq!(kinds(&damaged), expected);
    }

    #[test]
    fn containers_are_not_needed() {
        let media = boxed(*b"mdhd", &[&[0; 24]]);
        let handler = boxed(*b"hdlr", &[&[0; 8], b"vide", &[0; 13]]);
        let metadata = boxed(*b"hdlr", &[&[0; 8], b"mdir", &[0; 13]]);
        let bytes = [&[3; 9][..], b"trak", &[9; 31], &media, &handler, &metadata, &[0; 5]].concat();
        assert_eq!(kinds(&bytes), ["trak", "mdhd 24", "hdlr 25"]);
    }

    proptest::proptest! {
        #[test]
        fn anything_is_walked(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..300)) {
            let _ = parts(&[&bytes[..], b"stszstcostts", &bytes].concat()).count();
        }
    }
}
