//! Matroska and WebM (RFC 9559), read from front to back.
//!
//! Matroska has only presentation times, mostly in whole milliseconds, which are kept unchanged. Blocks
//! are in decoding order and are returned in that order. A frame's duration is the track's
//! `DefaultDuration` or the block's own duration.
//!
//! General crates trust the sizes and positions in a file, and stop where it is damaged. This module therefore
//! walks the elements itself ([`walk`]). It does not use indexes, because it reads all elements anyway. A
//! second segment is read after the first one.

mod block;
mod continuity;
mod tracks;
mod walk;

use self::block::Block;
use self::continuity::{Held, Recent};
use self::tracks::{Info, Track, Tracks};
use self::walk::{Found, Walk};
use super::bytes::FileBytes;
use super::demux::{Demux, Fault, Item, duration_of, note, undescribed};
use super::first_shown;
use crate::camera::nal;
use crate::camera::sets::{InForce, Undescribed};
use crate::camera::{FaultCost, SourceFault};
use crate::media::{AudioParameters, Frame, Reference, TrackKind};
use bytes::Bytes;
use framepost_events::gap::SourceBytes;
use jiff::Timestamp;
use std::collections::VecDeque;
use std::fs::File;
use std::time::Duration;

/// Most blocks that are kept before the first video frame: more than half a minute of audio.
const LEAD_LIMIT: usize = 4096;

/// An open Matroska file.
pub(super) struct Matroska {
    walk: Walk,
    info: Info,
    tracks: Tracks,
    /// The number of the segment being read.
    segment: u32,
    in_force: InForce,
    /// Time of the first video frame, in timescale units.
    zero: i64,
    /// Start of the segment on the session's time line.
    origin: i64,
    /// How long the audio begins before the first picture.
    lead: Duration,
    /// The largest time so far. Presentation times go back with B-frames, decoding times do not.
    latest: i64,
    /// The end of the last video frame shown, if known.
    video_end: Option<i64>,
    /// The last audio block's time in the file, and the time assigned to its last frame.
    last_audio: Option<(i64, i64)>,
    frames: u64,
    /// A fault that is reported with the next video frame.
    fault: Option<SourceFault>,
    recent: Recent,
    /// Items read after damage whose cost is not known yet.
    held: Option<Held>,
    ready: VecDeque<Item>,
}

impl Matroska {
    pub(super) fn open(file: File, size: u64) -> Result<Self, Fault> {
        let mut walk = Walk::new(FileBytes::new(file, size));
        let mut info = None;
        let mut tracks = None;
        let mut segment = 0;
        // Normally, both precede the first cluster.
        while tracks.is_none() {
            match walk.next() {
                Found::Info(body, _) => info = info.or(Some(body)),
                Found::Tracks(body, of) if tracks::is_one(&body) => (tracks, segment) = (Some(body), of),
                Found::Tracks(..) => {}
                Found::Block(..) | Found::End | Found::Lost(_) => break,
            }
        }
        if tracks.is_none() {
            // They are not in their normal place, and it is unknown which segment they belong to.
            segment = u32::MAX;
        }
        // A reference to it in the seek head looks like one and is none, and one that is damaged may have a copy.
        let is_video = |body: &[u8]| Tracks::read(body, 1_000_000).is_ok();
        let tracks = match tracks {
            Some(tracks) if is_video(&tracks) => Some(tracks),
            tracks => walk
                .find_element(walk::TRACKS, is_video)
                .or(tracks)
                .or_else(|| walk.find_element(walk::TRACKS, tracks::is_one)),
        };
        let Some(tracks) = tracks else {
            return Err(Fault::new(
                "the Matroska structure is damaged: it has no readable Tracks element; mkvmerge may be able to repair it",
            ));
        };
        let info = Info::read(&info.unwrap_or_default());
        let tracks = Tracks::read(&tracks, info.scale_ns)?;
        // Clusters may have been skipped on the way.
        let walk = walk.rewound();
        let mut matroska = Self {
            in_force: InForce::new(tracks.parameters.video.clone()),
            walk,
            info,
            segment,
            tracks,
            zero: 0,
            origin: 0,
            lead: Duration::ZERO,
            latest: 0,
            video_end: None,
            last_audio: None,
            frames: 0,
            fault: None,
            recent: Recent::default(),
            held: None,
            ready: VecDeque::new(),
        };
        matroska.know_tracks();
        matroska.begin()?;
        Ok(matroska)
    }

    fn know_tracks(&mut self) {
        let numbers = [Some(&self.tracks.video), self.tracks.audio.as_ref()];
        self.walk.recorded = numbers.into_iter().flatten().map(|track| track.number).collect();
        self.walk.second = i64::try_from(1_000_000_000 / self.info.scale_ns).unwrap_or(1).max(1);
    }

