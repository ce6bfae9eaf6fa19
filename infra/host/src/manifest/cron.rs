//! The times of a schedule: the subset of cron that EventBridge Scheduler and Cloud Scheduler interpret alike.
//!
//! There are five fields: minute, hour, day of the month, month, day of the week, in UTC. A field is `*`,
//! `*/n`, or a list of numbers and ranges. Days of the week are words (`MON-FRI`), because AWS counts them from
//! 1 for Sunday and Google from 0. One of the two day fields must be `*`: AWS requires that, and few people
//! know cron's rule for using both (either may match).

use jiff::civil::{DateTime, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use std::fmt;
use std::str::FromStr;

const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];
/// From 29 February to the next one across a century year that is not a leap year.
const LONGEST_WAIT_DAYS: u32 = 8 * 366;
/// Divisors of an hour or a day. Other intervals would be uneven around midnight.
const EVERY_MINUTES: [u32; 19] = [1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60, 120, 180, 240, 360, 480, 720, 1440];

/// Recurring times with a resolution of a minute, in UTC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cron {
    text: String,
    minutes: Set,
    hours: Set,
    days: Set,
    months: Set,
    weekdays: Set,
}

/// A set of numbers below 64.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Set(u64);

impl Set {
    fn has(self, number: i8) -> bool {
        u32::try_from(number).is_ok_and(|number| self.0 & (1 << number) != 0)
    }
}

impl Cron {
    /// Creates a schedule for every `minutes` minutes, counted from midnight. The number must divide an hour
    /// or, as whole hours, a day.
    pub(super) fn every_minutes(minutes: u32) -> Result<Self, String> {
        if !EVERY_MINUTES.contains(&minutes) {
            let allowed: Vec<String> = EVERY_MINUTES.iter().map(u32::to_string).collect();
            return Err(format!("every_minutes: {minutes} is not one of {}", allowed.join(", ")));
        }
        match (minutes, minutes / 60) {
            (minutes, 0) => format!("*/{minutes} * * * *"),
            (_, 24) => "0 0 * * *".to_owned(),
            (_, hours) => format!("0 */{hours} * * *"),
        }
        .parse()
    }

    /// Returns the first time after `instant`, or `None` for a date that never occurs, such as 30 February.
    pub fn next_after(&self, instant: Timestamp) -> Option<Timestamp> {
        let start = TimeZone::UTC.to_datetime(instant);
        let next_minute = start.with().second(0).subsec_nanosecond(0).build().ok()?.checked_add(1.minute()).ok()?;
        let mut date = next_minute.date();
        let mut earliest = next_minute;
        for _ in 0..LONGEST_WAIT_DAYS {
            if self.is_day(earliest) {
                let hour = earliest.hour();
                let minute = earliest.minute();
                let fits = |h: i8, m: i8| self.hours.has(h) && self.minutes.has(m) && (h, m) >= (hour, minute);
                let first = (0..24).flat_map(|h| (0..60).map(move |m| (h, m))).find(|(h, m)| fits(*h, *m));
                if let Some((hour, minute)) = first {
                    return TimeZone::UTC.to_timestamp(date.at(hour, minute, 0, 0)).ok();
                }
            }
            date = date.tomorrow().ok()?;
            earliest = date.at(0, 0, 0, 0);
        }
        None
    }

    /// Returns the last time after `after` and not after `until`; `None` if there is none.
    pub fn latest_between(&self, after: Timestamp, until: Timestamp) -> Option<Timestamp> {
        let next_by = |second: i64| {
            let next = self.next_after(Timestamp::from_second(second).ok()?)?;
            (next <= until).then_some(next)
        };
        // Times are whole minutes, so the fraction of a second that is cut off here holds none.
        let mut low = after.as_second();
        let mut high = until.as_second();
        let mut latest = next_by(low).filter(|first| *first > after)?;
        // There is a time in (low, until], and none in (high, until].
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            match next_by(middle) {
                Some(next) => {
                    latest = next;
                    low = middle;
                }
                None => high = middle,
            }
        }
        Some(latest)
    }

    fn is_day(&self, day: DateTime) -> bool {
        let weekday = day.weekday().since(Weekday::Sunday);
        self.months.has(day.month()) && self.days.has(day.day()) && self.weekdays.has(weekday)
    }
}

impl fmt::Display for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Cron {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let fields: Vec<&str> = text.split(' ').collect();
        let [minutes, hours, days, months, weekdays] = fields[..] else {
            return Err(format!(
                "cron: {text:?} has {} fields, expected five: minute, hour, day of the month, month, day of the week",
                fields.len()
            ));
        };
        if days != "*" && weekdays != "*" {
            return Err(format!("cron: {text:?} asks for a day of the month and of the week: one of them is *"));
        }
        let cron = Self {
            text: text.to_owned(),
            minutes: numbers("minute", minutes, 0, 59)?,
            hours: numbers("hour", hours, 0, 23)?,
            days: numbers("day of the month", days, 1, 31)?,
            months: numbers("month", months, 1, 12)?,
            weekdays: days_of_week(weekdays)?,
        };
        match cron.next_after(Timestamp::UNIX_EPOCH) {
            Some(_) => Ok(cron),
            None => Err(format!("cron: {text:?} is a day that does not exist")),
        }
    }
}

fn numbers(field: &str, text: &str, min: u32, max: u32) -> Result<Set, String> {
    if let Some(step) = text.strip_prefix("*/") {
        let step = step.parse::<u32>().ok().filter(|step| (1..=max).contains(step));
        let step = step.ok_or_else(|| format!("cron: the {field} {text:?} is no step between 1 and {max}"))?;
        return Ok(set((min..=max).step_by(step as usize)));
    }
    let number = |text: &str| {
        let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let number = text.parse::<u32>().ok().filter(|number| is_plain && (min..=max).contains(number));
        number.ok_or_else(|| format!("cron: the {field} {text:?} is not *, */n, or of {min} to {max}"))
    };
    list(field, text, min, max, number)
}

