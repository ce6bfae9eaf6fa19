//! Sizes of a fragment's samples that cannot be true.

use super::fragment::Part;
use super::table::Sample;
use crate::camera::nal;
use crate::media::VideoCodec;
use std::ops::Range;

/// How the pictures of a track are stored: with a length before each NAL unit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Units {
    pub(super) codec: VideoCodec,
    /// Bytes of each length: 1, 2 or 4.
    pub(super) length_bytes: u8,
}

/// What ends an access unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// The next one begins.
    Next,
    /// Nothing follows, or something else.
    Unknown,
}

/// Replaces sizes of pictures by those that their NAL units tell, in runs whose data do not end where other data begin or where
/// the fragment's data end, at `data_end`. Returns whether there were any.
///
/// `read` returns these bytes of the file with the pictures of a part, or `None` if they are not pictures or cannot be read.
pub(super) fn retell(
    parts: &mut [Part],
    data_end: u64,
    mut read: impl FnMut(&Part, Range<u64>) -> Option<(Vec<u8>, Units)>,
) -> bool {
    let starts: Vec<u64> = parts.iter().enumerate().flat_map(starts).collect();
    let mut retold = false;
    for part in parts {
        let mut run = 0..0;
        while let Some(first) = part.samples.get(run.end) {
            let others = part.samples[run.end + 1..].iter().take_while(|sample| !sample.is_first_in_chunk).count();
            run = run.end..run.end + 1 + others;
            let begin = first.offset;
            let limit = starts.iter().copied().filter(|start| (begin + 1..data_end).contains(start)).min();
            let limit = limit.unwrap_or(data_end);
            if begin >= data_end || end(&part.samples[run.end - 1]) == limit {
                continue;
            }
            let Some((data, units)) = read(part, begin..limit) else { continue };
            let claimed: Vec<u32> = part.samples[run.clone()].iter().map(|sample| sample.size).collect();
            let Some(sizes) = told(&data, units, &claimed) else { continue };
            let mut offset = begin;
            for (sample, size) in part.samples[run.clone()].iter_mut().zip(sizes) {
                (sample.offset, sample.size) = (offset, size);
                offset = end(sample);
            }
            retold = true;
        }
    }
    retold
}

/// Returns the sizes of the pictures in `data`, where they differ from the `claimed` ones. A claimed size is right if NAL units
/// end there. After damaged NAL units, the claimed sizes count.
fn told(data: &[u8], units: Units, claimed: &[u32]) -> Option<Vec<u32>> {
    let mut sizes = Vec::with_capacity(claimed.len());
    let mut rest = data;
    for size in claimed {
        let length = usize::try_from(*size).ok()?;
        let is_right = rest.get(..length).is_some_and(|picture| units.in_whole(picture));
        let length = if is_right { Some(length) } else { units.access_unit(rest).map(|(length, _)| length) };
        let Some(length) = length else { break };
        sizes.push(u32::try_from(length).ok()?);
        rest = &rest[length..];
    }
    sizes.extend(&claimed[sizes.len()..]);
    (units.score(data, &sizes) > units.score(data, claimed)).then_some(sizes)
}

impl Units {
    /// Returns whether NAL units end at the end of `bytes`.
    fn in_whole(self, mut bytes: &[u8]) -> bool {
        while let Some((_, rest)) = self.first(bytes) {
            bytes = rest;
        }
        bytes.is_empty()
    }

    /// Returns how many pictures of these sizes begin with NAL units, and how many of them end with some.
    fn score(self, data: &[u8], sizes: &[u32]) -> (usize, usize) {
        let mut rest = data;
        let mut begin = 0;
        let mut whole = 0;
        for size in sizes {
            begin += usize::from(self.access_unit(rest).is_some());
            let Some((picture, after)) = usize::try_from(*size).ok().and_then(|size| rest.split_at_checked(size))
            else {
                break;
            };
            whole += usize::from(self.in_whole(picture));
            rest = after;
        }
        (begin, whole)
    }

    /// Returns the length of the access unit at the start of `bytes`, if it has a slice, and what ends it.
    ///
    /// The next one begins with its first slice (H.264 §7.3.3 `first_mb_in_slice`, H.265 §7.3.6.1
    /// `first_slice_segment_in_pic_flag`) or with what precedes it (H.264 §7.4.1.2.3, H.265 §7.4.2.4.4).
    pub(super) fn access_unit(self, bytes: &[u8]) -> Option<(usize, Ending)> {
        let mut rest = bytes;
        let mut has_slice = false;
        while let Some((unit, after)) = self.first(rest) {
            let kind = nal::kind(self.codec, unit)?;
            let (is_slice, begins) = match self.codec {
                VideoCodec::H264 => (matches!(kind, 1..=5), matches!(kind, 6..=9)),
                VideoCodec::H265 => (kind < 32, matches!(kind, 32..=35 | 39)),
            };
            let head = if self.codec == VideoCodec::H264 { 1 } else { 2 };
            let is_first = is_slice && unit.get(head).is_some_and(|byte| byte & 0x80 != 0);
            if has_slice && (begins || is_first) {
                return Some((bytes.len() - rest.len(), Ending::Next));
            }
            has_slice |= is_slice;
            rest = after;
        }
        has_slice.then(|| (bytes.len() - rest.len(), Ending::Unknown))
    }

