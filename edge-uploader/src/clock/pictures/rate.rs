//! Corrects a media clock that is slow or fast, and replaces one that is unusable.

use super::{
    AHEAD_PICTURES, LATE_US, MEND_US, Mode, Newest, PAUSE_US, Pictures, RATE_IS_ONE, RATE_IS_WRONG, RATES, REGULAR,
    RIGHT_US, Timed, count,
};
use crate::clock::lateness::first_rate;
use crate::clock::scale::Line;
use crate::clock::{JUMP_US, Note, Origin, micros};
use crate::media::Frame;

impl Pictures {
    pub(super) fn regulate(&mut self) {
        let Some(late_us) = self.lateness.now_us() else { return };
        if self.due && late_us.abs() <= JUMP_US {
            self.due = false;
        }
        let scaled = (self.line.scale - 1.0).abs() > f64::EPSILON;
        if !scaled && !self.lateness.lasts(LATE_US) {
            return;
        }
        let sure_us = self.lateness.surely_us();
        if scaled && sure_us.is_none() {
            return;
        }
        let Some(rate) = self.lateness.rate() else { return };
        if !RATES.contains(&rate) {
            if self.lateness.lasts(LATE_US)
                && let Some(Newest { media, arrival_us, .. }) = self.newest
            {
                self.leave_media(media, arrival_us);
            }
            return;
        }
        let is_one = (rate - 1.0).abs() < RATE_IS_ONE;
        let wanted = if is_one && late_us.abs() < RIGHT_US {
            1.0
        } else if (rate - 1.0).abs() < RATE_IS_WRONG && late_us.abs() > JUMP_US {
            self.due = true;
            1.0 / if is_one { 1.0 } else { rate }
        } else {
            let sure_us = sure_us.unwrap_or(late_us);
            let mend = if sure_us.abs() < RIGHT_US { 0.0 } else { (sure_us as f64 / MEND_US).clamp(-0.3, 0.3) };
            1.0 / if is_one { 1.0 } else { rate } + mend
        };
        if let Some(newest) = self.newest {
            self.line = Line { media: newest.media, out: self.line.at(newest.media), scale: wanted };
        }
        self.tell_rate(if is_one { 1.0 } else { rate });
    }

    /// Measures the rate again with the pictures of the first two seconds, which gives a better result
    /// than the first second alone.
    pub(super) fn know_rate_better(&mut self, media: i64, complete_us: i64) {
        const AT_ONCE_US: i64 = 1_900_000;
        let Some((times, arrivals)) = &mut self.first else { return };
        let time_us = self.scale.micros(media);
        if times.last().is_some_and(|last| *last >= time_us) {
            return;
        }
        times.push(time_us);
        arrivals.push(complete_us);
        if arrivals.first().is_none_or(|first_us| complete_us - first_us < AT_ONCE_US) {
            return;
        }
        if let Some(rate) = first_rate(times, arrivals).filter(|rate| RATES.contains(rate)) {
            self.line = Line { media, out: self.line.at(media), scale: 1.0 / rate };
        }
        self.first = None;
    }

    pub(super) fn tell_rate(&mut self, rate: f64) {
        if (rate - self.told).abs() > RATE_IS_WRONG / 2.0 {
            self.notes.push(Note::Rate(rate));
            self.told = rate;
        }
    }

    pub(super) fn leave_media(&mut self, media: i64, at_us: i64) {
        self.mode = Mode::Arrival { regular: 0, since: (media, at_us) };
        self.group.clear();
        self.lateness.forget();
        self.notes.push(Note::ByArrival);
    }

    /// Returns the recent interval between arrivals in µs.
    fn arrival_interval_us(&self) -> i64 {
        let (Some(first), Some(last)) = (self.arrivals.front(), self.arrivals.back()) else { return 1 };
        ((last - first) / (count(self.arrivals.len()) - 1).max(1)).max(1)
    }

    /// Outputs a picture with a time derived from its arrival.
    pub(super) fn by_arrival(&mut self, frame: Frame, plausible: bool, ready: &mut Vec<Timed>) {
        let media = frame.pts;
        let at_us = micros(frame.arrival);
        let apart_us = self.arrival_interval_us();
        let passed_us = self.arrivals.iter().rev().nth(1).map_or(apart_us, |before| at_us - before);
        let step_us = if passed_us > PAUSE_US + AHEAD_PICTURES * apart_us {
            passed_us
        } else {
            let late_us = self.lateness.now_us().unwrap_or(0);
            apart_us + (late_us / 32).clamp(-apart_us / 2, apart_us)
        };
        let out = self.last_out + self.scale.ticks(step_us).max(1);
        self.interval = self.scale.ticks(apart_us).max(1);
        self.came(out, at_us, media);
        self.give(frame, out, Origin::Arrival, ready);
        self.regain(media, at_us, out, plausible);
    }

    /// Checks whether the camera's clock is usable again, and if so switches back to it.
    fn regain(&mut self, media: i64, at_us: i64, out: i64, plausible: bool) {
        let Some(newest) = self.newest else { return };
        let Mode::Arrival { regular, since } = self.mode else { return };
        let shared = if media == newest.media { newest.shared + 1 } else { 0 };
        if !plausible {
            self.newest = Some(Newest { media, floor: media, arrival_us: at_us, late_us: 0, shared });
            self.mode = Mode::Arrival { regular: 0, since: (media, at_us) };
            return;
        }
        if media > newest.media {
            self.newest = Some(Newest { media, floor: newest.media, arrival_us: at_us, late_us: 0, shared });
        } else {
            self.newest = Some(Newest { shared, ..newest });
        }
        self.mode = Mode::Arrival { regular: regular + 1, since };
        if regular + 1 < REGULAR || media <= newest.media {
            return;
        }
        let rate = self.scale.micros(media.saturating_sub(since.0)) as f64 / (at_us - since.1).max(1) as f64;
        if !RATES.contains(&rate) {
            self.mode = Mode::Arrival { regular: 0, since: (media, at_us) };
            return;
        }
        let near_one = (rate - 1.0).abs() < RATE_IS_WRONG;
        self.line = Line { media, out, scale: if near_one { 1.0 } else { 1.0 / rate } };
        self.tell_rate(if near_one { 1.0 } else { rate });
        self.mode = Mode::Media;
        self.unstepped = out.saturating_sub(media);
        self.lateness.forget();
        self.trouble = 0;
    }
}
