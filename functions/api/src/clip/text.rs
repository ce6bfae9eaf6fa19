//! The timed text of a clip: the wall clock's time at each second, for players that show it as subtitles and for programs that
//! look up when something was.
//!
//! A line lasts until the next one. The first one, and the first after a gap that is left out, has milliseconds, because it begins
//! between two seconds of the wall clock; each other one begins with its second. Where chunks follow each other, a second that
//! both have a part of is one line. The text's own times begin with the clip, not with its first chunk.
//!
//! All lines are samples in the clip's head, behind its `moov` (3GPP TS 26.245 §5), and not in fragments as picture and sound are:
//! of those, ffmpeg before its version 6 does not tell how long they last.

use super::plan::{Plan, TOUCHING, seconds};
use jiff::Timestamp;

/// Units of the text's times in a second.
pub(super) const TIMESCALE: u32 = 1_000_000;
/// The same, of the wall clock.
const SECOND_US: i64 = 1_000_000;
/// The most lines of a clip: twice as many as there are seconds in the longest one, and more.
const LINES_MAX: i64 = 200_000;
/// The longest time that is reckoned with, 31 years, which is far more than [`LINES_MAX`] seconds.
const LONGEST_US: f64 = 1e15;
/// Microseconds from the epoch to the year 0. Years before it do not have four digits.
const YEAR_0_US: i64 = -62_167_219_200 * SECOND_US;

/// What the first line of a chunk is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum First {
    /// A time with milliseconds.
    Exact,
    /// A second like all others.
    Second,
}

/// The lines that begin in one chunk, of which there is at least one. Times are microseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Lines {
    /// When the first one begins in the clip.
    at_us: i64,
    /// When the last one ends.
    ends_us: i64,
    /// The wall clock's time at `at_us`.
    wall_us: i64,
    first: First,
    count: i64,
}

impl Lines {
    /// The wall clock's time at which the `n`th line begins.
    fn wall_us(&self, n: i64) -> i64 {
        if n == 0 { self.wall_us } else { (self.wall_us.div_euclid(SECOND_US) + n) * SECOND_US }
    }

    /// When the `n`th line begins in the clip, or the last one ends.
    fn at_us(&self, n: i64) -> i64 {
        if n == self.count { self.ends_us } else { self.at_us + self.wall_us(n) - self.wall_us }
    }

    fn text(&self, n: i64) -> String {
        let time = Timestamp::from_microsecond(self.wall_us(n)).unwrap_or(Timestamp::MAX);
        let form = if n == 0 && self.first == First::Exact { "%Y-%m-%d %H:%M:%S.%3fZ" } else { "%Y-%m-%d %H:%M:%SZ" };
        time.strftime(form).to_string()
    }
}

/// The wall clock's times of a clip as text.
#[derive(Debug)]
pub(crate) struct WallClockText {
    /// The lines, by the chunk in which they begin.
    lines: Vec<Lines>,
}

/// The samples of a track of text.
#[derive(Debug, Default)]
pub(super) struct Samples {
    /// All of them, one after the other: before each text its length (TS 26.245 §5.17).
    pub(super) bytes: Vec<u8>,
    /// The size of each.
    pub(super) sizes: Vec<u32>,
    /// How long each lasts: how many have which duration.
    pub(super) durations: Vec<(u32, u32)>,
}

impl WallClockText {
    /// The text of a clip with this plan. `None` if it would be too long.
    pub(crate) fn of(plan: &Plan) -> Option<Self> {
        let timing = plan.timing();
        let played_us = microseconds(timing.played);
        let mut all: Vec<Lines> = Vec::with_capacity(plan.parts().len());
        let mut total = 0;
        // The second of the wall clock that was shown last, and the end of the chunk before.
        let mut shown = None;
        let mut before: Option<Timestamp> = None;
        for part in plan.parts() {
            let chunk = &part.chunk;
            let begins_us = microseconds(part.begins_at - timing.skipped);
            let ends_us = microseconds(part.begins_at + seconds(chunk) - timing.skipped).min(played_us);
            let starts_us = begins_us.max(0);
            let jumps = before.is_some_and(|before| chunk.from.duration_since(before).abs() > TOUCHING);
            before = Some(chunk.to);
            let stretch = Stretch {
                starts_us,
                ends_us,
                wall_us: chunk.from.as_microsecond() + starts_us - begins_us,
                shown: shown.filter(|_| !jumps),
            };
            let Some(lines) = stretch.lines() else { continue };
            total += lines.count;
            if total > LINES_MAX {
                return None;
            }
            shown = Some(lines.wall_us(lines.count - 1).div_euclid(SECOND_US));
            if let Some(last) = all.last_mut() {
                last.ends_us = lines.at_us;
            }
            all.push(lines);
        }
        if let Some(last) = all.last_mut() {
            last.ends_us = played_us;
        }
        Some(Self { lines: all })
    }