fn days_of_week(text: &str) -> Result<Set, String> {
    let weekday = |text: &str| {
        let found = (0_u32..).zip(WEEKDAYS).find(|(_, name)| *name == text);
        let found = found.map(|(number, _)| number);
        found.ok_or_else(|| format!("cron: the day of the week {text:?} is not * or of {}", WEEKDAYS.join(", ")))
    };
    list("day of the week", text, 0, 6, weekday)
}

/// Parses `*`, or single values and ranges separated by commas.
fn list(
    field: &str,
    text: &str,
    min: u32,
    max: u32,
    read: impl Fn(&str) -> Result<u32, String>,
) -> Result<Set, String> {
    if text == "*" {
        return Ok(set(min..=max));
    }
    let mut all = Set(0);
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let range = read(first)?..=read(last)?;
        if range.is_empty() {
            return Err(format!("cron: the {field} {part:?} ends before it begins"));
        }
        all.0 |= set(range).0;
    }
    Ok(all)
}

fn set(numbers: impl Iterator<Item = u32>) -> Set {
    Set(numbers.fold(0, |bits, number| bits | (1 << number)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_time_is_found() {
        for (cron, from, expected) in [
            ("* * * * *", "2026-11-20T15:08:27.5Z", "2026-11-20T15:09:00Z"),
            ("*/15 * * * *", "2026-11-20T15:45:00Z", "2026-11-20T16:00:00Z"),
            ("0 0 * * *", "2026-12-31T23:59:59Z", "2027-01-01T00:00:00Z"),
            ("30 6 * * MON-FRI", "2026-11-20T06:30:00Z", "2026-11-23T06:30:00Z"),
            ("0 12 * * SUN,WED", "2026-11-20T00:00:00Z", "2026-11-22T12:00:00Z"),
            ("5,35-37 1,23 1 1,7 *", "2026-11-20T00:00:00Z", "2027-01-01T01:05:00Z"),
            ("0 0 29 2 *", "2096-03-01T00:00:00Z", "2104-02-29T00:00:00Z"),
            ("0 */8 * * *", "2026-11-20T08:00:00Z", "2026-11-20T16:00:00Z"),
        ] {
            let next = cron.parse::<Cron>().unwrap().next_after(from.parse().unwrap());
            assert_eq!(next, Some(expected.parse().unwrap()), "{cron} after {from}");
        }
    }

    #[test]
    fn the_latest_time_is_found() {
        for (cron, after, until, expected) in [
            ("* * * * *", "2026-11-20T15:08:27Z", "2026-11-20T15:08:59.9Z", None),
            ("* * * * *", "2026-11-20T15:08:27Z", "2026-11-20T15:09:00Z", Some("2026-11-20T15:09:00Z")),
            ("* * * * *", "2026-11-20T15:09:00Z", "2026-11-20T15:09:59Z", None),
            ("* * * * *", "2020-01-01T00:00:00Z", "2026-11-20T15:09:00.5Z", Some("2026-11-20T15:09:00Z")),
            ("* * * 1 *", "2020-01-01T00:00:00Z", "2026-11-20T15:09:00Z", Some("2026-01-31T23:59:00Z")),
            ("0 0 29 2 *", "2020-01-01T00:00:00Z", "2026-11-20T15:09:00Z", Some("2024-02-29T00:00:00Z")),
            ("0 0 29 2 *", "2024-02-29T00:00:00Z", "2026-11-20T15:09:00Z", None),
            ("*/15 * * * *", "2026-11-20T15:00:00Z", "2026-11-20T14:00:00Z", None),
            ("*/15 * * * *", "1969-12-31T23:50:00.5Z", "1970-01-01T00:20:00Z", Some("1970-01-01T00:15:00Z")),
        ] {
            let latest = cron.parse::<Cron>().unwrap().latest_between(after.parse().unwrap(), until.parse().unwrap());
            assert_eq!(latest, expected.map(|time| time.parse().unwrap()), "{cron} between {after} and {until}");
        }
    }

    #[test]
    fn what_the_clouds_do_not_understand_alike_is_refused() {
        for (cron, expected) in [
            ("* * * *", "4 fields"),
            ("*  * * * *", "6 fields"),
            ("60 * * * *", "minute \"60\" is not"),
            ("* 24 * * *", "hour"),
            ("* * 0 * *", "day of the month"),
            ("* * * JAN *", "month"),
            ("* * * * 1", "SUN, MON"),
            ("* * * * mon", "SUN, MON"),
            ("* * 1 * MON", "one of them is *"),
            ("0-30/5 * * * *", "minute"),
            ("30-10 * * * *", "ends before"),
            ("*/0 * * * *", "no step"),
            ("*/60 * * * *", "no step"),
            ("+1 * * * *", "minute"),
            ("1,,2 * * * *", "minute"),
            ("0 0 30 2 *", "does not exist"),
            ("@daily", "1 fields"),
        ] {
            let error = cron.parse::<Cron>().unwrap_err();
            assert!(error.contains(expected), "{cron}: {error}");
        }
        assert!(Cron::every_minutes(7).unwrap_err().contains("1, 2, 3"));
        for minutes in EVERY_MINUTES {
            let cron = Cron::every_minutes(minutes).unwrap();
            let start: Timestamp = "2026-11-20T00:00:00Z".parse().unwrap();
            let next = cron.next_after(start).unwrap();
            assert_eq!(next.duration_since(start).as_secs(), i64::from(minutes) * 60, "{cron}");
        }
    }
}
