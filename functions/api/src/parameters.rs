//! Parameters of a query: read strictly, each with its limit.

use crate::problem::Problem;
use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use framepost_ports::catalog::{CameraName, Interval};
use jiff::Timestamp;
use jiff::civil::Time;
use jiff::tz::TimeZone;
use serde::de::DeserializeOwned;

/// A query as a struct that refuses what it does not know.
pub(crate) struct Asked<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let read = Query::<T>::try_from_uri(&parts.uri);
        read.map(|Query(asked)| Self(asked)).map_err(|rejected| Problem::query(rejected.body_text()))
    }
}

/// A camera by its two names.
pub(crate) fn camera(site: &str, camera: &str) -> Result<CameraName, Problem> {
    let site = site.parse().map_err(|_| Problem::parameter("site", "no name of a site"))?;
    let camera = camera.parse().map_err(|_| Problem::parameter("camera", "no name of a camera"))?;
    Ok(CameraName { site, camera })
}

/// A stretch of time that is not longer than `longest_s` seconds.
pub(crate) fn within(from: Timestamp, to: Timestamp, longest_s: i64) -> Result<Interval, Problem> {
    if to <= from {
        return Err(Problem::parameter("to", "after `from`"));
    }
    if to.as_second().saturating_sub(from.as_second()) > longest_s {
        let days = longest_s / 86_400;
        let most = if days > 0 { format!("{days} days") } else { format!("{} hours", longest_s / 3_600) };
        return Err(Problem::parameter("to", format!("at most {most} after `from`")));
    }
    Ok(Interval { from, to })
}

/// How many are wanted, between 1 and `most`.
pub(crate) fn limit(asked: Option<u32>, usual: usize, most: usize) -> Result<usize, Problem> {
    let Some(asked) = asked else { return Ok(usual) };
    let asked = usize::try_from(asked).unwrap_or(usize::MAX);
    if asked == 0 || asked > most { Err(Problem::parameter("limit", format!("1 to {most}"))) } else { Ok(asked) }
}

/// The parts of a list that is separated by commas, `most` at most.
pub(crate) fn list(name: &'static str, asked: Option<&str>, most: usize) -> Result<Vec<String>, Problem> {
    let parts: Vec<String> =
        asked.unwrap_or_default().split(',').filter(|part| !part.is_empty()).map(str::to_owned).collect();
    if parts.len() > most || parts.iter().any(|part| part.len() > 256) {
        return Err(Problem::parameter(
            name,
            format!("at most {most}, separated by commas, each of 256 bytes at most"),
        ));
    }
    Ok(parts)
}

/// A time zone by its IANA name; UTC without one.
pub(crate) fn zone(name: Option<&str>) -> Result<TimeZone, Problem> {
    let Some(name) = name else { return Ok(TimeZone::UTC) };
    TimeZone::get(name).map_err(|_| Problem::parameter("zone", "an IANA time zone: Europe/Berlin"))
}

/// A part of each day: from a time of the clock up to another one, over midnight where that is earlier.
pub(crate) struct TimeOfDay {
    from: Time,
    to: Time,
    zone: TimeZone,
}

impl TimeOfDay {
    /// The part that is asked for. `None` where both times are absent; one that is absent is midnight.
    pub(crate) fn asked(from: Option<Time>, to: Option<Time>, zone: Option<&str>) -> Result<Option<Self>, Problem> {
        let zone = self::zone(zone)?;
        if from.is_none() && to.is_none() {
            return Ok(None);
        }
        Ok(Some(Self { from: from.unwrap_or(Time::midnight()), to: to.unwrap_or(Time::midnight()), zone }))
    }

    /// Whether it is that part of the day at a time. Both times the same is the whole day.
    pub(crate) fn has(&self, at: Timestamp) -> bool {
        let time = at.to_zoned(self.zone.clone()).time();
        if self.from < self.to { self.from <= time && time < self.to } else { time >= self.from || time < self.to }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_the_day_may_pass_midnight_and_follows_the_clocks() {
        let part = |from: &str, to: &str, zone| {
            let time = |text: &str| (!text.is_empty()).then(|| text.parse().unwrap());
            TimeOfDay::asked(time(from), time(to), zone).unwrap()
        };
        assert!(part("", "", None).is_none());
        let night = part("22:00", "06:00", Some("Europe/Berlin")).unwrap();
        for (at, is_night) in [
            ("2026-11-20T20:59:59.999Z", false),
            ("2026-11-20T21:00:00Z", true),
            ("2026-11-21T04:59:59Z", true),
            ("2026-11-21T05:00:00Z", false),
            // In summer, two hours ahead of UTC.
            ("2026-07-01T19:59:59Z", false),
            ("2026-07-01T20:00:00Z", true),
            ("2026-07-02T04:00:00Z", false),
        ] {
            assert_eq!(night.has(at.parse().unwrap()), is_night, "{at}");
        }
        let morning = part("", "12:00", None).unwrap();
        assert!(morning.has("2026-11-20T00:00:00Z".parse().unwrap()));
        assert!(!morning.has("2026-11-20T12:00:00Z".parse().unwrap()));
        let evening = part("18:00", "", None).unwrap();
        assert!(evening.has("2026-11-20T23:59:59Z".parse().unwrap()));
        assert!(!evening.has("2026-11-20T17:59:59Z".parse().unwrap()));
        assert!(part("08:00", "08:00", None).unwrap().has("2026-11-20T03:00:00Z".parse().unwrap()));
        assert!(TimeOfDay::asked(None, None, Some("Europe/Nowhere")).is_err());
    }
}
