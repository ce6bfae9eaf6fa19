//! Selects the frames that are kept, without re-encoding.

use crate::media::Reference;
use std::num::NonZeroU32;

/// Which video frames are recorded. Presentation times stay: a frame is shown until the next kept frame.
///
/// The result of [`Keep::Every`] depends on the structure of the groups of pictures, because only frames that
/// no other frame refers to can be dropped:
///
/// - If every frame is a random access frame (all-intra, MJPEG-like cameras), exactly every Nth frame is kept.
/// - In `I b P b P …` with disposable `b` frames, as many `b` frames are dropped as are needed to reach one
///   frame in N, but never an `I` or a `P`. With one `b` between references, `every = 2` keeps exactly half,
///   and a higher N keeps the same half.
/// - In `I P P P …`, each frame is the reference of the next one, so everything is kept. Use
///   [`Keep::Keyframes`] for such a camera.
///
/// The selection starts again at each random access frame, so that it does not depend on when recording began.
///
/// With [`Keep::Keyframes`], a camera may send no frames that can be shown alone: its pictures are refreshed
/// gradually, or never. If none arrives for longer than the longest chunk ([`SegmentSettings::chunk_max`]) or, once
/// their interval is known, for twice that interval, all frames are kept until the next one.
///
/// [`SegmentSettings::chunk_max`]: super::SegmentSettings::chunk_max
///
/// In a configuration: `"all"`, `"keyframes"` or `{ every = 5 }`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Keep {
    /// Keeps the stream as the camera sends it.
    #[default]
    All,
    /// Keeps only frames that can be shown alone ([`Reference::RandomAccess`]). Audio is dropped, because there
    /// is no motion for it to accompany.
    Keyframes,
    /// Keeps about one frame in this many, and all audio.
    Every(NonZeroU32),
}

/// The properties of a frame that this module needs.
pub(super) trait Referenced {
    fn reference(&self) -> Reference;
    /// Returns the presentation time.
    fn pts(&self) -> i64;
}

/// Applies [`Keep`] to video frames in decoding order.
#[derive(Debug)]
pub(super) struct Thin<F> {
    keep: Keep,
    /// With `Keyframes`: how long to wait, in units of `pts`, before all frames are kept.
    patience: i64,
    /// With `Keyframes`: the longest chunk; the minimum for `patience`.
    chunk_max: i64,
    /// With `Keyframes`: the presentation time of the last key frame, or of the first frame.
    last: Option<i64>,
    known: Known,
    /// With `Every`: a random access frame that is held until the next frame shows
    /// whether anything depends on it.
    held: Option<F>,
    /// With `Every`: number of one-frame groups since the last longer group.
    lone: u64,
    /// With `Every`: number of frames in this group so far, and of those that were kept.
    seen: u64,
    kept: u64,
    /// Number of frames taken and of frames returned.
    taken: u64,
    given: u64,
}

/// With `Keyframes`: whether a frame that can be shown alone has arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    None,
    Some,
}

impl<F: Referenced> Thin<F> {
    /// Creates the filter. `chunk_max` is in units of the frames' `pts`.
    pub(super) fn new(keep: Keep, chunk_max: i64) -> Self {
        Self {
            keep,
            patience: chunk_max,
            chunk_max,
            last: None,
            known: Known::None,
            held: None,
            lone: 0,
            seen: 0,
            kept: 0,
            taken: 0,
            given: 0,
        }
    }

    /// Takes a frame and returns the frames to keep, in order.
    pub(super) fn push(&mut self, frame: F) -> [Option<F>; 2] {
        let given = self.sift(frame);
        self.taken += 1;
        self.given += given.iter().flatten().count() as u64;
        given
    }

    /// Returns the number of frames dropped so far.
    pub(super) fn dropped(&self) -> u64 {
        self.taken - self.given - u64::from(self.held.is_some())
    }

    fn sift(&mut self, frame: F) -> [Option<F>; 2] {
        let random_access = frame.reference() == Reference::RandomAccess;
        match self.keep {
            Keep::All => [Some(frame), None],
            Keep::Keyframes => [self.shown_alone(frame), None],
            Keep::Every(n) if random_access => {
                // Two consecutive random access frames: nothing refers to the first.
                let before = self.held.replace(frame).filter(|_| self.lone.is_multiple_of(n.get().into()));
                self.lone = if self.seen == 1 { self.lone + 1 } else { 0 };
                (self.seen, self.kept) = (1, 1);
                [before, None]
            }
            Keep::Every(n) => {
                let before = self.held.take();
                self.lone = 0;
                self.seen += 1;
                let due = self.kept < self.seen.div_ceil(u64::from(n.get()));
                let stays = frame.reference() != Reference::Disposable || due;
                self.kept += u64::from(stays);
                [before, stays.then_some(frame)]
            }
        }
    }

