//! One open chunk: its fragments' bytes, and what is to be said of it when it closes.

use super::boxes::{self, AUDIO_TRACK, Entry, Run, VIDEO_TRACK};
use super::fragment::Fragment;
use super::timeline;
use crate::clock::Origin;
use crate::media::Reference;
use bytes::Bytes;
use framepost_events::Sha256;
use framepost_events::attributes::{Attributes, AudioAttributes, ChunkStart, VideoAttributes};
use jiff::Timestamp;
use mp4_atom::FragmentInfo;

/// ONVIF: a `SeekTable` has no more entries than this.
const SEEK_TABLE_ENTRIES: usize = 20;

/// A frame on the shared timescale.
#[derive(Debug, Clone)]
pub(super) struct Sample {
    pub(super) pts: i64,
    /// As the source says.
    pub(super) duration: Option<i64>,
    pub(super) reference: Reference,
    pub(super) wall: Timestamp,
    /// Who says the time.
    pub(super) origin: Origin,
    pub(super) data: Bytes,
}

impl super::thin::Referenced for Sample {
    fn reference(&self) -> Reference {
        self.reference
    }

    fn pts(&self) -> i64 {
        self.pts
    }
}

/// What the fragments of a chunk come to. Made from their runs alone, so that recovery gives the same as recording.
#[derive(Debug, Default)]
pub(super) struct Summary {
    /// Of the first video sample, once there is one.
    start: Option<ChunkStart>,
    video: TrackSummary,
    audio: TrackSummary,
}

#[derive(Debug, Default)]
struct TrackSummary {
    frames: u64,
    bytes: u64,
    ticks: u64,
    end: u64,
    random_access: Vec<FragmentInfo>,
}

impl Summary {
    /// Takes in a fragment whose `moof` begins at `moof_offset` of the file.
    pub(super) fn add(&mut self, moof_offset: u64, runs: &[Run]) {
        for (traf_number, run) in (1_u32..).zip(runs) {
            let track = if run.track == AUDIO_TRACK { &mut self.audio } else { &mut self.video };
            let mut time = run.base;
            let mut found = false;
            if let (None, VIDEO_TRACK, Some(first)) = (self.start, run.track, run.entries.first()) {
                let start = if boxes::is_sync(first.flags) { ChunkStart::RandomAccess } else { ChunkStart::Between };
                self.start = Some(start);
            }
            for (sample_delta, entry) in (1_u32..).zip(&run.entries) {
                // Every sample of sound is one; a table of all would say no more than the first of each fragment.
                let wanted = run.track == VIDEO_TRACK || !found;
                if wanted && boxes::is_sync(entry.flags) {
                    found = true;
                    let time = time.saturating_add_signed(entry.composition_offset.into());
                    let entry = FragmentInfo { time, moof_offset, traf_number, trun_number: 1, sample_delta };
                    track.random_access.push(entry);
                }
                track.frames += 1;
                track.bytes += u64::from(entry.size);
                track.ticks += u64::from(entry.duration);
                time = time.saturating_add(entry.duration.into());
            }
            track.end = track.end.max(time);
        }
    }

    /// For `mehd`: the end of the longest track.
    pub(super) fn movie_duration(&self) -> u64 {
        self.video.end.max(self.audio.end)
    }

    /// How many video frames there are.
    pub(super) fn video_frames(&self) -> u64 {
        self.video.frames
    }

    /// The end of the video, on the chunk's own time.
    pub(super) fn video_end(&self) -> u64 {
        self.video.end
    }

    /// `mfra`, and the whole of the attributes from those that were known at the beginning.
    pub(super) fn close(&self, draft: &Attributes, to: Timestamp) -> boxes::Result<(Bytes, Attributes)> {
        let timescale = draft.timescale.unwrap_or(1).max(1);
        let seconds = self.video.ticks as f64 / f64::from(timescale);
        let per_second = |count: u64| if seconds > 0.0 { count as f64 / seconds } else { 0.0 };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate is not negative")]
        let bitrate = |bytes: u64| (per_second(bytes * 8) / 1000.0).round() as u64;
        let mut attributes = Attributes {
            to: Some(to),
            start: self.start.unwrap_or_default(),
            duration: Some(timeline::duration(i64::try_from(self.video.ticks).unwrap_or(i64::MAX), timescale)),
            video: draft.video.as_ref().map(|video| VideoAttributes {
                framerate: (per_second(self.video.frames) * 1000.0).round() / 1000.0,
                bitrate_kbps: bitrate(self.video.bytes),
                ..video.clone()
            }),
            audio: draft
                .audio
                .as_ref()
                .map(|audio| AudioAttributes { bitrate_kbps: bitrate(self.audio.bytes), ..audio.clone() }),
            ..draft.clone()
        };
        let mut tables = vec![(VIDEO_TRACK, self.video.random_access.clone())];
        if draft.audio.is_some() {
            tables.push((AUDIO_TRACK, self.audio.random_access.clone()));
        }
        attributes.seek_table = self.seek_table(&attributes)?;
        Ok((boxes::mfra(&tables)?.into(), attributes))
    }

