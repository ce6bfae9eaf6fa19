//! The walk over the boxes behind a `moov`: fragments, other movies, and damage.

use super::super::bytes::FileBytes;
use super::super::demux::{Fault, note, rescaled};
use super::boxes::{Box4, name, whole};
use super::fragment::{Part, named_times, parts, stranger};
use super::movie::Movie;
use super::rebuilt;
use super::table::Sample;
use super::top::{Header, Next, Search, is_whole, next_box, read_box};
use super::track::description;
use crate::camera::{FaultCost, SourceFault};
use crate::media::TrackKind;
use framepost_events::gap::SourceBytes;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

/// Fragments that are remembered, to know copies by; more are forgotten.
const REMEMBERED: usize = 1 << 16;
/// How far a fragment's time may go ahead without a second look, in seconds.
const AHEAD_S: i64 = 10;
/// The boxes that are looked at to find the fragment after one.
const LOOK_BOXES: usize = 8;

/// Where the walk is.
pub(super) struct Walk {
    /// The next box; `None` at the end.
    at: Option<u64>,
    /// Where the boxes behind the `moov` begin.
    after_moov: u64,
    /// How many samples the fragments to come may have: a file has no more of them than bytes.
    samples_left: u64,
    /// Added to the tracks' times in fragments, once these have begun anew.
    added: Vec<i64>,
    /// The `moov` behind which a fragment went back in time, or that describes something else.
    another: Option<Header>,
    said_again: Option<Header>,
    /// Where the last `ftyp` begins: what a joined file's offsets count from.
    part: u64,
    /// Where the data of each begins.
    seen: HashMap<u64, u64>,
    /// How many bytes may still be read to compare fragments.
    compared_left: u64,
    /// Damage since the last fragment.
    damage: Option<SourceFault>,
    /// Found while looking ahead: told when all that came before it is.
    pub(super) fault: Option<Fault>,
}

impl Walk {
    /// Behind the `moov` that ends at `after_moov`; fragments from `begin` on. What places in the file count from is `part`.
    pub(super) fn new(movie: &Movie, begin: u64, after_moov: u64, part: u64, size: u64) -> Self {
        Self {
            at: (!movie.fragmented.is_empty()).then_some(begin),
            after_moov,
            samples_left: size,
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

    /// A track's table cannot be read on.
    pub(super) fn failed(&mut self, kind: TrackKind, fault: Fault) {
        match kind {
            TrackKind::Video => drop(self.fault.get_or_insert(fault)),
            TrackKind::Audio => {
                let detail = format!("sound: {fault}");
                note(&mut self.damage, SourceFault { cost: FaultCost::NoPicture, detail, bytes: None });
            }
        }
    }

    /// Takes in the next box. Whether there may be more.
    pub(super) fn step(&mut self, file: &mut FileBytes, movie: &mut Movie) -> bool {
        let Some(at) = self.at else { return false };
        let found = match next_box(file, at, Search::Within) {
            Next::End => None,
            Next::Lost { problem } => {
                self.fault.get_or_insert(Fault::new(problem));
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

    /// Whether the data of a fragment is the same as that of the one like it, whose data begins at `before`.
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
        let moof = whole(&bytes).map(Box4::body).unwrap_or_default();
        let first = self.seen.is_empty();
        let parts = self.parts_of(movie, moof, found);
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
            // Segments may each come with what describes them, but go on in time.
            self.another = Some(moov);
            self.at = None;
            return Ok(());
        }
        if backwards && copy_of.is_some_and(|before| self.is_copy(file, before, &parts)) {
            let detail = format!("the fragment at byte {} is there twice", found.start);
            note(&mut self.damage, SourceFault { cost: FaultCost::NoPicture, detail, bytes: None });
            return Ok(());
        }
        let mut placed = Vec::new();
        for part in parts {
            let place = if first { Place::Named } else { self.place(file, movie, found, &part) };
            placed.push((part, place));
        }
        if let Some((part, _)) = placed.iter().find(|(_, place)| *place == Place::Restart) {
            self.restart(movie, part, found);
        }
        for (part, place) in placed {
            self.push(movie, part, place, first);
        }
        Ok(())
    }

    /// The parts of a fragment, from its boxes, or from what is left of them where that is more.
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
            (None, Some(kind)) => Some(format!(": {} is no box that it may have", name(kind))),
            (None, None) if !is_whole => Some(String::new()),
            (None, None) => None,
        };
        if let Some(problem) = problem {
            self.damaged(found.start, found.end, format!("the fragment at byte {} is damaged{problem}", found.start));
        }
        parts
    }

    /// Where a part of a fragment goes that does not say what is expected: a time that the next fragment contradicts is an
    /// error of this one.
    fn place(&mut self, file: &mut FileBytes, movie: &Movie, found: Header, part: &Part) -> Place {
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
            Some(next) if named < expected && next >= expected.saturating_sub(slack) => Place::Expected,
            _ if named < expected => Place::Restart,
            // The last one, a year ahead of all.
            None if named.saturating_sub(expected) > timescale * 366 * 86_400 => Place::Expected,
            _ => Place::Named,
        };
        if place == Place::Expected {
            let detail = format!("the fragment at byte {} names an impossible time", found.start);
            note(&mut self.damage, SourceFault { cost: FaultCost::NoPicture, detail, bytes: None });
        }
        place
    }

