//! MP4 and fragmented MP4 (ISO/IEC 14496-12).
//!
//! re_mp4's own file reader keeps all samples of a file at 56 bytes each, ignores edit lists and panics on some
//! damage. This module therefore uses only its readers for single boxes: [`boxes`] walks the structure, the
//! sample tables stay packed ([`table`]), and fragments are read one `moof` at a time ([`walk`], [`fragment`]).
//!
//! A track may have several sample entries. The parameters are reported again when the entry changes.
//!
//! Damage costs only what it covers. After data that is not a box, the walk continues at the next
//! `moof` or `moov`. A part of a fragment, a table or a movie that cannot be read is left out. A
//! sample outside of the file is a single lost sample. If another movie follows and its times start
//! again, it continues the first one.

mod boxes;
mod entry;
mod found;
mod fragment;
mod hollow;
mod leaves;
mod mended;
mod movie;
mod rebuilt;
mod sizes;
mod table;
mod top;
mod track;
mod walk;

use self::entry::VideoEntry;
use self::found::Found;
use self::hollow::{Hollow, Places};
use self::movie::Movie;
use self::table::{Sample, Table};
use self::top::Header;
use self::walk::Walk;
use super::bytes::FileBytes;
use super::demux::{Demux, Fault, Item, duration_of, note, rescaled, undescribed};
use super::first_shown;
use crate::camera::nal;
use crate::camera::sets::{InForce, Undescribed};
use crate::camera::{FaultCost, SourceFault};
use crate::media::{Frame, Reference, StreamParameters, TrackKind, VideoCodec};
use bytes::Bytes;
use framepost_events::gap::SourceBytes;
use jiff::Timestamp;
use std::collections::VecDeque;
use std::fs::File;
use std::time::Duration;

/// The largest frame that is read.
const FRAME_LIMIT_BYTES: u64 = 64 << 20;
/// Samples read from a table at a time. The first frame shown must be among this many at the start.
const BATCH: usize = 64;
/// Most samples that wait because the other track has none yet.
const LOOKAHEAD: usize = 1 << 16;
/// How often a file's bytes may be read as samples. The tables of a hostile file may refer to
/// the same bytes many times.
const TIMES_READ: u64 = 4;

/// An open MP4 file.
pub(super) struct Mp4 {
    file: FileBytes,
    movie: Movie,
    walk: Walk,
    /// Bytes of samples that may still be read.
    bytes_left: u64,
    /// Bytes that may still be read to find the right sizes of pictures.
    mended_left: u64,
    /// The current sample entry, counted from 1, and the parameters, which the frames'
    /// own sets may have changed.
    entry: Option<(u32, InForce)>,
    /// The origin of the tables' file positions.
    base: u64,
    /// Start of the movie on the session's time line, in nanoseconds.
    origin_ns: i128,
    /// How long the audio begins before the first picture.
    lead: Duration,
    /// The end of the last video frame shown, in nanoseconds of the session.
    latest_ns: i128,
    /// The decoding time of the first frame, in nanoseconds.
    first_ns: Option<i128>,
    frames: u64,
    /// Samples outside of the file since the last one within it.
    lost: Option<SourceFault>,
    /// The positions in the tables, for judging samples of size 0.
    places: Places,
    /// Items to return before the next frame.
    ready: VecDeque<Item>,
}

impl Mp4 {
    pub(super) fn open(file: File, size: u64) -> Result<Self, Fault> {
        let mut file = FileBytes::new(file, size);
        let Found { movie, at: found, first_moof, mut faults } = found::first(&mut file)?;
        let begin = first_moof.filter(|_| !movie.fragmented.is_empty());
        let begin = begin.unwrap_or_else(|| after(&mut file, &movie, found, &mut faults));
        let mut mp4 = Self {
            file,
            walk: Walk::new(&movie, begin, found.end, 0, size),
            base: 0,
            movie,
            mended_left: size.saturating_mul(TIMES_READ).saturating_add(FRAME_LIMIT_BYTES),
            bytes_left: size.saturating_mul(TIMES_READ).saturating_add(FRAME_LIMIT_BYTES),
            entry: None,
            origin_ns: 0,
            lead: Duration::ZERO,
            latest_ns: 0,
            first_ns: None,
            frames: 0,
            lost: None,
            places: Places::default(),
            ready: faults.into_iter().map(Item::Fault).collect(),
        };
        mp4.begin();
        let sound = mp4.movie.tracks.get(1);
        let lead = sound.and_then(|sound| Some(duration_of(sound.next_dts()?.checked_neg()?, sound.timescale)));
        mp4.lead = lead.unwrap_or_default();
        Ok(mp4)
    }