    /// As many random access frames, evenly spread, as ONVIF allows and the metadata has room for beside what the spool
    /// adds; the first of each track always. `None` where there is none to seek to.
    fn seek_table(&self, attributes: &Attributes) -> boxes::Result<Option<Vec<u8>>> {
        if self.video.random_access.is_empty() {
            return Ok(None);
        }
        let sound: Vec<_> = self.audio.random_access.iter().take(1).cloned().collect();
        let mut most = SEEK_TABLE_ENTRIES - sound.len();
        while most > 0 {
            let mut tables = vec![(VIDEO_TRACK, thinned(&self.video.random_access, most))];
            if !sound.is_empty() {
                tables.push((AUDIO_TRACK, sound.clone()));
            }
            let table = boxes::mfra(&tables)?;
            let whole = Attributes {
                seek_table: Some(table),
                sha256: Some(Sha256([0; 32])),
                previous: Some(Sha256([0; 32])),
                key_id: Some("0123456789abcdef".to_owned()),
                signature: Some([0; 64]),
                ..attributes.clone()
            };
            if whole.to_metadata().is_ok() {
                return Ok(whole.seek_table);
            }
            most /= 2;
        }
        Ok(None)
    }
}

/// At most `most` of `entries`, the first among them.
fn thinned(entries: &[FragmentInfo], most: usize) -> Vec<FragmentInfo> {
    let step = entries.len().div_ceil(most).max(1);
    entries.iter().step_by(step).cloned().collect()
}

/// A chunk that fragments are being added to.
#[derive(Debug)]
pub(super) struct Chunk {
    /// The presentation time, on the source's time line, that is 0 in the file.
    zero: i64,
    /// The source's presentation time of the frame that it starts with, in decoding order.
    pub(super) start: i64,
    /// What that frame is.
    pub(super) starts_with: ChunkStart,
    /// The source's presentation time of the last random access frame in it; of its first frame, where there is none.
    pub(super) since: i64,
    pub(super) draft: Attributes,
    bytes: u64,
    fragments: u32,
    video_next: u64,
    audio_next: u64,
    /// Frames whose times were replaced.
    replaced: u64,
    pub(super) summary: Summary,
}

impl Chunk {
    pub(super) fn new(zero: i64, start: i64, draft: Attributes, init_bytes: u64) -> Self {
        let (starts_with, summary) = (draft.start, Summary::default());
        let since = start;
        Self {
            zero,
            start,
            starts_with,
            since,
            draft,
            bytes: init_bytes,
            fragments: 0,
            video_next: 0,
            audio_next: 0,
            replaced: 0,
            summary,
        }
    }

    /// The bytes of the next fragment. `video_until` and `audio_until` are where the last sample of each ends.
    pub(super) fn fragment(
        &mut self,
        video: &[Sample],
        video_until: i64,
        audio: &[Sample],
        audio_until: i64,
    ) -> boxes::Result<Fragment> {
        let mut runs = Vec::with_capacity(2);
        runs.extend(run(VIDEO_TRACK, video, self.zero, video_until, &mut self.video_next));
        runs.extend(run(AUDIO_TRACK, audio, self.zero, audio_until, &mut self.audio_next));
        self.fragments += 1;
        self.replaced += video.iter().chain(audio).filter(|sample| sample.origin == Origin::Arrival).count() as u64;
        let first = video.iter().min_by_key(|sample| sample.pts);
        let wall = first.map_or(Timestamp::UNIX_EPOCH, |sample| sample.wall);
        let media_time = first.map_or(0, |sample| self.on_chunk(sample.pts));
        let head = boxes::fragment(self.fragments, wall, media_time, &runs)?;
        self.summary.add(self.bytes + head.moof_offset, &runs);
        let samples = video.iter().chain(audio).map(|sample| sample.data.clone()).collect();
        let fragment = Fragment::new(head.bytes.into(), samples);
        self.bytes += fragment.len_bytes();
        Ok(fragment)
    }

