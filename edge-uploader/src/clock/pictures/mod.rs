//! Plausible times for a live camera's pictures.
//!
//! What a camera says of time is evidence; when its pictures come is fact. [`Pictures`] turns RTP's times into times that go
//! on from picture to picture and keep up with the wall clock, and gives every picture one. A camera whose clock works keeps
//! its times to the tick; only what contradicts the arrivals is replaced:
//!
//! * A time that is later than the picture came, or earlier than the pictures that were shown before it, is an outlier. The
//!   picture waits for a few more, and gets the place that they leave free. (Pictures come in decoding order: those that are shown
//!   before the last one that went ahead lie between it and the one that went ahead before it.)
//! * Several in a row that agree with each other are a step of the camera's clock. The times go on without it.
//! * A media clock that is slow or fast for seconds (0.4 to 1.35 of the wall clock) is scaled to it.
//! * A clock that stands still, runs backwards or jumps all the time is left out of account: pictures then are as far apart
//!   as they come, until it makes sense again.
//!
//! A network that stalls is none of this: its pictures come late, but go on from each other.

mod outliers;
mod rate;

use super::arrival::ArrivalClock;
use super::lateness::{Finding, Lateness, first_rate};
use super::scale::{Line, Scale, rounded};
use super::{JUMP_US, Note, Origin, micros};
use crate::media::Frame;
use std::collections::VecDeque;

/// A picture may go ahead so far, or by this many pictures, whenever it comes.
const AHEAD_US: i64 = 200_000;
const AHEAD_PICTURES: i64 = 4;
/// Codecs reorder no further than this many pictures (H.264 and H.265 A.4.1: `MaxDpbFrames` and `maxDpbSize` are at most 16).
const REORDERED_MAX: i64 = 16;
/// So many pictures may share a time: the fields of one, or a camera that counts in pairs.
const SHARED_MAX: u32 = 3;
/// So many that agree with each other, and not with those before, are a step.
const AGREE: usize = 3;
/// So long pictures wait until the place of one is known.
const WAIT_PICTURES: usize = 12;
const WAIT_US: i64 = 1_500_000;
/// Of the last 32 pictures: with more implausible ones the media clock is left out of account.
const TROUBLE_MAX: u32 = 16;
/// With so many plausible ones in a row it is believed again.
const REGULAR: u32 = 48;
/// The rates of a media clock that are scaled.
const RATES: std::ops::RangeInclusive<f64> = 0.4..=1.35;
/// A lasting lateness beyond this is a wrong rate.
const LATE_US: i64 = 200_000;
/// Less than this is right.
const RIGHT_US: i64 = 30_000;
/// Over how long an error is made up for, by the rate.
const MEND_US: f64 = 10_000_000.0;
/// A rate nearer to 1 than this is 1; one further off is worth a word.
const RATE_IS_ONE: f64 = 0.003;
const RATE_IS_WRONG: f64 = 0.015;
/// A pause of this length and some pictures is no jitter.
const PAUSE_US: i64 = 300_000;

/// A picture with its new time.
pub(super) type Timed = (Frame, Origin);

/// The last picture that went ahead, by the camera's times.
#[derive(Debug, Clone, Copy)]
struct Newest {
    media: i64,
    /// The one that went ahead before it: what is shown before `media` and comes later lies between.
    floor: i64,
    arrival_us: i64,
    late_us: i64,
    shared: u32,
}

#[derive(Debug, Clone)]
struct Waiting {
    frame: Frame,
    /// `None` for one whose place is not known.
    out: Option<i64>,
    /// Whether that is for its own time to say, or for its neighbours'.
    origin: Origin,
}

#[derive(Debug, Clone, Copy)]
enum Mode {
    /// The camera's times are used.
    Media,
    /// Pictures are as far apart as they come; so many plausible times came in a row, since that media time and arrival.
    Arrival { regular: u32, since: (i64, i64) },
}