    /// From here on all tracks' times are those of another recording, and follow at once.
    fn restart(&mut self, movie: &Movie, part: &Part, found: Header) {
        let (track, named) = (part.track, part.named.unwrap_or(0));
        let by = movie.fragmented[track].next_dts.saturating_sub(named);
        for (added, other) in self.added.iter_mut().zip(&movie.tracks) {
            *added = added.saturating_add(rescaled(by, movie.tracks[track].timescale, other.timescale));
        }
        let detail =
            format!("the times go back at byte {}: what follows is dated as if it followed at once", found.start);
        note(&mut self.damage, SourceFault { cost: FaultCost::Order, detail, bytes: None });
    }

    fn push(&mut self, movie: &mut Movie, part: Part, place: Place, first: bool) {
        let Part { track, samples, named, end } = part;
        let expected = movie.fragmented[track].next_dts;
        let by = if place == Place::Expected { expected.saturating_sub(named.unwrap_or(expected)) } else { 0 };
        movie.fragmented[track].next_dts = end.saturating_add(by);
        let added = self.added[track].saturating_add(by);
        let timescale = movie.tracks[track].timescale;
        for sample in samples {
            let limit = i64::from(sample.duration.max(timescale)).saturating_mul(64);
            // A composition offset like that is none.
            let pts = if (sample.pts - sample.dts).abs() > limit { sample.dts } else { sample.pts };
            let (dts, pts) = (sample.dts.saturating_add(added), pts.saturating_add(added));
            let mut before = None;
            if track == 0 {
                before = self.damage.take();
                let missing = sample.dts.saturating_add(by).saturating_sub(expected);
                if let Some(fault) = &mut before
                    && fault.cost == FaultCost::Pictures
                    && !first
                    && missing <= i64::from(sample.duration / 2)
                {
                    // The times go on, so nothing was there.
                    fault.cost = FaultCost::NoPicture;
                }
            }
            movie.tracks[track].queue.push_back((Sample { dts, pts, ..sample }, before));
        }
    }

    /// What is told at the end of the file.
    pub(super) fn rest(&mut self) -> Option<SourceFault> {
        self.damage.take()
    }

    /// The next movie, and what the places in its tables count from.
    pub(super) fn another(&mut self, file: &mut FileBytes, movie: &Movie) -> Option<(Header, u64)> {
        let before = self.part;
        if let Some(found) = self.another.take() {
            return Some((found, self.part));
        }
        let mut at = Some(self.after_moov).filter(|_| movie.fragmented.is_empty())?;
        loop {
            // What else is behind a movie whose samples are all in its tables does not matter.
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
                    // The same once more describes the same samples.
                    if whole(&moov).map(description) != Some(movie.description) {
                        return Some((found, 0));
                    }
                }
                _ => {}
            }
        }
    }
}

/// Where a part of a fragment goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Where it says.
    Named,
    /// Behind the one before it, whatever it says.
    Expected,
    /// It begins anew.
    Restart,
}

/// The time that the fragment behind `found` names for a track.
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

/// What makes a fragment the same as another: times and sizes of its samples.
fn identity(parts: &[Part]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for part in parts {
        (part.track, part.named, part.end).hash(&mut hasher);
        part.samples.iter().for_each(|sample| (sample.size, sample.duration).hash(&mut hasher));
    }
    hasher.finish()
}
