//! Aligns a live camera's audio with its pictures.
//!
//! In RTP, each stream has a time line of its own. The camera relates them with `rtptime` in its answer to
//! `PLAY`. That relation is used if arrivals do not contradict it: audio and video of the same moment arrive at
//! about the same time, so after a second of both, the difference of their least delays shows their offset. If
//! `rtptime` differs from that by more than an encoder explains, the arrivals determine the offset.
//!
//! From then on the offset is kept. If it changes, one of the clocks drifts or was stepped, and the
//! audio follows the pictures. A timestamp that does not continue the line is replaced by the one that
//! follows from the frame before.

use super::lateness::{Finding, Lateness, first_rate};
use super::pictures::{Pictures, Timed};
use super::scale::{Line, Scale, rounded};
use super::{Origin, micros};
use crate::media::Frame;

/// Limits on how long, and how many frames of, audio is held back until its offset is known.
const LISTEN_US: i64 = 900_000;
const HELD_MAX: usize = 1024;
/// Number of frames that are enough to determine the offset.
const ENOUGH: usize = 8;
/// Largest offset between audio and video that is accepted from the camera, to allow for encoder delay.
const ENCODERS_US: i64 = 300_000;
/// Used if both streams count from their first packet, which may mean that the camera did not relate them.
const UNSAID_US: i64 = 60_000;
/// Audio that is off by more than this, for as long as is needed to be sure, is moved.
const OUT_OF_PLACE_US: i64 = 30_000;
const FAR_OUT_US: i64 = 150_000;
const SURE: u32 = 2;
/// Larger corrections are made at once, smaller ones in parts over several frames.
const MOVED_AT_ONCE_US: i64 = 500_000;
/// A frame may be ahead of its predecessor by this time or by this many frames, whenever it arrives.
const AHEAD_US: i64 = 200_000;
const AHEAD_FRAMES: i64 = 8;
/// Number of frames that must continue each other, but not the earlier ones, to be a step.
const AGREE: u32 = 3;
/// An arrival pause longer than this and some frames is not jitter.
const PAUSE_US: i64 = 300_000;
/// A rate closer to 1 than this counts as 1.
const RATE_IS_ONE: f64 = 0.003;

#[derive(Debug, Clone, Copy)]
struct Last {
    media: i64,
    out: i64,
    arrival_us: i64,
    late_us: i64,
}

#[derive(Debug, Clone)]
pub(super) struct Sound {
    scale: Scale,
    line: Line,
    held: Vec<Frame>,
    last: Option<Last>,
    /// Duration of a frame in µs.
    length_us: i64,
    /// The last timestamp off the line, and the number of frames that continued from it.
    astray: Option<(i64, u32)>,
    lateness: Lateness,
    /// How much later than pictures audio arrives when it is aligned.
    behind_us: i64,
    /// Number of stretches in which audio was off, and the direction.
    doubts: u32,
    later: bool,
    owed_us: i64,
}

impl Sound {
    pub(super) fn new(timescale: u32) -> Self {
        Self {
            scale: Scale::new(timescale),
            line: Line { media: 0, out: 0, scale: 1.0 },
            held: Vec::new(),
            last: None,
            length_us: 64_000,
            astray: None,
            lateness: Lateness::default(),
            behind_us: 0,
            doubts: 0,
            later: false,
            owed_us: 0,
        }
    }

    /// Takes the next frame. `first_picture` is the camera's timestamp of the first picture.
    pub(super) fn take(&mut self, frame: Frame, pictures: &Pictures, first_picture: i64, ready: &mut Vec<Timed>) {
        if self.last.is_some() {
            self.place(frame, pictures, ready);
            return;
        }
        let waited_us = self.held.first().map_or(0, |first| micros(frame.arrival) - micros(first.arrival));
        self.held.push(frame);
        if waited_us >= LISTEN_US || self.held.len() >= HELD_MAX {
            self.begin(pictures, first_picture, ready);
        }
    }

