//! EBML elements (RFC 8794), located in the window or within a complete body.

use crate::window::{Rejection, Stop, Window};

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
    let header = window.get(at, left.min(12))?;
    let (id, id_len) = id(header).ok_or_else(|| malformed("no element id"))?;
    let (size, size_len) = size(&header[id_len..]).ok_or_else(|| malformed("no element size"))?;
    let body = at + (id_len + size_len) as u64;
    let end = match size {
        Some(size) => Some(body.checked_add(size).ok_or_else(|| malformed("ends beyond 2^64"))?),
        None => None,
    };
    Ok(Some(Element { id, start: at, body, end }))
}

/// Reads an element id with its marker, and its length.
fn id(bytes: &[u8]) -> Option<(u32, usize)> {
    let len = bytes.first()?.leading_zeros() as usize + 1;
    if len > 4 {
        return None;
    }
    let id = bytes.get(..len)?.iter().fold(0_u32, |id, byte| id << 8 | u32::from(*byte));
    Some((id, len))
}

/// Reads a size and its length. The inner `None` stands for an unknown size.
#[allow(clippy::option_option)]
fn size(bytes: &[u8]) -> Option<(Option<u64>, usize)> {
    let first = *bytes.first()?;
    let len = first.leading_zeros() as usize + 1;
    if len > 8 {
        return None;
    }
    let marked = bytes.get(..len)?.iter().fold(0_u64, |size, byte| size << 8 | u64::from(*byte));
    let ones = (1_u64 << (7 * len)) - 1;
    let value = marked & ones;
    Some(((value != ones).then_some(value), len))
}

/// Returns the elements in a body. Ends silently at bytes that are not an element.
pub(super) fn children(body: &[u8]) -> impl Iterator<Item = (u32, &[u8])> {
    let mut rest = body;
    std::iter::from_fn(move || {
        let (id, id_len) = id(rest)?;
        let (size, size_len) = size(rest.get(id_len..)?)?;
        let from = id_len + size_len;
        let to = from.checked_add(usize::try_from(size?).ok()?)?;
        let child = rest.get(from..to)?;
        rest = &rest[to..];
        Some((id, child))
    })
}

/// Reads an unsigned integer of up to eight bytes.
pub(super) fn unsigned(body: &[u8]) -> Option<u64> {
    (body.len() <= 8).then(|| body.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)))
}

/// Reads a float of four or eight bytes.
pub(super) fn float(body: &[u8]) -> Option<f64> {
    let value = match body.len() {
        4 => f32::from_be_bytes(body.try_into().ok()?).into(),
        8 => f64::from_be_bytes(body.try_into().ok()?),
        _ => return None,
    };
    value.is_finite().then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_of_all_lengths() {
        assert_eq!(size(&[0x81]), Some((Some(1), 1)));
        assert_eq!(size(&[0x40, 2]), Some((Some(2), 2)));
        assert_eq!(size(&[0xff]), Some((None, 1)));
        assert_eq!(size(&[1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]), Some((None, 8)));
        assert_eq!(size(&[0, 1]), None);
        assert_eq!(size(&[0x40]), None);
        assert_eq!(id(&[0x1a, 0x45, 0xdf, 0xa3]), Some((0x1a45_dfa3, 4)));
        assert_eq!(id(&[0x08, 0, 0, 0, 0]), None);
    }

    #[test]
    fn a_child_that_leaves_its_parent_is_not_one() {
        let found: Vec<_> = children(&[0xb0, 0x81, 7, 0xba, 0x82, 1]).collect();
        assert_eq!(found, [(0xb0, &[7][..])]);
    }
}
