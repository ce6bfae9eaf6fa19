//! Checks whether the frames that a camera sends are stored.
//!
//! A camera may be connected and send frames of which nothing reaches the disk: its parameter sets are missing,
//! its frames are empty or too large, it sends only audio, or the spool cannot be written. The code knows each
//! of these causes, but there may be others. The check therefore compares only the two ends: frames that
//! arrived, and fragments that were written. Known causes only explain the result.
//!
//! [`Watch`] has no clock: the caller passes the arrival times and the current time.

use crate::media::TrackKind;
use std::time::Duration;

/// How long frames may arrive while none is stored.
pub(super) const UNSTORED_MAX: Duration = Duration::from_secs(10);

/// Least number of frames: fewer may all be waiting for the next frame, which determines their durations.
const FRAMES_LEAST: u32 = 5;

/// Frames count as arriving if the last one is not older than this. A connection
/// that hangs is reported separately.
const ARRIVING: Duration = Duration::from_secs(5);

/// After this time without frames, the camera is gone and the episode ends.
const GONE: Duration = Duration::from_mins(1);

/// Why frames are not stored, as far as known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unstored {
    /// The stream has no parameter sets.
    Undescribed,
    /// The frames contain no data.
    Empty,
    /// The frames exceed the size limit.
    Oversized,
    /// Only audio arrives, without pictures.
    SoundOnly,
    /// The spool cannot be written.
    CannotWrite,
    /// The disk is too slow, and frames are dropped.
    TooSlow,
    /// The cause is not known.
    Unknown,
}

impl std::fmt::Display for Unstored {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Undescribed => "they come without parameter sets",
            Self::Empty => "they are empty",
            Self::Oversized => "they are too large",
            Self::SoundOnly => "it sends sound and no picture",
            Self::CannotWrite => "the spool cannot be written",
            Self::TooSlow => "the disk is too slow",
            Self::Unknown => "the reason is not known",
        })
    }
}

/// A period in which frames arrive and none is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Episode {
    /// Time since the first of them arrived, at the last check.
    pub lasts: Duration,
    /// Why the frames are not stored.
    pub why: Unstored,
}

/// A change since the last check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// Frames arrive and none is stored.
    Began(Episode),
    /// Frames are being stored again.
    Ended,
}

/// The arrivals of one camera since the last frame that was stored.
#[derive(Debug)]
pub(super) struct Watch {
    limit: Duration,
    /// Arrival of the first of them; `None` if there is none.
    since: Option<Duration>,
    last: Duration,
    pictures: u32,
    sounds: u32,
    why: Option<Unstored>,
    /// Whether the last check found frames that were not stored. A single check may fall between the arrival of
    /// frames after a pause and their being written.
    suspicion: Suspicion,
    episode: Option<Episode>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Suspicion {
    None,
    Some,
}

impl Watch {
    /// Creates a watch for a camera that may show nothing new for `silence_max`, if that is known.
    pub(super) fn new(silence_max: Option<Duration>) -> Self {
        // A picture is written when the next one has arrived, so allow twice the interval.
        let limit = silence_max.filter(|silence| *silence > UNSTORED_MAX).map_or(UNSTORED_MAX, |silence| silence * 2);
        let last = Duration::ZERO;
        let suspicion = Suspicion::None;
        Self { limit, since: None, last, pictures: 0, sounds: 0, why: None, suspicion, episode: None }
    }

    /// Records the arrival of a frame.
    pub(super) fn arrived(&mut self, track: TrackKind, at: Duration) {
        self.since.get_or_insert(at);
        self.last = self.last.max(at);
        let count = match track {
            TrackKind::Video => &mut self.pictures,
            TrackKind::Audio => &mut self.sounds,
        };
        *count = count.saturating_add(1);
    }

    /// Records that a fragment was written.
    pub(super) fn stored(&mut self) {
        (self.since, self.pictures, self.sounds, self.why) = (None, 0, 0, None);
    }

    /// Records that a frame was left out according to the operator's settings. It counts as
    /// if it had not arrived.
    pub(super) fn left_out(&mut self, track: TrackKind) {
        let count = match track {
            TrackKind::Video => &mut self.pictures,
            TrackKind::Audio => &mut self.sounds,
        };
        *count = count.saturating_sub(1);
        if self.pictures == 0 && self.sounds == 0 {
            self.since = None;
        }
    }

    /// Records that a frame was lost, and why.
    pub(super) fn lost(&mut self, why: Unstored) {
        self.why = Some(why);
    }

    /// Checks at `now` whether frames arrive without being stored, and returns a change.
    pub(super) fn look(&mut self, now: Duration) -> Option<Change> {
        let lasts = self.since.map(|since| now.saturating_sub(since));
        let recent = if self.episode.is_some() { GONE } else { ARRIVING };
        let arriving =
            self.pictures.saturating_add(self.sounds) >= FRAMES_LEAST && now.saturating_sub(self.last) < recent;
        let why = if self.pictures == 0 { Unstored::SoundOnly } else { self.why.unwrap_or(Unstored::Unknown) };
        let found = lasts.filter(|lasts| *lasts >= self.limit && arriving).map(|lasts| Episode { lasts, why });
        let suspicion = if found.is_some() { Suspicion::Some } else { Suspicion::None };
        let before = std::mem::replace(&mut self.suspicion, suspicion);
        let now = found.filter(|_| before == Suspicion::Some);
        let before = std::mem::replace(&mut self.episode, now);
        match (before, now) {
            (None, Some(episode)) => Some(Change::Began(episode)),
            // An episode that ends because the camera is gone is not reported.
            (Some(_), None) if self.since.is_none() => Some(Change::Ended),
            _ => None,
        }
    }

