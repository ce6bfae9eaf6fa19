//! The header `Range` (RFC 9110 §14.2): one range of bytes.

/// The part of a representation that a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// All of it: there is no range, there are several, or it cannot be read. A server may ignore those (§14.2).
    Whole,
    /// From the first byte to the one before `end`.
    Bytes {
        /// Offset of the first byte.
        start: u64,
        /// Offset after the last byte.
        end: u64,
    },
    /// A range that has no byte of it.
    Nothing,
}

/// Returns the part that a range means of `size` bytes.
pub(crate) fn part(header: Option<&str>, size: u64) -> Part {
    let Some(ranges) = header.and_then(|header| header.trim().strip_prefix("bytes=")) else { return Part::Whole };
    let Some((first, last)) = ranges.trim().split_once('-').filter(|_| !ranges.contains(',')) else {
        return Part::Whole;
    };
    // A number that is too large for any object is larger than this one.
    let number = |digits: &str| {
        let all_digits = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        all_digits.then(|| digits.parse::<u64>().unwrap_or(u64::MAX))
    };
    match (first.trim(), last.trim()) {
        ("", last) => match number(last) {
            None => Part::Whole,
            Some(0) => Part::Nothing,
            Some(_) if size == 0 => Part::Nothing,
            Some(length) => Part::Bytes { start: size.saturating_sub(length), end: size },
        },
        (first, "") => match number(first) {
            None => Part::Whole,
            Some(start) if start >= size => Part::Nothing,
            Some(start) => Part::Bytes { start, end: size },
        },
        (first, last) => match (number(first), number(last)) {
            (Some(start), Some(last)) if start > last => Part::Whole,
            (Some(start), Some(_)) if start >= size => Part::Nothing,
            (Some(start), Some(last)) => Part::Bytes { start, end: last.saturating_add(1).min(size) },
            _ => Part::Whole,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_the_specification_says() {
        let bytes = |start, end| Part::Bytes { start, end };
        for (header, size, expected) in [
            ("bytes=0-", 10, bytes(0, 10)),
            ("bytes=0-0", 10, bytes(0, 1)),
            ("bytes=3-7", 10, bytes(3, 8)),
            ("bytes=3-700", 10, bytes(3, 10)),
            ("bytes=-3", 10, bytes(7, 10)),
            ("bytes=-300", 10, bytes(0, 10)),
            ("bytes=9-9", 10, bytes(9, 10)),
            ("bytes=10-", 10, Part::Nothing),
            ("bytes=-0", 10, Part::Nothing),
            ("bytes=0-", 0, Part::Nothing),
            ("bytes=-1", 0, Part::Nothing),
            ("bytes=9223372036854775808-", 10, Part::Nothing),
            ("bytes=0-9223372036854775808", 10, bytes(0, 10)),
            ("bytes=0-99999999999999999999999999", 10, bytes(0, 10)),
            ("bytes=99999999999999999999999999-", 10, Part::Nothing),
            ("bytes=0-18446744073709551615", 10, bytes(0, 10)),
            ("bytes=7-3", 10, Part::Whole),
            ("bytes=0-1,3-4", 10, Part::Whole),
            ("bytes=a-b", 10, Part::Whole),
            ("bytes=", 10, Part::Whole),
            ("bytes=-", 10, Part::Whole),
            ("bytes=--1", 10, Part::Whole),
            ("items=0-1", 10, Part::Whole),
        ] {
            assert_eq!(part(Some(header), size), expected, "{header} of {size}");
        }
        assert_eq!(part(None, 10), Part::Whole);
    }
}
