//! Sightings: intervals in which one camera saw one label without a longer pause, built from detections.
//!
//! [`SightingFold`] takes the results of one model for a camera's chunks, the oldest first, and returns sightings. They
//! depend on these results alone, so the same detections always give the same sightings.
//!
//! - A sighting lasts from the first picture with the label to the last one. Two pictures with the label belong together if at
//!   most [`LONGEST_PAUSE`] lies between them, whatever the pictures between them show.
//! - A chunk in which nothing moved (`still`) shows what the picture before it showed, and continues its sightings, as long as
//!   no chunk is missing in between. A chunk that was not looked at for another reason ends them, because its contents are
//!   unknown.
//! - If the first picture after still chunks shows nothing of the label, it was gone before they began: going is no
//!   stillness. It went after the last picture of the chunk that it was seen in, and its sighting ends with that picture. What
//!   comes later in the same chunk has come anew.
//! - Each day (UTC) is built by itself, so that a late chunk changes at most one day.

use framepost_events::detection::{Bounds, Detection};
use framepost_events::record::{InferredFrame, Skipped};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The longest time without a label within one sighting. Chunks take a few seconds, and some models see one picture of each.
pub const LONGEST_PAUSE: SignedDuration = SignedDuration::from_secs(20);

/// One model's result for one chunk.
#[derive(Debug, Clone, Copy)]
pub struct Look<'a> {
    /// Wall-clock time of the chunk's first sample.
    pub from: Timestamp,
    /// Wall-clock time of the end of the chunk's last sample.
    pub to: Timestamp,
    /// Key of the chunk's object, for [`Best::key`].
    pub key: &'a str,
    /// Why the chunk was not looked at; `None` if it was.
    pub skipped: Option<Skipped>,
    /// The pictures that were looked at, in the order of their times.
    pub frames: &'a [InferredFrame],
}

/// An interval in which a camera saw a label without a longer pause.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sighting {
    /// The label, in the words of the model.
    pub label: String,
    /// Wall-clock time of the first picture with it.
    pub from: Timestamp,
    /// Wall-clock time of the last picture with it, or the end of the still chunks after that, unless the first picture after those
    /// shows nothing of it.
    pub to: Timestamp,
    /// The highest score of a picture in it, 0 to 1.
    pub score: f64,
    /// Number of pictures that show it.
    pub pictures: u64,
    /// The largest number of them in one picture.
    pub most: u32,
    /// Names of the zones in which it was seen.
    pub zones: BTreeSet<String>,
    /// The picture that the score is from; the first one if several have it.
    pub best: Best,
}

/// The picture in which a label had its highest score.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Best {
    /// Its wall-clock time, within the sighting.
    pub time: Timestamp,
    /// Key of the object that contains it.
    pub key: String,
    /// Seconds from the first sample of its chunk.
    pub offset: f64,
    /// The box around the label in this picture, in fractions of it.
    pub bounds: Bounds,
}

/// Builds sightings from looks. Its state can be stored and loaded again.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SightingFold {
    /// The day of the last look, as days since 1970.
    day: Option<i64>,
    /// Sightings that may continue, by label.
    open: BTreeMap<String, Sighting>,
    /// What the last picture showed.
    present: BTreeSet<String>,
    /// The time of that picture, for each label whose sighting still chunks have continued since.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    shown: BTreeMap<String, Timestamp>,
    /// The time until which this is valid.
    until: Option<Timestamp>,
}

/// Returns the day (UTC) of a time, as days since 1970.
fn day(time: Timestamp) -> i64 {
    time.as_second().div_euclid(86_400)
}

impl SightingFold {
    /// Returns the day that includes this time: the interval whose sightings are built by themselves.
    pub fn partition(time: Timestamp) -> super::Interval {
        let date = TimeZone::UTC.to_datetime(time).date();
        let midnight = |date: jiff::civil::Date| date.to_zoned(TimeZone::UTC).map(|zoned| zoned.timestamp());
        let from = midnight(date).unwrap_or(Timestamp::MIN);
        let to = date.tomorrow().and_then(midnight).unwrap_or(Timestamp::MAX);
        super::Interval { from, to }
    }

    /// Takes the next look, and returns the sightings that it ended.
    pub fn take(&mut self, look: &Look<'_>) -> Vec<Sighting> {
        let mut ended = Vec::new();
        if self.day != Some(day(look.from)) {
            ended = std::mem::take(self).end();
            self.day = Some(day(look.from));
        }
        match look.skipped {
            None => self.look_at(look, &mut ended),
            Some(Skipped::Still) if self.until.is_some_and(|until| within_pause(until, look.from)) => {
                for label in &self.present {
                    if let Some(sighting) = self.open.get_mut(label) {
                        self.shown.entry(label.clone()).or_insert(sighting.to);
                        sighting.to = sighting.to.max(look.to);
                    }
                }
            }
            Some(_) => {
                self.present.clear();
                self.shown.clear();
            }
        }
        self.until = Some(look.to);
        ended
    }

