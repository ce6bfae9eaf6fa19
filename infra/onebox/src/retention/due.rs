//! Which object goes next. Nothing here reads a file.

use super::census::Old;
use jiff::{SignedDuration, Timestamp};

/// The limits of what stays in the bucket. Without any, nothing is removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct RetentionLimits {
    /// The age from which an object is removed.
    pub(crate) keep: Option<SignedDuration>,
    /// The most bytes that stay; beyond it the oldest objects are removed.
    pub(crate) keep_bytes: Option<u64>,
}

impl RetentionLimits {
    /// Whether anything is ever removed.
    pub(crate) fn are_set(&self) -> bool {
        self.keep.is_some() || self.keep_bytes.is_some()
    }
}

/// Space on the file system of the bucket, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Space {
    pub(super) free: u64,
    pub(super) whole: u64,
}

impl Space {
    /// What is left free for what is being recorded, the catalogue and the functions: 1 GiB, or a twentieth of a small disk.
    pub(super) fn floor(self) -> u64 {
        (1 << 30_u32).min(self.whole / 20)
    }

    /// How much of that is missing.
    pub(super) fn missing(self) -> u64 {
        self.floor().saturating_sub(self.free)
    }
}

/// Why an object goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Why {
    /// Its time is over.
    Age,
    /// There is more than there may be.
    Bytes,
    /// The disk is nearly full.
    Room,
}

/// Decides about objects, the oldest first.
#[derive(Debug)]
pub(super) struct Due {
    limits: RetentionLimits,
    now: Timestamp,
    /// The size of all objects that are there.
    bytes: u64,
    /// What is missing of the floor.
    missing: u64,
}

impl Due {
    pub(super) fn new(limits: RetentionLimits, now: Timestamp, bytes: u64, space: Space) -> Self {
        Self { limits, now, bytes, missing: space.missing() }
    }

    /// Why this object has to go, if it has to.
    pub(super) fn why(&self, old: &Old) -> Option<Why> {
        if self.limits.keep.is_some_and(|keep| self.now.duration_since(old.written) > keep) {
            return Some(Why::Age);
        }
        let most = self.limits.keep_bytes?;
        if self.bytes > most {
            return Some(Why::Bytes);
        }
        // A limit of time alone may be a promise to keep footage for so long.
        (self.missing > 0).then_some(Why::Room)
    }

    /// Counts an object that is gone.
    pub(super) fn gone(&mut self, old: &Old) {
        self.bytes = self.bytes.saturating_sub(old.bytes);
        self.missing = self.missing.saturating_sub(old.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GB: u64 = 1_000_000_000;

    /// How many of ten objects go, one a day and of 1 GB each, the oldest ten days old.
    fn gone(keep_days: Option<i64>, keep_bytes: Option<u64>, free: u64) -> (usize, Vec<Why>) {
        let now: Timestamp = "2026-11-20T12:00:00Z".parse().unwrap();
        let day = |n: i64| now - SignedDuration::from_hours(24 * n);
        let limits = RetentionLimits { keep: keep_days.map(|days| SignedDuration::from_hours(24 * days)), keep_bytes };
        let mut due = Due::new(limits, now, 10 * GB, Space { free, whole: 100 * GB });
        let mut whys = Vec::new();
        for n in (1..=10).rev() {
            let old = Old { written: day(n), key: format!("{n}"), bytes: GB };
            let Some(why) = due.why(&old) else { break };
            due.gone(&old);
            whys.push(why);
        }
        let count = whys.len();
        whys.dedup();
        (count, whys)
    }

    #[test]
    fn the_oldest_go_until_all_limits_hold() {
        use Why::{Age, Bytes, Room};
        let plenty = 50 * GB;
        for (keep, bytes, free, expected) in [
            (None, None, 0, (0, vec![])),
            (Some(7), None, plenty, (3, vec![Age])),
            (Some(10), None, plenty, (0, vec![])),
            // A limit of time alone makes no room.
            (Some(7), None, 0, (3, vec![Age])),
            (None, Some(10 * GB), plenty, (0, vec![])),
            (None, Some(10 * GB - 1), plenty, (1, vec![Bytes])),
            (None, Some(0), plenty, (10, vec![Bytes])),
            (None, Some(100 * GB), 0, (2, vec![Room])),
            (None, Some(100 * GB), GB, (1, vec![Room])),
            (None, Some(9 * GB), GB / 2, (1, vec![Bytes])),
            (Some(8), Some(6 * GB), 0, (4, vec![Age, Bytes])),
            (Some(9), Some(100 * GB), 0, (2, vec![Age, Room])),
        ] {
            assert_eq!(gone(keep, bytes, free), expected, "{keep:?} {bytes:?} {free}");
        }
    }

    #[test]
    fn a_small_disk_has_a_small_floor() {
        assert_eq!(Space { free: 0, whole: 1 << 30 }.floor(), (1 << 30) / 20);
        assert_eq!(Space { free: 2 << 30, whole: 1 << 40 }.missing(), 0);
        assert_eq!(Space { free: 1 << 29, whole: 1 << 40 }.missing(), 1 << 29);
    }
}
