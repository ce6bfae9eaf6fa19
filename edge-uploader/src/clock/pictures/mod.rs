//! Plausible times for a live camera's pictures.
//!
//! A camera's timestamps are checked against the arrivals of its pictures. [`Pictures`] converts RTP
//! timestamps into times that increase from picture to picture and follow the wall clock, and assigns a time
//! to every picture. The timestamps of a camera with a working clock are kept exactly. Only those that
//! contradict the arrivals are replaced:
//!
//! - A timestamp later than the picture's arrival, or earlier than pictures shown before it, is an outlier. The
//!   picture waits for a few more pictures and gets the place that they leave free. Pictures arrive in decoding
//!   order: those shown before the newest picture, but decoded after it, have times between the newest picture
//!   and the one that was newest before it.
//! - Several consecutive outliers that agree with each other are a step of the camera's clock. The recorded
//!   times continue without the step.
//! - A media clock that is slow or fast for seconds (0.4 to 1.35 times the wall clock) is
//!   scaled to the wall clock.
//! - A clock that stands still, runs backwards or jumps all the time is ignored: until it is plausible again,
//!   pictures are spaced by their arrivals.
//!
//! A stalled network causes none of these: its pictures arrive late, but their timestamps are continuous.

mod outliers;
mod rate;

use super::arrival::ArrivalClock;
use super::lateness::{Finding, Lateness, first_rate};
use super::scale::{Line, Scale, rounded};
use super::{JUMP_US, Note, Origin, micros};
use crate::media::Frame;
use std::collections::VecDeque;

/// A picture may be ahead of its predecessor by this time or by this many pictures, whenever it arrives.
const AHEAD_US: i64 = 200_000;
const AHEAD_PICTURES: i64 = 4;
/// Codecs reorder by at most this many pictures (H.264 and H.265 A.4.1: `MaxDpbFrames` and
/// `maxDpbSize` are at most 16).
const REORDERED_MAX: i64 = 16;
/// Number of pictures that may share a timestamp: two fields of a picture, or a camera that counts in pairs.
const SHARED_MAX: u32 = 3;
/// Number of outliers that must agree with each other to be a step.
const AGREE: usize = 3;
/// Limits on how long pictures wait until the place of one is known.
const WAIT_PICTURES: usize = 12;
const WAIT_US: i64 = 1_500_000;
/// If more of the last 32 pictures are implausible, the media clock is ignored.
const TROUBLE_MAX: u32 = 16;
/// Number of consecutive plausible pictures after which the media clock is used again.
const REGULAR: u32 = 48;
/// Rates of a media clock that are corrected by scaling.
const RATES: std::ops::RangeInclusive<f64> = 0.4..=1.35;
/// Lasting lateness above this is a wrong rate.
const LATE_US: i64 = 200_000;
/// Lateness below this is not corrected.
const RIGHT_US: i64 = 30_000;
/// Time over which a rate correction removes the lateness.
const MEND_US: f64 = 10_000_000.0;
/// A rate closer to 1 than the first limit counts as 1. A rate further off than the second is logged.
const RATE_IS_ONE: f64 = 0.003;
const RATE_IS_WRONG: f64 = 0.015;
/// An arrival pause longer than this and some pictures is not jitter.
const PAUSE_US: i64 = 300_000;

/// A picture with its assigned time.
pub(super) type Timed = (Frame, Origin);

/// The newest picture: the one with the largest timestamp so far.
#[derive(Debug, Clone, Copy)]
struct Newest {
    media: i64,
    /// The timestamp of the newest picture before this one. Pictures that arrive later and are shown before
    /// `media` lie between the two.
    floor: i64,
    arrival_us: i64,
    late_us: i64,
    shared: u32,
}

#[derive(Debug, Clone)]
struct Waiting {
    frame: Frame,
    /// The assigned time; `None` while it is not known.
    out: Option<i64>,
    /// Whether the time comes from the picture's own timestamp or from its neighbours.
    origin: Origin,
}