    /// Returns whether the last NAL unit of `bytes` is longer than what is there, and not longer than pictures are.
    pub(super) fn is_cut(self, bytes: &[u8]) -> bool {
        const PICTURE_BYTES_MAX: usize = 16 << 20;
        let mut rest = bytes;
        while let Some((_, after)) = self.first(rest) {
            rest = after;
        }
        let Some((length, after)) = rest.split_at_checked(self.length_bytes.into()) else { return true };
        (after.len() + 1..PICTURE_BYTES_MAX).contains(&number(length))
    }

    /// Returns the first NAL unit and what follows it.
    fn first(self, bytes: &[u8]) -> Option<(&[u8], &[u8])> {
        let (length, rest) =
            bytes.split_at_checked(self.length_bytes.into()).filter(|(length, _)| !length.is_empty())?;
        let length = number(length);
        // The first bit is zero in both codecs (`forbidden_zero_bit`).
        rest.split_at_checked(length).filter(|(unit, _)| unit.first().is_some_and(|byte| byte & 0x80 == 0))
    }
}

fn number(bytes: &[u8]) -> usize {
    bytes.iter().fold(0, |value, byte| (value << 8) | usize::from(*byte))
}

/// Replaces the size of a sample that reaches beyond the data of its fragment, which ends at `data_end`, by the
/// room that the samples around it leave. Returns whether there was one.
///
/// One size of a run is assumed to be damaged. Where several are, the room is too small or other samples have
/// other bytes, which their NAL units tell.
pub(super) fn mend(parts: &mut [Part], data_end: u64) -> bool {
    let mut mended = false;
    for i in 0..parts.len() {
        let others: Vec<u64> = parts.iter().enumerate().filter(|(other, _)| *other != i).flat_map(starts).collect();
        let samples = &mut parts[i].samples;
        let Some(first) = samples.iter().position(|sample| sample.offset < data_end && end(sample) > data_end) else {
            continue;
        };
        let run = first + 1 + samples[first..].windows(2).take_while(|pair| pair[1].offset == end(&pair[0])).count();
        let begin = samples[first].offset;
        let behind = others.into_iter().chain(samples.get(run).map(|sample| sample.offset));
        let limit = behind.filter(|start| (begin + 1..data_end).contains(start)).min().unwrap_or(data_end);
        let rest = samples[first + 1..run].iter().map(|sample| u64::from(sample.size)).sum::<u64>();
        let room = limit.checked_sub(begin).and_then(|room| room.checked_sub(rest)).filter(|room| *room > 0);
        let Some(size) = room.and_then(|room| u32::try_from(room).ok()) else { continue };
        samples[first].size = size;
        let mut offset = begin;
        for sample in &mut samples[first..run] {
            sample.offset = offset;
            offset = end(sample);
        }
        mended = true;
    }
    mended
}

fn end(sample: &Sample) -> u64 {
    sample.offset.saturating_add(sample.size.into())
}

