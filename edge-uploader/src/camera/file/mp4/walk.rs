//! Walks the boxes after a `moov`: fragments, other movies, and damage.

use super::super::bytes::FileBytes;
use super::super::demux::{Fault, note, rescaled};
use super::boxes::{Box4, name, whole};
use super::fragment::{Part, named_times, parts, stranger};
use super::movie::Movie;
use super::rebuilt;
use super::sizes::{self, Units};
use super::table::Sample;
use super::top::{Header, Next, Search, is_whole, next_box, read_box};
use super::track::description;
use crate::camera::{FaultCost, SourceFault};
use crate::media::TrackKind;
use framepost_events::gap::SourceBytes;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

/// Most fragments that are remembered to detect copies.
const REMEMBERED: usize = 1 << 16;
/// How far a fragment's time may be ahead without further checks, in seconds.
const AHEAD_S: i64 = 10;
/// Times that are further apart do not belong to one recording.
const YEAR_S: i64 = 366 * 86_400;
/// Most bytes of a run that are read to find the sizes of its samples.
const RUN_LIMIT_BYTES: u64 = 64 << 20;
/// Most boxes that are examined to find the following fragment.
const LOOK_BOXES: usize = 8;

/// The state of the walk.
pub(super) struct Walk {
    /// Position of the next box; `None` at the end.
    at: Option<u64>,
    /// Position of the first box after the `moov`.
    after_moov: u64,
    /// Samples that following fragments may have. A file does not have more samples than bytes.
    samples_left: u64,
    /// The usual duration of each track's samples, in its units, once a fragment was read.
    usual: Vec<Option<u32>>,
    /// Offset added to each track's times in fragments, after they have started again.
    added: Vec<i64>,
    /// A `moov` after which a fragment went back in time, or which describes something else.
    another: Option<Header>,
    said_again: Option<Header>,
    /// Position of the last `ftyp`, the origin of file positions in a concatenated file.
    part: u64,
    /// Positions of the data of fragments, by the fragments' identity.
    seen: HashMap<u64, u64>,
    /// Bytes that may still be read for comparing fragments and for mending sizes.
    compared_left: u64,
    /// Faults since the last fragment.
    damage: Option<SourceFault>,
    /// Found while looking ahead, and reported after everything before it.
    pub(super) fault: Option<Fault>,
}

impl Walk {
    /// Starts after the `moov` that ends at `after_moov`, with fragments from `begin` on. `part` is
    /// the origin of file positions.
    pub(super) fn new(movie: &Movie, begin: u64, after_moov: u64, part: u64, size: u64) -> Self {
        Self {
            at: (!movie.fragmented.is_empty()).then_some(begin),
            after_moov,
            samples_left: size,
            usual: vec![None; movie.tracks.len()],
            added: vec![0; movie.tracks.len()],
            another: None,
            said_again: None,
            part,
            seen: HashMap::new(),
            compared_left: size.saturating_mul(2),
            damage: None,
            fault: None,
        }
    }

    /// Handles a track's table that cannot be read further.
    pub(super) fn failed(&mut self, kind: TrackKind, fault: Fault) {
        match kind {
            TrackKind::Video => drop(self.fault.get_or_insert(fault)),
            TrackKind::Audio => {
                let detail = format!("sound: {fault}");
                note(&mut self.damage, SourceFault { cost: FaultCost::NoPicture, detail, bytes: None });
            }
        }
    }

    /// Handles the next box. Returns whether there may be more.
    pub(super) fn step(&mut self, file: &mut FileBytes, movie: &mut Movie) -> bool {
        let Some(at) = self.at else { return false };
        let found = match next_box(file, at, Search::Within) {
            Next::End => None,
            Next::Lost { problem } => {
                let bytes = SourceBytes { start: at, end: file.size() };
                self.fault.get_or_insert(Fault::new(problem).over(Some(bytes)));
                None
            }
            Next::Damage { from, next } => {
                self.damaged(from, next.start, format!("bytes {from} to {} are damaged", next.start));
                Some(next)
            }
            Next::Box(found) => Some(found),
        };
        let Some(found) = found else {
            self.at = None;
            return false;
        };
        self.at = Some(found.end);
        let taken = match &found.kind {
            b"moof" => self.take_fragment(file, movie, found),
            b"moov" if found.start >= self.after_moov => self.take_movie(file, movie, found),
            b"ftyp" => {
                self.part = found.start;
                Ok(())
            }
            _ => Ok(()),
        };
        if let Err(fault) = taken {
            self.damaged(found.start, found.end.min(file.size()), fault.problem().to_owned());
        }
        if self.samples_left == 0 {
            self.fault.get_or_insert(Fault::new("its fragments claim too many samples"));
            self.at = None;
        }
        self.at.is_some()
    }

