//! Which frames are kept, without re-encoding.

use crate::media::Reference;
use std::num::NonZeroU32;

/// Which video frames are recorded. Presentation times are kept: a frame is shown until the next one that was kept.
///
/// What [`Keep::Every`] means depends on the structure of the groups of pictures, because only frames nothing else refers
/// to can go:
///
/// * every frame a random access frame (all-intra, MJPEG-like cameras): exactly every Nth is kept;
/// * `I b P b P …`, with `b` disposable: as many `b` go as it takes to come down to one frame in N, and never an `I` or a
///   `P`; with one `b` between references, `every = 2` gives exactly half, and a higher N the same half;
/// * `I P P P …`, each the reference of the next: nothing can go, and everything is kept. [`Keep::Keyframes`] is what
///   thins out such a camera.
///
/// Which frames go is decided anew from each random access frame, so that it is the same whenever recording began.
///
/// [`Keep::Keyframes`] of a camera that has none: pictures that are refreshed bit by bit, or never, are nothing alone. Where
/// no frame that can be shown alone comes for longer than the longest chunk ([`Settings::chunk_max`]) or, once it is known
/// how far apart they are, twice as long as that, all frames are kept until the next one comes.
///
/// [`Settings::chunk_max`]: super::Settings::chunk_max
///
/// In a configuration: `"all"`, `"keyframes"` or `{ every = 5 }`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Keep {
    /// All frames.
    #[default]
    All,
    /// Only the frames that can be shown alone ([`Reference::RandomAccess`]). Sound is left out: there is no motion for it to
    /// go with.
    Keyframes,
    /// Towards one frame in this many; sound is kept.
    Every(NonZeroU32),
}

/// Anything that is a frame, to this module.
pub(super) trait Referenced {
    fn reference(&self) -> Reference;
    /// Presentation time.
    fn pts(&self) -> i64;
}

/// Applies [`Keep`] to video frames in decoding order.
#[derive(Debug)]
pub(super) struct Thin<F> {
    keep: Keep,
    /// With `Keyframes`: how long, in units of `pts`, before all frames are kept for want of better ones.
    patience: i64,
    /// With `Keyframes`: the longest chunk; `patience` is never less.
    chunk_max: i64,
    /// With `Keyframes`: the presentation time of the last one, or of the first frame.
    last: Option<i64>,
    known: Known,
    /// With `Every`: a random access frame, until the next frame tells whether anything depends on it.
    held: Option<F>,
    /// With `Every`: groups of one frame since the last longer group.
    lone: u64,
    /// With `Every`: frames of this group so far, and how many of them were kept.
    seen: u64,
    kept: u64,
    /// Frames that came and frames that were given.
    taken: u64,
    given: u64,
}

/// With `Keyframes`: whether a frame that can be shown alone has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    None,
    Some,
}

impl<F: Referenced> Thin<F> {
    /// `chunk_max` in units of the frames' `pts`.
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

    /// Takes a frame; gives those that are kept, in order. At most two.
    pub(super) fn push(&mut self, frame: F) -> [Option<F>; 2] {
        let given = self.sift(frame);
        self.taken += 1;
        self.given += given.iter().flatten().count() as u64;
        given
    }

    /// How many frames were dropped so far.
    pub(super) fn dropped(&self) -> u64 {
        self.taken - self.given - u64::from(self.held.is_some())
    }

    fn sift(&mut self, frame: F) -> [Option<F>; 2] {
        let random_access = frame.reference() == Reference::RandomAccess;
        match self.keep {
            Keep::All => [Some(frame), None],
            Keep::Keyframes => [self.shown_alone(frame), None],
            Keep::Every(n) if random_access => {
                // One random access frame after another: nothing refers to the first.
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

    /// `Keep::Keyframes`.
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

    /// The frame that was held back at the end.
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
            // A refresh refers to what is before it, and what follows to it: it goes nowhere.
            (every(2), "IrPrrPbb", "IrPrrP"),
            (every(2), "PPrrPPbb", "PPrrPP"),
            (Keep::Keyframes, "IrPIrP", "II"),
            // No better frame for as long as a chunk may be (10): all is kept, until one comes.
            (Keep::Keyframes, "PPPPPPPPPPPPPIPPI", "PPPII"),
            (Keep::Keyframes, "IrPPPPPPPPrPPPP", "IrPPPP"),
            // Once it is known that they are 13 apart, the next is waited for for twice as long.
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
