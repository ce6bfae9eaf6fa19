//! Boxes and their headers (ISO/IEC 14496-12 §4.2).

/// Box types at the start of a file. Old recorders and players' caches omit `ftyp` or write it later.
pub const FIRST: [&[u8; 4]; 12] =
    [b"ftyp", b"styp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"moof", b"sidx", b"prft", b"uuid"];

/// Returns whether a file that begins with these bytes, at least 8, may consist of boxes.
pub fn begins_file(head: &[u8]) -> bool {
    head.get(4..8).is_some_and(|kind| FIRST.iter().any(|first| first[..] == *kind))
}

/// Returns a box's size in bytes (0: to the end of the file) and the length of its header, 8 or 16. `header`
/// needs 16 bytes for a 64-bit size and 8 otherwise; with less, the result is `None`.
pub fn size(header: &[u8]) -> Option<(u64, usize)> {
    let (small, rest) = header.split_first_chunk::<4>()?;
    match u32::from_be_bytes(*small) {
        1 => {
            let large = rest.get(4..)?.first_chunk::<8>()?;
            Some((u64::from_be_bytes(*large), 16))
        }
        size => Some((size.into(), 8)),
    }
}

/// Returns type and body of each box in `bytes`. Ends at bytes that are not a whole box.
pub fn children(mut bytes: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    std::iter::from_fn(move || {
        let (size, header) = size(bytes)?;
        let size = usize::try_from(size).ok()?;
        let kind = bytes.get(4..8)?;
        let body = bytes.get(header..size)?;
        bytes = &bytes[size..];
        Some((kind, body))
    })
}

/// Returns a box of this kind around `parts`. They have less than 4 GiB together, so that the size has 32 bits.
pub fn boxed(kind: [u8; 4], parts: &[&[u8]]) -> Vec<u8> {
    let bytes = 8 + parts.iter().map(|part| part.len()).sum::<usize>();
    let mut made = Vec::with_capacity(bytes);
    made.extend_from_slice(&u32::try_from(bytes).unwrap_or(u32::MAX).to_be_bytes());
    made.extend_from_slice(&kind);
    for part in parts {
        made.extend_from_slice(part);
    }
    made
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_boxed_is_read() {
        assert_eq!(boxed(*b"free", &[]), b"\0\0\0\x08free");
        let two = [boxed(*b"ftyp", &[b"iso6", &[0; 4]]), boxed(*b"moov", &[&boxed(*b"free", &[b"x"])])].concat();
        let found: Vec<(&[u8], &[u8])> = children(&two).collect();
        assert_eq!(found, [(&b"ftyp"[..], &b"iso6\0\0\0\0"[..]), (b"moov", b"\0\0\0\x09freex")]);
    }

    #[test]
    fn sizes_have_32_or_64_bits() {
        assert_eq!(size(b"\0\0\0\x18ftyp"), Some((24, 8)));
        assert_eq!(size(b"\0\0\0\0mdat"), Some((0, 8)));
        assert_eq!(size(b"\0\0\0\x01mdat\0\0\0\x02\0\0\0\x03"), Some(((2 << 32) + 3, 16)));
        assert_eq!(size(b"\0\0\0\x01mdat\0\0\0"), None);
        assert_eq!(size(b"\0\0\0"), None);
    }

    #[test]
    fn files_begin_with_few_boxes() {
        assert!(begins_file(b"\0\0\0\x18ftypisom") && begins_file(b"\0\0\0\x08wide"));
        assert!(!begins_file(b"\0\0\0\x18trak") && !begins_file(b"\0\0\0\x18fty") && !begins_file(b""));
    }
}