/// Where the data of a part's runs begin.
fn starts((_, part): (usize, &Part)) -> impl Iterator<Item = u64> {
    part.samples.iter().filter(|sample| sample.is_first_in_chunk).map(|sample| sample.offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(track: usize, runs: &[(u64, &[u32])]) -> Part {
        let mut samples = Vec::new();
        for (begin, sizes) in runs {
            let mut offset = *begin;
            for (i, size) in sizes.iter().enumerate() {
                let is_first_in_chunk = i == 0;
                samples.push(Sample {
                    offset,
                    size: *size,
                    dts: 0,
                    pts: 0,
                    duration: 1,
                    description: 1,
                    is_first_in_chunk,
                });
                offset = offset.saturating_add((*size).into());
            }
        }
        Part { track, samples, named: None, end: 0 }
    }

    fn places(parts: &[Part]) -> Vec<Vec<(u64, u32)>> {
        let of = |part: &Part| part.samples.iter().map(|sample| (sample.offset, sample.size)).collect();
        parts.iter().map(of).collect()
    }

    #[test]
    fn one_impossible_size_is_what_the_others_leave() {
        let whole = || vec![part(0, &[(100, &[10, 20, 30]), (200, &[5, 6])]), part(1, &[(160, &[4, 4]), (211, &[9])])];
        let data_end = 220;
        let mut untouched = whole();
        assert!(!mend(&mut untouched, data_end));
        for (track, sample) in [(0, 0), (0, 1), (0, 2), (0, 3), (0, 4), (1, 2)] {
            for lie in [121, 1 << 20, 1 << 30, u32::MAX] {
                let mut runs = [vec![vec![10, 20, 30], vec![5, 6]], vec![vec![4, 4], vec![9]]];
                let mut left = sample;
                for run in &mut runs[track] {
                    if left < run.len() {
                        run[left] = lie;
                        break;
                    }
                    left -= run.len();
                }
                let mut parts = vec![
                    part(0, &[(100, &runs[0][0]), (200, &runs[0][1])]),
                    part(1, &[(160, &runs[1][0]), (211, &runs[1][1])]),
                ];
                assert!(mend(&mut parts, data_end), "{track} {sample} {lie}");
                assert_eq!(places(&parts), places(&whole()), "{track} {sample} {lie}");
            }
        }
    }

    /// Pictures of one slice or two, one of them with a parameter set before it, and what their sizes are.
    fn pictures() -> (Vec<u8>, Vec<u32>) {
        let unit = |bytes: &[u8]| [&u32::try_from(bytes.len()).unwrap().to_be_bytes()[..], bytes].concat();
        let pictures = [
            [unit(&[0x67, 1, 2]), unit(&[0x65, 0x88, 3, 4, 5])].concat(),
            unit(&[0x41, 0x9a, 6]),
            [unit(&[0x41, 0x9a, 7, 8]), unit(&[0x41, 0x40, 9])].concat(),
            unit(&[0x01, 0x9a]),
            [unit(&[0x06, 5, 4]), unit(&[0x41, 0x9a, 1, 2, 3, 4])].concat(),
        ];
        (pictures.concat(), pictures.iter().map(|picture| u32::try_from(picture.len()).unwrap()).collect())
    }

    #[test]
    fn sizes_are_what_the_pictures_tell() {
        let (data, sizes) = pictures();
        let units = Units { codec: VideoCodec::H264, length_bytes: 4 };
        assert_eq!(told(&data, units, &sizes), None);
        for lies in 1_u32..32 {
            for lie in [-3, -1, 1, 3, 100, 1 << 30] {
                let lied =
                    |n: usize, size: u32| if lies & (1 << n) == 0 { size } else { size.saturating_add_signed(lie) };
                let claimed: Vec<u32> = sizes.iter().enumerate().map(|(n, size)| lied(n, *size)).collect();
                let data_end = 1000 + data.len() as u64;
                let mut parts = [part(0, &[(1000, &claimed)])];
                let read = |_: &Part, range: Range<u64>| {
                    assert_eq!(range, 1000..data_end);
                    Some((data.clone(), units))
                };
                assert!(retell(&mut parts, data_end, read), "{lies:b} {lie}");
                assert_eq!(places(&parts), places(&[part(0, &[(1000, &sizes)])]), "{lies:b} {lie}");
            }
        }
    }

    #[test]
    fn after_a_damaged_unit_the_claimed_sizes_count() {
        let (mut data, sizes) = pictures();
        let at: u32 = sizes[..3].iter().sum();
        data[at as usize] = 0x77;
        let units = Units { codec: VideoCodec::H264, length_bytes: 4 };
        let mut claimed = sizes.clone();
        claimed[1] += 4;
        assert_eq!(told(&data, units, &claimed), Some(sizes));
    }

    /// A writer may put other bytes behind each picture, and between runs.
    #[test]
    fn what_is_behind_pictures_moves_none() {
        let units = Units { codec: VideoCodec::H264, length_bytes: 4 };
        let (data, sizes) = pictures();
        for padding in [&[0, 0][..], &[0; 7], b"padding padding"] {
            let mut padded = Vec::new();
            let mut rest = &data[..];
            for size in &sizes {
                let (picture, after) = rest.split_at(*size as usize);
                padded.extend([picture, padding].concat());
                rest = after;
            }
            padded.extend([0; 5]);
            let claimed: Vec<u32> = sizes.iter().map(|size| size + u32::try_from(padding.len()).unwrap()).collect();
            assert_eq!(told(&padded, units, &claimed), None, "{padding:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn anything_is_told(
            data in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200),
            claimed in proptest::collection::vec(0_u32..300, 0..20),
            length_bytes in 0_u8..5,
        ) {
            for codec in [VideoCodec::H264, VideoCodec::H265] {
                let told = told(&data, Units { codec, length_bytes }, &claimed);
                proptest::prop_assert!(told.is_none_or(|sizes| sizes.len() == claimed.len()));
            }
        }
    }

    #[test]
    fn where_there_is_no_room_nothing_is_made_up() {
        let mut parts = vec![part(0, &[(100, &[1 << 30, 60, 60])])];
        let before = places(&parts);
        assert!(!mend(&mut parts, 220));
        assert_eq!(places(&parts), before);
    }
}
