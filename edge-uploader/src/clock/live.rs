//! The clock of a live session, which combines pictures, audio, sender reports and the gateway's clock.

use super::arrival::SETTLE_US;
use super::pictures::{Pictures, Timed};
use super::reports::Reports;
use super::sound::Sound;
use super::{Anchor, Note, Placed, STEP_WAIT, Step, StepCause, Stepping, Synchronized, TrustedClock, micros, shifted};
use crate::media::{Frame, TrackKind};
use framepost_events::attributes::{ClockInfo, ClockSource};
use jiff::Timestamp;

/// Most frames that are held back in the first second, and most audio frames before the first picture.
const HELD_MAX: usize = 2048;
const SOUND_HELD_MAX: usize = 512;
/// Most sender reports that are held back in the first second.
const REPORTS_HELD_MAX: usize = 8;

#[derive(Debug, Clone)]
pub(super) struct Live {
    pictures: Pictures,
    sound: Option<Sound>,
    reports: Reports,
    synchronized: Synchronized,
    stepping: Stepping,
    /// The gateway's clock in use: the current one, unless a step is waiting.
    anchor: Anchor,
    /// The frames and reports of the first second, while they are held back.
    held: Option<Held>,
    /// The camera's timestamp of the first picture.
    first_picture: i64,
    /// Since when a step waits for a random access frame, in µs of the monotonic clock.
    waiting_us: Option<i64>,
    notes: Vec<Note>,
}

#[derive(Debug, Clone, Default)]
struct Held {
    frames: Vec<Frame>,
    /// Arrival of the first picture in µs.
    first_us: Option<i64>,
    reports: Vec<(i64, Timestamp)>,
}

impl Live {
    pub(super) fn new(
        trusted: TrustedClock,
        video_timescale: u32,
        audio_timescale: Option<u32>,
        anchor: Anchor,
        synchronized: Synchronized,
    ) -> Self {
        Self {
            pictures: Pictures::new(video_timescale),
            sound: audio_timescale.map(Sound::new),
            reports: Reports::new(trusted),
            synchronized,
            stepping: Stepping::default(),
            anchor,
            held: Some(Held::default()),
            first_picture: 0,
            waiting_us: None,
            notes: Vec::new(),
        }
    }

    pub(super) fn set_synchronized(&mut self, synchronized: Synchronized) {
        self.synchronized = synchronized;
    }

    pub(super) fn set_stepping(&mut self, stepping: Stepping) {
        self.stepping = stepping;
    }

    pub(super) fn sender_report(&mut self, pts: i64, ntp: Timestamp) {
        if let Some(held) = &mut self.held {
            if held.reports.len() < REPORTS_HELD_MAX {
                held.reports.push((pts, ntp));
            }
            return;
        }
        // A report is ignored if its time is not near that of any picture.
        let monotonic = self.pictures.at(pts).and_then(|out| self.pictures.monotonic(out));
        if let Some(monotonic_us) = monotonic {
            let gateway_us = self.anchor.utc(monotonic_us).as_microsecond();
            self.reports.report(ntp.as_microsecond(), gateway_us, &mut self.notes);
        }
    }

    pub(super) fn push(&mut self, anchor: &Anchor, frame: Frame) -> Vec<Placed> {
        if anchor.epoch() == self.anchor.epoch() {
            self.anchor = anchor.clone();
        }
        let Some(held) = &mut self.held else {
            let mut placed = Vec::new();
            self.take(anchor, frame, &mut placed);
            return placed;
        };
        let now_us = micros(frame.arrival);
        if frame.track == TrackKind::Video && held.first_us.is_none() {
            held.first_us = Some(now_us);
            self.first_picture = frame.pts;
        }
        held.frames.push(frame);
        match held.first_us {
            None if held.frames.len() > SOUND_HELD_MAX => {
                held.frames.remove(0);
                Vec::new()
            }
            Some(first_us) if now_us - first_us >= SETTLE_US || held.frames.len() >= HELD_MAX => self.begin(anchor),
            _ => Vec::new(),
        }
    }

    pub(super) fn flush(&mut self) -> Vec<Placed> {
        let anchor = self.anchor.clone();
        let mut placed = if self.held.is_some() { self.begin(&anchor) } else { Vec::new() };
        let mut ready = Vec::new();
        self.pictures.flush(&mut ready);
        self.place_pictures(&anchor, ready, &mut placed);
        let mut ready = Vec::new();
        if let Some(sound) = &mut self.sound {
            sound.flush(&self.pictures, self.first_picture, &mut ready);
        }
        self.place_sound(ready, &mut placed);
        placed
    }

    pub(super) fn notes(&mut self) -> Vec<Note> {
        let mut notes = std::mem::take(&mut self.notes);
        notes.append(&mut self.pictures.notes);
        notes
    }

