//! Movie fragments: the samples of one `moof`.

use super::super::demux::Fault;
use super::boxes::{Box4, boxes};
use super::table::Sample;
use re_mp4::{TfdtBox, TfhdBox, TrexBox, TrunBox};

/// More samples than any recorder puts into one fragment; a hostile count ends here.
const SAMPLES_LIMIT: u32 = 1 << 18;

/// What `trex` says of a track, and how far its fragments have come.
pub(super) struct FragmentedTrack {
    pub(super) id: u32,
    pub(super) defaults: TrexBox,
    /// The decoding time after the last sample, for fragments that do not say theirs.
    pub(super) next_dts: i64,
}

/// The samples of the fragment `moof` that begins at `start` in the file, track by track: `found(track, sample)`.
///
/// `left` is how many there may still be in the whole file.
pub(super) fn samples(
    moof: &[u8],
    start: u64,
    left: &mut u64,
    tracks: &mut [FragmentedTrack],
    mut found: impl FnMut(usize, Sample),
) -> Result<(), Fault> {
    // Where data begins that does not say so: at the fragment, then after what came before (8.8.7 and 8.8.8).
    let mut end_of_data = start;
    let mut budget = SAMPLES_LIMIT;
    for traf in boxes(moof).filter(|b| &b.kind == b"traf") {
        let header: TfhdBox = traf.child(*b"tfhd").ok_or_else(|| Fault::new("a fragment names no track"))?.read()?;
        let base = match header.base_data_offset {
            Some(offset) => offset,
            None if header.flags & TfhdBox::FLAG_DEFAULT_BASE_IS_MOOF != 0 => start,
            None => end_of_data,
        };
        let Some(i) = tracks.iter().position(|track| track.id == header.track_id) else {
            // A track that is left out still moves the place of those which follow without a base of their own.
            end_of_data = skipped(traf, base, left)?;
            continue;
        };
        if let Some(time) = traf.child(*b"tfdt") {
            let time: TfdtBox = time.read()?;
            tracks[i].next_dts = i64::try_from(time.base_media_decode_time)
                .ok()
                .filter(|time| *time < i64::MAX / 4)
                .ok_or_else(|| Fault::new("a fragment begins at an impossible time"))?;
        }
        let mut offset = base;
        for run in boxes(traf.body()).filter(|b| &b.kind == b"trun") {
            budget = budget.checked_sub(count(run)).ok_or_else(too_many)?;
            *left = left.checked_sub(count(run).into()).ok_or_else(too_many)?;
            let run: TrunBox = run.read()?;
            if let Some(data) = run.data_offset {
                offset = base.saturating_add_signed(data.into());
            }
            offset = walk(&header, &run, offset, &mut tracks[i], |sample| found(i, sample));
        }
        end_of_data = offset;
    }
    Ok(())
}

/// The samples of one run; gives the end of its data.
fn walk(
    header: &TfhdBox,
    run: &TrunBox,
    offset: u64,
    track: &mut FragmentedTrack,
    mut found: impl FnMut(Sample),
) -> u64 {
    let duration = header.default_sample_duration.unwrap_or(track.defaults.default_sample_duration);
    let size = header.default_sample_size.unwrap_or(track.defaults.default_sample_size);
    let description = header.sample_description_index.unwrap_or(track.defaults.default_sample_description_index);
    let mut offset = offset;
    for i in 0..run.sample_count as usize {
        let size = run.sample_sizes.get(i).copied().unwrap_or(size);
        let duration = run.sample_durations.get(i).copied().unwrap_or(duration);
        // Version 0 says unsigned, but recorders write negative ones there too; none is beyond 2³¹.
        let shift = run.sample_cts.get(i).map_or(0, |shift| shift.cast_signed());
        let dts = track.next_dts;
        found(Sample { offset, size, dts, pts: dts.saturating_add(shift.into()), duration, description });
        offset = offset.saturating_add(size.into());
        track.next_dts = dts.saturating_add(duration.into());
    }
    offset
}

/// The number of samples a `trun` claims; known before anything is made of it.
fn count(run: Box4<'_>) -> u32 {
    run.body().get(4..).and_then(|rest| rest.first_chunk::<4>()).map_or(0, |count| u32::from_be_bytes(*count))
}

fn too_many() -> Fault {
    Fault::new("a fragment claims too many samples")
}

/// The end of a left out track's data, as far as its runs say it.
fn skipped(traf: Box4<'_>, base: u64, left: &mut u64) -> Result<u64, Fault> {
    let mut end = base;
    for run in boxes(traf.body()).filter(|b| &b.kind == b"trun" && count(*b) <= SAMPLES_LIMIT) {
        *left = left.checked_sub(count(run).into()).ok_or_else(too_many)?;
        if let Ok(run) = run.read::<TrunBox>() {
            let begin = run.data_offset.map_or(end, |data| base.saturating_add_signed(data.into()));
            end = begin.saturating_add(run.sample_sizes.iter().map(|size| u64::from(*size)).sum());
        }
    }
    Ok(end)
}
