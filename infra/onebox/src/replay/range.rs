//! The range of objects that are given, selected by their keys.

use framepost_events::{Camera, ObjectKey, Site};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// A range of objects. Without any option it is the whole bucket.
#[derive(Debug, Clone, Default, PartialEq, Eq, clap::Args)]
pub(crate) struct Range {
    /// Gives only objects of this site.
    #[arg(long)]
    site: Option<Site>,
    /// Gives only objects of this camera.
    #[arg(long)]
    camera: Option<Camera>,
    /// Gives only objects whose keys have this time or a later one, such as 2026-11-20T15:00:00Z.
    #[arg(long, value_name = "TIME")]
    from: Option<Timestamp>,
    /// Gives only objects whose keys have an earlier time than this.
    #[arg(long, value_name = "TIME")]
    to: Option<Timestamp>,
}

impl Range {
    /// Returns the beginnings of the keys that have to be listed, in the order of keys.
    pub(crate) fn prefixes(&self, now: Timestamp) -> Vec<String> {
        let Some(site) = &self.site else { return vec![String::new()] };
        let Some(from) = self.from else { return vec![format!("{site}/")] };
        let date = |time: Timestamp| TimeZone::UTC.to_datetime(time).date();
        // A gateway's clock may be ahead by a little.
        let last = date(self.to.unwrap_or(now)).tomorrow().unwrap_or(Date::MAX);
        let mut prefixes = Vec::new();
        let mut day = date(from);
        while day <= last {
            prefixes.push(match &self.camera {
                Some(camera) => format!("{site}/{day}/{camera}/"),
                None => format!("{site}/{day}/"),
            });
            match day.tomorrow() {
                Ok(next) => day = next,
                Err(_) => break,
            }
        }
        prefixes
    }

    /// Returns whether the range includes the object with this key. A key that is not a gateway's has neither site nor time.
    pub(crate) fn holds(&self, key: &str) -> bool {
        if *self == Self::default() {
            return true;
        }
        let Ok(key) = key.parse::<ObjectKey>() else { return false };
        let is_site = self.site.is_none() || key.site == self.site;
        let is_camera = self.camera.is_none() || key.camera == self.camera;
        let is_time = self.from.is_none_or(|from| key.start >= from) && self.to.is_none_or(|to| key.start < to);
        is_site && is_camera && is_time
    }

    /// Returns a text that is the same for the same range.
    pub(crate) fn identity(&self) -> String {
        format!("{self:?}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(site: Option<&str>, camera: Option<&str>, from: Option<&str>, to: Option<&str>) -> Range {
        let time = |text: Option<&str>| text.map(|text| text.parse().unwrap());
        Range {
            site: site.map(|name| name.parse().unwrap()),
            camera: camera.map(|name| name.parse().unwrap()),
            from: time(from),
            to: time(to),
        }
    }

    #[test]
    fn only_days_that_are_meant_are_listed() {
        let now = "2026-11-20T15:00:00Z".parse().unwrap();
        for (range, expected) in [
            (range(None, None, None, None), vec![""]),
            (range(None, Some("gate"), Some("2026-11-20T00:00:00Z"), None), vec![""]),
            (range(Some("plant-7"), None, None, Some("2026-11-20T00:00:00Z")), vec!["plant-7/"]),
            (
                range(Some("plant-7"), None, Some("2026-11-19T23:59:59Z"), None),
                vec!["plant-7/2026-11-19/", "plant-7/2026-11-20/", "plant-7/2026-11-21/"],
            ),
            (
                range(Some("s"), Some("c"), Some("2026-12-31T23:00:00Z"), Some("2026-12-31T23:30:00Z")),
                vec!["s/2026-12-31/c/", "s/2027-01-01/c/"],
            ),
            (range(Some("s"), None, Some("2026-12-31T23:00:00Z"), Some("2026-01-01T00:00:00Z")), vec![]),
        ] {
            let prefixes = range.prefixes(now);
            assert_eq!(prefixes, expected, "{range:?}");
            assert!(prefixes.is_sorted());
        }
    }

    #[test]
    fn what_is_meant_is_told_by_the_key() {
        let key = "plant-7/2026-11-20/gate/15/08-23.547000Z.0.mp4";
        for (range, expected) in [
            (range(None, None, None, None), true),
            (range(Some("plant-7"), Some("gate"), None, None), true),
            (range(Some("plant-8"), None, None, None), false),
            (range(None, Some("dock"), None, None), false),
            (range(None, None, Some("2026-11-20T15:08:23.547Z"), Some("2026-11-20T15:08:23.548Z")), true),
            (range(None, None, Some("2026-11-20T15:08:23.548Z"), None), false),
            (range(None, None, None, Some("2026-11-20T15:08:23.547Z")), false),
        ] {
            assert_eq!(range.holds(key), expected, "{range:?}");
        }
        assert!(range(None, None, None, None).holds("in/monday.mkv"));
        assert!(!range(None, None, Some("2026-11-20T00:00:00Z"), None).holds("in/monday.mkv"));
    }
}
