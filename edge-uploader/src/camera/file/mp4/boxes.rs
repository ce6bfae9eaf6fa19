//! Boxes of ISO/IEC 14496-12 within bytes in memory: bounded, without recursion.

use super::super::demux::Fault;
use re_mp4::ReadBox;
use std::io::Cursor;

/// One whole box.
#[derive(Debug, Clone, Copy)]
pub(super) struct Box4<'a> {
    pub(super) kind: [u8; 4],
    header_bytes: usize,
    bytes: &'a [u8],
}

impl<'a> Box4<'a> {
    /// What follows the header.
    pub(super) fn body(self) -> &'a [u8] {
        &self.bytes[self.header_bytes..]
    }

    /// The first child of a kind.
    pub(super) fn child(self, kind: [u8; 4]) -> Option<Box4<'a>> {
        boxes(self.body()).find(|b| b.kind == kind)
    }

    /// The box at the end of a path.
    pub(super) fn descendant(self, path: &[[u8; 4]]) -> Option<Box4<'a>> {
        path.iter().try_fold(self, |parent, kind| parent.child(*kind))
    }

    /// Reads a box without children by re_mp4. Its readers seek to the end of the box; the cursor ends there too.
    pub(super) fn read<T>(self) -> Result<T, Fault>
    where
        T: for<'r> ReadBox<&'r mut Cursor<&'a [u8]>>,
    {
        let mut cursor = Cursor::new(self.bytes);
        cursor.set_position(self.header_bytes as u64);
        // They take the header for 8 bytes long, whatever it was.
        let size = self.bytes.len() - self.header_bytes + 8;
        T::read_box(&mut cursor, size as u64)
            .map_err(|error| Fault::because(format!("the {} box is damaged", name(self.kind)), error))
    }
}

/// A box type as text.
pub(super) fn name(kind: [u8; 4]) -> String {
    kind.escape_ascii().to_string()
}

/// The boxes in `bytes`, one after the other; ends at the first that does not fit.
pub(super) fn boxes(bytes: &[u8]) -> impl Iterator<Item = Box4<'_>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let header = rest.get(..rest.len().min(16)).filter(|header| header.len() >= 8)?;
        let (size, header_bytes) = size(header)?;
        let kind = [header[4], header[5], header[6], header[7]];
        let size = if size == 0 { rest.len() } else { usize::try_from(size).ok()? };
        if size < header_bytes {
            return None;
        }
        let (whole, after) = rest.split_at_checked(size)?;
        rest = after;
        Some(Box4 { kind, header_bytes, bytes: whole })
    })
}

/// A box's size (0: to the end) and the length of its header, from up to 16 bytes.
pub(super) fn size(header: &[u8]) -> Option<(u64, usize)> {
    let (small, rest) = header.split_first_chunk::<4>()?;
    match u32::from_be_bytes(*small) {
        1 => {
            let large = rest.get(4..)?.first_chunk::<8>()?;
            Some((u64::from_be_bytes(*large), 16))
        }
        size => Some((size.into(), 8)),
    }
}
