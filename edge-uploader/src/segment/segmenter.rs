//! Decides where fragments and chunks are cut.

use super::activity::Quiet;
use super::chunk::{Chunk, Sample};
use super::settings::{Cuts, SegmentSettings, Stats, visible};
use super::thin::{Keep, Thin};
use super::timeline::{Timeline, wall_after};
use super::{Output, boxes};
use crate::clock::Origin;
use crate::media::{Frame, Reference, StreamParameters, TrackKind};
use framepost_events::attributes::{Attributes, AudioAttributes, ChunkStart, ClockInfo, VideoAttributes};
use framepost_events::key::whole_micros;
use jiff::Timestamp;
use std::collections::VecDeque;
use std::time::Duration;

/// Larger frames are refused.
const FRAME_BYTES_MAX: usize = 64 << 20;
/// Limits at which a fragment is cut, however its frames are ordered.
const FRAGMENT_BYTES_MAX: usize = 32 << 20;
const FRAGMENT_FRAMES_MAX: usize = 1024;
/// Most audio frames that are kept until their pictures arrive: more than a minute.
const AUDIO_FRAMES_MAX: usize = 4096;
/// How long the end of a chunk waits for its audio.
const AUDIO_WAIT: Duration = Duration::from_secs(1);
/// Audio that begins earlier than this before the first picture is dropped.
const AUDIO_LEAD_MAX: Duration = Duration::from_mins(1);
/// Reordered pictures go back at most this far in presentation time or, if pictures are rare, twice as far as
/// the last step ahead. A larger step back is a discontinuity.
const REORDERING_MAX: Duration = Duration::from_secs(2);

/// If the interval between random access frames is close to the longest chunk, the chunk waits for the next one
/// up to this fraction longer. Otherwise each chunk would be cut just before a random access frame.
const NEARLY: i64 = 16;

/// The reasons for which a span must end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The frame's time does not continue from the frames before. The frame was not accepted, and the segmenter
    /// is unchanged. Finish this segmenter and pass the frame to a new one.
    #[error("presentation time {pts} does not follow {after} (timescale {timescale})")]
    Discontinuity {
        /// The frame's presentation time on the span's shared timescale.
        pts: i64,
        /// The latest presentation time before it, in the same units.
        after: i64,
        /// Units per second of `pts` and `after`.
        timescale: u32,
    },
    /// A box could not be written.
    #[error("a chunk could not be written")]
    Mux(#[from] mp4_atom::Error),
}

/// Makes the chunks of one span.
#[derive(Debug)]
pub struct Segmenter {
    settings: SegmentSettings,
    parameters: StreamParameters,
    clock: ClockInfo,
    cuts: Cuts,
    timeline: Timeline,
    stats: Stats,
    thin: Thin<Sample>,
    /// Video frames in decoding order since the last cut.
    video: VecDeque<Sample>,
    /// Audio that is not yet in a fragment.
    audio: VecDeque<Sample>,
    /// The latest presentation times of video and audio.
    newest: Option<i64>,
    /// The difference between the two latest presentation times.
    last_step: i64,
    newest_audio: Option<i64>,
    /// The end of the frame shown last, if the source gives durations.
    end: Option<i64>,
    /// How long the last frame before a cut was shown.
    last_duration: Option<i64>,
    chunk: Option<Chunk>,
    /// Where the last chunk ended and the next one begins.
    border: Option<(i64, Timestamp)>,
    counter: u64,
    /// The last random access frame, and the distance between the two last ones.
    last_random_access: Option<i64>,
    last_group: Option<i64>,
    quiet: Quiet,
}

/// A position in `Segmenter::video` before which to cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cut {
    index: usize,
    /// The earliest presentation time after the cut, with its wall-clock time.
    next: (i64, Timestamp),
    of: Piece,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece {
    Fragment,
    Chunk,
}

/// Whether more frames may arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Input {
    Open,
    Ended,
}

impl Segmenter {
    /// Creates a segmenter for one span.
    pub fn new(mut settings: SegmentSettings, mut parameters: StreamParameters, clock: ClockInfo) -> Self {
        if settings.keep == Keep::Keyframes {
            parameters.audio = None;
        }
        settings.chunk_max = settings.chunk_max.max(settings.window);
        settings.source = visible(&settings.source);
        let timeline = Timeline::new(&parameters);
        Self {
            thin: Thin::new(settings.keep, timeline.ticks(settings.chunk_max)),
            timeline,
            settings,
            parameters,
            clock,
            cuts: Cuts::default(),
            stats: Stats::default(),
            video: VecDeque::new(),
            audio: VecDeque::new(),
            newest: None,
            last_step: 0,
            newest_audio: None,
            end: None,
            last_duration: None,
            chunk: None,
            border: None,
            counter: 0,
            last_random_access: None,
            last_group: None,
            quiet: Quiet::default(),
        }
    }