    /// Returns the sightings that may continue, as they are so far.
    pub fn open(&self) -> impl Iterator<Item = &Sighting> {
        self.open.values()
    }

    /// Ends all sightings, and returns them.
    pub fn end(self) -> Vec<Sighting> {
        self.open.into_values().collect()
    }

    fn look_at(&mut self, look: &Look<'_>, ended: &mut Vec<Sighting>) {
        self.present.clear();
        let shown = std::mem::take(&mut self.shown);
        // Of the time between, nothing is known where a chunk is missing.
        if let Some(first) = look.frames.first()
            && self.until.is_some_and(|until| within_pause(until, look.from))
        {
            let is_there = |label: &String| first.detections.iter().any(|seen| seen.label == *label);
            for (label, time) in shown.into_iter().filter(|(label, _)| !is_there(label)) {
                if let Some(sighting) = self.open.get_mut(&label) {
                    sighting.to = time;
                }
            }
        }
        for frame in look.frames {
            let time = frame.time.unwrap_or_else(|| {
                let offset = SignedDuration::try_from_secs_f64(frame.offset).unwrap_or_default();
                look.from.checked_add(offset).unwrap_or(look.from)
            });
            self.present = frame.detections.iter().map(|seen| seen.label.clone()).collect();
            for label in &self.present {
                let of_label = frame.detections.iter().filter(|seen| seen.label == *label);
                let here = seen_in(of_label, label, time, frame.offset, look.key);
                match (self.open.get_mut(label), here) {
                    (Some(open), Some(here)) if within_pause(open.to, time) => open.go_on(here),
                    (_, Some(here)) => ended.extend(self.open.insert(label.clone(), here)),
                    (_, None) => {}
                }
            }
        }
    }
}

/// Returns whether at most the longest pause lies between two times.
fn within_pause(before: Timestamp, after: Timestamp) -> bool {
    after.duration_since(before) <= LONGEST_PAUSE
}

/// Returns the sighting of a single picture.
fn seen_in<'a>(
    of_label: impl Iterator<Item = &'a Detection>,
    label: &str,
    time: Timestamp,
    offset: f64,
    key: &str,
) -> Option<Sighting> {
    let mut best = None::<&Detection>;
    let mut most = 0;
    let mut zones = BTreeSet::new();
    for seen in of_label {
        most += 1;
        zones.extend(seen.zones.iter().cloned());
        if best.is_none_or(|best| seen.score > best.score) {
            best = Some(seen);
        }
    }
    let Detection { score, bounds, .. } = best?;
    let best = Best { time, key: key.to_owned(), offset, bounds: *bounds };
    Some(Sighting { label: label.to_owned(), from: time, to: time, score: *score, pictures: 1, most, zones, best })
}

impl Sighting {
    /// Adds the next picture.
    fn go_on(&mut self, next: Self) {
        self.to = self.to.max(next.to);
        self.pictures += next.pictures;
        self.most = self.most.max(next.most);
        self.zones.extend(next.zones);
        if next.score > self.score {
            (self.score, self.best) = (next.score, next.best);
        }
    }
}

