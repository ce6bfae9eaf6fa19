//! EBML elements (RFC 8794) in memory.

/// The header of an element: its ID and its size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// ID with its marker bits, as listed in RFC 9559.
    pub id: u32,
    /// Length of the header in bytes.
    pub header_bytes: u64,
    /// Size of the body; `None` if it is unknown, as in live recordings.
    pub size: Option<u64>,
}

/// The longest header: an ID of 4 bytes and a size of 8.
pub const HEADER_BYTES: u64 = 12;

/// Reads the header at the start of `bytes`.
pub fn header(bytes: &[u8]) -> Option<Header> {
    let id_bytes = bytes.first()?.leading_zeros() as usize + 1;
    let id = bytes.get(..id_bytes).filter(|_| id_bytes <= 4)?;
    let id = id.iter().fold(0, |id, byte| id << 8 | u32::from(*byte));
    let (size, size_bytes) = number(bytes.get(id_bytes..)?)?;
    Some(Header { id, header_bytes: (id_bytes + size_bytes) as u64, size })
}

/// Reads a variable-size integer (RFC 8794 §4) and returns it with its length. The value is `None` if
/// all its bits are set.
pub fn number(bytes: &[u8]) -> Option<(Option<u64>, usize)> {
    let length = bytes.first()?.leading_zeros() as usize + 1;
    let bytes = bytes.get(..length).filter(|_| length <= 8)?;
    let ones = (1_u64 << (7 * length)) - 1;
    let value = bytes.iter().fold(0_u64, |value, byte| value << 8 | u64::from(*byte)) & ones;
    Some(((value != ones).then_some(value), length))
}

/// Returns the elements in a body. Ends at bytes that are not an element.
pub fn children(body: &[u8]) -> impl Iterator<Item = (u32, &[u8])> {
    let mut rest = body;
    std::iter::from_fn(move || {
        let found = header(rest)?;
        let begin = usize::try_from(found.header_bytes).ok()?;
        let size = usize::try_from(found.size?).ok()?;
        let child = rest.get(begin..begin.checked_add(size)?)?;
        rest = &rest[begin + size..];
        Some((found.id, child))
    })
}

/// Returns the first element in a body with this ID.
pub fn child(body: &[u8], id: u32) -> Option<&[u8]> {
    children(body).find(|(found, _)| *found == id).map(|(_, child)| child)
}

/// Reads an unsigned integer of up to eight bytes.
pub fn unsigned(body: &[u8]) -> Option<u64> {
    (body.len() <= 8).then(|| body.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)))
}

/// Reads a finite float of four or eight bytes.
pub fn float(body: &[u8]) -> Option<f64> {
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
    use proptest::prelude::*;

    #[test]
    fn headers_of_all_lengths() {
        let of = |id, header_bytes, size| Some(Header { id, header_bytes, size });
        assert_eq!(header(&[0xa3, 0x81]), of(0xa3, 2, Some(1)));
        assert_eq!(header(&[0x1f, 0x43, 0xb6, 0x75, 0xff]), of(0x1f43_b675, 5, None));
        assert_eq!(header(&[0x1f, 0x43, 0xb6, 0x75, 1, 0, 0, 0, 0, 0, 0, 9]), of(0x1f43_b675, 12, Some(9)));
        for bad in [&[][..], &[0xa3], &[0, 0x81], &[0x08, 0, 0, 0, 0x81], &[0xa3, 0], &[0xa3, 0x40]] {
            assert_eq!(header(bad), None, "{bad:x?}");
        }
    }

    #[test]
    fn sizes_of_all_lengths() {
        assert_eq!(number(&[0x81]), Some((Some(1), 1)));
        assert_eq!(number(&[0x40, 2]), Some((Some(2), 2)));
        assert_eq!(number(&[0xff]), Some((None, 1)));
        assert_eq!(number(&[1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]), Some((None, 8)));
        assert_eq!(number(&[0, 1]), None);
        assert_eq!(number(&[0x40]), None);
    }

    #[test]
    fn a_child_that_leaves_its_parent_is_not_one() {
        let found: Vec<_> = children(&[0xb0, 0x81, 7, 0xba, 0x82, 1]).collect();
        assert_eq!(found, [(0xb0, &[7][..])]);
    }

    proptest! {
        #[test]
        fn anything_is_walked(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(children(&bytes).map(|(_, child)| child.len()).sum::<usize>() <= bytes.len());
        }
    }
}