    /// When the last line ends.
    pub(super) fn ends_us(&self) -> i64 {
        self.lines.last().map_or(0, |lines| lines.ends_us)
    }

    /// The lines as samples.
    pub(super) fn samples(&self) -> Samples {
        let mut samples = Samples::default();
        for lines in &self.lines {
            for n in 0..lines.count {
                let text = lines.text(n);
                let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
                samples.bytes.extend(length.to_be_bytes());
                samples.bytes.extend(text.into_bytes());
                samples.sizes.push(u32::from(length) + 2);
                let lasts = u32::try_from(lines.at_us(n + 1) - lines.at_us(n)).unwrap_or(u32::MAX);
                match samples.durations.last_mut() {
                    Some((count, same)) if *same == lasts => *count += 1,
                    _ => samples.durations.push((1, lasts)),
                }
            }
        }
        samples
    }
}

/// What is seen of a chunk.
struct Stretch {
    /// When it begins and ends in the clip.
    starts_us: i64,
    ends_us: i64,
    /// The wall clock's time at its start.
    wall_us: i64,
    /// The second that is shown before it; `None` if it begins the clip or follows a gap.
    shown: Option<i64>,
}

impl Stretch {
    fn lines(&self) -> Option<Lines> {
        if self.ends_us <= self.starts_us || self.wall_us < YEAR_0_US {
            return None;
        }
        let wall_us = self.shown.map_or(self.wall_us, |shown| self.wall_us.max((shown + 1) * SECOND_US));
        let at_us = self.starts_us + wall_us - self.wall_us;
        if at_us >= self.ends_us {
            return None;
        }
        let ends_wall_us = self.wall_us + self.ends_us - self.starts_us;
        let count = 1 + (ends_wall_us - 1).div_euclid(SECOND_US) - wall_us.div_euclid(SECOND_US);
        let first = if self.shown.is_none() { First::Exact } else { First::Second };
        Some(Lines { at_us, ends_us: self.ends_us, wall_us, first, count })
    }
}

#[expect(clippy::cast_possible_truncation, reason = "it is clamped")]
fn microseconds(seconds: f64) -> i64 {
    (seconds * 1e6).round().clamp(-LONGEST_US, LONGEST_US) as i64
}

#[cfg(test)]
mod tests {
    use super::super::plan::Gaps;
    use super::*;
    use framepost_events::record::Data;
    use framepost_media::be;
    use framepost_ports::catalog::{ChunkBrief, ChunkRow, Interval};
    use framepost_ports::contract::Footage;
    use jiff::SignedDuration;

    /// Chunks that follow each other at 23:58 in these milliseconds, each with the seconds that its media last.
    fn chunks(of: &[(i64, i64, f64)]) -> Vec<ChunkBrief> {
        let mut footage = Footage::new(3);
        let camera = Footage::camera(0);
        let start = footage.start();
        let mut made = Vec::new();
        for (counter, (from_ms, to_ms, seconds)) in (0..).zip(of) {
            for record in footage.chunk(&camera, *from_ms, counter, "1") {
                if let Data::ChunkProbed(chunk) = record.data {
                    made.extend(ChunkRow::new(record.time, *chunk).map(|row| row.brief()));
                }
            }
            let chunk = made.last_mut().expect("a chunk was made");
            chunk.from = start + SignedDuration::from_millis(*from_ms);
            chunk.to = start + SignedDuration::from_millis(*to_ms);
            chunk.seconds = Some(*seconds);
            chunk.starts_with_random_access = Some(true);
            chunk.sample_entry_digest = None;
        }
        made
    }

