//! The fetched parts of an object, addressed by offsets in the object.
//!
//! The parsers are pure functions over a [`Window`]. If bytes are missing, they stop with [`Stop::Need`].
//! The caller fetches the bytes and runs the parser again from the start, which is cheap, because there
//! are at most 128 KiB. A fetch starts at the missing structure itself, so that no structure spans two
//! fetches, and nothing is copied.
//!
//! Invariant: a parser only accesses fetched bytes. Its time and memory are therefore bounded by the budget,
//! not by sizes in the object.

use bytes::Bytes;
use framepost_events::record::RejectReason;

/// Why an object is rejected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rejection {
    pub(crate) reason: RejectReason,
    pub(crate) detail: String,
}

impl Rejection {
    pub(crate) fn new(reason: RejectReason, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into() }
    }

    pub(crate) fn malformed(detail: impl Into<String>) -> Self {
        Self::new(RejectReason::Malformed, detail)
    }
}

/// Bytes that a parser needs to continue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// At least `len` bytes from `at`.
    From {
        /// Offset of the first byte.
        at: u64,
        /// Least number of bytes.
        len: u64,
    },
    /// The end of the object, at most `most` bytes.
    Tail {
        /// Most bytes to fetch.
        most: u64,
    },
}

/// Why a parser stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stop {
    /// More bytes may help.
    Need(Need),
    /// More bytes do not help.
    Reject(Rejection),
}

impl From<Rejection> for Stop {
    fn from(rejection: Rejection) -> Self {
        Self::Reject(rejection)
    }
}

/// The fetched parts of one object.
#[derive(Debug)]
pub(crate) struct Window {
    size: u64,
    extents: Vec<(u64, Bytes)>,
}

impl Window {
    /// Creates the window of an object with `size` bytes and a known `head`.
    pub(crate) fn new(size: u64, head: Bytes) -> Self {
        Self { size, extents: vec![(0, head)] }
    }

    /// Adds bytes that were read, the first of which has the offset `at` in the object.
    pub(crate) fn add(&mut self, at: u64, bytes: Bytes) {
        self.extents.push((at, bytes));
    }

    /// Returns the size of the whole object.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Returns the known bytes from `at` up to `end`, or up to the end of the same fetch.
    pub(crate) fn visible(&self, at: u64, end: u64) -> &[u8] {
        let Ok(wanted) = usize::try_from(end.saturating_sub(at)) else { return &[] };
        let known = self.extents.iter().filter_map(|(start, bytes)| {
            let from = usize::try_from(at.checked_sub(*start)?).ok()?;
            bytes.get(from..)
        });
        let longest = known.max_by_key(|bytes| bytes.len()).unwrap_or_default();
        &longest[..longest.len().min(wanted)]
    }

    /// Returns the start and the bytes of the known end of the object, or `None` if the end is not known.
    pub(crate) fn tail(&self) -> Option<(u64, &[u8])> {
        let ends = self.extents.iter().filter(|(start, bytes)| start + bytes.len() as u64 == self.size);
        ends.map(|(start, bytes)| (*start, bytes.as_ref())).min_by_key(|(start, _)| *start)
    }

    /// Returns `len` bytes from `at`, if they are known.
    pub(crate) fn peek(&self, at: u64, len: u64) -> Option<&[u8]> {
        let bytes = self.visible(at, at.checked_add(len)?);
        (bytes.len() as u64 == len).then_some(bytes)
    }

    /// Returns `len` bytes from `at`, or the reason why it cannot.
    pub(crate) fn get(&self, at: u64, len: u64) -> Result<&[u8], Stop> {
        if let Some(bytes) = self.peek(at, len) {
            return Ok(bytes);
        }
        match at.checked_add(len) {
            Some(end) if end <= self.size => Err(Stop::Need(Need::From { at, len })),
            _ => {
                let detail = format!("{len} bytes expected at {at}, the object has {}", self.size);
                Err(Rejection::new(RejectReason::Truncated, detail).into())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_missing_from_not_there() {
        let mut window = Window::new(100, Bytes::from_static(b"0123456789"));
        assert_eq!(window.get(2, 3), Ok(&b"234"[..]));
        assert_eq!(window.get(8, 4), Err(Stop::Need(Need::From { at: 8, len: 4 })));
        assert!(matches!(window.get(98, 4), Err(Stop::Reject(r)) if r.reason == RejectReason::Truncated));
        assert!(matches!(window.get(u64::MAX, 4), Err(Stop::Reject(_))));
        window.add(8, Bytes::from_static(b"89ab"));
        assert_eq!(window.get(8, 4), Ok(&b"89ab"[..]));
        assert_eq!(window.visible(9, 100), b"9ab");
        assert_eq!(window.visible(9, 10), b"9");
        assert_eq!(window.tail(), None);
        window.add(98, Bytes::from_static(b"yz"));
        assert_eq!(window.tail(), Some((98, &b"yz"[..])));
    }
}
