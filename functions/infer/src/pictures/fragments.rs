//! Finds the fragments of a chunk that hold the wanted frames.
//!
//! The metadata's `SeekTable` is an `mfra` (ISO/IEC 14496-12 §8.8.9) with at most 20 random access frames. Sizes and
//! offsets in it are checked against the record of the object, and only bytes that were read are accessed.

use framepost_media::be;
use framepost_media::boxes;
use std::ops::Range;

/// Bytes of a box header with a 32-bit size, and of the version and flags after it.
const HEADER: usize = 8;
const FULL_HEADER: usize = 12;

/// A random access frame of the video.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    /// Its presentation time in units of the track's timescale.
    pub(super) time: u64,
    /// Where its fragment's `moof` begins.
    pub(super) at: u64,
}

/// Returns type and body of each box in `bytes`. Ends at bytes that are not a whole box.
fn children(mut bytes: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    std::iter::from_fn(move || {
        let (size, header) = boxes::size(bytes)?;
        let size = usize::try_from(size).ok()?;
        let kind = bytes.get(4..8)?;
        let body = bytes.get(header..size)?;
        bytes = &bytes[size..];
        Some((kind, body))
    })
}

/// Returns the entries of the first track, which is the video's (§8.8.10 `tfra`), in the order of the file.
pub(super) fn entries(mfra: &[u8]) -> Vec<Entry> {
    let table = || {
        let (_, mfra) = children(mfra).find(|(kind, _)| *kind == b"mfra")?;
        children(mfra).find(|(kind, _)| *kind == b"tfra").map(|(_, tfra)| tfra)
    };
    let Some(tfra) = table() else { return vec![] };
    let read = || {
        let is_long = be::u8_at(tfra, 0)? == 1;
        let lengths = be::u32_at(tfra, HEADER)?;
        // Each length is one less than the bytes of the traf, trun and sample number.
        let numbers: u32 = [4, 2, 0].into_iter().map(|shift| (lengths >> shift & 3) + 1).sum();
        let count = be::u32_at(tfra, FULL_HEADER)?;
        let size = if is_long { 16 } else { 8 } + usize::try_from(numbers).ok()?;
        let rest = tfra.get(FULL_HEADER + 4..)?;
        let count = usize::try_from(count).ok()?.min(rest.len() / size);
        let entry = |bytes: &[u8]| {
            let word = |n: usize| be::u32_at(bytes, n * 4).map(u64::from);
            Some(if is_long {
                Entry { time: be::u64_at(bytes, 0)?, at: be::u64_at(bytes, 8)? }
            } else {
                Entry { time: word(0)?, at: word(1)? }
            })
        };
        Some(rest.chunks_exact(size).take(count).filter_map(entry).collect::<Vec<_>>())
    };
    let mut entries = read().unwrap_or_default();
    entries.sort_by_key(|entry| entry.at);
    entries
}

/// Leaves out entries closer than `gap` units to the one before. If more than `most` remain, leaves out some of them evenly.
pub(super) fn thinned(entries: &[Entry], gap: u64, most: usize) -> Vec<Entry> {
    let mut kept: Vec<Entry> = Vec::new();
    for entry in entries {
        if kept.last().is_none_or(|last| entry.time >= last.time.saturating_add(gap)) {
            kept.push(*entry);
        }
    }
    if kept.len() > most {
        kept = (0..most).map(|n| kept[n * kept.len() / most]).collect();
    }
    kept
}

