//! The end of a clip within a chunk: what is shown after it is taken off the chunk's sample tables, where they stand.
//!
//! An edit list alone is not enough, because many programs do not apply its end to a fragmented file. No byte moves: a fragment
//! without a sample before the end becomes a `free` box (ISO/IEC 14496-12 §8.1.2), and so does the rest of a shortened `trun`. The
//! media data stay, so the clip's length does not depend on them and the chunk can be had again.
//!
//! Samples are in decoding order. Where pictures are reordered, one that is shown after the end stays if one before the end is
//! decoded after it. The edit list hides it.

use super::head::{BoxIn, Track, children};
use framepost_media::be;
use std::collections::BTreeMap;

/// `tfhd` has a base for the offsets of data, a description, and a duration that samples have by default (§8.8.7.1).
const HAS_BASE: u32 = 0x1;
const HAS_DESCRIPTION: u32 = 0x2;
const HAS_DURATION: u32 = 0x8;
/// What stands in a `trun` before its samples (§8.8.8.1).
const RUN_HAS_OFFSET: u32 = 0x1;
const RUN_HAS_FIRST_FLAGS: u32 = 0x4;
/// What stands there for each sample, in this order: duration, size, flags, composition offset.
const RUN_HAS_DURATIONS: u32 = 0x100;
const RUN_HAS_OFFSETS: u32 = 0x800;
const OF_EACH: [u32; 4] = [RUN_HAS_DURATIONS, 0x200, 0x400, RUN_HAS_OFFSETS];
/// Bytes of the header of a box with a 32-bit size (§4.2).
const HEADER_BYTES: usize = 8;
/// The most samples of a run that says nothing of each of them.
const SAMPLES_MAX: usize = 1 << 16;
/// Pictures that begin less than this before the end are not shown.
const TOLERANCE_S: f64 = 0.000_5;

/// Bytes to be written over those in the media.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Over {
    pub(super) at: usize,
    pub(super) bytes: Vec<u8>,
}

/// The samples of one `trun`.
struct Run {
    /// Where its body begins in the media.
    at: usize,
    /// Where its samples begin in the body, and how many bytes each has.
    samples_at: usize,
    sample_bytes: usize,
    count: usize,
    /// How many of them are kept.
    kept: usize,
}

/// Returns what to write over these fragments so that nothing is shown after `end_s` seconds; `None` where they cannot be read.
pub(super) fn cut(media: &[u8], end_s: f64, tracks: &BTreeMap<u32, Track>) -> Option<Vec<Over>> {
    let mut over = Vec::new();
    for moof in children(media)?.into_iter().filter(|top| top.kind == *b"moof") {
        let trafs = inner(&moof, moof.at)?.into_iter().filter(|(_, inner)| inner.kind == *b"traf");
        let of_trafs =
            trafs.map(|(at, traf)| Some((at, runs(&traf, at, end_s, tracks)?))).collect::<Option<Vec<_>>>()?;
        if of_trafs.iter().all(|(_, runs)| runs.iter().all(|run| run.kept == 0)) {
            over.push(free(moof.at));
            continue;
        }
        for (at, runs) in of_trafs {
            if runs.iter().all(|run| run.kept == 0) {
                over.push(free(at));
            } else {
                over.extend(runs.iter().filter(|run| run.kept < run.count).flat_map(shortened));
            }
        }
    }
    over.sort_by_key(|over| over.at);
    Some(over)
}

/// Turns the box whose header begins at `at` into one that is skipped.
fn free(at: usize) -> Over {
    Over { at: at + 4, bytes: b"free".to_vec() }
}

/// Returns the boxes in a box that begins at `at`, each with its place in the media.
fn inner<'a>(of: &BoxIn<'a>, at: usize) -> Option<Vec<(usize, BoxIn<'a>)>> {
    let body = at + of.whole.len() - of.body.len();
    Some(children(of.body)?.into_iter().map(|inner| (body + inner.at, inner)).collect())
}

