//! Boxes of ISO/IEC 14496-12 in memory, read with bounds checks and without recursion.

use super::super::demux::Fault;
use framepost_media::boxes::size;
use re_mp4::ReadBox;
use std::io::Cursor;

/// Box types that are searched for after damage in movies and fragments.
const SOUGHT: [&[u8; 4]; 24] = [
    b"mvhd", b"trak", b"tkhd", b"edts", b"elst", b"mdia", b"mdhd", b"hdlr", b"minf", b"stbl", b"stsd", b"stts",
    b"ctts", b"stsc", b"stsz", b"stz2", b"stco", b"co64", b"mvex", b"trex", b"traf", b"tfhd", b"tfdt", b"trun",
];

/// A box whose header and body are whole (ISO/IEC 14496-12 §4.2).
#[derive(Debug, Clone, Copy)]
pub(super) struct Box4<'a> {
    pub(super) kind: [u8; 4],
    header_bytes: usize,
    bytes: &'a [u8],
}

impl<'a> Box4<'a> {
    /// Returns what follows the header.
    pub(super) fn body(self) -> &'a [u8] {
        &self.bytes[self.header_bytes..]
    }

    /// Returns its length, including the header.
    pub(super) fn len(self) -> usize {
        self.bytes.len()
    }

    /// Returns its offset in `bytes`, which must contain it.
    pub(super) fn offset_in(self, bytes: &[u8]) -> Option<usize> {
        (self.bytes.as_ptr().addr()).checked_sub(bytes.as_ptr().addr()).filter(|offset| *offset <= bytes.len())
    }

    /// Returns the first child of this type.
    pub(super) fn child(self, kind: [u8; 4]) -> Option<Box4<'a>> {
        boxes(self.body()).find(|b| b.kind == kind)
    }

    /// Returns the box at the end of a path. If boxes on the path are damaged, searches the remaining data for
    /// the last type of the path.
    pub(super) fn descendant(self, path: &[[u8; 4]]) -> Option<Box4<'a>> {
        let mut parent = self;
        for kind in path {
            let found = parent.child(*kind);
            let last = || path.last().and_then(|last| parent.child(*last));
            match found {
                Some(found) => parent = found,
                None => return last(),
            }
        }
        Some(parent)
    }

    /// Reads a box without children with re_mp4, whose readers end at the end of the box.
    pub(super) fn read<T>(self) -> Result<T, Fault>
    where
        T: for<'r> ReadBox<&'r mut Cursor<&'a [u8]>>,
    {
        let mut cursor = Cursor::new(self.bytes);
        cursor.set_position(self.header_bytes as u64);
        // The readers assume that the header has 8 bytes.
        let size = self.bytes.len() - self.header_bytes + 8;
        T::read_box(&mut cursor, size as u64)
            .map_err(|error| Fault::because(format!("the {} box is damaged", name(self.kind)), error))
    }
}

/// Returns the box that `bytes` consist of, even if they end before the box does.
pub(super) fn whole(bytes: &[u8]) -> Option<Box4<'_>> {
    let (_, header_bytes) = size(bytes.get(..bytes.len().min(16))?)?;
    let kind = *bytes.get(4..header_bytes.max(8))?.first_chunk::<4>()?;
    bytes.get(header_bytes..).map(|_| Box4 { kind, header_bytes, bytes })
}

/// Returns whether this box type is searched for after damage.
pub(super) fn is_sought(kind: &[u8]) -> bool {
    SOUGHT.iter().any(|sought| sought[..] == *kind)
}

/// Formats a box type as text.
pub(super) fn name(kind: [u8; 4]) -> String {
    kind.escape_ascii().to_string()
}

/// Returns the consecutive boxes in `bytes`. Skips data that is not a box up to the next known box that fits.
pub(super) fn boxes(bytes: &[u8]) -> impl Iterator<Item = Box4<'_>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let found = first_of(rest).filter(|(found, _)| plausible(found.kind)).or_else(|| {
            let mut places = rest.windows(4).enumerate().skip(4);
            places.find_map(|(kind_at, kind)| is_sought(kind).then(|| first_of(&rest[kind_at - 4..])).flatten())
        });
        let (found, after) = found?;
        rest = after;
        Some(found)
    })
}

fn plausible(kind: [u8; 4]) -> bool {
    kind.iter().all(|byte| (0x20..0x7f).contains(byte) || *byte == 0xa9)
}

/// Returns the box at the start of `bytes`, and what follows it.
fn first_of(bytes: &[u8]) -> Option<(Box4<'_>, &[u8])> {
    let header = bytes.get(..bytes.len().min(16)).filter(|header| header.len() >= 8)?;
    let (size, header_bytes) = size(header)?;
    let kind = [header[4], header[5], header[6], header[7]];
    let size = if size == 0 { bytes.len() } else { usize::try_from(size).ok()? };
    if size < header_bytes {
        return None;
    }
    let size = if size > bytes.len() { size.min(clipped(kind, bytes)?) } else { size };
    let (whole, after) = bytes.split_at_checked(size)?;
    Some((Box4 { kind, header_bytes, bytes: whole }, after))
}

/// Returns the end of a box that is larger than the data: the start of the next box that cannot be inside it,
/// or the end of the data.
fn clipped(kind: [u8; 4], bytes: &[u8]) -> Option<usize> {
    const OUTER: [&[u8; 4]; 3] = [b"trak", b"mvex", b"traf"];
    SOUGHT.contains(&&kind).then_some(())?;
    let is_container = matches!(&kind, b"trak" | b"mdia" | b"minf" | b"stbl" | b"edts" | b"mvex" | b"traf" | b"stsd");
    let ends = |found: &[u8]| {
        let kinds: &[&[u8; 4]] = if is_container { &OUTER } else { &SOUGHT };
        kinds.iter().any(|kind| kind[..] == *found)
    };
    let next = bytes.windows(4).enumerate().skip(12).find(|(_, found)| ends(found)).map(|(kind_at, _)| kind_at - 4);
    Some(next.unwrap_or(bytes.len()))
}
