//! The parts of an object that were fetched, addressed by the object's own offsets.
//!
//! The parsers are pure functions over a [`Window`]. Where they miss bytes they stop with [`Stop::Need`]; the caller
//! fetches them and runs the parser again from the start, which is cheap: there are never more than 128 KiB. A fetch
//! starts at the very structure that was missing, so no structure is ever put together from two fetches, and nothing is
//! copied.
//!
//! Invariant: everything a parser touches lies in fetched bytes, so its time and memory are bounded by the budget, not by
//! what the object claims about itself.

use bytes::Bytes;
use framepost_events::record::RejectReason;

/// Why an object is not taken.
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

/// Bytes that a parser cannot go on without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// At least `len` bytes from `at`.
    From {
        /// The first.
        at: u64,
        /// How many.
        len: u64,
    },
    /// The object's end, as much of it as there is, but no more than `most` bytes.
    Tail {
        /// How many.
        most: u64,
    },
}

/// Why a parser stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stop {
    /// It may go on with more bytes.
    Need(Need),
    /// No bytes will help.
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
    /// An object of `size` bytes of which `head` is known.
    pub(crate) fn new(size: u64, head: Bytes) -> Self {
        Self { size, extents: vec![(0, head)] }
    }

    /// Now the bytes from `at` are known too.
    pub(crate) fn add(&mut self, at: u64, bytes: Bytes) {
        self.extents.push((at, bytes));
    }

    /// The whole object's size.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// The known bytes from `at` up to `end` or the end of what was fetched with them.
    pub(crate) fn visible(&self, at: u64, end: u64) -> &[u8] {
        let Ok(wanted) = usize::try_from(end.saturating_sub(at)) else { return &[] };
        let known = self.extents.iter().filter_map(|(start, bytes)| {
            let from = usize::try_from(at.checked_sub(*start)?).ok()?;
            bytes.get(from..)
        });
        let longest = known.max_by_key(|bytes| bytes.len()).unwrap_or_default();
        &longest[..longest.len().min(wanted)]
    }

    /// Where the known end of the object begins, and its bytes; `None` where the end is not known.
    pub(crate) fn tail(&self) -> Option<(u64, &[u8])> {
        let ends = self.extents.iter().filter(|(start, bytes)| start + bytes.len() as u64 == self.size);
        ends.map(|(start, bytes)| (*start, bytes.as_ref())).min_by_key(|(start, _)| *start)
    }

    /// `len` bytes from `at`, if they are known.
    pub(crate) fn peek(&self, at: u64, len: u64) -> Option<&[u8]> {
        let bytes = self.visible(at, at.checked_add(len)?);
        (bytes.len() as u64 == len).then_some(bytes)
    }

    /// `len` bytes from `at`, or why there are none.
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