    /// Sets time 0 of the movie to its first video frame shown.
    fn begin(&mut self) {
        (0..self.movie.tracks.len()).for_each(|track| self.fill(track));
        let video = &self.movie.tracks[0];
        let Some(first) = video.queue.iter().take(BATCH).map(|(sample, _)| sample.pts).min() else { return };
        let zero = first.saturating_sub(video.shift);
        let timescale = video.timescale;
        for track in &mut self.movie.tracks {
            track.shift = track.shift.saturating_add(rescaled(zero, timescale, track.timescale));
        }
    }

    /// Makes the track's next sample available, if there is one.
    fn fill(&mut self, track: usize) {
        while self.movie.tracks[track].queue.is_empty() {
            if self.fill_from_table(track) {
                return;
            }
            let waiting: usize = self.movie.tracks.iter().map(|track| track.queue.len()).sum();
            if waiting >= LOOKAHEAD || !self.walk.step(&mut self.file, &mut self.movie) {
                return;
            }
        }
    }

    /// Reads samples from the table. Returns whether samples are waiting.
    fn fill_from_table(&mut self, track: usize) -> bool {
        let track = &mut self.movie.tracks[track];
        while track.queue.len() < BATCH {
            match track.table.as_mut().map(Table::next) {
                Some(Ok(Some(sample))) => {
                    let offset = sample.offset.saturating_add(self.base);
                    track.queue.push_back((Sample { offset, ..sample }, None));
                }
                None | Some(Ok(None)) => break,
                Some(Err(fault)) => {
                    track.table = None;
                    self.walk.failed(track.kind, fault);
                }
            }
        }
        !track.queue.is_empty()
    }

    /// Switches to another movie after this one, if there is one.
    fn next_movie(&mut self) -> Result<bool, Fault> {
        let Some((found, base)) = self.walk.another(&mut self.file, &self.movie) else { return Ok(false) };
        let start = found.start;
        let (movie, mut faults) = found::read(&mut self.file, found).map_err(|fault| {
            Fault::new(format!("another recording begins at byte {start} and cannot be read: {}", fault.problem()))
        })?;
        let since =
            self.movie.created.zip(movie.created).map(|(before, after)| after.duration_since(before).as_nanos());
        // Use its own creation time if that is plausible.
        self.origin_ns = since.unwrap_or(0).max(self.latest_ns);
        let begin = after(&mut self.file, &movie, found, &mut faults);
        self.walk = Walk::new(&movie, begin, found.end, base, self.file.size());
        self.base = base;
        let first = std::mem::replace(&mut self.movie, movie);
        self.movie.created = first.created.or(self.movie.created);
        self.entry = None;
        self.places = Places::default();
        self.begin();
        let detail = format!("another recording begins at byte {start}");
        self.ready.push_back(Item::Fault(SourceFault { cost: FaultCost::Order, detail, bytes: None }));
        self.ready.extend(faults.into_iter().map(Item::Fault));
        Ok(true)
    }

    /// Reads the bytes of a sample. Returns `None`, with a fault noted, if they are not in the file.
    fn read_sample(&mut self, sample: Sample, kind: TrackKind) -> Result<Option<Bytes>, Fault> {
        let offset = sample.offset;
        let bytes = u64::from(sample.size);
        self.bytes_left = self.bytes_left.checked_sub(1).ok_or_else(again_and_again)?;
        let end = offset.saturating_add(bytes);
        let name = match kind {
            TrackKind::Video => format!("frame {}", self.frames),
            TrackKind::Audio => "sound".to_owned(),
        };
        let problem = if end > self.file.size() {
            format!(
                "{name} is {bytes} bytes at byte {offset}, past the end of the file: the file is cut short or damaged"
            )
        } else if bytes > FRAME_LIMIT_BYTES {
            format!("{name} claims {bytes} bytes; the file is damaged")
        } else {
            self.bytes_left = self.bytes_left.checked_sub(bytes).ok_or_else(again_and_again)?;
            match self.file.frame(offset, bytes) {
                // Sound may wait for its picture for long, and would keep what lies around it.
                Ok(data) if kind == TrackKind::Audio => return Ok(Some(Bytes::copy_from_slice(&data))),
                Ok(data) => return Ok(Some(data)),
                Err(error) => format!("{name} at byte {offset} cannot be read: {error}"),
            }
        };
        let size = self.file.size();
        let range = SourceBytes { start: offset.min(size), end: end.min(size) };
        let cost = if kind == TrackKind::Video { FaultCost::Pictures } else { FaultCost::NoPicture };
        note(&mut self.lost, SourceFault { cost, detail: problem, bytes: Some(range) });
        Ok(None)
    }