    /// The plan of a clip of this stretch in milliseconds.
    fn plan(of: &[(i64, i64, f64)], from_ms: i64, to_ms: i64) -> Plan {
        let start = Footage::new(3).start();
        let [from, to] = [from_ms, to_ms].map(|ms| start + SignedDuration::from_millis(ms));
        Plan::new(Interval { from, to }, Gaps::Skip, &chunks(of)).expect("a clip")
    }

    /// The milliseconds of a clip at which its lines begin, and what they say behind the hour. The last one ends with the clip.
    fn lines(plan: &Plan) -> Vec<(i64, String)> {
        let text = WallClockText::of(plan).expect("short enough");
        let Samples { bytes, sizes, durations } = text.samples();
        let each = durations.iter().flat_map(|(count, lasts)| (0..*count).map(|_| i64::from(*lasts)));
        let mut found = Vec::new();
        let mut at_us = 0;
        let mut rest = &bytes[..];
        for (size, lasts) in sizes.into_iter().zip(each) {
            let (sample, behind) = rest.split_at(size as usize);
            assert_eq!(be::u16_at(sample, 0).map(u32::from), Some(size - 2));
            let said = String::from_utf8(sample[2..].to_vec()).expect("text");
            found.push((at_us / 1000, said.split_once("23:").expect("an hour").1.to_owned()));
            at_us += lasts;
            rest = behind;
        }
        assert!(rest.is_empty());
        assert_eq!((at_us, text.ends_us()), (microseconds(plan.timing().played), at_us));
        found
    }

    fn said(lines: &[(i64, &str)]) -> Vec<(i64, String)> {
        lines.iter().map(|(at, text)| (*at, (*text).to_owned())).collect()
    }

    #[test]
    fn each_second_is_a_line_that_chunks_share() {
        // The border is in the middle of a second.
        let of = plan(&[(0, 2_500, 2.5), (2_500, 5_000, 2.5)], 250, 4_750);
        let expected = [(0, "58:00.250Z"), (750, "58:01Z"), (1_750, "58:02Z"), (2_750, "58:03Z"), (3_750, "58:04Z")];
        assert_eq!(lines(&of), said(&expected));
        // On the border of a second, the line begins with the chunk; in a chunk within a second, none does.
        let of = plan(&[(0, 1_000, 1.0), (1_000, 1_100, 0.1), (1_100, 1_900, 0.8), (1_900, 3_000, 1.1)], 0, 3_000);
        assert_eq!(lines(&of), said(&[(0, "58:00.000Z"), (1_000, "58:01Z"), (2_000, "58:02Z")]));
    }

    #[test]
    fn after_a_gap_a_line_says_when_it_goes_on() {
        let of = plan(&[(0, 1_500, 1.5), (31_500, 33_000, 1.5), (33_000, 34_000, 1.0)], 0, 34_000);
        let before = [(0, "58:00.000Z"), (1_000, "58:01Z")];
        let behind = [(1_500, "58:31.500Z"), (2_000, "58:32Z"), (3_000, "58:33Z")];
        assert_eq!(lines(&of), said(&[&before[..], &behind].concat()));
        // Within the same second.
        let of = plan(&[(0, 100, 0.1), (700, 900, 0.2)], 0, 1_000);
        assert_eq!(lines(&of), said(&[(0, "58:00.000Z"), (100, "58:00.700Z")]));
    }

    #[test]
    fn a_drift_between_chunks_shows_no_second_again() {
        // The second chunk begins 5 ms before where the first one's media end.
        let of = plan(&[(0, 2_002, 2.005), (2_000, 4_000, 1.995)], 0, 4_000);
        assert_eq!(lines(&of), said(&[(0, "58:00.000Z"), (1_000, "58:01Z"), (2_000, "58:02Z"), (3_005, "58:03Z")]));
        // A clock that was set by less than a gap leaves the second that is shown.
        let of = plan(&[(0, 2_300, 2.3), (1_900, 4_000, 2.1)], 0, 4_000);
        assert_eq!(lines(&of), said(&[(0, "58:00.000Z"), (1_000, "58:01Z"), (2_000, "58:02Z"), (3_400, "58:03Z")]));
    }

    #[test]
    fn media_that_play_for_ever_have_no_text() {
        for seconds in [3.0e5, 1.0e300] {
            let of = plan(&[(0, 2_000, seconds), (2_000, 4_000, 2.0)], 0, 4_000);
            assert!(WallClockText::of(&of).is_none(), "{seconds}");
        }
    }
}