    /// Called after the session's first second: releases audio if enough frames have arrived to place it.
    pub(super) fn heard(&mut self, pictures: &Pictures, first_picture: i64, ready: &mut Vec<Timed>) {
        if self.held.len() >= ENOUGH {
            self.begin(pictures, first_picture, ready);
        }
    }

    /// Outputs the audio that is held back.
    pub(super) fn flush(&mut self, pictures: &Pictures, first_picture: i64, ready: &mut Vec<Timed>) {
        if !self.held.is_empty() {
            self.begin(pictures, first_picture, ready);
        }
    }

    fn begin(&mut self, pictures: &Pictures, first_picture: i64, ready: &mut Vec<Timed>) {
        let held = std::mem::take(&mut self.held);
        let Some(first) = held.first() else { return };
        let times: Vec<i64> = held.iter().map(|frame| self.scale.micros(frame.pts)).collect();
        let arrivals: Vec<i64> = held.iter().map(|frame| micros(frame.arrival)).collect();
        let mut lengths: Vec<i64> =
            times.windows(2).map(|pair| pair[1].saturating_sub(pair[0])).filter(|length| *length > 0).collect();
        lengths.sort_unstable();
        if let Some(usual) = lengths.get(lengths.len() / 2) {
            self.length_us = (*usual).clamp(1_000, 1_000_000);
        }
        let in_line = times.windows(2).all(|pair| (1..=AHEAD_US).contains(&pair[1].saturating_sub(pair[0])));
        let rate = first_rate(&times, &arrivals).filter(|rate| in_line && (0.4..=1.35).contains(rate));
        let scale = rate.filter(|rate| (rate - 1.0).abs() > 0.015).map_or(1.0, |rate| 1.0 / rate);
        self.line = Line { media: 0, out: 0, scale };
        let late: Vec<i64> = times
            .iter()
            .zip(&arrivals)
            .filter_map(|(time, at)| pictures.project_us(scaled(*time, scale)).map(|due| at.saturating_sub(due)))
            .collect();
        let mut sorted = late.clone();
        sorted.sort_unstable();
        // An outlier must determine neither the least delay nor the start of the line.
        let middle = sorted.get(sorted.len() / 2).copied().unwrap_or(0);
        let usual = |late: i64| middle.saturating_sub(late).abs() <= 2_000_000;
        let least = sorted.iter().copied().find(|late| usual(*late)).unwrap_or(middle);
        let behind = least.saturating_sub(pictures.late_us().unwrap_or(0));
        let unsaid = first.pts == 0 && first_picture == 0;
        if behind.abs() <= if unsaid { UNSAID_US } else { ENCODERS_US } {
            self.behind_us = behind;
        } else {
            self.line.out = self.scale.ticks(behind);
        }
        let reference = late.iter().position(|late| usual(*late)).unwrap_or(0);
        let before_us = (i64::try_from(reference).unwrap_or(0) + 1) * self.length_us;
        let media = held[reference].pts.saturating_sub(self.scale.ticks(before_us));
        let arrival_us = arrivals[0] - self.length_us;
        self.last = Some(Last { media, out: self.line.at(media), arrival_us, late_us: 0 });
        for frame in held {
            self.place(frame, pictures, ready);
        }
    }

    fn place(&mut self, mut frame: Frame, pictures: &Pictures, ready: &mut Vec<Timed>) {
        let Some(last) = self.last else { return };
        let media = frame.pts;
        let at_us = micros(frame.arrival);
        let length = self.scale.ticks(self.length_us).max(1);
        let (in_line, origin) = if self.in_line(last, media, at_us) {
            self.astray = None;
            (media, Origin::Source)
        } else {
            (self.astray(last, media, at_us, length), Origin::Arrival)
        };
        self.pay();
        let out = self.line.at(in_line).max(last.out + 1);
        let out_us = self.scale.micros(out);
        let late_us = pictures.project_us(out_us).map_or(0, |due| at_us - due);
        self.last = Some(Last { media: in_line, out, arrival_us: at_us, late_us });
        frame.pts = out;
        ready.push((frame, origin));
        let found = self.lateness.add(late_us, at_us, self.scale.micros(in_line), self.length_us);
        if found == Finding::Stretch {
            self.compare(pictures);
        }
    }