/// Returns the range of each whole fragment that begins at one of `wanted`: from its `moof` to the next `moof` or `prft`.
/// `bytes` begin at offset `start` of the object.
pub(super) fn ranges(bytes: &[u8], start: u64, wanted: &[u64]) -> Vec<Range<usize>> {
    let begin = |at: &u64| usize::try_from(at.checked_sub(start)?).ok();
    let mut ranges: Vec<Range<usize>> = Vec::new();
    for begin in wanted.iter().filter_map(begin) {
        if bytes.get(begin + 4..begin + 8) != Some(b"moof") {
            continue;
        }
        let mut end = begin;
        for (n, (kind, body)) in children(&bytes[begin..]).enumerate() {
            if n > 0 && (kind == b"moof" || kind == b"prft" || kind == b"mfra") {
                break;
            }
            // The body lies in `bytes`, so its end is where the box ends.
            end = body.as_ptr_range().end as usize - bytes.as_ptr() as usize;
        }
        if end > begin && ranges.last().is_none_or(|last| last.end <= begin) {
            ranges.push(begin..end);
        }
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    fn boxed(kind: &str, body: &[u8]) -> Vec<u8> {
        let size = u32::try_from(body.len() + 8).unwrap().to_be_bytes();
        [&size[..], kind.as_bytes(), body].concat()
    }

    fn table(version: u8, entries: &[(u64, u64)]) -> Vec<u8> {
        let mut tfra = vec![version, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0];
        tfra.extend(u32::try_from(entries.len()).unwrap().to_be_bytes());
        for (time, at) in entries {
            for value in [*time, *at] {
                match version {
                    1 => tfra.extend(value.to_be_bytes()),
                    _ => tfra.extend(u32::try_from(value).unwrap().to_be_bytes()),
                }
            }
            tfra.extend([1, 1, 1]);
        }
        boxed("mfra", &boxed("tfra", &tfra))
    }

    #[test]
    fn tables_of_both_versions_are_read_and_broken_ones_are_empty() {
        let of =
            |pairs: &[(u64, u64)]| pairs.iter().map(|(time, at)| Entry { time: *time, at: *at }).collect::<Vec<_>>();
        let pairs = [(0, 800), (90_000, 5000)];
        for version in [0, 1] {
            assert_eq!(entries(&table(version, &pairs)), of(&pairs));
        }
        assert_eq!(entries(&table(1, &[(9, 9000), (0, 8)])), of(&[(0, 8), (9, 9000)]));
        let whole = table(1, &pairs);
        for cut in 0..whole.len() {
            assert_eq!(entries(&whole[..cut]), []);
        }
        let mut more = table(0, &pairs);
        // It says that there are four thousand million entries.
        let at = more.len() - 22 - 4;
        more[at..at + 4].fill(0xff);
        assert!(entries(&more).len() <= 2, "{:?}", entries(&more));
    }

    #[test]
    fn of_close_entries_the_first_is_kept_and_of_many_an_even_choice() {
        let all: Vec<Entry> = (0..100).map(|n| Entry { time: n * 10, at: n * 100 }).collect();
        let times = |gap, most| thinned(&all, gap, most).iter().map(|entry| entry.time).collect::<Vec<_>>();
        assert_eq!(times(250, 30), [0, 250, 500, 750]);
        assert_eq!(times(0, 4), [0, 250, 500, 750]);
        assert_eq!(times(0, 0), [] as [u64; 0]);
    }

    #[test]
    fn a_fragment_is_its_moof_and_what_belongs_to_it() {
        let fragment = [boxed("moof", &[1; 30]), boxed("mdat", &[2; 50])].concat();
        let clock = boxed("prft", &[3; 20]);
        let bytes = [&fragment[..], &clock, &fragment, &fragment, &boxed("mfra", &[0; 8])].concat();
        let second = fragment.len() + clock.len();
        let third = second + fragment.len();
        let at = |n: usize| 1000 + n as u64;
        let found = ranges(&bytes, 1000, &[at(0), at(second), at(third)]);
        assert_eq!(found, [0..fragment.len(), second..third, third..third + fragment.len()]);
        assert_eq!(ranges(&bytes, 1000, &[0, 5, at(3), at(bytes.len()), u64::MAX]), []);
        let cut = &bytes[..third + 60];
        let left = ranges(cut, 1000, &[at(third)]);
        assert!(left.len() == 1 && left[0] == (third..third + 38), "what is not whole is left out: {left:?}");
    }
}