fn runs(traf: &BoxIn<'_>, at: usize, end_s: f64, tracks: &BTreeMap<u32, Track>) -> Option<Vec<Run>> {
    let mut runs = Vec::new();
    let mut track = None;
    let mut duration = 0;
    let mut time = 0;
    for (at, inner) in inner(traf, at)? {
        let body = inner.body;
        match &inner.kind {
            b"tfhd" => {
                let of = *tracks.get(&be::u32_at(body, 4)?)?;
                let flags = be::u32_at(body, 0)?;
                let before = [(HAS_BASE, 8), (HAS_DESCRIPTION, 4)].iter().filter(|(flag, _)| flags & flag != 0);
                let before: usize = before.map(|(_, bytes)| bytes).sum();
                duration = if flags & HAS_DURATION == 0 { of.duration } else { be::u32_at(body, 8 + before)? };
                track = Some(of);
            }
            b"tfdt" => {
                let is_long = be::u8_at(body, 0)? == 1;
                time = if is_long { be::u64_at(body, 4)? } else { be::u32_at(body, 4)?.into() };
            }
            b"trun" => {
                // A box of this kind with a 64-bit size would have thousands of millions of samples.
                let at = (inner.whole.len() - body.len() == HEADER_BYTES).then_some(at + HEADER_BYTES)?;
                runs.push(run(body, at, &mut time, duration, (track?, end_s))?);
            }
            _ => {}
        }
    }
    Some(runs)
}

/// Reads one run, whose first sample is decoded at `time`, and sets `time` to its end.
fn run(body: &[u8], at: usize, time: &mut u64, usual: u32, (track, end_s): (Track, f64)) -> Option<Run> {
    let flags = be::u32_at(body, 0)?;
    let count = usize::try_from(be::u32_at(body, 4)?).ok()?;
    let before = [RUN_HAS_OFFSET, RUN_HAS_FIRST_FLAGS].iter().filter(|flag| flags & **flag != 0).count();
    let samples_at = 8 + before * 4;
    let sample_bytes = OF_EACH.iter().filter(|flag| flags & **flag != 0).count() * 4;
    if count.checked_mul(sample_bytes)? > body.len().checked_sub(samples_at)? {
        return None;
    }
    // Samples without bytes of their own may be claimed in any number.
    if sample_bytes == 0 && count > SAMPLES_MAX {
        return None;
    }
    let mut kept = 0;
    for n in 0..count {
        let at = samples_at + n * sample_bytes;
        let lasts = if flags & RUN_HAS_DURATIONS == 0 { usual } else { be::u32_at(body, at)? };
        let offset =
            if flags & RUN_HAS_OFFSETS == 0 { 0 } else { be::u32_at(body, at + sample_bytes - 4)?.cast_signed() };
        let units = f64::from(track.timescale);
        let shown = (*time as f64 + f64::from(offset)) / units;
        // Sound ends at the sample whose middle is closest before the end, so that it is off by half a sample at most.
        let counts = if track.is_video { shown + TOLERANCE_S } else { shown + f64::from(lasts) / units / 2.0 };
        if counts < end_s {
            kept = n + 1;
        }
        *time = time.checked_add(lasts.into())?;
    }
    Some(Run { at, samples_at, sample_bytes, count, kept })
}

/// What to write over a run to have only the samples that are kept.
fn shortened(run: &Run) -> Vec<Over> {
    let header = run.at - HEADER_BYTES;
    if run.kept == 0 {
        return vec![free(header)];
    }
    let kept = u32::try_from(run.kept).unwrap_or(u32::MAX);
    let mut over = vec![Over { at: run.at + 4, bytes: kept.to_be_bytes().to_vec() }];
    let left = (run.count - run.kept) * run.sample_bytes;
    // Fewer bytes are no box. They stay behind the last sample of the run, where nobody looks.
    if left >= HEADER_BYTES {
        let size = HEADER_BYTES + run.samples_at + run.kept * run.sample_bytes;
        let [size, left] = [size, left].map(|bytes| u32::try_from(bytes).unwrap_or(u32::MAX).to_be_bytes());
        over.insert(0, Over { at: header, bytes: size.to_vec() });
        let rest = run.at + run.samples_at + run.kept * run.sample_bytes;
        over.push(Over { at: rest, bytes: [left, *b"free"].concat() });
    }
    over
}

#[cfg(test)]
mod tests {
    use super::super::made::{moof, traf};
    use super::*;
    use framepost_media::boxes::boxed;

    fn fragment(trafs: &[Vec<u8>]) -> Vec<u8> {
        [moof(trafs), boxed(*b"mdat", &[&[7; 40]])].concat()
    }

    fn tracks() -> BTreeMap<u32, Track> {
        let video = Track { timescale: 10, duration: 1, is_video: true };
        BTreeMap::from([(1, video), (2, Track { timescale: 100, duration: 20, is_video: false })])
    }