    /// Of how many frames the times were replaced; `None` for none.
    pub(super) fn replaced(&self) -> Option<u64> {
        Some(self.replaced).filter(|replaced| *replaced > 0)
    }

    fn on_chunk(&self, pts: i64) -> u64 {
        u64::try_from(pts - self.zero).unwrap_or(0)
    }
}

/// Decoding times for presentation times in decoding order, none before `earliest`.
///
/// A frame is decoded at the latest when the first of the frames from it on is shown, so no composition offset is negative;
/// frames with the same latest time are spread evenly before it. So pictures are shown at their own time by every
/// player, the ones included that add the most negative offset to all of a track (ffmpeg), which would put video out of
/// step with sound. Only pictures that precede the random access frame of their chunk, and times that repeat, leave no room:
/// they are a tick apart.
fn decoding_times(mut times: Vec<u64>, earliest: u64) -> Vec<u64> {
    for n in (1..times.len()).rev() {
        times[n - 1] = times[n - 1].min(times[n]);
    }
    let mut before: Option<u64> = None;
    let mut n = 0;
    while n < times.len() {
        let latest = times[n];
        let same = times[n..].iter().take_while(|time| **time == latest).count();
        let from = before.unwrap_or(latest);
        for (nth, time) in (1_u64..).zip(&mut times[n..n + same]) {
            let spread = from + latest.saturating_sub(from) * nth / same as u64;
            *time = spread.max(before.map_or(earliest, |before| before + 1));
            before = Some(*time);
        }
        n += same;
    }
    times
}

/// Samples in decoding order as a run; `next` is the earliest decoding time of its first, and becomes that of the run after.
fn run(track: u32, samples: &[Sample], zero: i64, until: i64, next: &mut u64) -> Option<Run> {
    let at = |pts: i64| u64::try_from(pts - zero).unwrap_or(0);
    let mut decoding = decoding_times(samples.iter().map(|sample| at(sample.pts)).collect(), *next);
    let (base, last) = (*decoding.first()?, *decoding.last()?);
    decoding.push(at(until).max(last + 1));
    let entries = samples.iter().zip(decoding.windows(2)).map(|(sample, times)| {
        let offset = if track == AUDIO_TRACK { 0 } else { sample.pts - zero - times[0].cast_signed() };
        Entry {
            duration: u32::try_from(times[1] - times[0]).unwrap_or(u32::MAX),
            size: u32::try_from(sample.data.len()).unwrap_or(u32::MAX),
            flags: boxes::sample_flags(sample.reference),
            composition_offset: i32::try_from(offset).unwrap_or(if offset < 0 { i32::MIN } else { i32::MAX }),
        }
    });
    let entries = entries.collect();
    // For sound the end is an estimate, and a jittering camera's next sample may come a little before it.
    *next = if track == AUDIO_TRACK { last + 1 } else { *decoding.last()? };
    Some(Run { track, base, entries })
}

#[cfg(test)]
mod tests {
    use super::decoding_times;

    #[test]
    fn decoding_comes_before_what_is_shown_next() {
        for (shown, decoded) in [
            (&[0, 10, 20, 30][..], &[0, 10, 20, 30][..]),
            // I P b b P b b
            (&[0, 30, 10, 20, 60, 40, 50], &[0, 5, 10, 20, 30, 40, 50]),
            // A pyramid.
            (&[0, 40, 20, 10, 30, 80, 60, 50, 70], &[0, 3, 6, 10, 30, 36, 43, 50, 70]),
            // Leading pictures leave no room.
            (&[20, 0, 10, 30], &[0, 1, 10, 30]),
            (&[0, 0, 0, 10], &[0, 1, 2, 10]),
        ] {
            assert_eq!(decoding_times(shown.to_vec(), 0), decoded, "{shown:?}");
        }
        assert_eq!(decoding_times(vec![5, 6, 7], 6), [6, 7, 8]);
    }
}
