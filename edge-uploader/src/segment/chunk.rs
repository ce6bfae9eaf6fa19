//! An open chunk: the bytes of its fragments, and the attributes that it gets when it closes.

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

/// ONVIF's limit on the entries of `SeekTable`.
const SEEK_TABLE_ENTRIES: usize = 20;

/// A frame on the shared timescale.
#[derive(Debug, Clone)]
pub(super) struct Sample {
    pub(super) pts: i64,
    /// The duration, if the source gives one.
    pub(super) duration: Option<i64>,
    pub(super) reference: Reference,
    pub(super) wall: Timestamp,
    /// The source of the presentation time.
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

/// Sums over the fragments of a chunk. They depend only on the fragments' runs, so that recovery gives
/// the same result as recording.
#[derive(Debug, Default)]
pub(super) struct Summary {
    /// How the chunk starts, known with the first video sample.
    start: Option<ChunkStart>,
    video: TrackSummary,
    audio: TrackSummary,
}

#[derive(Debug, Default)]
struct TrackSummary {
    frames: u64,
    bytes: u64,
    /// Of these, the bytes of frames that are not random access frames.
    between_bytes: u64,
    ticks: u64,
    end: u64,
    random_access: Vec<FragmentInfo>,
}

impl Summary {
    /// Adds a fragment whose `moof` begins at `moof_offset` in the file.
    pub(super) fn add(&mut self, moof_offset: u64, runs: &[Run]) {
        // ISO/IEC 14496-12 §8.8.10.3: `tfra` counts track fragments, runs and samples from 1.
        for (traf_number, run) in (1_u32..).zip(runs) {
            let track = if run.track == AUDIO_TRACK { &mut self.audio } else { &mut self.video };
            let mut time = run.base;
            let mut found = false;
            if let (None, VIDEO_TRACK, Some(first)) = (self.start, run.track, run.entries.first()) {
                let start = if boxes::is_sync(first.flags) { ChunkStart::RandomAccess } else { ChunkStart::Between };
                self.start = Some(start);
            }
            for (sample_delta, entry) in (1_u32..).zip(&run.entries) {
                // Every audio sample is a sync sample. A table of the first one in each fragment is sufficient.
                let wanted = run.track == VIDEO_TRACK || !found;
                if wanted && boxes::is_sync(entry.flags) {
                    found = true;
                    let time = time.saturating_add_signed(entry.composition_offset.into());
                    let entry = FragmentInfo { time, moof_offset, traf_number, trun_number: 1, sample_delta };
                    track.random_access.push(entry);
                }
                track.frames += 1;
                track.bytes += u64::from(entry.size);
                track.between_bytes += if boxes::is_sync(entry.flags) { 0 } else { u64::from(entry.size) };
                track.ticks += u64::from(entry.duration);
                time = time.saturating_add(entry.duration.into());
            }
            track.end = track.end.max(time);
        }
    }

    /// Returns the duration for `mehd` (ISO/IEC 14496-12 §8.8.2): the end of the longest track.
    pub(super) fn movie_duration(&self) -> u64 {
        self.video.end.max(self.audio.end)
    }

    /// Returns the number of video frames.
    pub(super) fn video_frames(&self) -> u64 {
        self.video.frames
    }

    /// The bytes of the video's frames that are not random access frames, and for how long they are shown.
    pub(super) fn between(&self, timescale: u32) -> (u64, f64) {
        (self.video.between_bytes, self.video.ticks as f64 / f64::from(timescale.max(1)))
    }

    /// Returns the end of the video on the chunk's own time line.
    pub(super) fn video_end(&self) -> u64 {
        self.video.end
    }

