//! Finds the fragments of a chunk that hold the wanted frames.
//!
//! The metadata's `SeekTable` is an [`mfra`](framepost_media::mfra) with at most 20 random access frames. Offsets in it are
//! checked against the record of the object, and only bytes that were read are accessed.

use framepost_media::boxes::children;
use framepost_media::mfra::Entry;
use std::ops::Range;

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
    use framepost_media::boxes::boxed;

    #[test]
    fn of_close_entries_the_first_is_kept_and_of_many_an_even_choice() {
        let all: Vec<Entry> = (0..100).map(|n| Entry { time: n * 10, at: n * 100, run: 1, sample: 1 }).collect();
        let times = |gap, most| thinned(&all, gap, most).iter().map(|entry| entry.time).collect::<Vec<_>>();
        assert_eq!(times(250, 30), [0, 250, 500, 750]);
        assert_eq!(times(0, 4), [0, 250, 500, 750]);
        assert_eq!(times(0, 0), [] as [u64; 0]);
    }

    #[test]
    fn a_fragment_is_its_moof_and_what_belongs_to_it() {
        let fragment = [boxed(*b"moof", &[&[1; 30]]), boxed(*b"mdat", &[&[2; 50]])].concat();
        let clock = boxed(*b"prft", &[&[3; 20]]);
        let bytes = [&fragment[..], &clock, &fragment, &fragment, &boxed(*b"mfra", &[&[0; 8]])].concat();
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