    /// What is known of the camera's quiet level, from the span before.
    #[must_use]
    pub fn with_quiet(self, quiet: Quiet) -> Self {
        Self { quiet, ..self }
    }

    /// What is known of it by now.
    pub fn quiet(&self) -> &Quiet {
        &self.quiet
    }

    /// Sets the source of wall-clock times from now on. A chunk's metadata has the one in effect when it closes.
    pub fn set_clock(&mut self, clock: ClockInfo) {
        self.clock = clock;
    }

    /// Sets when chunks are cut from now on.
    pub fn set_cuts(&mut self, cuts: Cuts) {
        self.cuts = cuts;
    }

    /// Returns the counts so far.
    pub fn stats(&self) -> Stats {
        Stats { thinned: self.thin.dropped(), ..self.stats }
    }

    /// Takes the next frame in decoding order. `wall` is the wall-clock time of its presentation time. It is
    /// ignored for audio, which is placed by its presentation time.
    ///
    /// Recording begins with the first video frame of any kind. Audio that begins at most a minute before it
    /// goes into the first chunk.
    ///
    /// The end of a chunk waits up to one second of video for the audio that belongs to it. Audio that arrives
    /// later is recorded at the start of the chunk that is open then, and counted.
    ///
    /// After [`Error::Discontinuity`] the frame was not accepted, and the segmenter can be finished.
    pub fn push(&mut self, frame: Frame, wall: Timestamp) -> Result<Vec<Output>, Error> {
        self.push_timed(frame, wall, Origin::Source)
    }

    /// Like [`push`](Self::push), for a frame whose time comes from `origin`. A chunk's metadata says how
    /// many frames got replaced times.
    pub fn push_timed(&mut self, frame: Frame, wall: Timestamp, origin: Origin) -> Result<Vec<Output>, Error> {
        if frame.data.is_empty() {
            self.stats.empty += 1;
            return Ok(Vec::new());
        }
        if frame.data.len() > FRAME_BYTES_MAX {
            self.stats.oversized += 1;
            return Ok(Vec::new());
        }
        match frame.track {
            TrackKind::Video => self.push_video(frame, wall, origin)?,
            TrackKind::Audio => self.push_audio(frame, wall, origin),
        }
        let mut outputs = Vec::new();
        self.advance(Input::Open, &mut outputs)?;
        Ok(outputs)
    }

    /// Writes the remaining frames and closes the span. Returns nothing if nothing was recorded.
    pub fn finish(mut self) -> Result<Vec<Output>, Error> {
        let mut outputs = Vec::new();
        self.video.extend(self.thin.finish());
        self.advance(Input::Ended, &mut outputs)?;
        let Some(last_shown) = self.video.iter().max_by_key(|sample| sample.pts) else { return Ok(outputs) };
        let last = last_shown.pts;
        let wall = last_shown.wall;
        let before = self.video.iter().map(|sample| sample.pts).filter(|pts| *pts < last).max().map(|pts| last - pts);
        // If recording stops between reordered pictures, the last one shown is not as long
        // as the hole before it.
        let like_others = before.into_iter().chain(self.last_duration).min();
        let shown = last_shown.duration.or(like_others).unwrap_or_else(|| i64::from(self.timeline.timescale()) / 25);
        // Frames that `Keep` dropped extend the frame before them.
        let end = self.end.max(self.newest).unwrap_or(last).max(last + shown.max(1));
        let end_wall = whole_micros(wall_after(wall, end - last, self.timeline.timescale()));
        let all = Cut { index: self.video.len(), next: (end, end_wall), of: Piece::Chunk };
        self.cut(all, Input::Ended, &mut outputs)?;
        outputs.push(Output::SpanEnd { end: end_wall, counter: self.counter });
        Ok(outputs)
    }

