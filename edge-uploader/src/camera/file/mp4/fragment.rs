//! Movie fragments (ISO/IEC 14496-12 §8.8): the samples of one `moof`.

use super::super::demux::Fault;
use super::boxes::{Box4, boxes};
use super::table::Sample;
use re_mp4::{TfdtBox, TfhdBox, TrexBox, TrunBox};

/// Most samples in a fragment, more than any recorder writes. It limits hostile counts.
const SAMPLES_LIMIT: u32 = 1 << 18;

/// The defaults of a track from `trex`, and the state of its fragments.
pub(super) struct FragmentedTrack {
    pub(super) id: u32,
    pub(super) defaults: TrexBox,
    /// Decoding time after the last sample, for fragments without `tfdt`.
    pub(super) next_dts: i64,
}

/// A fragment's part of one track.
pub(super) struct Part {
    /// Index of the recorded track.
    pub(super) track: usize,
    pub(super) samples: Vec<Sample>,
    /// The decoding time of the first sample from `tfdt`, if there is one.
    pub(super) named: Option<i64>,
    /// The decoding time after its last sample.
    pub(super) end: i64,
}

/// Returns the parts of the fragment `moof`, which is the body of the box at `start` in the file. Leaves out
/// damaged parts and returns the first problem.
///
/// `part_of_file` is the origin of file positions: a concatenated file has several. `left` is the number of
/// samples that the rest of the file may have.
pub(super) fn parts(
    moof: &[u8],
    (start, part_of_file): (u64, u64),
    left: &mut u64,
    (tracks, known): (&[FragmentedTrack], &[u32]),
) -> (Vec<Part>, Option<Fault>) {
    // Default data position: the start of the fragment, then the end of the previous data
    // (ISO/IEC 14496-12 §8.8.7 and §8.8.8).
    let mut end_of_data = start;
    let mut budget = SAMPLES_LIMIT;
    let mut parts = Vec::new();
    let mut problem = None;
    for traf in boxes(moof).filter(|b| &b.kind == b"traf") {
        let header = traf.child(*b"tfhd").ok_or_else(|| Fault::new("a fragment names no track (tfhd)"));
        let header: TfhdBox = match header.and_then(Box4::read) {
            Ok(header) => header,
            Err(fault) => {
                problem.get_or_insert(fault);
                continue;
            }
        };
        let base = match header.base_data_offset {
            Some(offset) => offset.saturating_add(part_of_file),
            None if header.flags & TfhdBox::FLAG_DEFAULT_BASE_IS_MOOF != 0 => start,
            None => end_of_data,
        };
        let Some(i) = tracks.iter().position(|track| track.id == header.track_id) else {
            if !known.contains(&header.track_id) {
                problem.get_or_insert_with(|| Fault::new("it names a track that does not exist"));
            }
            // A skipped track still moves the data position of following tracks without a base of their own.
            end_of_data = skipped(traf, base, left);
            continue;
        };
        let named = match traf.child(*b"tfdt").map(Box4::read::<TfdtBox>) {
            Some(Ok(time)) => i64::try_from(time.base_media_decode_time).ok().filter(|time| *time < i64::MAX / 4),
            _ => None,
        };
        let mut part = Part { track: i, samples: Vec::new(), named, end: named.unwrap_or(tracks[i].next_dts) };
        let mut offset = base;
        for run in boxes(traf.body()).filter(|b| &b.kind == b"trun") {
            if !adds_up(run) {
                problem.get_or_insert_with(|| Fault::new("a track run (trun) does not have its declared length"));
            }
            let charged = budget.checked_sub(count(run)).zip(left.checked_sub(count(run).into()));
            // A damaged number of samples affects only its own run.
            let Some((budget_left, samples_left)) = charged else {
                problem.get_or_insert_with(|| Fault::new("a fragment claims too many samples"));
                continue;
            };
            let run: TrunBox = match run.read() {
                Ok(run) => run,
                Err(fault) => {
                    problem.get_or_insert(fault);
                    continue;
                }
            };
            budget = budget_left;
            *left = samples_left;
            if let Some(data) = run.data_offset {
                offset = base.saturating_add_signed(data.into());
            }
            offset = walk(&header, &run, offset, &tracks[i].defaults, &mut part);
        }
        end_of_data = offset;
        parts.push(part);
    }
    (parts, problem)
}