#[derive(Debug, Clone, Copy)]
enum Mode {
    /// The camera's timestamps are used.
    Media,
    /// Pictures are spaced by their arrivals. `regular` counts the consecutive plausible timestamps since the
    /// media time and arrival in `since`.
    Arrival { regular: u32, since: (i64, i64) },
}

/// Assigns times to one session's pictures.
#[derive(Debug, Clone)]
pub(super) struct Pictures {
    scale: Scale,
    line: Line,
    /// Offset that removes the steps of the camera's clock, in its units.
    unstepped: i64,
    newest: Option<Newest>,
    /// Timestamps and arrivals of the pictures since the newest one, which is included.
    group: Vec<(i64, i64)>,
    last_out: i64,
    /// Interval between two pictures, in timescale units.
    interval: i64,
    /// A picture may be ahead by this many pictures, whenever it arrives.
    ahead_pictures: i64,
    waiting: VecDeque<Waiting>,
    /// The times of the pictures between which the waiting ones belong.
    places: Vec<i64>,
    /// One bit for each of the last 32 pictures: set if its timestamp was implausible.
    trouble: u32,
    arrivals: VecDeque<i64>,
    mode: Mode,
    lateness: Lateness,
    clock: ArrivalClock,
    /// A rebase is due at the next random access frame.
    due: bool,
    /// The rate that was reported last.
    told: f64,
    /// Times and arrivals in µs of the first two seconds, if the rate is wrong; used to measure it again.
    first: Option<(Vec<i64>, Vec<i64>)>,
    pub(super) notes: Vec<Note>,
}

impl Pictures {
    pub(super) fn new(timescale: u32) -> Self {
        let scale = Scale::new(timescale);
        Self {
            scale,
            line: Line { media: 0, out: 0, scale: 1.0 },
            unstepped: 0,
            newest: None,
            group: Vec::new(),
            last_out: 0,
            interval: scale.ticks(40_000),
            ahead_pictures: AHEAD_PICTURES,
            waiting: VecDeque::new(),
            places: Vec::new(),
            trouble: 0,
            arrivals: VecDeque::new(),
            mode: Mode::Media,
            lateness: Lateness::default(),
            clock: ArrivalClock::new(),
            due: false,
            told: 1.0,
            first: None,
            notes: Vec::new(),
        }
    }

