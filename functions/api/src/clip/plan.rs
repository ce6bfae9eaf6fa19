//! The plan of a clip: its chunks and its length.

use crate::hls::is_playable;
use framepost_ports::catalog::{ChunkBrief, Interval};
use jiff::{SignedDuration, Timestamp};

/// What to do with stretches without video.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gaps {
    /// Leaves them out: what follows is played right after what comes before.
    Skip,
    /// Refuses a clip that has one, with the stretches between them.
    Refuse,
}

/// Why a clip cannot be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// No chunk in the interval can be played.
    Nothing,
    /// There are gaps. These are the stretches between them, of which clips can be made.
    Gaps(Vec<Interval>),
    /// The parameters of picture or sound change. These are the stretches between the changes, of which clips can be made.
    Changes(Vec<Interval>),
    /// A chunk is too large to be changed in memory.
    TooLarge,
}

/// Chunks that are closer than this follow each other.
pub(super) const TOUCHING: SignedDuration = SignedDuration::from_millis(500);
/// The largest media of one chunk, in bytes.
const PART_BYTES_MAX: u64 = 64 << 20;

/// A chunk's media in a clip.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    pub(super) chunk: ChunkBrief,
    /// Offset in the object at which its media begin.
    pub(super) start: u64,
    /// Offset in the object behind its last fragment.
    end: u64,
    /// Seconds of media before it in the clip.
    pub(super) begins_at: f64,
}

impl Part {
    pub(super) fn len(&self) -> u64 {
        self.end - self.start
    }
}

/// From when on a clip plays, and for how long.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Timing {
    /// The wall-clock time of what is seen first.
    pub(crate) starts_at: Timestamp,
    /// Seconds of media before that.
    pub(crate) skipped: f64,
    /// Seconds that are seen.
    pub(crate) played: f64,
    /// Seconds of media after that, which are all of the last chunk.
    pub(crate) behind: f64,
}

impl Timing {
    /// Of a clip of this stretch of time, whose chunks begin at `first` and end at `last`, with `total` seconds of media.
    pub(crate) fn of(within: Interval, first: Timestamp, last: Timestamp, total: f64) -> Self {
        let starts_at = within.from.max(first);
        let skipped = starts_at.duration_since(first).as_secs_f64();
        let behind = last.duration_since(within.to).as_secs_f64().max(0.0);
        Self { starts_at, skipped, played: (total - skipped - behind).max(0.0), behind }
    }

    /// Seconds from the start of the last chunk, which lasts so many, after which nothing is shown; `None` if all of it is.
    pub(crate) fn ends_at(&self, lasts: f64) -> Option<f64> {
        (self.behind > 0.0).then(|| (lasts - self.behind).max(0.0))
    }
}

/// What a clip is made of.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    within: Interval,
    parts: Vec<Part>,
    /// The length of all parts together in seconds, what lies outside `within` included.
    total: f64,
    /// Number of gaps that are left out.
    skipped_gaps: usize,
}

/// Seconds that a chunk's media last.
pub(super) fn seconds(chunk: &ChunkBrief) -> f64 {
    let by_clock = chunk.to.duration_since(chunk.from).as_secs_f64();
    chunk.seconds.filter(|seconds| seconds.is_finite() && *seconds > 0.0).unwrap_or(by_clock)
}

/// The most chunks that are asked for at once.
pub(crate) const CHUNKS_MAX: usize = 50_000;

/// How far before its start a clip's chunks are asked for: a chunk may need the ones before it.
pub(crate) const BEFORE: SignedDuration = SignedDuration::from_mins(2);

impl Plan {
    /// Plans a clip of an interval. `chunks` are those from [`BEFORE`] its start on.
    pub(crate) fn new(within: Interval, gaps: Gaps, chunks: &[ChunkBrief]) -> Result<Self, Refusal> {
        let playable: Vec<&ChunkBrief> = chunks.iter().filter(|chunk| is_playable(chunk)).collect();
        let first = playable.iter().position(|chunk| within.meets(chunk.from, chunk.to)).ok_or(Refusal::Nothing)?;
        // Back to where it can be decoded from.
        let mut start = first;
        while start > 0
            && playable[start].starts_with_random_access == Some(false)
            && playable[start].continues(playable[start - 1])
        {
            start -= 1;
        }
        let chosen: Vec<&ChunkBrief> =
            playable[start..].iter().copied().filter(|chunk| chunk.from < within.to).collect();
        let stretches = |is_border: &dyn Fn(&ChunkBrief, &ChunkBrief) -> bool| {
            let mut stretches = vec![Interval { from: within.from.max(chosen[0].from), to: chosen[0].to }];
            for pair in chosen.windows(2) {
                if is_border(pair[0], pair[1]) {
                    stretches.push(Interval { from: pair[1].from, to: pair[1].to });
                } else if let Some(last) = stretches.last_mut() {
                    last.to = pair[1].to;
                }
            }
            if let Some(last) = stretches.last_mut() {
                last.to = last.to.min(within.to);
            }
            stretches
        };
        let changes = stretches(&|before, here| {
            (before.sample_entry_digest, before.timescale) != (here.sample_entry_digest, here.timescale)
        });
        if changes.len() > 1 {
            return Err(Refusal::Changes(changes));
        }
        let unbroken = stretches(&|before, here| here.from.duration_since(before.to) > TOUCHING);
        let starts_late = chosen[0].from.duration_since(within.from) > TOUCHING;
        let ends_early = chosen.last().is_some_and(|last| within.to.duration_since(last.to) > TOUCHING);
        if gaps == Gaps::Refuse && (unbroken.len() > 1 || starts_late || ends_early) {
            return Err(Refusal::Gaps(unbroken));
        }
        let mut parts = Vec::with_capacity(chosen.len());
        let mut total = 0.0;
        for chunk in chosen {
            let (Some(start), Some(end)) = (chunk.init_bytes, chunk.media_end) else { continue };
            if end - start > PART_BYTES_MAX || start > PART_BYTES_MAX {
                return Err(Refusal::TooLarge);
            }
            parts.push(Part { chunk: chunk.clone(), start, end, begins_at: total });
            total += seconds(chunk);
        }
        Ok(Self { within, parts, total, skipped_gaps: unbroken.len() - 1 })
    }

    /// The stretch of time that was asked for.
    pub(crate) fn within(&self) -> Interval {
        self.within
    }

    /// What it is made of, in order.
    pub(super) fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Returns the first chunk, and the length of its initialization segment. A plan has at least one chunk.
    pub(super) fn init(&self) -> (&ChunkBrief, u64) {
        let first = &self.parts[0];
        (&first.chunk, first.start)
    }

    /// From when on it plays, and for how long.
    pub(crate) fn timing(&self) -> Timing {
        let first = &self.parts[0];
        let last = &self.parts[self.parts.len() - 1];
        Timing::of(self.within, first.chunk.from, last.chunk.to, self.total)
    }

    /// Returns the size of all parts together in bytes, without the clip's own head.
    pub(crate) fn media_bytes(&self) -> u64 {
        self.parts.iter().map(Part::len).sum()
    }

    /// Returns the number of gaps that are left out.
    pub(crate) fn skipped_gaps(&self) -> usize {
        self.skipped_gaps
    }

    /// Returns a text that differs from that of every other clip: versions of the objects, start and end.
    pub(crate) fn identity(&self) -> String {
        use std::fmt::Write as _;
        let mut text = format!("{} {}", self.within.from, self.within.to);
        for part in &self.parts {
            let _ = write!(text, " {}@{}", part.chunk.object.key, part.chunk.object.version);
        }
        text
    }
}
