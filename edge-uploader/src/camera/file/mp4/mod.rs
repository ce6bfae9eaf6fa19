//! MP4 and fragmented MP4 (ISO/IEC 14496-12).
//!
//! re_mp4's own reader keeps all samples of a file at 56 bytes each, ignores edit lists and panics on some damage. So
//! only its readers of single boxes are used here: the structure is walked by [`boxes`], `stbl` stays packed
//! ([`table`]), and fragments are read one `moof` at a time ([`fragment`]).
//!
//! Several sample entries in one track are followed: the parameters are told again when the entry changes.

mod boxes;
mod entry;
mod fragment;
mod table;
mod top;
mod track;

use self::boxes::{Box4, boxes};
use self::entry::VideoEntry;
use self::fragment::FragmentedTrack;
use self::table::Sample;
use self::top::{box_header, read_box};
use self::track::{Track, audio_track, description, track, video_track};
use super::demux::{Demux, Fault, Item, another, duration_of, rescaled, undescribed};
use crate::camera::nal;
use crate::camera::sets::{InForce, Undescribed};
use crate::media::{AudioParameters, Frame, Reference, StreamParameters, TrackKind};
use bytes::Bytes;
use jiff::Timestamp;
use re_mp4::{HdlrBox, MvhdBox, TkhdBox, TrexBox};
use std::fs::File;
use std::io::{BufReader, Read as _, Seek as _};
use std::time::Duration;

