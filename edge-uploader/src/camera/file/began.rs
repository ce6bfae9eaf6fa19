//! The time of a file's first frame, from the file and the file system, as far as it is plausible.

use framepost_events::attributes::ClockSource;
use jiff::{SignedDuration, Timestamp};
use std::path::Path;
use std::time::Duration;

/// The time of the first video frame that is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Began {
    /// Wall-clock time in whole microseconds.
    pub at: Timestamp,
    /// Where the time comes from.
    pub says: Witness,
}

/// The source of a file's start time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Witness {
    /// The operator gave it.
    Operator,
    /// The file's creation time: `mvhd` (whole seconds), Matroska's `DateUTC`.
    Created,
    /// The time of the last write minus the duration.
    Modified,
}

impl Began {
    /// Creates a start time given by the operator.
    pub fn given(at: Timestamp) -> Self {
        Self { at, says: Witness::Operator }
    }
}

impl Witness {
    /// Returns the clock source for the metadata of the file's chunks.
    pub fn clock(self) -> ClockSource {
        match self {
            Self::Operator => ClockSource::Given,
            Self::Created | Self::Modified => ClockSource::File,
        }
    }

    /// Returns the resolution of the time: whole seconds in `mvhd`, two seconds on a FAT card.
    pub fn resolution(self) -> Duration {
        match self {
            Self::Operator => Duration::ZERO,
            Self::Created => Duration::from_secs(1),
            Self::Modified => Duration::from_secs(2),
        }
    }
}

/// H.264 was published in May 2003, so no supported recording is older. Clocks without a battery start at 1904,
/// 1970, 1980, 2000 or 2001.
const EARLIEST_S: i64 = 1_051_747_200;
/// A clock in another time zone is up to 14 hours ahead. A time further ahead is implausible.
const AHEAD_MAX: SignedDuration = SignedDuration::from_hours(24);
/// Correct clocks differ by less than this.
const AHEAD_USUAL: SignedDuration = SignedDuration::from_mins(1);

/// Returns whether a recording can be from `time`, given the current time `now`.
fn is_plausible(time: Timestamp, now: Timestamp) -> bool {
    // A gateway whose own clock is not set cannot detect times in the future.
    let is_set = now.as_second() >= EARLIEST_S;
    time.as_second() >= EARLIEST_S && (!is_set || time.duration_since(now) <= AHEAD_MAX)
}

/// Returns the creation time of a file if it is plausible. A time some hours ahead is used, because tomorrow it
/// will be in the past and the keys must stay the same.
pub(super) fn created(file: &Path, says: Option<Timestamp>, now: Timestamp) -> Option<Began> {
    let at = says?;
    let file = file.display();
    if !is_plausible(at, now) {
        tracing::warn!(%file, creation_time = %at, "the creation time cannot be true and is not used");
        return None;
    }
    let ahead = at.duration_since(now);
    if now.as_second() >= EARLIEST_S && ahead > AHEAD_USUAL {
        let ahead_s = ahead.as_secs();
        tracing::warn!(%file, creation_time = %at, ahead_s, "the creation time is ahead of this clock: a camera's clock in local time, perhaps; --start sets it right");
    }
    Some(Began { at: Timestamp::from_microsecond(at.as_microsecond()).ok()?, says: Witness::Created })
}

/// Returns the time of the last write minus the duration, if it is plausible.
pub(super) fn written(modified: Timestamp, length: Duration, now: Timestamp) -> Option<Began> {
    let at = modified.checked_sub(length).ok()?;
    let at = Timestamp::from_microsecond(at.as_microsecond()).ok()?;
    (is_plausible(modified, now) && is_plausible(at, now)).then_some(Began { at, says: Witness::Modified })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn times_that_cannot_be_true_are_not_used() {
        let now = time("2026-11-20T15:00:00Z");
        for (says, used) in [
            ("2026-03-01T10:00:00Z", true),
            ("2003-06-01T00:00:00Z", true),
            ("1904-01-01T00:00:00Z", false),
            ("1970-01-01T00:00:00Z", false),
            ("1970-01-01T00:03:12Z", false),
            ("1980-01-01T00:00:00Z", false),
            ("2000-01-01T00:00:41Z", false),
            ("2001-01-01T00:00:00Z", false),
            // A camera in Auckland that writes local time: ahead for half a day, and in the past afterwards.
            ("2026-11-21T04:00:00Z", true),
            ("2026-11-22T04:00:00Z", false),
            ("2036-02-07T06:28:16Z", false),
        ] {
            assert_eq!(created(Path::new("x"), Some(time(says)), now).is_some(), used, "{says}");
            assert_eq!(written(time(says), Duration::ZERO, now).is_some(), used, "{says}");
        }
        // A gateway without a clock accepts any time.
        let unset = time("1970-01-01T00:01:00Z");
        assert!(created(Path::new("x"), Some(time("2026-03-01T10:00:00Z")), unset).is_some());
        assert!(created(Path::new("x"), Some(time("1970-01-01T00:00:30Z")), unset).is_none());
    }

    #[test]
    fn the_last_write_is_the_end() {
        let now = time("2026-11-20T15:00:00Z");
        let began = written(time("2026-03-01T10:00:10.0000005Z"), Duration::from_millis(10_040), now).unwrap();
        assert_eq!((began.at, began.says), (time("2026-03-01T09:59:59.96Z"), Witness::Modified));
        assert_eq!(written(time("2003-05-02T00:00:00Z"), Duration::from_hours(100), now), None);
        assert_eq!(written(now, Duration::MAX, now), None);
    }
}