    fn in_line(&self, last: Last, media: i64, at_us: i64) -> bool {
        let ahead_us = scaled(self.scale.micros(media.saturating_sub(last.media)), self.line.scale);
        let slack_us = AHEAD_US.max(AHEAD_FRAMES * self.length_us);
        let come_us = at_us - last.arrival_us + last.late_us.max(0) + slack_us;
        ahead_us > 0 && ahead_us <= slack_us.max(come_us)
    }

    /// Handles a frame whose timestamp is off the line. Returns the time that it gets.
    fn astray(&mut self, last: Last, media: i64, at_us: i64, length: i64) -> i64 {
        let follows = self.astray.filter(|(before, _)| (1..=4 * length).contains(&media.saturating_sub(*before)));
        let count = follows.map_or(1, |(_, count)| count + 1);
        self.astray = Some((media, count));
        let passed_us = at_us - last.arrival_us;
        let paused = passed_us > PAUSE_US + 4 * self.length_us;
        let next = last.media + if paused { self.scale.ticks(passed_us) } else { length };
        if count < AGREE {
            return next;
        }
        self.line = Line { media, out: self.line.at(next), ..self.line };
        self.astray = None;
        media
    }

    /// Moves the following frames by a part of the correction that remains.
    fn pay(&mut self) {
        if self.owed_us == 0 {
            return;
        }
        let most = if self.owed_us.abs() > MOVED_AT_ONCE_US { i64::MAX } else { self.length_us / 2 };
        let paid = self.owed_us.clamp(-most, most);
        self.owed_us -= paid;
        self.line.out += self.scale.ticks(paid);
        self.lateness.shift(paid);
    }

    /// Compares the alignment of audio with the pictures.
    fn compare(&mut self, pictures: &Pictures) {
        let off = |sound: Option<i64>, picture: Option<i64>| Some(sound?.saturating_sub(picture?) - self.behind_us);
        // A small offset needs four seconds to distinguish it from noise, a large one is clear at once.
        let quick = off(self.lateness.now_us(), pictures.late_us()).filter(|off_us| off_us.abs() > FAR_OUT_US);
        let sure = || off(self.lateness.surely_us(), pictures.surely_late_us());
        // Clocks that are known to drift are checked more strictly.
        let runs_away = (self.line.scale - 1.0).abs() > f64::EPSILON || pictures.rate_ppm().is_some();
        let (most_us, enough) = if runs_away { (OUT_OF_PLACE_US / 2, 1) } else { (OUT_OF_PLACE_US, SURE) };
        let Some(off_us) = quick.or_else(sure).filter(|off_us| off_us.abs() > most_us) else {
            self.doubts = 0;
            return;
        };
        if self.later != (off_us > 0) {
            self.doubts = 0;
        }
        self.later = off_us > 0;
        self.doubts += 1;
        if self.doubts < enough {
            return;
        }
        self.owed_us = off_us;
        if self.doubts > enough
            && let Some(last) = self.last
        {
            // The clock drifts: take half of the offset gained in about a second as its rate error.
            let rate = (self.line.scale + off_us as f64 / 2_000_000.0).clamp(0.5, 2.5);
            let scale = if (rate - 1.0).abs() < RATE_IS_ONE { 1.0 } else { rate };
            self.line = Line { media: last.media, out: self.line.at(last.media), scale };
        }
    }
}

fn scaled(value: i64, by: f64) -> i64 {
    #[expect(clippy::float_cmp, reason = "exactly 1 is what a right clock has")]
    if by == 1.0 { value } else { rounded(value as f64 * by) }
}
