//! The gateway's UTC: the monotonic clock with an anchor, slewed toward the system clock.

use super::{JUMP_US, SHARE_PPM};
use jiff::Timestamp;

/// Maps the monotonic clock to UTC. All cameras of a gateway share it. [`Anchor::check`] updates
/// it from time to time.
#[derive(Debug, Clone)]
pub struct Anchor {
    mono_us: i64,
    utc_us: i64,
    /// Correction in µs per second, applied since `mono_us` until `correction_us` is used up.
    correction_us: i64,
    /// Increases with every step of the system clock.
    epoch: u64,
}

/// Reports that the system clock was set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Set {
    /// The new time minus the old one, in microseconds.
    pub by_us: i64,
}

impl Anchor {
    /// Creates an anchor at which the monotonic time `mono_us` is `utc`.
    pub fn new(mono_us: i64, utc: Timestamp) -> Self {
        Self { mono_us, utc_us: utc.as_microsecond(), correction_us: 0, epoch: 0 }
    }

    /// Returns the epoch. Within one epoch, UTC has no step.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Converts a monotonic time to UTC.
    pub fn utc(&self, mono_us: i64) -> Timestamp {
        let elapsed = mono_us - self.mono_us;
        let most = elapsed.max(0) * SHARE_PPM / 1_000_000;
        let micros = self.utc_us + elapsed + self.correction_us.clamp(-most, most);
        Timestamp::from_microsecond(micros).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    /// Compares with the system clock. Small differences are slewed from here on. After a large difference, the
    /// anchor takes the new time and starts a new epoch.
    pub fn check(&mut self, mono_us: i64, system: Timestamp) -> Option<Set> {
        let here = self.utc(mono_us);
        let off_us = system.as_microsecond() - here.as_microsecond();
        if off_us.abs() > JUMP_US {
            *self = Self { epoch: self.epoch + 1, ..Self::new(mono_us, system) };
            return Some(Set { by_us: off_us });
        }
        *self = Self { mono_us, utc_us: here.as_microsecond(), correction_us: off_us, epoch: self.epoch };
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(us: i64) -> Timestamp {
        Timestamp::from_microsecond(us).unwrap()
    }

    #[test]
    fn small_differences_are_slewed() {
        let mut anchor = Anchor::new(0, at(1_000_000_000));
        assert_eq!(anchor.check(10_000_000, at(1_010_100_000)), None);
        assert_eq!(anchor.utc(10_000_000), at(1_010_000_000));
        // 100 ms take 400 s at 250 ppm. After that, the correction ends.
        assert_eq!(anchor.utc(210_000_000), at(1_210_050_000));
        assert_eq!(anchor.utc(410_000_000), at(1_410_100_000));
        assert_eq!(anchor.utc(510_000_000), at(1_510_100_000));
    }

    #[test]
    fn a_step_of_the_system_clock_begins_an_epoch() {
        let mut anchor = Anchor::new(0, at(0));
        assert_eq!(anchor.check(1_000_000, at(1_700_000_000_000_000)), Some(Set { by_us: 1_699_999_999_000_000 }));
        assert_eq!(anchor.utc(2_000_000), at(1_700_000_001_000_000));
        assert_eq!(anchor.epoch(), 1);
    }
}
