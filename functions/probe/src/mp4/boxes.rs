//! Walks boxes (ISO/IEC 14496-12 §4.2) without reading their bodies.

use crate::window::{Rejection, Stop, Window};

/// The position of a box.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BoxAt {
    pub(super) kind: [u8; 4],
    /// Offset of the box's first byte.
    pub(super) start: u64,
    /// Offset of the first byte after its header.
    pub(super) body: u64,
    /// Offset of the first byte after it; beyond the object's end if the object was truncated.
    pub(super) end: u64,
}

impl BoxAt {
    /// Returns the whole body of the box.
    pub(super) fn bytes(self, window: &Window) -> Result<&[u8], Stop> {
        window.get(self.body, self.end - self.body)
    }

    /// Returns the body's first `len` bytes, or the whole body if it is shorter.
    pub(super) fn prefix(self, window: &Window, len: u64) -> Result<&[u8], Stop> {
        window.get(self.body, len.min(self.end - self.body))
    }

    /// Returns the boxes inside it, the first of which is `skip` bytes after the start of its body.
    pub(super) fn children(self, window: &Window, skip: u64) -> Boxes<'_> {
        Boxes { window, at: self.body.saturating_add(skip), limit: self.end, level: Level::Nested }
    }

    /// Returns the error for invalid contents.
    pub(super) fn malformed(self, what: &str) -> Stop {
        Rejection::malformed(format!("{} at {}: {what}", name(self.kind), self.start)).into()
    }
}

/// Formats a box type as text.
pub(super) fn name(kind: [u8; 4]) -> String {
    String::from_utf8_lossy(&kind).escape_debug().to_string()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    /// The file's own boxes, which may extend to the end or beyond.
    Top,
    /// Boxes inside another box, which they must not exceed.
    Nested,
}

/// The boxes of one level, in order.
pub(super) struct Boxes<'w> {
    window: &'w Window,
    at: u64,
    limit: u64,
    level: Level,
}

impl<'w> Boxes<'w> {
    /// Returns the file's own boxes from `at`.
    pub(super) fn top(window: &'w Window, at: u64) -> Self {
        Self { window, at, limit: window.size(), level: Level::Top }
    }

    /// Returns the next box. Less than eight remaining bytes are padding.
    pub(super) fn next(&mut self) -> Result<Option<BoxAt>, Stop> {
        if self.limit.saturating_sub(self.at) < 8 {
            return Ok(None);
        }
        let start = self.at;
        let header = self.window.get(start, 8)?;
        let kind = [header[4], header[5], header[6], header[7]];
        let malformed = |what: &str| Stop::from(Rejection::malformed(format!("{} at {start}: {what}", name(kind))));
        let known = match framepost_media::boxes::size(header) {
            Some(known) => Some(known),
            // The size has 64 bits.
            None => framepost_media::boxes::size(self.window.get(start, 16)?),
        };
        let (size, header_bytes) = known.unwrap_or_default();
        let header_len = header_bytes as u64;
        let size = if size == 0 && self.level == Level::Top { self.limit - start } else { size };
        if size < header_len {
            return Err(malformed("smaller than its own header"));
        }
        let end = start.checked_add(size).ok_or_else(|| malformed("ends beyond 2^64"))?;
        if end > self.limit && self.level == Level::Nested {
            return Err(malformed("leaves the box around it"));
        }
        self.at = end;
        Ok(Some(BoxAt { kind, start, body: start + header_len, end }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn walk(bytes: &[u8]) -> Result<Vec<(String, u64)>, Stop> {
        let window = Window::new(bytes.len() as u64, Bytes::copy_from_slice(bytes));
        let mut boxes = Boxes::top(&window, 0);
        let mut found = Vec::new();
        while let Some(next) = boxes.next()? {
            found.push((name(next.kind), next.end));
        }
        Ok(found)
    }

    #[test]
    fn sizes_of_all_kinds() {
        let found = walk(b"\0\0\0\x08free\0\0\0\x01wide\0\0\0\0\0\0\0\x10\0\0\0\0mdatxx").unwrap();
        assert_eq!(found, [("free".to_owned(), 8), ("wide".to_owned(), 24), ("mdat".to_owned(), 34)]);
        assert!(walk(b"\0\0\0\x07free").is_err());
        assert!(walk(b"\0\0\0\x01free\0\0\0\0\0\0\0\x0f").is_err());
        assert!(walk(b"\0\0\0\x08free\0\0\0\x01free\xff\xff\xff\xff\xff\xff\xff\xff").is_err());
        assert_eq!(walk(b"\x7f\0\0\0mdat").unwrap(), [("mdat".to_owned(), 0x7f00_0000)]);
    }
}
