//! Object keys: `[prefix/]YYYY-MM-DD[/postfix]/HH/MM-SS[.frac]Z.counter.ext`
//! (ONVIF Recording Control Service Specification, annex "Object storage recording format").
//!
//! The time is the UTC time of the object's first sample, with up to six fraction digits. `counter` starts at 0
//! in each span. The extension determines the kind: `mp4` is a chunk, `mp4_end` the end of a span, `mp4_gap`
//! (an addition of Framepost) a gap.
//!
//! Invariant: [`ObjectKey::from_str`](std::str::FromStr) and [`Display`](std::fmt::Display) are inverse to each
//! other for every key that Framepost writes. Parsing accepts slightly more: other writers may leave trailing
//! zeros in the fraction, or omit prefix and postfix.

use crate::name::looks_like_date;
use crate::{Camera, Error, Site};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// The kind of an object, given by its extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum KeyKind {
    /// Video, with the extension `mp4`.
    Chunk,
    /// The empty object that ends a span, with the extension `mp4_end`.
    SpanEnd,
    /// An interval without video and its cause, with the extension `mp4_gap`.
    Gap,
}

impl KeyKind {
    /// Returns the extension without the dot.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Chunk => "mp4",
            Self::SpanEnd => "mp4_end",
            Self::Gap => "mp4_gap",
        }
    }
}

/// The key of one object in the bucket.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ObjectKey {
    /// The prefix. Framepost always writes one.
    pub site: Option<Site>,
    /// The postfix. Framepost always writes one.
    pub camera: Option<Camera>,
    /// Wall-clock time of the first sample; for a span end, of the end of the last sample; for a gap, of
    /// its start. In whole microseconds.
    pub start: Timestamp,
    /// The object's number in its span, starting at 0.
    pub counter: u64,
    /// Whether it is a chunk, a span end or a gap.
    pub kind: KeyKind,
}

impl ObjectKey {
    /// Creates a key as Framepost writes it. Truncates `start` to whole microseconds.
    pub fn new(site: Site, camera: Camera, start: Timestamp, counter: u64, kind: KeyKind) -> Self {
        Self { site: Some(site), camera: Some(camera), start: whole_micros(start), counter, kind }
    }
}

/// Truncates `time` to whole microseconds, the precision of keys and metadata.
pub fn whole_micros(time: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(time.as_microsecond()).unwrap_or(time)
}

impl std::fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let time = TimeZone::UTC.to_datetime(self.start);
        if let Some(site) = &self.site {
            write!(f, "{site}/")?;
        }
        write!(f, "{:04}-{:02}-{:02}/", time.year(), time.month(), time.day())?;
        if let Some(camera) = &self.camera {
            write!(f, "{camera}/")?;
        }
        write!(f, "{:02}/{:02}-{:02}", time.hour(), time.minute(), time.second())?;
        let micros = time.subsec_nanosecond() / 1_000;
        if micros != 0 {
            write!(f, ".{micros:06}")?;
        }
        write!(f, "Z.{}.{}", self.counter, self.kind.extension())
    }
}

impl std::str::FromStr for ObjectKey {
    type Err = Error;

    fn from_str(key: &str) -> Result<Self, Error> {
        parse(key).map_err(|expected| Error::Key { key: key.to_owned(), expected })
    }
}

fn parse(key: &str) -> Result<ObjectKey, &'static str> {
    let mut parts = key.rsplit('/');
    let file = parts.next().unwrap_or_default();
    let hour = parts.next().ok_or("expected …/HH/MM-SSZ.counter.mp4")?;
    let date_or_camera = parts.next().ok_or("expected a date before the hour")?;
    let (date, camera) = if looks_like_date(date_or_camera) {
        (date_or_camera, None)
    } else {
        let camera = date_or_camera.parse().map_err(|_| "expected a date or a camera's name before the hour")?;
        (parts.next().ok_or("expected a date before the camera")?, Some(camera))
    };
    if !looks_like_date(date) {
        return Err("expected a date, YYYY-MM-DD");
    }
    let site = match parts.next() {
        Some(site) => Some(site.parse().map_err(|_| "expected a site's name before the date")?),
        None => None,
    };
    if parts.next().is_some() {
        return Err("expected nothing before the site");
    }

    let (time, rest) = file.split_once('Z').ok_or("expected a Z after the time")?;
    let (clock, fraction) = match time.split_once('.') {
        Some((clock, fraction)) => (clock, Some(fraction)),
        None => (time, None),
    };
    let (minute, second) = clock.split_once('-').ok_or("expected MM-SS")?;
    let micros = fraction.map_or(Ok(0), parse_fraction)?;
    let rest = rest.strip_prefix('.').ok_or("expected a dot after the Z")?;
    let (counter, extension) = rest.split_once('.').ok_or("expected counter.extension")?;
    let kind = match extension {
        "mp4" => KeyKind::Chunk,
        "mp4_end" => KeyKind::SpanEnd,
        "mp4_gap" => KeyKind::Gap,
        _ => return Err("expected the extension mp4, mp4_end or mp4_gap"),
    };
    let start = date_time(date, hour, minute, second, micros).ok_or("expected a time that exists")?;
    Ok(ObjectKey { site, camera, start, counter: parse_counter(counter)?, kind })
}