/// Returns the first box in a fragment, or in one of its tracks, whose type has no place there (ISO/IEC
/// 14496-12 §8.8.4, §8.8.6). Its type is damaged, and its content is lost.
pub(super) fn stranger(moof: &[u8]) -> Option<[u8; 4]> {
    const FRAGMENT: [&[u8; 4]; 8] = [b"mfhd", b"traf", b"pssh", b"meta", b"udta", b"uuid", b"free", b"skip"];
    const TRACK: [&[u8; 4]; 15] = [
        b"tfhd", b"tfdt", b"trun", b"sdtp", b"sbgp", b"sgpd", b"subs", b"saiz", b"saio", b"senc", b"meta", b"udta",
        b"uuid", b"free", b"skip",
    ];
    let of_fragment = boxes(moof).map(|b| (b.kind, FRAGMENT.contains(&&b.kind)));
    let trafs = boxes(moof).filter(|b| &b.kind == b"traf");
    let of_tracks = trafs.flat_map(|traf| boxes(traf.body())).map(|b| (b.kind, TRACK.contains(&&b.kind)));
    of_fragment.chain(of_tracks).find(|(_, is_known)| !is_known).map(|(kind, _)| kind)
}

/// Returns the decoding times in a fragment's `tfdt` boxes for the recorded tracks.
pub(super) fn named_times(moof: &[u8], tracks: &[FragmentedTrack]) -> Vec<(usize, i64)> {
    let named = boxes(moof).filter(|b| &b.kind == b"traf").filter_map(|traf| {
        let header: TfhdBox = traf.child(*b"tfhd")?.read().ok()?;
        let time: TfdtBox = traf.child(*b"tfdt")?.read().ok()?;
        let track = tracks.iter().position(|track| track.id == header.track_id)?;
        Some((track, i64::try_from(time.base_media_decode_time).ok()?))
    });
    named.collect()
}

/// Adds the samples of one run and returns the end of its data.
fn walk(header: &TfhdBox, run: &TrunBox, offset: u64, defaults: &TrexBox, part: &mut Part) -> u64 {
    let duration = header.default_sample_duration.unwrap_or(defaults.default_sample_duration);
    let size = header.default_sample_size.unwrap_or(defaults.default_sample_size);
    let description = header.sample_description_index.unwrap_or(defaults.default_sample_description_index);
    let mut offset = offset;
    for i in 0..run.sample_count as usize {
        let size = run.sample_sizes.get(i).copied().unwrap_or(size);
        let duration = run.sample_durations.get(i).copied().unwrap_or(duration);
        // Version 0 offsets are unsigned, but recorders also write negative ones there.
        // No real offset exceeds 2³¹.
        let shift = run.sample_cts.get(i).map_or(0, |shift| shift.cast_signed());
        let dts = part.end;
        let pts = dts.saturating_add(shift.into());
        let is_first_in_chunk = i == 0;
        part.samples.push(Sample { offset, size, dts, pts, duration, description, is_first_in_chunk });
        offset = offset.saturating_add(size.into());
        part.end = dts.saturating_add(duration.into());
    }
    offset
}

/// Returns the number of samples that a `trun` announces, before they are read.
fn count(run: Box4<'_>) -> u32 {
    run.body().get(4..).and_then(|rest| rest.first_chunk::<4>()).map_or(0, |count| u32::from_be_bytes(*count))
}

/// Returns whether the length of a `trun` matches its flags and its number
/// of samples (ISO/IEC 14496-12 §8.8.8).
fn adds_up(run: Box4<'_>) -> bool {
    let body = run.body();
    let Some([_, a, b, c]) = body.first_chunk::<4>().copied() else { return false };
    let flags = u32::from_be_bytes([0, a, b, c]);
    let words = |of: [u32; 4]| of.iter().filter(|flag| flags & **flag != 0).count() as u64;
    let length = 8 + 4 * words([0x001, 0x004, 0, 0]) + 4 * words([0x100, 0x200, 0x400, 0x800]) * u64::from(count(run));
    body.len() as u64 == length
}

/// Returns the end of a skipped track's data, as far as its runs tell.
fn skipped(traf: Box4<'_>, base: u64, left: &mut u64) -> u64 {
    let mut end = base;
    for run in boxes(traf.body()).filter(|b| &b.kind == b"trun" && count(*b) <= SAMPLES_LIMIT) {
        *left = left.saturating_sub(count(run).into());
        if let Ok(run) = run.read::<TrunBox>() {
            let begin = run.data_offset.map_or(end, |data| base.saturating_add_signed(data.into()));
            end = begin.saturating_add(run.sample_sizes.iter().map(|size| u64::from(*size)).sum());
        }
    }
    end
}