    fn push_video(&mut self, frame: Frame, wall: Timestamp, origin: Origin) -> Result<(), Error> {
        let timescale = self.timeline.timescale();
        let newest = self.newest;
        let jump = |pts| Error::Discontinuity { pts, after: newest.unwrap_or(0), timescale };
        let pts = self.timeline.video(frame.pts).ok_or_else(|| jump(frame.pts))?;
        if let Some(newest) = newest {
            let back = self.timeline.ticks(REORDERING_MAX).max(2 * self.last_step);
            // Durations and composition offsets have 32 bits in `trun` (ISO/IEC 14496-12 §8.8.8.2).
            let forth = self.timeline.ticks(self.settings.gap_max).min(i64::from(i32::MAX) / 2);
            if pts < newest - back || pts > newest + forth {
                return Err(jump(pts));
            }
        }
        let first = self.newest.is_none();
        self.stats.repeated += u64::from(newest == Some(pts));
        self.last_step = newest.map(|newest| pts - newest).filter(|step| *step > 0).unwrap_or(self.last_step);
        self.newest = Some(newest.map_or(pts, |newest| newest.max(pts)));
        let duration = frame.duration.and_then(|duration| self.timeline.video(duration.into())).filter(|d| *d > 0);
        if self.newest == Some(pts) {
            // For reordered frames, the durations of the others are decoding durations, not display durations.
            self.end = duration.map(|duration| pts + duration);
        }
        if first {
            let lead = self.timeline.ticks(AUDIO_LEAD_MAX);
            let before = self.audio.len();
            self.audio.retain(|sound| sound.pts >= pts - lead);
            self.stats.audio_dropped += (before - self.audio.len()) as u64;
        }
        if frame.reference.is_random_access() {
            self.last_group = self.last_random_access.replace(pts).map(|before| pts - before);
        }
        let wall = whole_micros(wall);
        let sample = Sample { pts, duration, reference: frame.reference, wall, origin, data: frame.data };
        self.video.extend(self.thin.push(sample).into_iter().flatten());
        Ok(())
    }

    fn push_audio(&mut self, frame: Frame, wall: Timestamp, origin: Origin) {
        let pts = self.timeline.audio(frame.pts).filter(|_| self.parameters.audio.is_some());
        let Some(pts) = pts else {
            self.stats.audio_dropped += 1;
            return;
        };
        if self.audio.len() == AUDIO_FRAMES_MAX {
            self.audio.pop_front();
            self.stats.audio_dropped += 1;
        }
        let duration = frame.duration.and_then(|duration| self.timeline.audio(duration.into()));
        self.newest_audio = self.newest_audio.max(Some(pts));
        self.audio.push_back(Sample {
            pts,
            duration,
            reference: Reference::RandomAccess,
            wall,
            origin,
            data: frame.data,
        });
    }

    /// Makes all cuts that are possible now.
    fn advance(&mut self, input: Input, outputs: &mut Vec<Output>) -> Result<(), Error> {
        while let Some(cut) = self.find_cut(input) {
            if cut.of == Piece::Chunk && input == Input::Open && self.awaits_audio(cut.next.0) {
                break;
            }
            self.cut(cut, input, outputs)?;
        }
        Ok(())
    }

    /// Returns the first position at which a cut is due, once no later frame can belong before it.
    ///
    /// A chunk is cut at a random access frame once it is as long as the window, or immediately if it began
    /// between two of them, because what follows plays on its own. If no random access frame arrives for the
    /// longest chunk length, the chunk is cut without one.
    ///
    /// A cut is clean if every presentation time before it is less than every one after it. Pictures that
    /// follow frame `k` in decoding order and precede it in presentation arrive before the next frame that is
    /// later than `k`. A cut before `k` is therefore known to be clean when a frame later than `k` arrives.
    /// Within a group of pictures, only clean cuts are made, unless there is none for another longest chunk
    /// length. At its random access frame, a chunk is cut in any case.
    fn find_cut(&self, input: Input) -> Option<Cut> {
        let first = self.video.front()?;
        let mut earliest = first.pts;
        let mut latest = first.pts;
        let mut bytes = first.data.len();
        let (start, mut since, starts_with, frames) = match &self.chunk {
            Some(chunk) => (chunk.start, chunk.since, chunk.starts_with, chunk.summary.video_frames()),
            None => (first.pts, first.pts, starts_with(first), 0),
        };
        let chunk_max = self.chunk_max();
        let fragment_max = self.timeline.ticks(self.settings.fragment_max);
        for (index, frame) in self.video.iter().enumerate().skip(1) {
            let random_access = frame.reference.is_random_access();
            let without = frame.pts - since;
            let enough = match starts_with {
                ChunkStart::Between if self.cuts == Cuts::Usual => i64::MIN,
                ChunkStart::Between | ChunkStart::RandomAccess => self.window() - self.tolerance(frame.pts - latest),
            };
            let whole = random_access && frame.pts - start >= enough;
            let full = without >= chunk_max && frames + index as u64 >= self.settings.chunk_max_frames;
            let length = frame.pts - earliest;
            // Groups much shorter than a fragment share one. Otherwise all-intra video
            // would consist largely of boxes.
            let fragment = frame.pts > latest && length >= if random_access { fragment_max / 4 } else { fragment_max };
            let overdue = full && without >= chunk_max.saturating_mul(2);
            let forced = index >= FRAGMENT_FRAMES_MAX || bytes >= FRAGMENT_BYTES_MAX || overdue;
            if whole || fragment || full || forced {
                let beyond = self.settled_by(index, frame);
                let known = match (beyond, input) {
                    (Some(later), _) => later,
                    (None, Input::Ended) => self.video.len(),
                    (None, Input::Open) if forced => self.video.len(),
                    (None, Input::Open) => return None,
                };
                let next = self.video.range(index..known).min_by_key(|later| later.pts)?;
                let ends = overdue || (full && next.pts - since >= chunk_max);
                let of = if whole || ends { Piece::Chunk } else { Piece::Fragment };
                let due = of == Piece::Chunk || fragment || forced;
                if whole || forced || (due && next.pts > latest) {
                    return Some(Cut { index, next: (next.pts, next.wall), of });
                }
            }
            if random_access {
                since = frame.pts;
            }
            (earliest, latest) = (earliest.min(frame.pts), latest.max(frame.pts));
            bytes += frame.data.len();
        }
        None
    }