fn date_time(date: &str, hour: &str, minute: &str, second: &str, micros: i32) -> Option<Timestamp> {
    let (year, month_day) = date.split_once('-')?;
    let (month, day) = month_day.split_once('-')?;
    let time = DateTime::new(
        year.parse().ok()?,
        month.parse().ok()?,
        day.parse().ok()?,
        two_digits(hour)?,
        two_digits(minute)?,
        two_digits(second)?,
        micros * 1_000,
    )
    .ok()?;
    TimeZone::UTC.to_timestamp(time).ok()
}

fn two_digits(text: &str) -> Option<i8> {
    (text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}

fn parse_fraction(digits: &str) -> Result<i32, &'static str> {
    if !(1..=6).contains(&digits.len()) || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err("expected one to six fraction digits");
    }
    format!("{digits:0<6}").parse().map_err(|_| "expected one to six fraction digits")
}

fn parse_counter(digits: &str) -> Result<u64, &'static str> {
    let canonical = digits == "0" || !digits.starts_with('0');
    if digits.is_empty() || !canonical || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err("expected a decimal counter");
    }
    digits.parse().map_err(|_| "expected a counter below 2^64")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn writes_the_documented_example() {
        let key = ObjectKey::new(
            "plant-7".parse().unwrap(),
            "gate".parse().unwrap(),
            "2026-11-20T15:08:23.547Z".parse().unwrap(),
            0,
            KeyKind::Chunk,
        );
        assert_eq!(key.to_string(), "plant-7/2026-11-20/gate/15/08-23.547000Z.0.mp4");
    }

    #[test]
    fn reads_what_other_writers_may_leave_out() {
        let key: ObjectKey = "2026-11-20/15/08-23Z.12.mp4_end".parse().unwrap();
        assert_eq!((key.site, key.camera, key.counter, key.kind), (None, None, 12, KeyKind::SpanEnd));
        let key: ObjectKey = "2026-11-20/gate/15/08-23.5Z.0.mp4".parse().unwrap();
        assert_eq!(key.start, "2026-11-20T15:08:23.5Z".parse().unwrap());
    }

    #[test]
    fn says_what_is_wrong() {
        for (key, expected) in [
            ("", "HH"),
            ("a.mp4", "HH"),
            ("s/2026-11-20/c/15/08-23.0.mp4", "Z after"),
            ("s/2026-11-20/c/15/08-23Z.01.mp4", "decimal counter"),
            ("s/2026-11-20/c/15/08-23Z.18446744073709551616.mp4", "2^64"),
            ("s/2026-11-20/c/15/08-23.1234567Z.0.mp4", "fraction"),
            ("s/2026-11-20/c/15/08-23Z.0.mkv", "extension"),
            ("s/2026-02-30/c/15/08-23Z.0.mp4", "exists"),
            ("s/2026-11-20/c/24/08-23Z.0.mp4", "exists"),
            ("s/2026-11-20/c/+5/08-23Z.0.mp4", "exists"),
            ("x/s/2026-11-20/c/15/08-23Z.0.mp4", "nothing before"),
            ("s/20261120/c/15/08-23Z.0.mp4", "date"),
        ] {
            let error = key.parse::<ObjectKey>().unwrap_err().to_string();
            assert!(error.contains(expected), "{key}: {error}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            site in "[A-Za-z0-9][A-Za-z0-9._-]{0,63}",
            camera in "[A-Za-z0-9][A-Za-z0-9._-]{0,63}",
            micros in 0_i64..253_402_207_200_000_000,
            counter: u64,
            kind in prop_oneof![Just(KeyKind::Chunk), Just(KeyKind::SpanEnd), Just(KeyKind::Gap)],
        ) {
            prop_assume!(!looks_like_date(&site) && !looks_like_date(&camera));
            let start = Timestamp::from_microsecond(micros).unwrap();
            let key = ObjectKey::new(site.parse().unwrap(), camera.parse().unwrap(), start, counter, kind);
            prop_assert_eq!(&key.to_string().parse::<ObjectKey>().unwrap(), &key);
        }

        #[test]
        fn any_text_gives_an_answer(text in ".{0,80}") {
            if let Ok(key) = text.parse::<ObjectKey>() {
                prop_assert_eq!(key.to_string().parse::<ObjectKey>().unwrap(), key);
            }
        }
    }
}
