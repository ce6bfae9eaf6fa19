//! The index of random access frames that a fragmented file ends with: `mfra` (ISO/IEC 14496-12 §8.8.9). A chunk has it in its
//! metadata, too, thinned: ONVIF's `SeekTable`.

use crate::{be, boxes};

/// Bytes of the version, the flags and the track's id before the other fields of a `tfra`.
const LENGTHS_AT: usize = 8;
const COUNT_AT: usize = 12;
const ENTRIES_AT: usize = 16;

/// The random access frames of one track: a `tfra` (§8.8.10).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Table {
    /// The id of the track.
    pub track: u32,
    /// Its random access frames, in the order of the file.
    pub entries: Vec<Entry>,
}

/// A random access frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Its presentation time in units of the track's timescale.
    pub time: u64,
    /// The offset of the `moof` of its fragment.
    pub at: u64,
    /// Which `trun` of the track's part of the fragment it is in, from 1.
    pub run: u32,
    /// Which sample of that `trun` it is, from 1.
    pub sample: u32,
}

/// Returns the table of the first track of an `mfra`, which is the video's in chunks; `None` where there is none.
pub fn first_table(mfra: &[u8]) -> Option<Table> {
    let (_, mfra) = boxes::children(mfra).find(|(kind, _)| *kind == b"mfra")?;
    let (_, tfra) = boxes::children(mfra).find(|(kind, _)| *kind == b"tfra")?;
    let is_long = be::u8_at(tfra, 0)? == 1;
    let track = be::u32_at(tfra, 4)?;
    let lengths = be::u32_at(tfra, LENGTHS_AT)?;
    // Each length is one less than the bytes of the numbers of the traf, the trun and the sample.
    let [traf, trun, sample] = [4, 2, 0].map(|shift| (lengths >> shift & 3) as usize + 1);
    let times = if is_long { 16 } else { 8 };
    let size = times + traf + trun + sample;
    let count = usize::try_from(be::u32_at(tfra, COUNT_AT)?).ok()?;
    let rest = tfra.get(ENTRIES_AT..)?;
    let number = |bytes: &[u8]| bytes.iter().fold(0_u32, |number, byte| number << 8 | u32::from(*byte));
    let entry = |bytes: &[u8]| {
        let (time, at) = if is_long {
            (be::u64_at(bytes, 0)?, be::u64_at(bytes, 8)?)
        } else {
            (be::u32_at(bytes, 0)?.into(), be::u32_at(bytes, 4)?.into())
        };
        let run = number(bytes.get(times + traf..times + traf + trun)?);
        Some(Entry { time, at, run, sample: number(bytes.get(times + traf + trun..)?) })
    };
    let mut entries: Vec<Entry> =
        rest.chunks_exact(size).take(count.min(rest.len() / size)).filter_map(entry).collect();
    entries.sort_by_key(|entry| (entry.at, entry.run, entry.sample));
    Some(Table { track, entries })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::boxes::boxed;

    fn table(version: u8, entries: &[(u64, u64)]) -> Vec<u8> {
        // The sample's number has two bytes, the others have one.
        let mut tfra = vec![version, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 1];
        tfra.extend(u32::try_from(entries.len()).unwrap().to_be_bytes());
        for (time, at) in entries {
            for value in [*time, *at] {
                match version {
                    1 => tfra.extend(value.to_be_bytes()),
                    _ => tfra.extend(u32::try_from(value).unwrap().to_be_bytes()),
                }
            }
            tfra.extend([1, 2, 1, 3]);
        }
        boxed(*b"mfra", &[&boxed(*b"tfra", &[&tfra])])
    }

    fn entries(mfra: &[u8]) -> Vec<Entry> {
        first_table(mfra).unwrap_or_default().entries
    }

    #[test]
    fn tables_of_both_versions_are_read_and_broken_ones_are_empty() {
        let of = |pairs: &[(u64, u64)]| {
            let entry = |(time, at): &(u64, u64)| Entry { time: *time, at: *at, run: 2, sample: 0x103 };
            pairs.iter().map(entry).collect::<Vec<_>>()
        };
        let pairs = [(0, 800), (90_000, 5000)];
        for version in [0, 1] {
            assert_eq!(first_table(&table(version, &pairs)), Some(Table { track: 7, entries: of(&pairs) }));
        }
        assert_eq!(entries(&table(1, &[(9, 9000), (0, 8)])), of(&[(0, 8), (9, 9000)]));
        let whole = table(1, &pairs);
        for cut in 0..whole.len() {
            assert_eq!(entries(&whole[..cut]), []);
        }
        let mut more = table(0, &pairs);
        // It says that there are four thousand million entries.
        let at = more.len() - 24 - 4;
        more[at..at + 4].fill(0xff);
        assert!(entries(&more).len() <= 2, "{:?}", entries(&more));
    }
}