    /// Finds the first video frame, which is time 0 of the session. Earlier audio waits.
    fn begin(&mut self) -> Result<(), Fault> {
        let mut lead = VecDeque::new();
        let mut ended = None;
        loop {
            match self.block() {
                Ok(Some((block, time))) => {
                    let is_video = block.track == self.tracks.video.number;
                    lead.push_back((block, time));
                    if is_video {
                        break;
                    }
                    if lead.len() > LEAD_LIMIT {
                        lead.pop_front();
                    }
                }
                Ok(None) => break,
                Err(fault) => {
                    ended = Some(fault);
                    break;
                }
            }
        }
        let first = lead.back().filter(|(block, _)| block.track == self.tracks.video.number);
        let is_empty = first.is_none();
        self.zero = first.map_or(0, |(_, time)| self.units(*time));
        let before = lead.front().map_or(0, |(_, time)| self.zero.saturating_sub(self.units(*time)));
        self.lead = duration_of(before, self.tracks.parameters.video.timescale);
        let items = std::mem::take(&mut self.ready);
        // Audio before the first frame uses its parameters.
        self.ready.push_front(Item::Parameters(self.tracks.parameters.clone()));
        self.ready.extend(items);
        for (block, time) in lead {
            self.take(block, time)?;
        }
        match ended {
            Some(fault) if self.frames == 0 => Err(fault),
            None if is_empty => Err(Fault::new("there is no video frame in it")),
            // They will be found again in order.
            _ => Ok(()),
        }
    }

    /// Returns the next block of a recorded track, and its time in units of the segment.
    fn block(&mut self) -> Result<Option<(Block, i64)>, Fault> {
        loop {
            match self.walk.next() {
                Found::Block(block, time) => return Ok(Some((block, time))),
                Found::Info(body, of) if of > self.segment => self.another_info(&body),
                Found::Tracks(body, of) if of > self.segment && tracks::is_one(&body) => self.another(&body, of)?,
                Found::Info(..) | Found::Tracks(..) => {}
                Found::End => return Ok(None),
                Found::Lost(problem) => return Err(Fault::new(problem)),
            }
        }
    }

    fn another_info(&mut self, body: &[u8]) {
        let next = Info::read(body);
        let since = self.info.created.zip(next.created).map(|(before, after)| after.duration_since(before));
        // Use its own creation time if that is plausible.
        let since = since.and_then(|since| Duration::try_from(since).ok()).unwrap_or_default();
        let timescale = u128::from(self.tracks.parameters.video.timescale);
        let units = i64::try_from(since.as_nanos() * timescale / 1_000_000_000).unwrap_or(0);
        self.origin = units.max(self.video_end.unwrap_or(0)).max(self.latest);
        self.info = Info { created: self.info.created.or(next.created), ..next };
    }

    /// Switches to another recording that replaces this one.
    fn another(&mut self, body: &[u8], segment: u32) -> Result<(), Fault> {
        let before = self.tracks.parameters.video.timescale;
        let tracks = Tracks::read(body, self.info.scale_ns).map_err(|fault| {
            Fault::new(format!("another recording follows that cannot be read: {}", fault.problem()))
        })?;
        let origin = self.origin.max(self.video_end.unwrap_or(0)).max(self.latest);
        let after = tracks.parameters.video.timescale;
        self.origin = super::demux::rescaled(origin, before, after);
        self.latest = self.origin;
        self.video_end = None;
        self.last_audio = None;
        self.recent.clear();
        self.tracks = tracks;
        self.segment = segment;
        self.in_force = InForce::new(self.tracks.parameters.video.clone());
        self.know_tracks();
        self.walk.begin_segment();
        // Its first block determines where its times begin.
        self.zero = i64::MIN;
        let detail = "another recording begins".to_owned();
        note(&mut self.fault, SourceFault { cost: FaultCost::Order, detail, bytes: None });
        self.tell(Item::Parameters(self.tracks.parameters.clone()));
        Ok(())
    }

    /// Adds an item to the output, or to the items that wait.
    fn tell(&mut self, item: Item) {
        match &mut self.held {
            Some(held) => held.push(item),
            None => self.ready.push_back(item),
        }
    }

    fn units(&self, time: i64) -> i64 {
        time.saturating_mul(self.tracks.factor).clamp(i64::MIN / 4, i64::MAX / 4)
    }

    /// Adds a block's frames to the output.
    fn take(&mut self, block: Block, time: i64) -> Result<(), Fault> {
        let Block { track: number, relative: _, duration, frames } = block;
        if self.zero == i64::MIN {
            self.zero = self.units(time);
        }
        if let Some(damage) = self.walk.damage.take() {
            note(&mut self.fault, damage);
        }
        let own = duration.and_then(|units| i64::try_from(units).ok()).map(|units| self.units(units));
        let own = own.and_then(|units| u32::try_from(units).ok()).filter(|units| *units > 0);
        let laced = u32::try_from(frames.len()).unwrap_or(1).max(1);
        let own = own.map(|duration| (duration / laced).max(1));
        for data in frames {
            if data.is_empty() {
                continue;
            }
            if number == self.tracks.video.number {
                self.take_video(data, own, time)?;
            } else {
                self.take_audio(data, own, time);
            }
        }
        Ok(())
    }