/// The boxes that a file may begin with: old recorders, and players' caches, leave `ftyp` out or put it behind others.
pub(super) const BEGINNINGS: [&[u8]; 12] =
    [b"ftyp", b"styp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"moof", b"sidx", b"prft", b"uuid"];

/// The largest frame that is read.
const FRAME_LIMIT_BYTES: u64 = 64 << 20;
/// Samples taken from a table at a time; the first shown frame is among so many at the beginning.
const BATCH: usize = 64;
/// Samples waiting because the other track has none yet, at most.
const LOOKAHEAD: usize = 1 << 16;

/// An open MP4 file.
pub(super) struct Mp4 {
    file: BufReader<File>,
    size: u64,
    /// Where the buffered file stands.
    position: u64,
    created: Option<Timestamp>,
    duration: Option<Duration>,
    /// Where the next box of the file that may be a fragment begins; `None` when there are none.
    next_box: Option<u64>,
    /// Where the boxes behind the `moov` begin.
    after_moov: u64,
    /// What the `moov` describes, and where it was last said again.
    description: u64,
    said_again: Option<u64>,
    /// Video, then audio if there is any.
    tracks: Vec<Track>,
    fragmented: Vec<FragmentedTrack>,
    /// How many samples the fragments to come may have: a file has no more of them than bytes.
    samples_left: u64,
    entries: Vec<VideoEntry>,
    audio: Option<AudioParameters>,
    /// The sample entry in force, from 1, and the parameters, which the frames' own sets may have changed.
    entry: Option<(u32, InForce)>,
    /// The decoding time of the first frame, in nanoseconds.
    first_ns: Option<i128>,
    frames: u64,
    /// Found while looking ahead: told when all that came before it is.
    fault: Option<Fault>,
    /// Waits for the parameters before it.
    held: Option<Item>,
}

impl Mp4 {
    pub(super) fn open(file: File, size: u64) -> Result<Self, Fault> {
        let mut file = BufReader::with_capacity(64 << 10, file);
        let (mut at, mut first_moof) = (0, None);
        let movie = loop {
            let Some(header) = box_header(&mut file, at, size)? else {
                return Err(Fault::new(format!(
                    "there is no moov box in its {size} bytes: the recording was not finished, or the file is cut short"
                )));
            };
            match &header.kind {
                b"moov" => break read_box(&mut file, at, header)?,
                b"moof" if first_moof.is_none() => first_moof = Some(at),
                _ => {}
            }
            at = header.end;
        };
        let moov = boxes(&movie).next().ok_or_else(|| Fault::new("the moov box is damaged"))?;
        let after_moov = at.saturating_add(movie.len() as u64);
        let mut mp4 = Self::of(file, size, moov)?;
        mp4.after_moov = after_moov;
        mp4.next_box = (!mp4.fragmented.is_empty()).then_some(first_moof.unwrap_or(after_moov));
        drop(movie);
        mp4.position = mp4.file.stream_position().map_err(|error| Fault::because("cannot be read", error))?;
        mp4.begin();
        Ok(mp4)
    }

    fn of(file: BufReader<File>, size: u64, moov: Box4<'_>) -> Result<Self, Fault> {
        let header = moov.child(*b"mvhd").ok_or_else(|| match moov.child(*b"cmov") {
            Some(_) => Fault::new("its moov is compressed (cmov); remux it, for example with ffmpeg -c copy"),
            None => Fault::new("the movie has no header"),
        })?;
        let header: MvhdBox = header.read()?;
        let (mut video, mut audio) = (None, None);
        let mut problem = None;
        for trak in boxes(moov.body()).filter(|b| &b.kind == b"trak") {
            let Some(handler) = trak.descendant(&[*b"mdia", *b"hdlr"]) else { continue };
            let handler: HdlrBox = handler.read()?;
            match &handler.handler_type.value {
                b"vide" if video.is_none() => match video_track(trak) {
                    Ok(track) => video = Some((trak, track)),
                    Err(said) => problem = problem.or(Some(said)),
                },
                b"soun" if audio.is_none() => match audio_track(trak) {
                    Ok(track) => audio = Some((trak, track)),
                    Err(reason) => tracing::warn!(reason, "audio track left out"),
                },
                _ => {}
            }
        }
        let Some((video_trak, (timescale, entries))) = video else {
            return Err(Fault::new(problem.unwrap_or_else(|| "there is no video in it".to_owned())));
        };
        let mut tracks = vec![track(video_trak, TrackKind::Video, timescale, header.timescale)?];
        let mut ids = vec![video_trak];
        let audio = match audio {
            Some((trak, parameters)) => {
                tracks.push(track(trak, TrackKind::Audio, parameters.timescale, header.timescale)?);
                ids.push(trak);
                Some(parameters)
            }
            None => None,
        };
        if let Some(claimed) = tracks.iter().map(|track| u64::from(track.table.len())).find(|samples| *samples > size) {
            return Err(Fault::new(format!("a track claims {claimed} samples, but the file has {size} bytes")));
        }
        let mut fragmented = Vec::new();
        if let Some(extends) = moov.child(*b"mvex") {
            for trak in ids {
                let head: TkhdBox = trak.child(*b"tkhd").ok_or_else(|| Fault::new("a track has no header"))?.read()?;
                let mut defaults = boxes(extends.body()).filter(|b| &b.kind == b"trex").map(Box4::read::<TrexBox>);
                let defaults =
                    defaults.find_map(|b| b.ok().filter(|b| b.track_id == head.track_id)).unwrap_or_default();
                fragmented.push(FragmentedTrack { id: head.track_id, defaults, next_dts: 0 });
            }
        }
        let duration = (header.duration > 0 && header.timescale > 0)
            .then(|| duration_of(i64::try_from(header.duration).unwrap_or(0), header.timescale));
        Ok(Self {
            file,
            size,
            position: 0,
            created: since_1904(header.creation_time),
            duration,
            next_box: None,
            after_moov: 0,
            description: description(moov),
            said_again: None,
            tracks,
            fragmented,
            samples_left: size,
            entries,
            audio,
            entry: None,
            first_ns: None,
            frames: 0,
            fault: None,
            held: None,
        })
    }

    /// Puts the session's 0 at the first video frame shown.
    fn begin(&mut self) {
        self.fill(0);
        let video = &self.tracks[0];
        let Some(first) = video.queue.iter().take(BATCH).map(|sample| sample.pts).min() else { return };
        let (zero, timescale) = (first.saturating_sub(video.shift), video.timescale);
        for track in &mut self.tracks {
            track.shift = track.shift.saturating_add(rescaled(zero, timescale, track.timescale));
        }
    }

    /// Sees to it that the track's next sample is known, if there is one.
    fn fill(&mut self, track: usize) {
        while self.tracks[track].queue.is_empty() && self.fault.is_none() {
            match self.fill_from_table(track) {
                Ok(true) => continue,
                Ok(false) => {}
                Err(fault) => self.fault = Some(fault),
            }
            let waiting: usize = self.tracks.iter().map(|track| track.queue.len()).sum();
            let Some(at) = self.next_box.filter(|_| waiting < LOOKAHEAD && self.fault.is_none()) else { return };
            let next = self.read_fragment(at);
            // Wherever it got to: samples that are known already are still to be read.
            let position = self.file.stream_position().map_err(|error| Fault::because("cannot be read", error));
            let next = position.and_then(|position| {
                self.position = position;
                next
            });
            self.next_box = next.unwrap_or_else(|fault| {
                self.fault = Some(fault);
                None
            });
        }
    }

    fn fill_from_table(&mut self, track: usize) -> Result<bool, Fault> {
        let track = &mut self.tracks[track];
        while track.queue.len() < BATCH {
            let Some(sample) = track.table.next()? else { break };
            track.queue.push_back(sample);
        }
        Ok(!track.queue.is_empty())
    }

    /// Takes in the box at `at`, and says where the next one is.
    fn read_fragment(&mut self, at: u64) -> Result<Option<u64>, Fault> {
        let Some(header) = box_header(&mut self.file, at, self.size)? else { return Ok(None) };
        match &header.kind {
            b"moof" => {
                let moof = read_box(&mut self.file, at, header)?;
                self.take_fragment(at, boxes(&moof).next().map(Box4::body).unwrap_or_default())?;
            }
            b"moov" if at >= self.after_moov => {
                let moov = read_box(&mut self.file, at, header)?;
                if boxes(&moov).next().map(description) != Some(self.description) {
                    return Err(another(at));
                }
                self.said_again = Some(at);
            }
            _ => {}
        }
        Ok(Some(header.end))
    }

    fn take_fragment(&mut self, at: u64, moof: &[u8]) -> Result<(), Fault> {
        let before: Vec<_> = self
            .tracks
            .iter()
            .zip(&self.fragmented)
            .map(|(t, fragmented)| (t.queue.len(), fragmented.next_dts))
            .collect();
        let tracks = &mut self.tracks;
        let mut goes_back = false;
        fragment::samples(moof, at, &mut self.samples_left, &mut self.fragmented, |track, sample| {
            let (_, end) = before[track];
            // A little is overlap.
            goes_back |= sample.dts < end.saturating_sub(i64::from(tracks[track].timescale / 4));
            tracks[track].queue.push_back(sample);
        })?;
        // Segments may each come with what describes them, but go on in time.
        let Some(begin) = self.said_again.filter(|_| goes_back) else { return Ok(()) };
        tracks.iter_mut().zip(before).for_each(|(track, (queued, _))| track.queue.truncate(queued));
        Err(another(begin))
    }

    /// The `moov` of another recording behind this one, whose samples are all in its tables: what else is there does not matter.
    fn second_moov(&mut self) -> Option<u64> {
        let mut at = Some(self.after_moov).filter(|_| self.fragmented.is_empty())?;
        while let Ok(Some(header)) = box_header(&mut self.file, at, self.size) {
            if &header.kind == b"moov" {
                return Some(at);
            }
            at = header.end;
        }
        None
    }

    fn read_sample(&mut self, sample: Sample) -> Result<Vec<u8>, Fault> {
        let (frame, offset, bytes) = (self.frames, sample.offset, u64::from(sample.size));
        if bytes > FRAME_LIMIT_BYTES {
            return Err(Fault::new(format!("frame {frame} claims {bytes} bytes; the file is damaged")));
        }
        if offset.checked_add(bytes).is_none_or(|end| end > self.size) {
            return Err(Fault::new(format!(
                "the file ends at byte {}, but frame {frame} lies at {offset} with {bytes} bytes: it is cut short or damaged",
                self.size
            )));
        }
        let failed = |error| Fault::because(format!("frame {frame} at byte {offset} cannot be read"), error);
        // Mostly forward within the buffer; `seek` would throw it away.
        let step = i64::try_from(offset).unwrap_or(0) - i64::try_from(self.position).unwrap_or(0);
        self.file.seek_relative(step).map_err(failed)?;
        let mut data = vec![0; usize::try_from(sample.size).unwrap_or(0)];
        self.file.read_exact(&mut data).map_err(failed)?;
        self.position = offset + bytes;
        Ok(data)
    }

    /// The track whose next sample is decoded first.
    fn next_track(&mut self) -> Option<usize> {
        (0..self.tracks.len()).for_each(|track| self.fill(track));
        let due = |track: &Track| Some(nanoseconds(track.next_dts()?, track.timescale));
        let times = self.tracks.iter().map(due).enumerate();
        times.filter_map(|(i, time)| Some((time?, i))).min().map(|(_, i)| i)
    }

    fn described(&self, description: u32) -> Option<&VideoEntry> {
        self.entries.get(usize::try_from(description).ok()?.checked_sub(1)?)
    }

    /// What changes with the sample entry of the next video frame.
    fn enter(&mut self, description: u32) -> Result<Option<StreamParameters>, Fault> {
        if self.entry.as_ref().is_some_and(|(entry, _)| *entry == description) {
            return Ok(None);
        }
        let entry = self.described(description).ok_or_else(|| {
            Fault::new(format!(
                "frame {} uses sample entry {description}, which cannot be recorded or is not there",
                self.frames
            ))
        })?;
        let video = entry.parameters.clone();
        self.entry = Some((description, InForce::new(video.clone())));
        Ok(Some(StreamParameters { video, audio: self.audio.clone() }))
    }

    /// Gives the data 4-byte lengths.
    fn with_lengths(&self, description: u32, data: Vec<u8>) -> Result<Vec<u8>, Fault> {
        match self.described(description).map_or(4, |entry| entry.length_bytes) {
            4 => Ok(data),
            other => nal::with_four_byte_lengths(&data, other)
                .ok_or_else(|| Fault::new(format!("the NAL units of frame {} are damaged", self.frames))),
        }
    }

    /// What a video frame is to others, and the parameters if they change with it.
    fn see(&mut self, description: u32, data: &[u8]) -> Result<(Reference, Option<StreamParameters>), Fault> {
        let entered = self.enter(description)?;
        let Some((_, in_force)) = &mut self.entry else { return Ok((Reference::Needed, entered)) };
        let (reference, changed) = in_force.see(data).map_err(|Undescribed| undescribed(self.frames))?;
        let changed = changed.map(|video| StreamParameters { video: video.clone(), audio: self.audio.clone() });
        Ok((reference, changed.or(entered)))
    }

    /// What is heard before the first frame is told after its parameters.
    fn look_ahead(&mut self) -> Result<Option<StreamParameters>, Fault> {
        let Some(first) = self.tracks[0].queue.front().copied() else { return self.enter(1) };
        let data = self.read_sample(first)?;
        let data = self.with_lengths(first.description, data)?;
        self.see(first.description, &data).map(|(_, parameters)| parameters)
    }
}

impl Demux for Mp4 {
    fn next(&mut self) -> Result<Option<Item>, Fault> {
        if let Some(item) = self.held.take() {
            return Ok(Some(item));
        }
        loop {
            let Some(i) = self.next_track() else {
                let fault = self.fault.take().or_else(|| self.second_moov().map(another));
                return fault.map_or(Ok(None), Err);
            };
            let track = &mut self.tracks[i];
            let (kind, timescale, shift) = (track.kind, track.timescale, track.shift);
            let Some(sample) = track.queue.pop_front() else { return Ok(None) };
            if sample.size == 0 {
                continue;
            }
            let data = self.read_sample(sample)?;
            let (data, reference, parameters) = match kind {
                TrackKind::Video => {
                    let data = self.with_lengths(sample.description, data)?;
                    let (reference, parameters) = self.see(sample.description, &data)?;
                    (data, reference, parameters)
                }
                TrackKind::Audio if self.entry.is_none() => (data, Reference::RandomAccess, self.look_ahead()?),
                TrackKind::Audio => (data, Reference::RandomAccess, None),
            };
            self.frames += u64::from(kind == TrackKind::Video);
            let time_ns = nanoseconds(sample.dts.saturating_sub(shift), timescale);
            let at_ns = time_ns - *self.first_ns.get_or_insert(time_ns);
            let frame = Frame {
                track: kind,
                pts: sample.pts.saturating_sub(shift),
                duration: Some(sample.duration),
                reference,
                arrival: Duration::ZERO,
                data: Bytes::from(data),
            };
            let item = Item::Frame { frame, at: Duration::from_nanos(u64::try_from(at_ns).unwrap_or(0)) };
            let Some(parameters) = parameters else { return Ok(Some(item)) };
            self.held = Some(item);
            return Ok(Some(Item::Parameters(parameters)));
        }
    }

    fn created(&self) -> Option<Timestamp> {
        self.created
    }

    fn duration(&self) -> Option<Duration> {
        self.duration
    }

    fn frames_total(&self) -> Option<u64> {
        // What fragments hold is known when they are read.
        self.fragmented.is_empty().then(|| self.tracks[0].table.len().into())
    }
}

fn nanoseconds(units: i64, timescale: u32) -> i128 {
    i128::from(units) * 1_000_000_000 / i128::from(timescale.max(1))
}

/// A time of the file format; 0 is "not set", and so is everything before 1970 or beyond what a clock may say.
fn since_1904(seconds: u64) -> Option<Timestamp> {
    let since_1970 = i64::try_from(seconds).ok()?.checked_sub(2_082_844_800)?;
    Timestamp::from_second(since_1970).ok().filter(|time| *time > Timestamp::UNIX_EPOCH && since_1970 < 1 << 33)
}