    /// Replaces impossible sizes of samples in a fragment whose data end at `data_end`. Returns whether there were any.
    fn mend_sizes(&mut self, file: &mut FileBytes, movie: &Movie, parts: &mut [Part], data_end: u64) -> bool {
        let retold = sizes::retell(parts, data_end, |part, range| {
            let is_video = movie.tracks[part.track].kind == TrackKind::Video;
            let entry = movie.entries.first().filter(|_| is_video)?;
            let length = (range.end - range.start).min(RUN_LIMIT_BYTES);
            self.compared_left = self.compared_left.checked_sub(length)?;
            let data = file.read(range.start, length).ok()?;
            Some((data, Units { codec: entry.parameters.codec, length_bytes: entry.length_bytes }))
        });
        sizes::mend(parts, data_end) || retold
    }

    /// Returns whether the fragment's data equals that of a similar one, whose data begins at `before`.
    fn is_copy(&mut self, file: &mut FileBytes, before: u64, parts: &[Part]) -> bool {
        let bytes = parts.iter().flat_map(|part| &part.samples).map(|sample| u64::from(sample.size)).sum::<u64>();
        let Some(first) = parts.first().and_then(|part| part.samples.first()) else { return true };
        let left = self.compared_left.checked_sub(bytes).filter(|_| bytes <= 64 << 20);
        self.compared_left = left.unwrap_or(0);
        left.is_some() && file.read(before, bytes).ok() == file.read(first.offset, bytes).ok()
    }

    fn damaged(&mut self, start: u64, end: u64, detail: String) {
        let bytes = Some(SourceBytes { start, end });
        note(&mut self.damage, SourceFault { cost: FaultCost::Pictures, detail, bytes });
    }

    fn take_movie(&mut self, file: &mut FileBytes, movie: &Movie, found: Header) -> Result<(), Fault> {
        let moov = read_box(file, found)?;
        if whole(&moov).map(description) == Some(movie.description) {
            self.said_again = Some(found);
        } else {
            self.another = Some(found);
            self.at = None;
        }
        Ok(())
    }

    fn take_fragment(&mut self, file: &mut FileBytes, movie: &mut Movie, found: Header) -> Result<(), Fault> {
        let bytes = read_box(file, found)?;
        if bytes.get(4..8) != Some(b"moof") {
            let detail = format!("the type of the moof box at byte {} is damaged", found.start);
            note(&mut self.damage, SourceFault { cost: FaultCost::NoPicture, detail, bytes: None });
        }
        let moof = whole(&bytes).map(Box4::body).unwrap_or_default();
        let first = self.seen.is_empty();
        let mut parts = self.parts_of(movie, moof, found);
        if let Next::Box(data) = next_box(file, found.end, Search::Within)
            && &data.kind == b"mdat"
            && self.mend_sizes(file, movie, &mut parts, data.end)
        {
            let detail = format!("the fragment at byte {} has an impossible size", found.start);
            note(&mut self.damage, SourceFault { cost: FaultCost::NoPicture, detail, bytes: None });
        }
        let data = parts.first().and_then(|part| part.samples.first()).map_or(0, |sample| sample.offset);
        let copy_of = self.seen.insert(identity(&parts), data);
        if self.seen.len() >= REMEMBERED {
            self.seen.clear();
        }
        let goes_back = |part: &Part| {
            let slack = i64::from(movie.tracks[part.track].timescale / 4);
            let expected = movie.fragmented[part.track].next_dts;
            !first && part.named.is_some_and(|named| named < expected.saturating_sub(slack))
        };
        let backwards = parts.iter().any(goes_back);
        if backwards && let Some(moov) = self.said_again {
            // Segments may each repeat their description and continue in time.
            self.another = Some(moov);
            self.at = None;
            return Ok(());
        }
        if backwards && copy_of.is_some_and(|before| self.is_copy(file, before, &parts)) {
            let detail = format!("the fragment at byte {} occurs twice", found.start);
            note(&mut self.damage, SourceFault { cost: FaultCost::NoPicture, detail, bytes: None });
            return Ok(());
        }
        let mut decided = Vec::new();
        for part in &parts {
            decided.push(if first {
                self.place_first(file, movie, found, part)
            } else {
                self.place(file, movie, found, (part, &parts))
            });
        }
        let mut placed: Vec<(Part, Place)> = parts.into_iter().zip(decided).collect();
        for (part, place) in &mut placed {
            self.shorten(file, movie, found, (part, *place));
        }
        if let Some((part, _)) = placed.iter().find(|(_, place)| *place == Place::Restart) {
            self.restart(movie, part, found);
        }
        for (part, place) in placed {
            self.push(movie, part, place, first);
        }
        Ok(())
    }