    /// Determines the picture interval and the clock's rate from the first pictures of a session.
    pub(super) fn begin<'a>(&mut self, frames: impl Iterator<Item = &'a Frame>) {
        let mut times = Vec::new();
        let mut arrivals = Vec::new();
        // The last of each that goes ahead and those that are shown before it.
        let mut ahead: Vec<i64> = Vec::new();
        let mut complete: Vec<i64> = Vec::new();
        for frame in frames {
            let time = frame.pts;
            let at_us = micros(frame.arrival);
            times.push(time);
            arrivals.push(at_us);
            if ahead.last().is_none_or(|latest| time > *latest) {
                ahead.push(time);
                complete.push(at_us);
            } else if let Some(last) = complete.last_mut() {
                *last = at_us;
            }
        }
        let came = arrivals.last().zip(arrivals.first()).map_or(0, |(last, first)| last - first);
        let as_they_came = times.clone();
        times.sort_unstable();
        let mut steps: Vec<i64> = times.windows(2).map(|pair| pair[1].saturating_sub(pair[0])).collect();
        steps.sort_unstable();
        let usual = steps.get(steps.len() / 2).copied().filter(|step| *step > 0);
        let by_arrival =
            Some(came / (count(arrivals.len()).max(2) - 1)).filter(|us| *us > 0).map(|us| self.scale.ticks(us));
        // A first burst has shorter intervals than the video, but arrivals are never much
        // further apart than the pictures.
        let most = by_arrival.unwrap_or(0).saturating_mul(4).max(self.scale.ticks(50_000));
        let interval = usual.map(|usual| usual.min(most)).or(by_arrival).unwrap_or(self.interval);
        self.interval = interval.clamp(self.scale.ticks(4_000), self.scale.ticks(10_000_000));
        let first = times.first().copied().zip(arrivals.first().copied());
        if let Some(since) = first
            && self.senseless(&as_they_came, came) * 5 > as_they_came.len() * 3
        {
            self.mode = Mode::Arrival { regular: 0, since };
            self.notes.push(Note::ByArrival);
        }
        self.ahead_pictures = reordered(&as_they_came).saturating_add(1).clamp(AHEAD_PICTURES, REORDERED_MAX);
        // More pictures that belong before the last one may still arrive.
        let known = ahead.len().saturating_sub(1);
        let ordered = times.windows(2).all(|pair| {
            let step = pair[1].saturating_sub(pair[0]);
            step > 0 && step <= self.interval.saturating_mul(2) || ahead.last() == pair.last()
        });
        let times: Vec<i64> = ahead.iter().map(|time| self.scale.micros(*time)).collect();
        if let Some(rate) =
            first_rate(&times[..known], &complete[..known]).filter(|_| ordered && matches!(self.mode, Mode::Media))
            && (rate - 1.0).abs() > RATE_IS_WRONG
            && RATES.contains(&rate)
        {
            self.line.scale = 1.0 / rate;
            self.interval = rounded(self.interval as f64 / rate);
            self.tell_rate(rate);
            self.first = Some((times[..known].to_vec(), complete[..known].to_vec()));
        }
    }

    /// Counts the implausible timestamps among pictures that arrived within `came_us`: those that repeat, go
    /// back further than reordering allows, or leap ahead.
    fn senseless(&self, times: &[i64], came_us: i64) -> usize {
        let Some((first, others)) = times.split_first() else { return 0 };
        let mut newest = *first;
        let mut floor = *first;
        let mut senseless = 0;
        for time in others {
            if *time > newest {
                let leap_us = self.scale.micros(time.saturating_sub(newest));
                senseless += usize::from(leap_us == 0 || leap_us > JUMP_US.max(2 * came_us));
                (floor, newest) = (newest, *time);
            } else {
                let is_far = newest.saturating_sub(*time) > self.interval.saturating_mul(REORDERED_MAX);
                senseless += usize::from(*time <= floor || *time == newest || is_far);
            }
        }
        senseless
    }

    /// Takes the next picture in decoding order. Pictures whose times are now known go to `ready`, with
    /// the assigned time as `pts`.
    pub(super) fn take(&mut self, frame: Frame, ready: &mut Vec<Timed>) {
        let media = frame.pts;
        let at_us = micros(frame.arrival);
        if self.arrivals.len() == 33 {
            self.arrivals.pop_front();
        }
        self.arrivals.push_back(at_us);
        if self.newest.is_none() {
            self.line = Line { media, out: media, ..self.line };
            self.last_out = media;
            self.newest = Some(Newest { media, floor: media, arrival_us: at_us, late_us: 0, shared: 0 });
            self.group.push((media, at_us));
            ready.push((frame, Origin::Source));
            return;
        }
        let plausible = self.plausible(media, at_us);
        self.trouble = self.trouble << 1 | u32::from(!plausible);
        if let Mode::Arrival { .. } = self.mode {
            self.settle(true, ready);
            self.by_arrival(frame, plausible, ready);
            return;
        }
        if plausible {
            let out = self.accept(media, at_us);
            if self.waiting.is_empty() {
                self.give(frame, out, Origin::Source, ready);
            } else {
                self.places.push(out);
                self.waiting.push_back(Waiting { frame, out: Some(out), origin: Origin::Source });
                self.settle(false, ready);
            }
        } else {
            if self.waiting.is_empty() {
                self.places = self.group.iter().map(|(media, _)| self.line.at(*media)).collect();
                self.places.extend(self.newest.map(|newest| self.line.at(newest.floor)));
                if self.places.iter().all(|place| *place < self.last_out) {
                    self.places = vec![self.last_out];
                }
            }
            self.waiting.push_back(Waiting { frame, out: None, origin: Origin::Arrival });
            self.step(ready);
        }
        let waited = self.waiting.front().is_some_and(|first| at_us - micros(first.frame.arrival) > WAIT_US);
        if waited || self.waiting.len() > WAIT_PICTURES {
            self.settle(true, ready);
        }
        if self.trouble.count_ones() > TROUBLE_MAX && self.waiting.is_empty() {
            self.leave_media(media, at_us);
        }
    }

    /// Called after the first pictures of a session.
    pub(super) fn settled(&mut self) {
        self.close_group();
    }

    /// Outputs all waiting pictures.
    pub(super) fn flush(&mut self, ready: &mut Vec<Timed>) {
        self.settle(true, ready);
        self.close_group();
    }

    /// Converts a camera timestamp. Returns `None` if it is not near the current pictures.
    pub(super) fn at(&self, media: i64) -> Option<i64> {
        const NEAR_US: i64 = 30_000_000;
        let newest = self.newest.filter(|_| matches!(self.mode, Mode::Media))?;
        let away = self.scale.micros(media.saturating_sub(newest.media));
        (away.abs() <= NEAR_US).then(|| self.line.at(media))
    }

    /// Returns the monotonic time in µs of an assigned time, or `None` before the first pictures.
    pub(super) fn monotonic(&self, out: i64) -> Option<i64> {
        self.project_us(self.scale.micros(out))
    }

    /// Like [`monotonic`](Self::monotonic), for a time in µs.
    pub(super) fn project_us(&self, out_us: i64) -> Option<i64> {
        self.clock.project(out_us)
    }

    /// Returns the current least lateness. `None` if it is unknown or delayed pictures are still arriving.
    pub(super) fn late_us(&self) -> Option<i64> {
        self.lateness.now_us().filter(|_| !self.lateness.silent())
    }

    /// Returns the least lateness over four seconds.
    pub(super) fn surely_late_us(&self) -> Option<i64> {
        self.lateness.surely_us().filter(|_| !self.lateness.silent())
    }

    /// Returns the spread of arrivals in µs.
    pub(super) fn jitter_us(&self) -> u64 {
        self.clock.jitter_us()
    }

    /// Returns the rate of the camera's clock relative to the wall clock in ppm, if it is being corrected.
    pub(super) fn rate_ppm(&self) -> Option<u64> {
        let scaled = matches!(self.mode, Mode::Media) && (self.told - 1.0).abs() > f64::EPSILON;
        scaled.then(|| u64::try_from(rounded(self.told * 1e6)).unwrap_or(0))
    }

    /// Returns whether the wall clock should be rebased at the next random access frame.
    pub(super) fn is_due(&self) -> bool {
        self.due
    }

    /// Rebases the wall clock and returns the change in µs.
    pub(super) fn rebase(&mut self) -> i64 {
        self.due = false;
        let by_us = self.lateness.now_us().unwrap_or(0);
        if by_us.abs() > JUMP_US {
            self.clock.shift(by_us);
            self.lateness.shift(by_us);
            return by_us;
        }
        0
    }

    fn slack_us(&self) -> i64 {
        AHEAD_US.max(self.ahead_pictures * self.interval_us())
    }

    fn interval_us(&self) -> i64 {
        self.scale.micros(self.interval)
    }

    fn ahead_us(&self, from: i64, to: i64) -> i64 {
        rounded(self.scale.micros(to.saturating_sub(from)) as f64 * self.line.scale)
    }

    fn plausible(&self, media: i64, at_us: i64) -> bool {
        let Some(newest) = self.newest else { return true };
        if media < newest.media {
            return media > newest.floor;
        }
        let ahead_us = self.ahead_us(newest.media, media);
        if ahead_us < self.interval_us() / 8 {
            return newest.shared < SHARED_MAX;
        }
        let slack_us = self.slack_us();
        ahead_us <= slack_us || ahead_us <= at_us - newest.arrival_us + newest.late_us.max(0) + slack_us
    }

    /// Returns the time of a plausible picture.
    fn accept(&mut self, media: i64, at_us: i64) -> i64 {
        let Some(newest) = self.newest else { return self.line.at(media) };
        if media > newest.media {
            let shared =
                if self.ahead_us(newest.media, media) < self.interval_us() / 8 { newest.shared + 1 } else { 0 };
            self.close_group();
            let out = self.line.at(media);
            let late_us = self.monotonic(out).map_or(0, |due_us| at_us - due_us);
            self.newest = Some(Newest { media, floor: newest.media, arrival_us: at_us, late_us, shared });
        } else if media == newest.media {
            self.newest = Some(Newest { shared: newest.shared + 1, ..newest });
        }
        self.group.push((media, at_us));
        self.line.at(media)
    }

    fn give(&mut self, mut frame: Frame, out: i64, origin: Origin, ready: &mut Vec<Timed>) {
        self.last_out = self.last_out.max(out);
        frame.pts = out;
        ready.push((frame, origin));
    }

    /// Called when all pictures from one newest picture to the next have arrived. The n-th arrival belongs to
    /// the n-th picture in presentation order, whatever the decoding order, which gives its lateness.
    fn close_group(&mut self) {
        let mut group = std::mem::take(&mut self.group);
        let Some(newest) = self.newest.filter(|_| !group.is_empty()) else { return };
        let pictures = count(group.len());
        if newest.media > newest.floor {
            let found = (self.line.at(newest.media) - self.line.at(newest.floor)) / pictures;
            let near = found.clamp(self.interval / 2, self.interval.saturating_mul(2));
            self.interval = (self.interval + (near - self.interval) / 8).max(1);
        }
        if let Some(complete_us) = group.last().map(|(_, at_us)| *at_us) {
            self.know_rate_better(newest.media, complete_us);
        }
        let mut times: Vec<i64> = group.iter().map(|(media, _)| *media).collect();
        times.sort_unstable();
        let mut regulate = false;
        for (media, (_, at_us)) in times.into_iter().zip(group.drain(..)) {
            regulate |= self.came(self.line.at(media), at_us, media.saturating_add(self.unstepped));
        }
        self.group = group;
        if regulate {
            self.regulate();
        }
    }

    /// Adds the arrival `at_us` of a picture with time `out`. Returns whether a correction may be needed.
    fn came(&mut self, out: i64, at_us: i64, media: i64) -> bool {
        let out_us = self.scale.micros(out);
        self.clock.frame(out_us, at_us);
        let late_us = self.clock.project(out_us).map_or(0, |due_us| at_us.saturating_sub(due_us));
        match self.lateness.add(late_us, at_us, self.scale.micros(media), self.interval_us()) {
            Finding::Nothing => false,
            Finding::Stretch => true,
            Finding::Stays => {
                self.due = self.lateness.now_us().is_some_and(|late_us| late_us.abs() > JUMP_US);
                true
            }
        }
    }
}

/// Returns the most consecutive pictures in decoding order that are shown before a picture decoded earlier.
fn reordered(times: &[i64]) -> i64 {
    let mut newest = i64::MIN;
    let mut behind = 0;
    let mut most = 0;
    for time in times {
        behind = if *time > newest { 0 } else { behind + 1 };
        newest = newest.max(*time);
        most = most.max(behind);
    }
    most
}

fn count(pictures: usize) -> i64 {
    i64::try_from(pictures).unwrap_or(i64::MAX)
}
