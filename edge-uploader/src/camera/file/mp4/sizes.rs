//! Sizes of a fragment's samples that cannot be true.

use super::fragment::Part;
use super::table::Sample;

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

    #[test]
    fn where_there_is_no_room_nothing_is_made_up() {
        let mut parts = vec![part(0, &[(100, &[1 << 30, 60, 60])])];
        let before = places(&parts);
        assert!(!mend(&mut parts, 220));
        assert_eq!(places(&parts), before);
    }
}