    /// Returns the first position after `index` whose frame shows that everything presented before
    /// `frame`, at `index`, has arrived.
    fn settled_by(&self, index: usize, frame: &Sample) -> Option<usize> {
        if self.settings.keep == Keep::Keyframes && frame.reference == Reference::RandomAccess {
            // Frames that could precede it in presentation are not kept.
            return Some(index + 1);
        }
        let mut later = self.video.iter().enumerate().skip(index + 1);
        later.find(|(_, later)| later.pts > frame.pts || later.reference.is_random_access()).map(|(place, _)| place)
    }

    /// Returns how long to wait for the next random access frame, in ticks.
    fn chunk_max(&self) -> i64 {
        let chunk_max = self.timeline.ticks(self.cuts.at_least(self.settings.chunk_max));
        let part = chunk_max / NEARLY;
        let nearly = self.last_group.is_some_and(|group| (chunk_max - part..=chunk_max + part).contains(&group));
        chunk_max + if nearly { part } else { 0 }
    }

    fn window(&self) -> i64 {
        self.timeline.ticks(self.cuts.at_least(self.settings.window))
    }

    /// Half a frame within limits, because 3 s of a camera may be 2.999 s.
    fn tolerance(&self, frame: i64) -> i64 {
        (frame / 2).clamp(0, self.window() / 64)
    }

    fn awaits_audio(&self, border: i64) -> bool {
        let passed = self.newest.is_some_and(|newest| newest - border >= self.timeline.ticks(AUDIO_WAIT));
        self.parameters.audio.is_some() && !passed && self.newest_audio.is_none_or(|newest| newest < border)
    }

    fn cut(&mut self, cut: Cut, input: Input, outputs: &mut Vec<Output>) -> Result<(), Error> {
        let video: Vec<Sample> = self.video.drain(..cut.index).collect();
        let last = cut.of == Piece::Chunk && input == Input::Ended && self.video.is_empty();
        let audio = if last { self.audio.drain(..).collect() } else { self.audio_before(cut.next.0, cut.of) };
        let audio_until = self.audio_end(&audio);
        let mut chunk = match self.chunk.take() {
            Some(chunk) => chunk,
            None => self.begin(&video, &audio, outputs)?,
        };
        if let Some((border, _)) = self.border {
            self.stats.audio_late += audio.iter().filter(|sound| sound.pts < border).count() as u64;
        }
        let random_access = video.iter().rfind(|sample| sample.reference.is_random_access());
        chunk.since = random_access.map_or(chunk.since, |sample| sample.pts);
        self.stats.video_frames += video.len() as u64;
        self.stats.audio_frames += audio.len() as u64;
        if let Some(latest) = video.iter().map(|sample| sample.pts).max() {
            self.last_duration = Some(cut.next.0 - latest).filter(|shown| *shown > 0).or(self.last_duration);
        }
        outputs.push(Output::Fragment(chunk.fragment(&video, cut.next.0, &audio, audio_until)?));
        if cut.of == Piece::Fragment {
            self.chunk = Some(chunk);
            return Ok(());
        }
        chunk.draft.clock = Some(ClockInfo { replaced: chunk.replaced(), ..self.clock });
        let (between_bytes, seconds) = chunk.summary.between(self.timeline.timescale());
        chunk.draft.activity = self.quiet.take(between_bytes, seconds);
        let (tail, attributes) = chunk.close(cut.next.1)?;
        let duration = chunk.summary.movie_duration();
        let init = boxes::init(&self.parameters, self.timeline.timescale(), duration)?.into();
        outputs.push(Output::Finish { init, tail, attributes });
        self.border = Some(cut.next);
        self.counter += 1;
        Ok(())
    }