    /// Returns the episode found by the last check.
    pub(super) fn episode(&self) -> Option<Episode> {
        self.episode
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use TrackKind::{Audio, Video};

    const S: fn(u64) -> Duration = Duration::from_secs;

    /// Checks each second from 0 to `to`, with `event(n)` before the check at second `n`. Returns
    /// the changes with their times.
    fn watched(silence_max: Option<Duration>, to: u64, event: impl Fn(u64, &mut Watch)) -> Vec<(u64, Change)> {
        let mut watch = Watch::new(silence_max);
        (0..to)
            .filter_map(|second| {
                event(second, &mut watch);
                watch.look(S(second)).map(|change| (second, change))
            })
            .collect()
    }

    fn began(lasts: u64, why: Unstored) -> Change {
        Change::Began(Episode { lasts: S(lasts), why })
    }

    #[test]
    fn one_episode_is_told_once_and_its_end_too() {
        let changes = watched(None, 60, |second, watch| {
            watch.arrived(Video, S(second));
            match second {
                5..20 | 30..50 => watch.lost(Unstored::CannotWrite),
                _ => watch.stored(),
            }
        });
        let why = Unstored::CannotWrite;
        let expected = [(16, began(11, why)), (20, Change::Ended), (41, began(11, why)), (50, Change::Ended)];
        assert_eq!(changes, expected);
    }

    #[test]
    fn every_kind_is_seen_whether_its_reason_is_known_or_not() {
        for (track, why, told) in [
            (Video, Some(Unstored::Undescribed), Unstored::Undescribed),
            (Video, Some(Unstored::Empty), Unstored::Empty),
            (Video, Some(Unstored::Oversized), Unstored::Oversized),
            (Video, Some(Unstored::TooSlow), Unstored::TooSlow),
            (Video, None, Unstored::Unknown),
            (Audio, None, Unstored::SoundOnly),
        ] {
            let changes = watched(Some(S(10)), 30, |second, watch| {
                watch.arrived(track, S(second));
                if let Some(why) = why {
                    watch.lost(why);
                }
            });
            assert_eq!(changes, [(11, began(11, told))], "{track:?} {why:?}");
        }
    }

    #[test]
    fn what_is_slow_or_left_out_on_purpose_is_no_episode() {
        // A picture every 8 s, written when the one after the next has arrived.
        let slow = |second: u64, watch: &mut Watch| {
            if second.is_multiple_of(8) {
                watch.arrived(Video, S(second));
                if second >= 16 {
                    watch.stored();
                    watch.arrived(Video, S(second));
                }
            }
        };
        assert_eq!(watched(None, 200, slow), []);
        // Only key frames, one a minute, and audio is left out too.
        let thinned = |second: u64, watch: &mut Watch| {
            watch.arrived(Video, S(second));
            watch.arrived(Audio, S(second));
            watch.left_out(Audio);
            match second % 60 {
                0 if second > 0 => watch.stored(),
                0 => {}
                _ => watch.left_out(Video),
            }
        };
        assert_eq!(watched(None, 300, thinned), []);
        // A picture a minute with audio, and an operator who allows it.
        let minute = |second: u64, watch: &mut Watch| {
            watch.arrived(Audio, S(second));
            if second.is_multiple_of(60) {
                watch.arrived(Video, S(second));
                if second >= 120 {
                    watch.stored();
                }
            }
        };
        assert_eq!(watched(Some(S(90)), 600, minute), []);
        // A camera that is gone after a few frames is reported elsewhere.
        let gone = |second: u64, watch: &mut Watch| {
            if second < 5 {
                watch.arrived(Video, S(second));
            }
        };
        assert_eq!(watched(None, 200, gone), []);
        // A connection hangs for nine seconds, and earlier frames are written together with later ones.
        let five = |watch: &mut Watch, second| {
            for _ in 0..5 {
                watch.arrived(Video, S(second));
            }
        };
        let hangs = |second: u64, watch: &mut Watch| match second % 20 {
            0..10 => five(watch, second),
            19 => {
                five(watch, second);
                // A check before anything is written.
                let _ = watch.look(S(second));
                watch.stored();
            }
            _ => {}
        };
        assert_eq!(
            watched(None, 200, |second, watch| {
                hangs(second, watch);
                if second % 20 < 9 {
                    watch.stored();
                }
            }),
            []
        );
    }

    #[test]
    fn an_episode_lasts_through_reconnections_and_ends_when_the_camera_is_gone() {
        let changes = watched(None, 200, |second, watch| {
            if second < 60 && second % 20 < 12 {
                watch.arrived(Video, S(second));
                watch.lost(Unstored::Undescribed);
            }
        });
        assert_eq!(changes, [(11, began(11, Unstored::Undescribed))]);
    }
}