    /// Returns `mfra`, and the complete attributes based on the draft from the chunk's start.
    /// The last fragment ends at `media_end` of the file.
    pub(super) fn close(
        &self,
        draft: &Attributes,
        to: Timestamp,
        media_end: u64,
    ) -> boxes::Result<(Bytes, Attributes)> {
        let timescale = draft.timescale.unwrap_or(1).max(1);
        let seconds = self.video.ticks as f64 / f64::from(timescale);
        let per_second = |count: u64| if seconds > 0.0 { count as f64 / seconds } else { 0.0 };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate is not negative")]
        let bitrate = |bytes: u64| (per_second(bytes * 8) / 1000.0).round() as u64;
        let mut attributes = Attributes {
            to: Some(to),
            media_end: Some(media_end),
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

    /// Returns a table with as many evenly spaced random access frames as ONVIF allows and the metadata has
    /// room for, besides what the spool adds. The first one of each track is always included. Returns
    /// `None` if there are none.
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

/// Returns at most `most` of `entries`, including the first.
fn thinned(entries: &[FragmentInfo], most: usize) -> Vec<FragmentInfo> {
    let step = entries.len().div_ceil(most).max(1);
    entries.iter().step_by(step).cloned().collect()
}

/// A chunk in progress.
#[derive(Debug)]
pub(super) struct Chunk {
    /// The source's presentation time that becomes 0 in the file.
    zero: i64,
    /// The source's presentation time of the chunk's first frame in decoding order.
    pub(super) start: i64,
    /// Whether that frame is a random access frame.
    pub(super) starts_with: ChunkStart,
    /// The source's presentation time of the chunk's last random access frame, or of its first
    /// frame if it has none.
    pub(super) since: i64,
    pub(super) draft: Attributes,
    bytes: u64,
    fragments: u32,
    video_next: u64,
    audio_next: u64,
    /// Number of frames whose times were replaced.
    replaced: u64,
    pub(super) summary: Summary,
}

impl Chunk {
    pub(super) fn new(zero: i64, start: i64, draft: Attributes, init_bytes: u64) -> Self {
        let starts_with = draft.start;
        let summary = Summary::default();
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

    /// Returns the bytes of the next fragment. `video_until` and `audio_until` are the
    /// ends of the last samples.
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

    /// `mfra`, and the whole of the attributes.
    pub(super) fn close(&self, to: Timestamp) -> boxes::Result<(Bytes, Attributes)> {
        self.summary.close(&self.draft, to, self.bytes)
    }

    /// Returns the number of frames whose times were replaced, `None` for 0.
    pub(super) fn replaced(&self) -> Option<u64> {
        Some(self.replaced).filter(|replaced| *replaced > 0)
    }

    fn on_chunk(&self, pts: i64) -> u64 {
        u64::try_from(pts - self.zero).unwrap_or(0)
    }
}

/// Computes decoding times for presentation times in decoding order, none before `earliest`.
///
/// A frame must be decoded before it, or any frame after it in decoding order, is presented. Its latest
/// possible decoding time is the earliest of these presentation times. Composition offsets (ISO/IEC 14496-12
/// §8.6.1.3) are therefore never negative. Frames with the same latest time are spread evenly before it. This
/// matters for players such as ffmpeg that add the most negative offset to the whole track, which would put
/// video out of sync with audio. There is no room only for pictures that precede the random access frame of
/// their chunk in presentation, and for repeated times: these get decoding times one tick apart.
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

/// Converts samples in decoding order to a run. `next` is the earliest decoding time for the run, and is
/// updated for the run after it.
fn run(track: u32, samples: &[Sample], zero: i64, until: i64, next: &mut u64) -> Option<Run> {
    let at = |pts: i64| u64::try_from(pts - zero).unwrap_or(0);
    let mut decoding = decoding_times(samples.iter().map(|sample| at(sample.pts)).collect(), *next);
    let base = *decoding.first()?;
    let last = *decoding.last()?;
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
    // The end of audio is an estimate, and the next sample of a jittering camera may begin slightly earlier.
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
            // A B-frame pyramid.
            (&[0, 40, 20, 10, 30, 80, 60, 50, 70], &[0, 3, 6, 10, 30, 36, 43, 50, 70]),
            // Leading pictures leave no room before them.
            (&[20, 0, 10, 30], &[0, 1, 10, 30]),
            (&[0, 0, 0, 10], &[0, 1, 2, 10]),
        ] {
            assert_eq!(decoding_times(shown.to_vec(), 0), decoded, "{shown:?}");
        }
        assert_eq!(decoding_times(vec![5, 6, 7], 6), [6, 7, 8]);
    }
}