    /// Applies `Keep::Keyframes` to a frame.
    fn shown_alone(&mut self, frame: F) -> Option<F> {
        let last = *self.last.get_or_insert(frame.pts());
        let since = frame.pts().saturating_sub(last);
        if frame.reference() != Reference::RandomAccess {
            return (since >= self.patience).then_some(frame);
        }
        if self.known == Known::Some {
            self.patience = since.saturating_mul(2).max(self.chunk_max);
        }
        (self.last, self.known) = (Some(frame.pts()), Known::Some);
        Some(frame)
    }

    /// Returns the frame that is still held at the end.
    pub(super) fn finish(&mut self) -> Option<F> {
        let Keep::Every(n) = self.keep else { return None };
        let last = self.held.take().filter(|_| self.lone.is_multiple_of(n.get().into()));
        self.given += u64::from(last.is_some());
        last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Referenced for (usize, Reference) {
        fn reference(&self) -> Reference {
            self.1
        }

        fn pts(&self) -> i64 {
            self.0.try_into().unwrap()
        }
    }

    #[test]
    fn each_structure_is_thinned_as_documented() {
        let every = |n| Keep::Every(NonZeroU32::new(n).unwrap());
        for (keep, frames, kept) in [
            (Keep::All, "IbPbIbP", "IbPbIbP"),
            (Keep::Keyframes, "IbPbIbP", "II"),
            (every(1), "IPbPbIIIPb", "IPbPbIIIPb"),
            (every(2), "IPbPbPbIPbPbPb", "IPPPIPPP"),
            (every(3), "IPbPbPb", "IPPP"),
            (every(2), "IPPPPIPPPP", "IPPPPIPPPP"),
            (every(2), "IPbbPbbPbb", "IPPbP"),
            (every(3), "Ibbbbbbbb", "Ibb"),
            // The first frame of a gradual refresh refers to earlier frames, and later frames refer to it,
            // so it is always kept.
            (every(2), "IrPrrPbb", "IrPrrP"),
            (every(2), "PPrrPPbb", "PPrrPP"),
            (Keep::Keyframes, "IrPIrP", "II"),
            // No key frame for the longest chunk length (10): all frames are kept until one arrives.
            (Keep::Keyframes, "PPPPPPPPPPPPPIPPI", "PPPII"),
            (Keep::Keyframes, "IrPPPPPPPPrPPPP", "IrPPPP"),
            // Once their interval of 13 is known, the wait is twice as long.
            (Keep::Keyframes, "IPPPPPPPPPPPPIPPPPPPPPPPPPIPPPPPPPPPPPPPPPPPPPPPPPPPPP", "IPPPIIPP"),
        ] {
            assert_eq!(thinned(keep, frames).1, kept, "{keep:?} {frames}");
        }
        assert_eq!(thinned(every(3), "IIIIIIIII").0, [0, 3, 6]);
        assert_eq!(thinned(every(3), "IIIII").0, [0, 3]);
        assert_eq!(thinned(every(2), "IIIIPIII").0, [0, 2, 3, 4, 5, 7]);
    }

    #[test]
    fn a_configuration_says_it_in_words() {
        let every = Keep::Every(NonZeroU32::new(5).unwrap());
        for (text, keep) in [("\"all\"", Keep::All), ("\"keyframes\"", Keep::Keyframes), ("{\"every\": 5}", every)] {
            assert_eq!(serde_json::from_str::<Keep>(text).unwrap(), keep);
        }
        assert!(serde_json::from_str::<Keep>("{\"every\": 0}").is_err());
    }

    fn thinned(keep: Keep, frames: &str) -> (Vec<usize>, String) {
        let mut thin = Thin::new(keep, 10);
        let mut kept = Vec::new();
        for (index, letter) in frames.chars().enumerate() {
            let reference = match letter {
                'I' => Reference::RandomAccess,
                'r' => Reference::Refresh,
                'P' => Reference::Needed,
                _ => Reference::Disposable,
            };
            kept.extend(thin.push((index, reference)).into_iter().flatten());
        }
        kept.extend(thin.finish());
        let letters = kept.iter().filter_map(|(index, _)| frames.chars().nth(*index)).collect();
        (kept.into_iter().map(|(index, _)| index).collect(), letters)
    }
}
