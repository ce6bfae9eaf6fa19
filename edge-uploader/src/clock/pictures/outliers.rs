//! Pictures with implausible timestamps: finds a place for each, or detects a step of the camera's clock.

use super::{AGREE, AHEAD_PICTURES, Newest, PAUSE_US, Pictures, Timed, Waiting, count};
use crate::clock::scale::{Line, rounded};
use crate::clock::{Note, Origin, micros};

impl Pictures {
    /// Finds places for the waiting outliers and outputs the pictures: immediately if `at_once`, otherwise
    /// when all have a place.
    pub(super) fn settle(&mut self, at_once: bool, ready: &mut Vec<Timed>) {
        if self.waiting.is_empty() || !self.find_places(at_once) {
            return;
        }
        for Waiting { frame, out, origin } in std::mem::take(&mut self.waiting) {
            let out = out.unwrap_or(self.last_out + self.interval);
            self.give(frame, out, origin, ready);
        }
        self.places.clear();
    }

    /// Returns whether all waiting outliers have places. With `at_once`, invents missing ones.
    fn find_places(&mut self, at_once: bool) -> bool {
        let mut places = self.places.clone();
        places.sort_unstable();
        places.dedup();
        let mut found: Vec<(usize, i64)> = Vec::new();
        for (index, waiting) in self.waiting.iter().enumerate() {
            if waiting.out.is_some() || waiting.origin == Origin::Source {
                continue;
            }
            let hole = places.windows(2).position(|pair| (pair[1] - pair[0]) as f64 >= self.interval as f64 * 1.6);
            let place = match hole {
                Some(hole) => places[hole] + self.interval.min((places[hole + 1] - places[hole]) / 2),
                None if at_once => {
                    // Either there is one picture too many for the places, or it is the
                    // first of the current group.
                    let before = self.waiting.iter().take(index).rev().find_map(|before| before.out);
                    let before = before.or(found.last().map(|(_, place)| *place)).unwrap_or(self.last_out);
                    let behind = self.waiting.iter().skip(index).filter(|behind| behind.out.is_some()).count();
                    match places.iter().find(|place| **place > before) {
                        Some(next) if behind > AGREE => before + ((next - before) / 2).min(self.interval),
                        _ => places.last().map_or(before, |last| before.max(*last)) + self.interval,
                    }
                }
                None => return false,
            };
            places.insert(places.partition_point(|other| *other < place), place);
            found.push((index, place));
        }
        for (index, place) in found {
            self.waiting[index].out = Some(place);
        }
        true
    }

    /// Checks whether the last waiting pictures agree with each other. If so, the camera's clock made a step,
    /// and the times continue from here.
    pub(super) fn step(&mut self, ready: &mut Vec<Timed>) {
        let slack_us = self.slack_us();
        let tail: Vec<i64> = self
            .waiting
            .iter()
            .rev()
            .take_while(|waiting| waiting.out.is_none())
            .map(|waiting| waiting.frame.pts)
            .collect();
        let agree = 1 + tail.windows(2).take_while(|pair| self.ahead_us(pair[1], pair[0]).abs() <= slack_us).count();
        let agreeing = &tail[..agree.min(tail.len())];
        let (Some(&last), Some(&first), Some(before)) = (agreeing.first(), agreeing.last(), self.newest) else {
            return;
        };
        let steps = count(agreeing.len()) - 1;
        if agreeing.len() < AGREE || self.ahead_us(first, last) < self.interval_us() * steps / 4 {
            return;
        }
        // A picture from before the step may arrive after one from after it.
        let mut earliest = (first, before.arrival_us);
        for index in 0..self.waiting.len() {
            let Waiting { frame, out, .. } = &self.waiting[index];
            let media = frame.pts;
            let at_us = micros(frame.arrival);
            if out.is_none() && self.ahead_us(first, media).abs() <= slack_us {
                self.waiting[index].origin = Origin::Source;
                earliest = if media <= earliest.0 { (media, at_us) } else { earliest };
            }
        }
        self.find_places(true);
        self.close_group();
        let (earliest, came_us) = earliest;
        let passed_us = came_us - before.arrival_us;
        let newest = self.line.at(before.media);
        let others = self.waiting.iter().filter_map(|waiting| waiting.out).max();
        let end = newest.max(self.last_out).max(others.unwrap_or(i64::MIN));
        let next = end + self.scale.ticks(self.interval_us());
        // Outliers may have been given places since the newest picture. They are part of the time that passed.
        let paused = passed_us > PAUSE_US + AHEAD_PICTURES * self.interval_us();
        let start = if paused { next.max(newest + self.scale.ticks(passed_us)) } else { next };
        let ahead = rounded((start - newest) as f64 / self.line.scale);
        let unstepped = before.media.saturating_add(self.unstepped).saturating_add(ahead);
        self.unstepped = unstepped.saturating_sub(earliest);
        self.line = Line { media: earliest, out: start, ..self.line };
        let floor = earliest.saturating_sub(1);
        self.newest = Some(Newest { media: floor, floor, arrival_us: came_us, late_us: 0, shared: 0 });
        for Waiting { frame, out, origin } in std::mem::take(&mut self.waiting) {
            let out = out.unwrap_or_else(|| self.accept(frame.pts, micros(frame.arrival)));
            self.give(frame, out, origin, ready);
        }
        self.places.clear();
        let by_us = self.scale.micros(earliest.saturating_sub(before.media)) - self.scale.micros(start - newest);
        self.notes.push(Note::Stepped { by_us });
        self.trouble = 0;
    }
}