    /// Handles a sample of size 0, which is not a frame. Notes a fault if its data is lost.
    fn hollow(&mut self, track: usize, sample: Sample) {
        let entry = self.described(sample.description);
        let (codec, length_bytes) =
            entry.map_or((VideoCodec::H264, 4), |entry| (entry.parameters.codec, entry.length_bytes));
        let rest = (self.base, codec, length_bytes);
        let tracks = &self.movie.tracks;
        if self.places.judge(&mut self.file, tracks, (track, sample), rest) == Hollow::True {
            return;
        }
        let end = self.file.size().min(sample.offset.saturating_add(1));
        let bytes = Some(SourceBytes { start: sample.offset, end });
        let (cost, name) = match self.movie.tracks[track].kind {
            TrackKind::Video => (FaultCost::Pictures, format!("frame {}", self.frames)),
            TrackKind::Audio => (FaultCost::NoPicture, "sound".to_owned()),
        };
        let detail = format!("{name} at byte {} has lost its size: the sample tables are damaged", sample.offset);
        note(&mut self.lost, SourceFault { cost, detail, bytes });
    }

    /// Returns the track whose next sample is decoded first.
    fn next_track(&mut self) -> Option<usize> {
        (0..self.movie.tracks.len()).for_each(|track| self.fill(track));
        let times = self.movie.tracks.iter().map(|track| Some(nanoseconds(track.next_dts()?, track.timescale)));
        times.enumerate().filter_map(|(i, time)| Some((time?, i))).min().map(|(_, i)| i)
    }

    fn described(&self, description: u32) -> Option<&VideoEntry> {
        match &self.movie.entries[..] {
            // With a single entry, an invalid index can only refer to that one.
            [only] if description == 0 => Some(only),
            entries => entries.get(usize::try_from(description).ok()?.checked_sub(1)?),
        }
    }

    /// Returns the parameters if the next video frame has another sample entry.
    fn enter(&mut self, description: u32) -> Result<Option<StreamParameters>, Fault> {
        if self.entry.as_ref().is_some_and(|(entry, _)| *entry == description) {
            return Ok(None);
        }
        let entry = self.described(description).ok_or_else(|| {
            Fault::new(format!(
                "frame {} uses sample entry {description}, which is missing or cannot be recorded",
                self.frames
            ))
        })?;
        let video = entry.parameters.clone();
        self.entry = Some((description, InForce::new(video.clone())));
        Ok(Some(StreamParameters { video, audio: self.movie.audio.clone() }))
    }

    /// Converts the data to 4-byte lengths.
    fn with_lengths(&self, description: u32, data: Bytes) -> Bytes {
        match self.described(description).map_or(4, |entry| entry.length_bytes) {
            4 => data,
            other => nal::with_four_byte_lengths(&data, other).into(),
        }
    }

    /// Returns how other frames depend on a video frame, and the parameters if they change with it.
    fn see(&mut self, description: u32, data: &[u8]) -> Result<(Reference, Option<StreamParameters>), Fault> {
        let entered = self.enter(description)?;
        let Some((_, in_force)) = &mut self.entry else { return Ok((Reference::Needed, entered)) };
        let (reference, changed) = in_force.see(data).map_err(|Undescribed| undescribed(self.frames))?;
        let changed = changed.map(|video| StreamParameters { video: video.clone(), audio: self.movie.audio.clone() });
        Ok((reference, changed.or(entered)))
    }

    /// Returns the parameters of the first frame, so that audio before it follows them.
    fn look_ahead(&mut self) -> Result<Option<StreamParameters>, Fault> {
        let Some((first, _)) = self.movie.tracks[0].queue.front() else { return self.enter(1) };
        let first = *first;
        let lost = self.lost.take();
        let data = self.read_sample(first, TrackKind::Video)?;
        self.lost = lost;
        let Some(data) = data else { return self.enter(first.description) };
        let data = self.with_lengths(first.description, data);
        self.see(first.description, &data).map(|(_, parameters)| parameters)
    }

    /// Returns the end of the file, or the reason why nothing more can be read.
    fn end(&mut self) -> Result<Option<Item>, Fault> {
        if let Some(fault) = self.walk.fault.take() {
            return Err(fault);
        }
        if let Some(rest) = self.walk.rest() {
            note(&mut self.lost, rest);
        }
        match self.lost.take() {
            Some(lost) if lost.cost == FaultCost::Pictures => Err(Fault::new(lost.detail).over(lost.bytes)),
            lost => Ok(lost.map(Item::Fault)),
        }
    }
}