    /// Returns the parts of a fragment from its boxes, or from its remains if these have more.
    fn parts_of(&mut self, movie: &Movie, moof: &[u8], found: Header) -> Vec<Part> {
        let read = |moof: &[u8], mut left: u64| {
            let tracks = (&movie.fragmented[..], &movie.ids[..]);
            let (parts, problem) = parts(moof, (found.start, self.part), &mut left, tracks);
            let samples: usize = parts.iter().map(|part| part.samples.len()).sum();
            (parts, problem, samples, left)
        };
        let told = read(moof, self.samples_left);
        let stranger = stranger(moof);
        let is_whole = is_whole(*b"moof", moof) && stranger.is_none();
        let again = if is_whole && told.1.is_none() { None } else { Some(rebuilt::fragment(moof)) };
        let again = again.map(|again| read(&again, self.samples_left)).filter(|again| again.2 > told.2);
        let (parts, problem, _, left) = again.unwrap_or(told);
        self.samples_left = left;
        let problem = match (problem, stranger) {
            (Some(problem), _) => Some(format!(": {problem}")),
            (None, Some(kind)) => Some(format!(": {} is not allowed there", name(kind))),
            (None, None) if !is_whole => Some(String::new()),
            (None, None) => None,
        };
        if let Some(problem) = problem {
            self.damaged(found.start, found.end, format!("the fragment at byte {} is damaged{problem}", found.start));
        }
        parts
    }

    /// Decides where to place a part of the first fragment. All others are measured against its time, so the next
    /// fragment must come after it, and within a year.
    fn place_first(&mut self, file: &mut FileBytes, movie: &Movie, found: Header, part: &Part) -> Place {
        let Some(named) = part.named else { return Place::Named };
        let Some(next) = following(file, movie, found, part.track) else { return Place::Named };
        let year = i64::from(movie.tracks[part.track].timescale) * YEAR_S;
        if (named..named.saturating_add(year)).contains(&next) {
            return Place::Named;
        }
        self.impossible(found);
        Place::Before(next)
    }

    /// Replaces the durations of a part's samples if they are damaged: if the part takes until long after the next
    /// fragment's time, or if it is the last one and most of its samples take much longer than those before.
    fn shorten(&mut self, file: &mut FileBytes, movie: &Movie, found: Header, (part, place): (&mut Part, Place)) {
        let timescale = i64::from(movie.tracks[part.track].timescale);
        let Some(first) = part.samples.first() else { return };
        let begin = if place == Place::Expected { movie.fragmented[part.track].next_dts } else { first.dts };
        let mut dts = first.dts;
        let length = part.end.saturating_sub(dts);
        let count = i64::try_from(part.samples.len()).unwrap_or(i64::MAX);
        let median = median(&part.samples);
        let before = self.usual[part.track].replace(median);
        if length <= timescale * AHEAD_S {
            return;
        }
        let step = match (following(file, movie, found, part.track), before) {
            (Some(next), _) if next > begin && next < begin.saturating_add(length - timescale) => {
                (next - begin) / count
            }
            (None, Some(usual)) if i64::from(median) / 64 > i64::from(usual) => usual.into(),
            _ => return,
        };
        self.usual[part.track] = before.or(u32::try_from(step).ok());
        let duration = u32::try_from(step).unwrap_or(u32::MAX);
        for sample in &mut part.samples {
            let shift = sample.pts.saturating_sub(sample.dts);
            *sample = Sample { dts, pts: dts.saturating_add(shift), duration, ..*sample };
            dts = dts.saturating_add(step);
        }
        part.end = dts;
        let detail = format!("the fragment at byte {} has impossible durations", found.start);
        note(&mut self.damage, SourceFault { cost: FaultCost::NoPicture, detail, bytes: None });
    }

