//! The top-level boxes of a file. They are found by their headers, read completely only if they describe the
//! structure, and searched for after damage.

use super::super::bytes::FileBytes;
use super::super::demux::Fault;
use super::boxes::{self, boxes};

/// The largest `moov` or `moof` that is read: the tables of about eight million frames.
const STRUCTURE_LIMIT_BYTES: u64 = 64 << 20;

/// Known top-level box types (ISO/IEC 14496-12, QuickTime, DASH, and those of recorders). A box of another type
/// is accepted if a known box follows it.
const KINDS: [&[u8; 4]; 22] = [
    b"ftyp", b"styp", b"moov", b"moof", b"mdat", b"free", b"skip", b"wide", b"pnot", b"sidx", b"ssix", b"prft",
    b"mfra", b"uuid", b"emsg", b"meta", b"pdin", b"udta", b"imda", b"junk", b"PICT", b"frea",
];

/// A top-level box of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) kind: [u8; 4],
    pub(super) start: u64,
    pub(super) end: u64,
}

/// What is at a position of the file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// The end of the file.
    End,
    Box(Header),
    /// Damaged data from here to the named box.
    Damage {
        from: u64,
        next: Header,
    },
    /// No further box can be found.
    Lost {
        problem: String,
    },
}

/// Where to search for the next box after one with a wrong size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Search {
    /// Also inside the box, which may contain a fragment.
    Within,
    /// Only after the box: the media data of a movie without fragments is large, and is located by tables.
    Behind,
}

/// Reads the header at `at` without judging it. Returns `None` if there is none.
fn header(file: &mut FileBytes, at: u64) -> Option<Header> {
    let bytes = file.read(at, 16).ok()?;
    let (length, header_bytes) = framepost_media::boxes::size(&bytes)?;
    let kind = *bytes.get(4..)?.first_chunk::<4>()?;
    let length = if length == 0 { file.size() - at } else { length };
    (length >= header_bytes as u64).then(|| Header { kind, start: at, end: at.saturating_add(length) })
}

fn is_known(header: Header) -> bool {
    KINDS.contains(&&header.kind)
}

/// Returns whether the file ends at `at`, or continues with a known box.
fn goes_on(file: &mut FileBytes, at: u64) -> bool {
    at == file.size() || at < file.size() && header(file, at).is_some_and(|next| is_known(named(file, next)))
}

/// Returns what is at `at`, with data that is not a box skipped.
pub(super) fn next_box(file: &mut FileBytes, at: u64, search: Search) -> Next {
    let size = file.size();
    if at >= size {
        return Next::End;
    }
    let (from, problem) = match header(file, at).map(|found| named(file, found)) {
        None if size - at < 16 => {
            return Next::Lost {
                problem: format!("the file is cut short: the box at byte {at} has an incomplete header"),
            };
        }
        None => (at + 1, format!("the box at byte {at} has an impossible size")),
        Some(found) if found.end <= size => {
            let structure = matches!(&found.kind, b"moov" | b"moof") && found.end - at <= STRUCTURE_LIMIT_BYTES;
            if structure && begins_well(file, at)
                || goes_on(file, found.end) && found.kind.iter().all(u8::is_ascii_graphic)
            {
                return Next::Box(found);
            }
            if is_known(found) && search == Search::Behind {
                return Next::Box(found);
            }
            (at + 8, format!("what follows the {} box at byte {at} is damaged", boxes::name(found.kind)))
        }
        Some(found) => {
            (at + 8, format!("the file is cut short within the {} box at byte {at}", boxes::name(found.kind)))
        }
    };
    if let Some(fragment) = before_its_data(file, at) {
        return Next::Box(fragment);
    }
    let cut = header(file, at).filter(|found| &found.kind == b"moov" && found.end > size);
    match find_structure(file, from) {
        // Its tracks may be intact nevertheless.
        None if cut.is_some() && begins_well(file, at) => Next::Box(Header { kind: *b"moov", start: at, end: size }),
        // If the box itself is complete, only the data after it is lost.
        Some(next) => {
            let whole = header(file, at).filter(|found| is_known(*found) && found.end <= next.start);
            Next::Damage { from: whole.map_or(at, |found| found.end), next }
        }
        None => Next::Lost { problem },
    }
}

/// Returns a fragment or a movie whose type is damaged as what it is, whatever type the damage gave it: only a `moof` begins with
/// `mfhd` and `traf` (ISO/IEC 14496-12 §8.8.4), and only a `moov` with an `mvhd` (§8.2.2). A recorder that wants to void one
/// overwrites its contents, or what it wrote is still footage.
fn named(file: &mut FileBytes, found: Header) -> Header {
    let Ok(bytes) = file.read(found.start, 32) else { return found };
    if bytes.starts_with(&[0, 0, 0, 1]) {
        return found;
    }
    // Two headers, and between them the eight bytes of `mfhd`.
    let is_fragment = bytes.get(8..16) == Some(b"\0\0\0\x10mfhd") && bytes.get(28..32) == Some(b"traf");
    let is_movie = matches!(bytes.get(8..16), Some(b"\0\0\0\x6cmvhd" | b"\0\0\0\x78mvhd"));
    match (is_fragment, is_movie) {
        (true, _) => Header { kind: *b"moof", ..found },
        (_, true) => Header { kind: *b"moov", ..found },
        (false, false) => found,
    }
}