impl Demux for Mp4 {
    fn next(&mut self) -> Result<Option<Item>, Fault> {
        loop {
            if let Some(item) = self.ready.pop_front() {
                return Ok(Some(item));
            }
            let Some(i) = self.next_track() else {
                if self.next_movie()? {
                    continue;
                }
                return self.end();
            };
            let track = &mut self.movie.tracks[i];
            let kind = track.kind;
            let timescale = track.timescale;
            let shift = track.shift;
            let Some((sample, before)) = track.queue.pop_front() else { return Ok(None) };
            if let Some(fault) = before {
                note(&mut self.lost, fault);
            }
            if sample.size == 0 {
                self.hollow(i, sample);
                continue;
            }
            let Some((sample, data)) = self.sample(i, sample)? else { continue };
            let (data, reference, parameters) = match kind {
                TrackKind::Video => {
                    let data = self.with_lengths(sample.description, data);
                    let (reference, parameters) = self.see(sample.description, &data)?;
                    (data, reference, parameters)
                }
                TrackKind::Audio if self.entry.is_none() => (data, Reference::RandomAccess, self.look_ahead()?),
                TrackKind::Audio => (data, Reference::RandomAccess, None),
            };
            if kind == TrackKind::Video {
                self.frames += 1;
                self.ready.extend(self.lost.take().map(Item::Fault));
                if !nal::is_whole(&data) {
                    let start = sample.offset;
                    let end = sample.offset + u64::from(sample.size);
                    let detail = format!("the NAL units of frame {} are damaged", self.frames - 1);
                    let bytes = Some(SourceBytes { start, end });
                    self.ready.push_back(Item::Fault(SourceFault { cost: FaultCost::NoPicture, detail, bytes }));
                }
            }
            let units = |ns: i128| i64::try_from(ns * i128::from(timescale) / 1_000_000_000).unwrap_or(i64::MAX / 4);
            let origin = units(self.origin_ns);
            let time_ns = nanoseconds(sample.dts.saturating_sub(shift), timescale) + self.origin_ns;
            let at_ns = time_ns - *self.first_ns.get_or_insert(time_ns);
            let pts = sample.pts.saturating_sub(shift).saturating_add(origin);
            if kind == TrackKind::Video {
                let end = pts.saturating_add(sample.duration.into());
                self.latest_ns = self.latest_ns.max(nanoseconds(end, timescale));
            }
            let frame =
                Frame { track: kind, pts, duration: Some(sample.duration), reference, arrival: Duration::ZERO, data };
            let item = Item::Frame { frame, at: Duration::from_nanos(u64::try_from(at_ns).unwrap_or(0)) };
            self.ready.extend(parameters.map(Item::Parameters));
            self.ready.push_back(item);
        }
    }

    fn created(&self) -> Option<Timestamp> {
        first_shown(self.movie.created, self.lead)
    }

    fn duration(&self) -> Option<Duration> {
        self.movie.duration
    }

    fn frames_total(&self) -> Option<u64> {
        // The samples of fragments are known only when they are read.
        let table = self.movie.tracks[0].table.as_ref().filter(|_| self.movie.fragmented.is_empty());
        table.map(|table| table.len().into())
    }
}

/// Returns whether a file whose start is damaged contains a movie.
pub(super) fn is_within(file: File, size: u64) -> bool {
    found::is_within(&mut FileBytes::new(file, size))
}

fn again_and_again() -> Fault {
    Fault::new("its tables refer to the same bytes many times; the file is damaged")
}

fn nanoseconds(units: i64, timescale: u32) -> i128 {
    i128::from(units) * 1_000_000_000 / i128::from(timescale.max(1))
}

/// Returns where the fragments after a `moov` begin: behind it, or inside if it takes in one, which is a fault.
fn after(file: &mut FileBytes, movie: &Movie, found: Header, faults: &mut Vec<SourceFault>) -> u64 {
    if movie.fragmented.is_empty() {
        return found.end;
    }
    let Some(fragment) = top::fragment_within(file, found) else { return found.end };
    if faults.is_empty() {
        let detail = format!("the moov box at byte {} reaches into the fragment behind it", found.start);
        faults.push(SourceFault { cost: FaultCost::NoPicture, detail, bytes: None });
    }
    fragment
}
