//! Box headers (ISO/IEC 14496-12 §4.2).

/// The boxes that a file may begin with: old recorders, and players' caches, leave `ftyp` out or put it behind others.
pub const FIRST: [&[u8; 4]; 12] =
    [b"ftyp", b"styp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"moof", b"sidx", b"prft", b"uuid"];

/// Whether a file that begins with these bytes, 8 at least, may be one of boxes.
pub fn begins_file(head: &[u8]) -> bool {
    head.get(4..8).is_some_and(|kind| FIRST.iter().any(|first| first[..] == *kind))
}

/// A box's size in bytes (0: up to the end) and the length of its header, 8 or 16, from the first 16 bytes of it; 8 are enough
/// where the size is not one of 64 bits. `None` where there are not enough.
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

#[cfg(test)]
mod tests {
    use super::*;

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