/// Returns the `moof` at `at` up to the `mdat` behind it, if its own size is damaged.
fn before_its_data(file: &mut FileBytes, at: u64) -> Option<Header> {
    // A fragment of many samples; a longer one is searched for like everything else.
    const NEAR_BYTES: u64 = 1 << 20;
    let fragment = header(file, at).filter(|found| &found.kind == b"moof")?;
    if !begins_well(file, at) {
        return None;
    }
    let is_next = |mark: &[u8]| mark == b"mdat" || mark == b"moof";
    let kind_at = file.find(at + 12, at.saturating_add(NEAR_BYTES), is_next, |file, kind_at| {
        header(file, kind_at - 4).is_some_and(|next| next.end <= file.size())
    })?;
    let next = header(file, kind_at - 4).filter(|next| &next.kind == b"mdat")?;
    Some(Header { end: next.start, ..fragment })
}

/// Returns the next `moof` or `moov` from `from` on whose first child is plausible.
fn find_structure(file: &mut FileBytes, from: u64) -> Option<Header> {
    let found = file.find(
        from + 4,
        u64::MAX,
        |mark| mark == b"moof" || mark == b"moov",
        |file, kind| {
            let start = kind - 4;
            header(file, start).is_some_and(|found| found.end <= file.size()) && begins_well(file, start)
        },
    );
    header(file, found? - 4)
}

/// Returns whether the first box inside the one at `at` is of a type that comes first there.
fn begins_well(file: &mut FileBytes, at: u64) -> bool {
    let Ok(bytes) = file.read(at, 16) else { return false };
    let header_bytes = if bytes.starts_with(&[0, 0, 0, 1]) { 16 } else { 8 };
    let Ok(first) = file.read(at + header_bytes, 8) else { return false };
    let kinds: &[&[u8]] = &[b"mfhd", b"traf", b"mvhd", b"trak", b"cmov", b"udta", b"iods", b"mvex", b"meta", b"free"];
    first.get(4..).is_some_and(|kind| kinds.contains(&kind))
}

/// Returns the position of a `moov` in a file whose start is damaged.
pub(super) fn find_anywhere(file: &mut FileBytes) -> Option<u64> {
    find_structure(file, 0).map(|found| found.start)
}

/// Returns the position of the first fragment inside a `moov`, which has none of its own: a `moov` that lost bytes, or
/// whose size lies, takes in what follows it.
pub(super) fn fragment_within(file: &mut FileBytes, found: Header) -> Option<u64> {
    let kind = file.find(
        found.start + 12,
        found.end + 4,
        |mark| mark == b"moof",
        |file, kind| {
            kind - 4 < found.end
                && header(file, kind - 4).is_some_and(|fragment| fragment.end <= file.size())
                && begins_well(file, kind - 4)
        },
    );
    Some(kind? - 4)
}

/// Reads a complete box with its header.
pub(super) fn read_box(file: &mut FileBytes, header: Header) -> Result<Vec<u8>, Fault> {
    let at = header.start;
    let length = header.end - header.start;
    let name = boxes::name(header.kind);
    if length > STRUCTURE_LIMIT_BYTES {
        return Err(Fault::new(format!("the {name} box at byte {at} claims {length} bytes, which is too many")));
    }
    let failed = |error| Fault::because(format!("the {name} box at byte {at} cannot be read"), error);
    let bytes = file.read(at, length).map_err(failed)?;
    if (bytes.len() as u64) < length {
        return Err(Fault::new(format!("the file is cut short within the {name} box at byte {at}")));
    }
    Ok(bytes)
}

/// Returns whether a container's boxes, at all levels, follow each other without a gap.
pub(super) fn is_whole(kind: [u8; 4], body: &[u8]) -> bool {
    const CONTAINERS: [&[u8; 4]; 9] = [b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts", b"mvex", b"moof", b"traf"];
    if !CONTAINERS.contains(&&kind) {
        return true;
    }
    let mut covered = 0;
    for child in boxes(body) {
        // QuickTime ends a list with a zero in place of a size. A box at another offset was found by searching.
        if child.offset_in(body) != Some(covered) || !is_whole(child.kind, child.body()) {
            return false;
        }
        covered += child.len();
    }
    body[covered..].iter().all(|byte| *byte == 0) && body.len() - covered < 8
}