    fn impossible(&mut self, found: Header) {
        let detail = format!("the fragment at byte {} has an impossible time", found.start);
        note(&mut self.damage, SourceFault { cost: FaultCost::NoPicture, detail, bytes: None });
    }

    /// Decides where to place a part of a fragment with an unexpected time. A time that the next fragment
    /// contradicts is an error of this one.
    fn place(&mut self, file: &mut FileBytes, movie: &Movie, found: Header, (part, beside): (&Part, &[Part])) -> Place {
        let Some(named) = part.named else { return Place::Named };
        let expected = movie.fragmented[part.track].next_dts;
        let timescale = i64::from(movie.tracks[part.track].timescale);
        let slack = timescale / 4;
        if (expected.saturating_sub(slack)..=expected.saturating_add(timescale * AHEAD_S)).contains(&named) {
            return Place::Named;
        }
        let next = following(file, movie, found, part.track);
        let behind = expected.saturating_add(part.end.saturating_sub(named));
        let near = |time: i64| (time - behind).abs() <= slack.max(part.end.saturating_sub(named));
        let place = match next {
            Some(next) if near(next) && next < named => Place::Expected,
            // The durations may be damaged as well.
            Some(next) if next < named && next >= expected.saturating_sub(slack) => Place::Expected,
            Some(next) if named < expected && next >= expected.saturating_sub(slack) => Place::Expected,
            _ if named < expected => Place::Restart,
            // The last fragment, a year ahead of all others.
            None if named.saturating_sub(expected) > timescale * YEAR_S => Place::Expected,
            None if is_alone(movie, part, beside) => Place::Expected,
            _ => Place::Named,
        };
        if place == Place::Expected {
            self.impossible(found);
        }
        place
    }

    /// From here on, all tracks' times belong to another recording and follow immediately.
    fn restart(&mut self, movie: &Movie, part: &Part, found: Header) {
        let track = part.track;
        let named = part.named.unwrap_or(0);
        let by = movie.fragmented[track].next_dts.saturating_sub(named);
        for (added, other) in self.added.iter_mut().zip(&movie.tracks) {
            *added = added.saturating_add(rescaled(by, movie.tracks[track].timescale, other.timescale));
        }
        let detail = format!(
            "the times go back at byte {}: the frames that follow are timed as if they came directly after the last one",
            found.start
        );
        note(&mut self.damage, SourceFault { cost: FaultCost::Order, detail, bytes: None });
    }

    fn push(&mut self, movie: &mut Movie, part: Part, place: Place, first: bool) {
        let Part { track, samples, named, end } = part;
        let expected = movie.fragmented[track].next_dts;
        let by = match (place, named) {
            (Place::Expected, Some(named)) => expected.saturating_sub(named),
            (Place::Before(next), _) => next.saturating_sub(end),
            _ => 0,
        };
        movie.fragmented[track].next_dts = end.saturating_add(by);
        let added = self.added[track].saturating_add(by);
        let timescale = movie.tracks[track].timescale;
        for sample in samples {
            let limit = i64::from(sample.duration.max(timescale)).saturating_mul(64);
            // A composition offset beyond the limit is damaged.
            let pts = if (sample.pts - sample.dts).abs() > limit { sample.dts } else { sample.pts };
            let dts = sample.dts.saturating_add(added);
            let pts = pts.saturating_add(added);
            let mut before = None;
            if track == 0 {
                before = self.damage.take();
                let missing = sample.dts.saturating_add(by).saturating_sub(expected);
                if let Some(fault) = &mut before
                    && fault.cost == FaultCost::Pictures
                    && !first
                    && missing <= i64::from(sample.duration / 2)
                {
                    // The times are continuous, so nothing is missing.
                    fault.cost = FaultCost::NoPicture;
                }
            }
            movie.tracks[track].queue.push_back((Sample { dts, pts, ..sample }, before));
        }
    }