/// The times of one session's pictures.
#[derive(Debug, Clone)]
pub(super) struct Pictures {
    scale: Scale,
    line: Line,
    /// What is added to the camera's times so that its steps are left out, in its units.
    unstepped: i64,
    newest: Option<Newest>,
    /// Pictures from the last one that went ahead on: times by the camera, and arrivals.
    group: Vec<(i64, i64)>,
    last_out: i64,
    /// Between two pictures, in our units.
    interval: i64,
    /// A picture may go ahead by so many, whenever it comes.
    ahead_pictures: i64,
    waiting: VecDeque<Waiting>,
    /// The times of the pictures among which those that wait have their places.
    places: Vec<i64>,
    /// The last 32 pictures, a bit each: implausible.
    trouble: u32,
    arrivals: VecDeque<i64>,
    mode: Mode,
    lateness: Lateness,
    clock: ArrivalClock,
    /// A rebase is due, at the next random access frame.
    due: bool,
    /// The rate that was told last.
    told: f64,
    /// The first two seconds of a clock whose rate is wrong: times and arrivals in µs, to know it better.
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

    /// What the first pictures of a session tell: how far they are apart, and how fast the clock runs.
    pub(super) fn begin<'a>(&mut self, frames: impl Iterator<Item = &'a Frame>) {
        let mut times = Vec::new();
        let mut arrivals = Vec::new();
        // The last of each that goes ahead and those that are shown before it.
        let (mut ahead, mut complete): (Vec<i64>, Vec<i64>) = (Vec::new(), Vec::new());
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
        // A first burst comes closer together than it was made, but nothing makes pictures much rarer than they come.
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
        // More pictures may come before the last one.
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

    /// How many of these times make no sense behind those before them, in pictures that came within `came_us`: they stand, go back
    /// further than reordering does, or leap.
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

    /// Takes the next picture in decoding order; what has its time now goes to `ready`, with the new time as its `pts`.
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

    /// The session's first pictures have been taken.
    pub(super) fn settled(&mut self) {
        self.close_group();
    }

    /// Gives out what waits.
    pub(super) fn flush(&mut self, ready: &mut Vec<Timed>) {
        self.settle(true, ready);
        self.close_group();
    }

    /// Our time of a time of the camera's; `None` where it is not near the pictures that come.
    pub(super) fn at(&self, media: i64) -> Option<i64> {
        const NEAR_US: i64 = 30_000_000;
        let newest = self.newest.filter(|_| matches!(self.mode, Mode::Media))?;
        let away = self.scale.micros(media.saturating_sub(newest.media));
        (away.abs() <= NEAR_US).then(|| self.line.at(media))
    }

    /// The monotonic clock at one of our times, in µs; `None` before the first pictures.
    pub(super) fn monotonic(&self, out: i64) -> Option<i64> {
        self.project_us(self.scale.micros(out))
    }

    /// The same for a time in µs.
    pub(super) fn project_us(&self, out_us: i64) -> Option<i64> {
        self.clock.project(out_us)
    }

    /// How late pictures are at the moment, at least; `None` where that is not known, or a stall is made up for.
    pub(super) fn late_us(&self) -> Option<i64> {
        self.lateness.now_us().filter(|_| !self.lateness.silent())
    }

    /// The same over four seconds.
    pub(super) fn surely_late_us(&self) -> Option<i64> {
        self.lateness.surely_us().filter(|_| !self.lateness.silent())
    }

    /// How far arrivals spread.
    pub(super) fn jitter_us(&self) -> u64 {
        self.clock.jitter_us()
    }

    /// How fast the camera's clock runs against the wall clock, in millionths, where that is corrected.
    pub(super) fn rate_ppm(&self) -> Option<u64> {
        let scaled = matches!(self.mode, Mode::Media) && (self.told - 1.0).abs() > f64::EPSILON;
        scaled.then(|| u64::try_from(rounded(self.told * 1e6)).unwrap_or(0))
    }

    /// Whether the wall clock should be set anew at the next random access frame.
    pub(super) fn is_due(&self) -> bool {
        self.due
    }

    /// Sets it anew: by how much.
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

    /// A plausible picture: its time.
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

    /// The pictures from one that goes ahead to the next are complete: their n-th was made to be shown n-th, whatever the
    /// order they came in, and its lateness is that of its arrival.
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

    /// A picture of the time `out` came at `at_us`. Whether there is something to regulate.
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

/// The most pictures in a row, in decoding order, that are shown before one that came before them.
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
