//! Whether what a camera sends is stored.
//!
//! A camera may be connected and send frames, and nothing of them reach the disk: its parameter sets never come, its frames
//! are empty or too large, it sends only sound, the spool cannot be written. Each of these is known somewhere on the way, but
//! the next one may not be. So it is judged by the two ends alone: frames that arrived, and fragments that were written.
//! What is known on the way only says why.
//!
//! [`Watch`] has no clock: it is told when frames arrived, and asked at a time.

use crate::media::TrackKind;
use std::time::Duration;

/// For how long frames may arrive while none is stored.
pub(super) const UNSTORED_MAX: Duration = Duration::from_secs(10);

/// So many frames must have come: fewer may all wait for the next, which says how long they are shown.
const FRAMES_LEAST: u32 = 5;

/// Frames arrive while the last came no longer ago than this: a connection that hangs is told as such.
const ARRIVING: Duration = Duration::from_secs(5);

/// A camera that has sent nothing for so long is gone, and with it the episode.
const GONE: Duration = Duration::from_mins(1);

/// Why frames are not stored, as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unstored {
    /// No parameter sets came with them or before them.
    Undescribed,
    /// They have no data.
    Empty,
    /// They are larger than a frame may be.
    Oversized,
    /// Only sound came, and no picture.
    SoundOnly,
    /// The spool cannot be written.
    CannotWrite,
    /// The disk is too slow, and frames are dropped before it.
    TooSlow,
    /// Nothing that is known.
    Unknown,
}

impl std::fmt::Display for Unstored {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Undescribed => "they come without parameter sets",
            Self::Empty => "they are empty",
            Self::Oversized => "they are too large",
            Self::SoundOnly => "there is sound and no picture",
            Self::CannotWrite => "the spool cannot be written",
            Self::TooSlow => "the disk is too slow",
            Self::Unknown => "the reason is not known",
        })
    }
}

/// A time in which frames arrive and none is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Episode {
    /// How long ago the first of them arrived, when it was last looked at.
    pub lasts: Duration,
    /// Why they are not stored.
    pub why: Unstored,
}

/// What is new since the last look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// Frames arrive and none is stored.
    Began(Episode),
    /// A frame was stored again.
    Ended,
}

/// The arrivals of one camera since the last frame that was stored.
#[derive(Debug)]
pub(super) struct Watch {
    limit: Duration,
    /// When the first of them arrived; `None` while there is none.
    since: Option<Duration>,
    last: Duration,
    pictures: u32,
    sounds: u32,
    why: Option<Unstored>,
    /// Whether the last look found frames that arrive and are not stored. The first may fall between the arrival of frames
    /// after a pause and their being written.
    suspicion: Suspicion,
    episode: Option<Episode>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Suspicion {
    None,
    Some,
}

impl Watch {
    /// For a camera that may show nothing new for `silence_max`, where that is known.
    pub(super) fn new(silence_max: Option<Duration>) -> Self {
        // A picture a minute is stored when the one after the next has come.
        let limit = silence_max.filter(|silence| *silence > UNSTORED_MAX).map_or(UNSTORED_MAX, |silence| silence * 2);
        let last = Duration::ZERO;
        let suspicion = Suspicion::None;
        Self { limit, since: None, last, pictures: 0, sounds: 0, why: None, suspicion, episode: None }
    }

    /// A frame arrived, whatever becomes of it.
    pub(super) fn arrived(&mut self, track: TrackKind, at: Duration) {
        self.since.get_or_insert(at);
        self.last = self.last.max(at);
        let count = match track {
            TrackKind::Video => &mut self.pictures,
            TrackKind::Audio => &mut self.sounds,
        };
        *count = count.saturating_add(1);
    }

    /// A fragment was written.
    pub(super) fn stored(&mut self) {
        (self.since, self.pictures, self.sounds, self.why) = (None, 0, 0, None);
    }

    /// A frame was left out because the operator wants it so: it is as if it had not come.
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

    /// A frame is lost, and why.
    pub(super) fn lost(&mut self, why: Unstored) {
        self.why = Some(why);
    }

    /// Whether frames arrive and are not stored, at `now`, and whether that is new.
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
            // One that ended because the camera is gone ends without a word.
            (Some(_), None) if self.since.is_none() => Some(Change::Ended),
            _ => None,
        }
    }

    /// The episode of the last look.
    pub(super) fn episode(&self) -> Option<Episode> {
        self.episode
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use TrackKind::{Audio, Video};

    const S: fn(u64) -> Duration = Duration::from_secs;

    /// Looks each second, from 0 to `to`; `event(n)` happens before the look at second `n`. What changed, and when.
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
        // A picture each 8 s, which is written when the one after the next has come.
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
        // Key frames alone, one a minute; sound is left out too.
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
        // A picture a minute, with sound, and an operator who knows it.
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
        // One that is gone after a few frames is told otherwise.
        let gone = |second: u64, watch: &mut Watch| {
            if second < 5 {
                watch.arrived(Video, S(second));
            }
        };
        assert_eq!(watched(None, 200, gone), []);
        // A connection that hangs for nine seconds; what came before is written with what comes after.
        let five = |watch: &mut Watch, second| {
            for _ in 0..5 {
                watch.arrived(Video, S(second));
            }
        };
        let hangs = |second: u64, watch: &mut Watch| match second % 20 {
            0..10 => five(watch, second),
            19 => {
                five(watch, second);
                // As if it were looked at before anything is written.
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