    /// Returns the fault to report at the end of the file.
    pub(super) fn rest(&mut self) -> Option<SourceFault> {
        self.damage.take()
    }

    /// Returns the next movie, and the origin of its tables' file positions.
    pub(super) fn another(&mut self, file: &mut FileBytes, movie: &Movie) -> Option<(Header, u64)> {
        let before = self.part;
        if let Some(found) = self.another.take() {
            return Some((found, self.part));
        }
        let mut at = Some(self.after_moov).filter(|_| movie.fragmented.is_empty())?;
        loop {
            // After a movie with all samples in tables, boxes other than a movie do not matter.
            let found = match next_box(file, at, Search::Behind) {
                Next::Box(found) | Next::Damage { next: found, .. } => found,
                Next::End | Next::Lost { .. } => return None,
            };
            at = found.end;
            self.after_moov = at;
            match &found.kind {
                b"ftyp" => self.part = found.start,
                b"moov" if self.part > before => return Some((found, self.part)),
                b"moov" => {
                    let moov = read_box(file, found).ok()?;
                    // A repeated `moov` describes the same samples.
                    if whole(&moov).map(description) != Some(movie.description) {
                        return Some((found, 0));
                    }
                }
                _ => {}
            }
        }
    }
}

/// Where to place a part of a fragment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// At the time that it states.
    Named,
    /// After the part before it, whatever time it states.
    Expected,
    /// So that it ends at this time, in units of its track.
    Before(i64),
    /// At the start of a new time line.
    Restart,
}

/// Returns the time that the fragment after `found` states for a track.
fn following(file: &mut FileBytes, movie: &Movie, found: Header, track: usize) -> Option<i64> {
    let mut at = found.end;
    for _ in 0..LOOK_BOXES {
        let (Next::Box(next) | Next::Damage { next, .. }) = next_box(file, at, Search::Within) else { return None };
        match &next.kind {
            b"moov" => return None,
            b"moof" => {
                let bytes = read_box(file, next).ok()?;
                let moof = whole(&bytes)?.body();
                let named = named_times(moof, &movie.fragmented);
                if let Some((_, time)) = named.into_iter().find(|(of, _)| *of == track) {
                    return Some(time);
                }
            }
            _ => {}
        }
        at = next.end;
    }
    None
}

/// Returns the middle one of the samples' durations, in units of their track.
fn median(samples: &[Sample]) -> u32 {
    let mut durations: Vec<u32> = samples.iter().map(|sample| sample.duration).collect();
    durations.sort_unstable();
    durations.get(durations.len() / 2).copied().unwrap_or(0)
}

/// Returns a hash of a fragment's sample times and sizes, which identifies copies.
fn identity(parts: &[Part]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for part in parts {
        (part.track, part.named, part.end).hash(&mut hasher);
        part.samples.iter().for_each(|sample| (sample.size, sample.duration).hash(&mut hasher));
    }
    hasher.finish()
}

/// Returns whether another track's part of the same fragment is over long before this one begins, and follows what
/// was before. Pictures and sound of one fragment belong together.
fn is_alone(movie: &Movie, part: &Part, beside: &[Part]) -> bool {
    let seconds = |part: &Part, units: i64| units / i64::from(movie.tracks[part.track].timescale.max(1));
    let begins_s = seconds(part, part.named.unwrap_or(0));
    beside.iter().filter(|other| other.track != part.track).any(|other| {
        let expected_s = seconds(other, movie.fragmented[other.track].next_dts);
        let follows = other.named.is_some_and(|named| (seconds(other, named) - expected_s).abs() <= 1);
        follows && begins_s - seconds(other, other.end) > AHEAD_S
    })
}