    fn take_video(&mut self, data: Vec<u8>, own: Option<u32>, time: i64) -> Result<(), Fault> {
        let pts = self.units(time).saturating_sub(self.zero).saturating_add(self.origin);
        let duration = own.or(self.tracks.video.duration);
        let data = with_head(&self.tracks.video, data);
        let data = match self.tracks.length_bytes {
            4 => data,
            other => nal::with_four_byte_lengths(&data, other),
        };
        let (reference, changed) = self.in_force.see(&data).map_err(|Undescribed| undescribed(self.frames))?;
        if let Some(video) = changed.cloned() {
            self.tracks.parameters.video = video;
            self.tell(Item::Parameters(self.tracks.parameters.clone()));
        }
        if self.fault.as_ref().is_some_and(|fault| fault.cost == FaultCost::Order) {
            self.release();
        }
        match (self.fault.take(), &mut self.held) {
            (Some(fault), Some(held)) => held.more(fault),
            (Some(fault), None) if fault.cost == FaultCost::Pictures => {
                self.held = Some(self.recent.damaged(fault, duration));
            }
            (Some(fault), None) => self.ready.push_back(Item::Fault(fault)),
            (None, _) => {}
        }
        self.recent.see(pts);
        if let Some(held) = &mut self.held {
            held.see(pts);
        }
        if !nal::is_whole(&data) {
            let detail = format!("the NAL units of frame {} are damaged", self.frames);
            let bytes: Option<SourceBytes> = None;
            self.tell(Item::Fault(SourceFault { cost: FaultCost::NoPicture, detail, bytes }));
        }
        self.frames += 1;
        self.video_end = self.video_end.max(Some(pts.saturating_add(duration.unwrap_or(0).into())));
        self.push(TrackKind::Video, pts, duration, reference, data);
        if self.held.as_ref().is_some_and(Held::is_decided) {
            self.release();
        }
        Ok(())
    }

    /// Moves waiting items to the output. Returns whether there were any.
    fn release(&mut self) -> bool {
        let Some(held) = self.held.take() else { return false };
        self.ready.extend(held.released());
        true
    }

    fn take_audio(&mut self, data: Vec<u8>, own: Option<u32>, time: i64) {
        let Some(track) = &self.tracks.audio else { return };
        let duration = own.or(track.duration);
        let data = with_head(track, data);
        // The frames of one laced block share its time. Each except the first follows the one before.
        let pts = match self.last_audio {
            Some((of, last)) if of == time => last.saturating_add(self.audio_duration(duration).into()),
            _ => self.units(time).saturating_sub(self.zero).saturating_add(self.origin),
        };
        self.last_audio = Some((time, pts));
        self.push(TrackKind::Audio, pts, duration, Reference::RandomAccess, data);
    }

    fn push(&mut self, track: TrackKind, pts: i64, duration: Option<u32>, reference: Reference, data: Vec<u8>) {
        self.latest = self.latest.max(pts);
        let at = duration_of(self.latest, self.tracks.parameters.video.timescale);
        let frame = Frame { track, pts, duration, reference, arrival: Duration::ZERO, data: Bytes::from(data) };
        self.tell(Item::Frame { frame, at });
    }

    /// Returns the duration of an AAC frame of 1024 samples in timescale units.
    fn audio_duration(&self, duration: Option<u32>) -> u32 {
        let samples = |a: &AudioParameters| 1024 * u64::from(a.timescale) / u64::from(a.sample_rate.max(1));
        let own = self.tracks.parameters.audio.as_ref().map(samples).and_then(|units| u32::try_from(units).ok());
        duration.or(own).unwrap_or(1)
    }
}

/// Restores the bytes that header stripping removed from a frame.
fn with_head(track: &Track, data: Vec<u8>) -> Vec<u8> {
    if track.stripped.is_empty() { data } else { [&track.stripped[..], &data].concat() }
}

impl Demux for Matroska {
    fn next(&mut self) -> Result<Option<Item>, Fault> {
        loop {
            if let Some(item) = self.ready.pop_front() {
                return Ok(Some(item));
            }
            let block = self.block();
            // At its end, the walk returns the same result again.
            if !matches!(block, Ok(Some(_))) && self.release() {
                continue;
            }
            let Some((block, time)) = block? else {
                let mut rest = self.fault.take();
                if let Some(damage) = self.walk.damage.take() {
                    note(&mut rest, damage);
                }
                return match rest {
                    Some(fault) if fault.cost == FaultCost::Pictures => Err(Fault::new(fault.detail).over(fault.bytes)),
                    rest => Ok(rest.map(Item::Fault)),
                };
            };
            self.take(block, time)?;
        }
    }

    fn created(&self) -> Option<Timestamp> {
        first_shown(self.info.created, self.lead)
    }

    fn duration(&self) -> Option<Duration> {
        self.info.duration
    }

    fn frames_total(&self) -> Option<u64> {
        None
    }
}