/// Returns all sightings of looks that are in order.
pub fn sightings<'a>(looks: impl IntoIterator<Item = Look<'a>>) -> Vec<Sighting> {
    let mut fold = SightingFold::default();
    let mut all: Vec<Sighting> = looks.into_iter().flat_map(|look| fold.take(&look)).collect();
    all.extend(fold.end());
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_763_650_800 + second).unwrap()
    }

    fn frame(second: i64, labels: &[&str]) -> InferredFrame {
        let seen =
            |label: &&str| Detection { label: (*label).to_owned(), score: 0.5, bounds: Bounds::WHOLE, zones: vec![] };
        InferredFrame { offset: 0.0, time: Some(at(second)), detections: labels.iter().map(seen).collect() }
    }

    enum Said {
        Looked(&'static [&'static str]),
        Skipped(Skipped),
    }
    use Said::{Looked, Skipped as Left};

    /// What is made of chunks of three seconds, each with one picture at its start: label, first and last second.
    fn made(said: &[(i64, Said)]) -> Vec<(String, i64, i64)> {
        let frames: Vec<Vec<InferredFrame>> = said
            .iter()
            .map(|(start, said)| match said {
                Looked(labels) => vec![frame(*start, labels)],
                Left(_) => vec![],
            })
            .collect();
        let looks = said.iter().zip(&frames).map(|((start, said), frames)| Look {
            from: at(*start),
            to: at(start + 3),
            key: "k",
            skipped: match said {
                Looked(_) => None,
                Left(why) => Some(*why),
            },
            frames,
        });
        let second = |time: Timestamp| time.as_second() - at(0).as_second();
        let mut made: Vec<_> = sightings(looks).into_iter().map(|s| (s.label, second(s.from), second(s.to))).collect();
        made.sort();
        made
    }

    #[test]
    fn a_pause_ends_a_sighting_and_stillness_carries_it_on() {
        let one = |from, to| vec![("person".to_owned(), from, to)];
        let person = || Looked(&["person"]);
        let nobody = || Looked(&[]);
        let still = || Left(Skipped::Still);
        for (said, expected) in [
            (vec![(0, person()), (3, person())], one(0, 3)),
            (vec![(0, person()), (3, nobody()), (18, person())], one(0, 18)),
            (vec![(0, person()), (20, person())], one(0, 20)),
            (vec![(0, person()), (21, person())], [one(0, 0), one(21, 21)].concat()),
            (vec![(0, person()), (3, still()), (6, still())], one(0, 9)),
            // What was not there before is not carried.
            (vec![(0, person()), (3, nobody()), (6, still())], one(0, 0)),
            // Nothing is known of the time between.
            (vec![(0, person()), (60, still())], one(0, 0)),
            (vec![(0, person()), (3, Left(Skipped::Budget)), (6, still())], one(0, 0)),
            (vec![(0, still()), (3, person())], one(3, 3)),
            (vec![(0, person()), (3, still()), (60, person())], [one(0, 6), one(60, 60)].concat()),
            // Who is not there after still chunks had gone before them.
            (vec![(0, person()), (3, still()), (6, still()), (9, nobody())], one(0, 0)),
            (vec![(0, person()), (3, still()), (6, person()), (9, still()), (12, nobody())], one(0, 6)),
            (vec![(0, person()), (3, still()), (6, nobody()), (21, person())], [one(0, 0), one(21, 21)].concat()),
            (vec![(0, person()), (3, still()), (6, Left(Skipped::Budget)), (9, nobody())], one(0, 6)),
            // Of what was missed, nothing is known.
            (vec![(0, person()), (3, still()), (60, nobody())], one(0, 6)),
        ] {
            assert_eq!(made(&said), expected);
        }
    }

    #[test]
    fn who_is_not_in_the_first_picture_after_still_chunks_has_come_anew() {
        let seen = [frame(0, &["person"])];
        let anew = [frame(30, &[]), frame(31, &["person"])];
        let stayed = [frame(30, &["person"]), frame(31, &[])];
        let look = |from: i64, to: i64, frames| Look { from: at(from), to: at(to), key: "k", skipped: None, frames };
        let still = Look { skipped: Some(Skipped::Still), ..look(3, 30, &[]) };
        let spans = |last: Look<'_>| -> Vec<_> {
            sightings([look(0, 3, &seen), still, last]).iter().map(|one| (one.from, one.to)).collect()
        };
        assert_eq!(spans(look(30, 33, &anew)), [(at(0), at(0)), (at(31), at(31))]);
        assert_eq!(spans(look(30, 33, &stayed)), [(at(0), at(30))]);
    }

    #[test]
    fn a_new_day_begins_anew() {
        let midnight = 86_400 - at(0).as_second().rem_euclid(86_400);
        let made =
            made(&[(midnight - 3, Looked(&["cat"])), (midnight, Looked(&["cat"])), (midnight + 3, Looked(&["cat"]))]);
        let expected = [(midnight - 3, midnight - 3), (midnight, midnight + 3)];
        assert_eq!(made, expected.map(|(from, to)| ("cat".to_owned(), from, to)));
        let day = SightingFold::partition(at(midnight));
        assert_eq!((day.from, day.to), (at(midnight), at(midnight + 86_400)));
    }

    #[test]
    fn what_is_open_can_be_written_down_and_taken_up_again() {
        let frames = [frame(0, &["cat", "cat"]), frame(1, &["cat", "person"])];
        let look = |n: usize| {
            let from = at(i64::try_from(n).unwrap());
            Look { from, to: from + SignedDuration::from_secs(1), key: "k", skipped: None, frames: &frames[n..=n] }
        };
        let mut fold = SightingFold::default();
        assert!(fold.take(&look(0)).is_empty());
        let text = serde_json::to_string(&fold).unwrap();
        let mut again: SightingFold = serde_json::from_str(&text).unwrap();
        assert!(again.take(&look(1)).is_empty());
        assert_eq!(again.end(), sightings([look(0), look(1)]));
        assert_eq!(sightings([look(0), look(1)])[0].most, 2);

        // Also between still chunks and the next picture; and as it was written before it knew of those.
        let still = Look { from: at(1), to: at(2), skipped: Some(Skipped::Still), frames: &[], ..look(0) };
        let nobody = [frame(2, &[])];
        let gone = Look { from: at(2), to: at(3), skipped: None, frames: &nobody, ..look(0) };
        assert!(fold.take(&still).is_empty());
        let text = serde_json::to_string(&fold).unwrap();
        let mut again: SightingFold = serde_json::from_str(&text).unwrap();
        again.take(&gone);
        assert_eq!(again.end(), sightings([look(0), still, gone]));
        let mut before: serde_json::Value = serde_json::from_str(&text).unwrap();
        before.as_object_mut().unwrap().remove("shown").unwrap();
        let mut again: SightingFold = serde_json::from_value(before).unwrap();
        again.take(&gone);
        assert_eq!(again.end()[0].to, at(2));
    }
}
