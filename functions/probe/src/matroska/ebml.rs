//! EBML elements (RFC 8794) in the window, by their offsets.

use crate::window::{Rejection, Stop, Window};
use framepost_media::ebml::{HEADER_BYTES, Header, header as header_of};

/// The position of an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Element {
    pub(super) id: u32,
    pub(super) start: u64,
    pub(super) body: u64,
    /// `None` if the size is unknown, as in live recordings.
    pub(super) end: Option<u64>,
}

impl Element {
    /// Returns the whole body.
    pub(super) fn bytes(self, window: &Window) -> Result<&[u8], Stop> {
        let Some(end) = self.end else {
            return Err(Rejection::malformed(format!("element {:x} of unknown size", self.id)).into());
        };
        window.get(self.body, end - self.body)
    }
}

/// Returns the element at `at`, or `None` at the object's end.
pub(super) fn at(window: &Window, at: u64) -> Result<Option<Element>, Stop> {
    let left = window.size().saturating_sub(at);
    if left == 0 {
        return Ok(None);
    }
    let malformed = |what: &str| Stop::from(Rejection::malformed(format!("element at {at}: {what}")));
    let header = window.get(at, left.min(HEADER_BYTES))?;
    let Header { id, header_bytes, size } = header_of(header).ok_or_else(|| malformed("no element header"))?;
    let body = at + header_bytes;
    let end = match size {
        Some(size) => Some(body.checked_add(size).ok_or_else(|| malformed("ends beyond 2^64"))?),
        None => None,
    };
    Ok(Some(Element { id, start: at, body, end }))
}