    /// The numbers of samples of all runs that are still there, and what `media` are then.
    fn left(media: &[u8], end_s: f64) -> (Vec<u32>, Vec<u8>) {
        let mut media = media.to_vec();
        for Over { at, bytes } in cut(&media, end_s, &tracks()).expect("fragments") {
            media[at..at + bytes.len()].copy_from_slice(&bytes);
        }
        let mut found = Vec::new();
        for moof in children(&media).expect("boxes").iter().filter(|top| top.kind == *b"moof") {
            for traf in children(moof.body).expect("boxes").iter().filter(|inner| inner.kind == *b"traf") {
                let runs = children(traf.body).expect("boxes").into_iter().filter(|inner| inner.kind == *b"trun");
                found.extend(runs.map(|run| be::u32_at(run.body, 4).expect("a number")));
            }
        }
        (found, media)
    }

    #[test]
    fn what_is_shown_after_the_end_is_no_sample_any_more_and_nothing_moves() {
        // Ten pictures of 0.1 s with durations and sizes, and five sounds of 0.2 s that say nothing each.
        let pictures: Vec<u32> = [0x301, 10, 200].into_iter().chain([1, 4].into_iter().cycle().take(20)).collect();
        let both = |time: u32| fragment(&[traf(&[0, 1], time, &pictures), traf(&[0, 2], time * 10, &[0x1, 5, 240])]);
        let media = [both(0), both(10), both(20)].concat();
        for (end_s, expected) in [
            (9.0, &[10, 5, 10, 5, 10, 5][..]),
            (3.0, &[10, 5, 10, 5, 10, 5]),
            (2.0, &[10, 5, 10, 5]),
            (1.95, &[10, 5, 10, 5]),
            (1.9, &[10, 5, 9, 4]),
            (1.801, &[10, 5, 9, 4]),
            (1.25, &[10, 5, 3, 1]),
            // A picture, and no sound of which more than a half would be heard.
            (1.05, &[10, 5, 1]),
            (1.0, &[10, 5]),
            (0.0, &[]),
        ] {
            let (found, made) = left(&media, end_s);
            assert_eq!(found, expected, "{end_s}");
            assert_eq!(made.len(), media.len());
        }
    }

    #[test]
    fn pictures_are_kept_that_others_before_the_end_need() {
        // I P B: shown at 0.1, 0.4 and 0.2 s, and two more.
        let run = [0xa01, 5, 200, 4, 1, 4, 3, 4, 0, 4, 2, 4, 2];
        let media = fragment(&[traf(&[0, 1], 0, &run)]);
        for (end_s, expected) in [(0.15, &[1][..]), (0.25, &[3]), (0.45, &[3]), (0.6, &[4]), (0.7, &[5])] {
            assert_eq!(left(&media, end_s).0, expected, "{end_s}");
        }
    }

    #[test]
    fn one_sample_of_four_bytes_leaves_no_room_for_a_box_and_is_taken_off_all_the_same() {
        let media = fragment(&[traf(&[0, 1], 0, &[0x201, 3, 200, 4, 4, 4])]);
        for (end_s, expected) in [(0.15, 2), (0.05, 1)] {
            let (found, made) = left(&media, end_s);
            assert!(found == [expected] && made.len() == media.len(), "{end_s}: {found:?}");
        }
    }

    #[test]
    fn what_is_no_fragment_is_not_touched() {
        let whole = fragment(&[traf(&[0, 1], 0, &[0x301, 2, 200, 1, 4, 1, 4])]);
        for cut_at in 1..whole.len() {
            // A cut between boxes leaves a whole moof.
            assert!(cut(&whole[..cut_at], 0.05, &tracks()).is_none() || cut_at == whole.len() - 48);
        }
        for run in [[0x301, u32::MAX, 200, 1, 4], [0x1, u32::MAX, 200, 0, 0]] {
            assert_eq!(cut(&fragment(&[traf(&[0, 1], 0, &run)]), 0.05, &tracks()), None);
        }
        assert_eq!(cut(&fragment(&[traf(&[0, 3], 0, &[0x1, 1, 200])]), 0.05, &tracks()), None, "of no track");
        let none = BTreeMap::from([(1, Track { timescale: 0, duration: 0, is_video: true })]);
        assert!(cut(&whole, 0.05, &none).is_some(), "a timescale of 0 divides nothing");
    }
}