    pub(super) fn info(&self) -> ClockInfo {
        let gateway = match self.synchronized {
            Synchronized::Yes => ClockSource::Gateway,
            Synchronized::No => ClockSource::GatewayUnsynchronized,
        };
        let camera = self.reports.source();
        ClockInfo {
            source: camera.unwrap_or(gateway),
            offset_us: self.reports.newest_us(),
            uncertainty_us: camera.is_none().then(|| self.pictures.jitter_us()),
            replaced: None,
            rate_ppm: self.pictures.rate_ppm(),
        }
    }

    /// Ends the first second: places the frames that were held back.
    fn begin(&mut self, anchor: &Anchor) -> Vec<Placed> {
        let Held { frames, reports, .. } = self.held.take().unwrap_or_default();
        self.pictures.begin(frames.iter().filter(|frame| frame.track == TrackKind::Video));
        let mut pictures = Vec::new();
        let mut sounds = Vec::new();
        for frame in frames {
            match frame.track {
                TrackKind::Video => self.pictures.take(frame, &mut pictures),
                TrackKind::Audio => sounds.push(frame),
            }
        }
        self.pictures.settled();
        for (pts, ntp) in reports {
            self.sender_report(pts, ntp);
        }
        let mut placed = Vec::new();
        self.place_pictures(anchor, pictures, &mut placed);
        if let Some(sound) = &mut self.sound {
            let mut ready = Vec::new();
            for frame in sounds {
                sound.take(frame, &self.pictures, self.first_picture, &mut ready);
            }
            sound.heard(&self.pictures, self.first_picture, &mut ready);
            self.place_sound(ready, &mut placed);
        }
        // In order of arrival, so that no chunk ends without its audio.
        placed.sort_by_key(|placed| placed.frame.arrival);
        placed
    }

    fn take(&mut self, anchor: &Anchor, frame: Frame, placed: &mut Vec<Placed>) {
        let mut ready = Vec::new();
        match frame.track {
            TrackKind::Video => {
                self.pictures.take(frame, &mut ready);
                self.place_pictures(anchor, ready, placed);
            }
            TrackKind::Audio => {
                let Some(sound) = &mut self.sound else { return };
                sound.take(frame, &self.pictures, self.first_picture, &mut ready);
                self.place_sound(ready, placed);
            }
        }
    }

    fn place_pictures(&mut self, anchor: &Anchor, ready: Vec<Timed>, placed: &mut Vec<Placed>) {
        for (frame, origin) in ready {
            let Some(mut monotonic_us) = self.pictures.monotonic(frame.pts) else { continue };
            let step = self.step_before(anchor, &frame, monotonic_us);
            if step.is_some() {
                monotonic_us = self.pictures.monotonic(frame.pts).unwrap_or(monotonic_us);
            }
            let gateway = self.anchor.utc(monotonic_us);
            let wall = shifted(gateway, self.reports.offset_us(gateway.as_microsecond()));
            placed.push(Placed { frame, wall, origin, step });
        }
    }

    fn place_sound(&mut self, ready: Vec<Timed>, placed: &mut Vec<Placed>) {
        for (frame, origin) in ready {
            let wall = self.anchor.utc(micros(frame.arrival));
            placed.push(Placed { frame, wall, origin, step: None });
        }
    }

    /// Takes the steps that are due before this picture.
    fn step_before(&mut self, anchor: &Anchor, frame: &Frame, monotonic_us: i64) -> Option<Step> {
        let set = anchor.epoch() != self.anchor.epoch();
        let camera = self.stepping == Stepping::Allowed && (self.pictures.is_due() || self.reports.is_due());
        if !set && !camera {
            self.waiting_us = None;
            return None;
        }
        let now_us = micros(frame.arrival);
        let waited_us = now_us - *self.waiting_us.get_or_insert(now_us);
        if !frame.reference.is_random_access() && waited_us < micros(STEP_WAIT) {
            return None;
        }
        self.waiting_us = None;
        let mut step = None;
        if set {
            let before = self.anchor.utc(monotonic_us).as_microsecond();
            self.anchor = anchor.clone();
            let by_us = self.anchor.utc(monotonic_us).as_microsecond() - before;
            self.reports.gateway_set(by_us);
            // A trusted camera's clock does not change when the gateway's clock is set.
            if self.reports.source().is_none() {
                step = Some(Step { cause: StepCause::Gateway, by_us });
            }
        }
        let gateway_us = self.anchor.utc(monotonic_us).as_microsecond();
        if self.reports.is_due() {
            step = Some(Step { cause: StepCause::Camera, by_us: self.reports.rebase(gateway_us) });
        }
        if self.pictures.is_due() {
            let by_us = self.pictures.rebase();
            if by_us != 0 {
                step = Some(Step { cause: StepCause::Media, by_us });
            }
        }
        step
    }
}