    /// Takes the audio that begins before `until`. Within a chunk, the last sample stays until the next one determines its duration.
    fn audio_before(&mut self, until: i64, piece: Piece) -> Vec<Sample> {
        let count = self.audio.iter().take_while(|sound| sound.pts < until).count();
        let count = if piece == Piece::Fragment { count.min(self.audio.len().saturating_sub(1)) } else { count };
        self.audio.drain(..count).collect()
    }

    /// Returns the end of the last sample in `audio`: the start of the next one, unless there is a
    /// gap or no next one.
    fn audio_end(&self, audio: &[Sample]) -> i64 {
        let Some(last) = audio.last() else { return 0 };
        let rate = self.parameters.audio.as_ref().map_or(48_000, |audio| audio.sample_rate.max(1));
        // An AAC frame normally has 1024 samples (ISO/IEC 14496-3).
        let nominal = i64::from(self.timeline.timescale()) * 1024 / i64::from(rate);
        let next =
            self.audio.front().map(|next| next.pts - last.pts).filter(|length| (1..=8 * nominal).contains(length));
        last.pts + next.or(last.duration).unwrap_or(nominal).max(1)
    }

    /// The longest priming of an AAC encoder, 2112 samples, and a small margin.
    fn priming_max(&self) -> i64 {
        let rate = self.parameters.audio.as_ref().map_or(48_000, |audio| audio.sample_rate.max(1));
        i64::from(self.timeline.timescale()) * 3 * 1024 / i64::from(rate)
    }

    fn begin(&self, video: &[Sample], audio: &[Sample], outputs: &mut Vec<Output>) -> Result<Chunk, Error> {
        let timescale = self.timeline.timescale();
        let (start, fallback) = video.first().map_or((0, Timestamp::UNIX_EPOCH), |first| (first.pts, first.wall));
        let (zero, from) = self.border.unwrap_or_else(|| {
            let earliest = video.iter().min_by_key(|sample| sample.pts);
            let (pts, wall) = earliest.map_or((start, fallback), |sample| (sample.pts, sample.wall));
            // An encoder's priming is silence before the first picture and is packed together at 0. Real audio
            // that begins earlier determines the start of the chunk.
            let sound = audio.iter().map(|sound| sound.pts).min().filter(|sound| pts - sound > self.priming_max());
            let zero = sound.unwrap_or(pts);
            (zero, wall_after(wall, zero - pts, timescale))
        });
        let begins = video.first().map_or(ChunkStart::Between, starts_with);
        let video = &self.parameters.video;
        let codecs = match &self.parameters.audio {
            Some(audio) => format!("{},{}", video.rfc6381, audio.rfc6381),
            None => video.rfc6381.clone(),
        };
        let draft = Attributes {
            source: Some(self.settings.source.clone()).filter(|source| !source.is_empty()),
            from: Some(from),
            full_content_type: Some(format!("video/mp4; codecs=\"{codecs}\"")),
            video: Some(VideoAttributes {
                width: video.width.into(),
                height: video.height.into(),
                framerate: 0.0,
                bitrate_kbps: 0,
            }),
            audio: self.parameters.audio.as_ref().map(|audio| AudioAttributes {
                channels: audio.channels,
                sample_rate_khz: (audio.sample_rate + 500) / 1000,
                bitrate_kbps: 0,
            }),
            timescale: Some(timescale),
            start: begins,
            clock: Some(self.clock),
            ..Attributes::default()
        };
        let init = boxes::init(&self.parameters, timescale, 0)?;
        let chunk = Chunk::new(zero, start, draft.clone(), init.len() as u64);
        outputs.push(Output::Begin { start: from, counter: self.counter, init: init.into(), draft });
        Ok(chunk)
    }
}

/// Returns how a chunk starts that begins with this sample.
fn starts_with(sample: &Sample) -> ChunkStart {
    if sample.reference.is_random_access() { ChunkStart::RandomAccess } else { ChunkStart::Between }
}
