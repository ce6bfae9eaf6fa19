//! What a camera's recorder writes: chunks, and the gaps between their spans.

use super::super::plan::Plan;
use super::super::progress::CameraCounters;
use super::super::watch::Unstored;
use super::notes::Notes;
use super::objects::Objects;
use crate::camera::Extent;
use crate::media::TrackKind;
use crate::segment::{Keep, Output, Quiet, Segmenter, Stats};
use crate::spool::{self, SourceFile, SpoolWriter};
use framepost_events::attributes::{Attributes, ChunkStart};
use framepost_events::gap::{Gap, GapCause, SourceBytes};
use jiff::Timestamp;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// The moment at which a gap begins, as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum GapStart {
    At(Timestamp),
    /// The end of the recorded video, which is known only after the spool has repaired a failed span.
    Repaired,
    /// Nothing of a file is recorded yet, and nobody knows how much of its beginning is lost. The gap has length zero
    /// and lies before the first picture.
    FirstPicture,
}

/// A gap since the end of a span.
#[derive(Debug, Clone)]
pub(super) struct OpenGap {
    pub(super) from: GapStart,
    pub(super) cause: GapCause,
    pub(super) detail: Option<String>,
    pub(super) frames_dropped: Option<u64>,
    pub(super) source_bytes: Option<SourceBytes>,
}

impl OpenGap {
    pub(super) fn new(from: GapStart, cause: GapCause, detail: Option<String>) -> Self {
        Self { from, cause, detail, frames_dropped: None, source_bytes: None }
    }
}

/// One camera's place in the spool, and what is told about it.
pub(super) struct Writing {
    pub(super) plan: Plan,
    pub(super) stats: Arc<CameraCounters>,
    spool: SpoolWriter,
    gap: Option<OpenGap>,
    trouble: Trouble,
    /// Whether it was logged that chunks start between random access frames.
    between: Told,
    /// What was logged of the camera's clock.
    pub(super) notes: Notes,
    /// What a live camera may still create.
    pub(super) objects: Objects,
    /// The wall clock of the last video frame.
    pub(super) last_wall: Option<Timestamp>,
}

/// Whether something was logged that is logged only once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    No,
    Yes,
}

/// Whether the spool can be written. It ensures that a problem is logged once and not with every frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    None,
    CannotWrite,
}

impl Writing {
    /// Makes durable what was written of a file, which nobody will read again.
    pub(super) fn keep(&mut self) -> Result<(), spool::Error> {
        match self.plan.extent {
            Extent::Live => Ok(()),
            Extent::Finite => self.spool.keep(),
        }
    }

    /// Into `spool`, by `plan`.
    pub(super) fn new(plan: Plan, mut spool: SpoolWriter, stats: Arc<CameraCounters>) -> Self {
        // For a file, the time since it was last read is not a gap.
        let recorded_to = match plan.extent {
            Extent::Live => spool.recorded_to(),
            Extent::Finite => {
                spool.reads(plan.file.as_deref().and_then(SourceFile::of));
                None
            }
        };
        let gap = recorded_to.map(|from| OpenGap::new(GapStart::At(from), GapCause::NotRunning, None));
        let objects = Objects::new(plan.window);
        Self {
            plan,
            stats,
            spool,
            gap,
            objects,
            trouble: Trouble::None,
            between: Told::No,
            notes: Notes::default(),
            last_wall: None,
        }
    }

    /// A live camera's span is over, and there will be another: what a failure of the spool costs.
    pub(super) fn failed(&mut self, error: &spool::Error) {
        let detail = framepost_ports::chain(error);
        self.stats.lost(Unstored::CannotWrite);
        if self.trouble == Trouble::None {
            tracing::error!(camera = %self.plan.camera, error = detail, "cannot write to the spool, retrying");
            self.trouble = Trouble::CannotWrite;
        }
        let cause = if error.is_full() { GapCause::SpoolFull } else { GapCause::SpoolFailed };
        self.open_gap(OpenGap::new(GapStart::Repaired, cause, Some(detail)));
    }

    /// Opens a gap. Keeps an open one, because the first cause is the relevant one: what follows while there is
    /// no video is its consequence.
    pub(super) fn open_gap(&mut self, gap: OpenGap) {
        self.gap.get_or_insert(gap);
    }

    /// The gap since the last span's end, if `cause` is its cause.
    pub(super) fn gap_by(&mut self, cause: GapCause) -> Option<&mut OpenGap> {
        self.gap.as_mut().filter(|gap| gap.cause == cause)
    }

    /// Records what the segmenter did with a frame.
    pub(super) fn account(&self, track: TrackKind, before: Stats, now: Stats) {
        if now.empty > before.empty {
            self.stats.lost(Unstored::Empty);
        } else if now.oversized > before.oversized {
            self.stats.lost(Unstored::Oversized);
        }
        let silent = self.plan.keep == Keep::Keyframes && now.audio_dropped > before.audio_dropped;
        if now.thinned > before.thinned || silent {
            self.stats.left_out(track);
        }
    }

    /// Logs once that no random access frames arrive.
    fn tell_between(&mut self, draft: &Attributes, counter: u64) {
        if draft.start == ChunkStart::Between && counter > 0 && self.between == Told::No {
            self.between = Told::Yes;
            tracing::warn!(camera = %self.plan.camera, chunk_max = ?self.plan.chunk_max,
                "no random access frame for longer than a chunk may be: chunks start without one, and need those before \
                 them to play; set a shorter key frame interval in the camera");
        }
    }

    /// Logs what a file contains that its chunks do not.
    pub(super) fn tell_left_out(&self, stats: Stats) {
        let Stats { empty, oversized, audio_dropped, .. } = stats;
        if self.plan.extent == Extent::Finite && empty + oversized + audio_dropped > 0 {
            tracing::warn!(camera = %self.plan.camera, empty, oversized, audio_dropped,
                "frames left out: empty, too large, sound without pictures");
        }
    }

    /// Returns what is known of the camera's quiet level. A file starts without: reading it again must give the same metadata.
    pub(super) fn quiet(&self) -> Quiet {
        if self.plan.extent == Extent::Live { self.spool.quiet() } else { Quiet::default() }
    }

    /// Keeps what is known of it after these outputs of `span`.
    pub(super) fn keep_quiet(&mut self, span: &Segmenter, outputs: &[Output]) {
        let closes = outputs.iter().any(|output| matches!(output, Output::Finish { .. }));
        if self.plan.extent == Extent::Live && closes {
            self.spool.set_quiet(span.quiet().clone());
        }
    }

    /// Chunks, and before a span's first one the gap before it.
    pub(super) fn write(&mut self, outputs: Vec<Output>) -> Result<(), spool::Error> {
        let bytes = outputs.iter().map(bytes_of).sum();
        for output in outputs {
            if let Output::Begin { start, counter: 0, .. } = &output
                && let Some(gap) = self.gap.clone()
            {
                self.spool.heal()?;
                // On a full disk, check for room first. Otherwise every attempt would write another gap.
                self.spool.make_room(bytes)?;
                self.write_gap(gap, *start)?;
                self.gap = None;
            }
            if let Output::Begin { draft, counter, .. } = &output {
                self.tell_between(draft, *counter);
            }
            let stored = matches!(output, Output::Fragment(_));
            if let Output::Finish { .. } | Output::SpanEnd { .. } = &output {
                self.objects.created();
            }
            let closed = match &output {
                Output::Finish { attributes, .. } => Some((attributes.start, attributes.activity)),
                _ => None,
            };
            self.spool.apply(output)?;
            if stored {
                self.stats.stored();
            }
            if let Some((start, activity)) = closed {
                self.stats.measured(activity);
                self.stats.chunks.fetch_add(1, Relaxed);
                self.stats.chunks_between.fetch_add(u64::from(start == ChunkStart::Between), Relaxed);
                if self.trouble == Trouble::CannotWrite {
                    tracing::info!(camera = %self.plan.camera, "the spool can be written again");
                    self.trouble = Trouble::None;
                }
            }
        }
        self.spool.settle()
    }

    /// Writes the gap after the last picture of a damaged file. It has length zero, because nobody knows how much is lost.
    pub(super) fn end_file(&mut self) -> Result<(), spool::Error> {
        match self.gap.take_if(|gap| gap.cause == GapCause::SourceDamaged) {
            Some(gap @ OpenGap { from: GapStart::At(end), .. }) => self.write_gap(gap, end),
            _ => Ok(()),
        }
    }

    fn write_gap(&mut self, gap: OpenGap, to: Timestamp) -> Result<(), spool::Error> {
        let OpenGap { from, cause, detail, frames_dropped, source_bytes } = gap;
        let from = match from {
            GapStart::At(from) => Some(from),
            GapStart::Repaired => self.spool.recorded_to(),
            GapStart::FirstPicture => Some(to),
        };
        let Some(from) = from else { return Ok(()) };
        if cause == GapCause::NotInSource && to <= from {
            // Another recording follows immediately.
            return Ok(());
        }
        let gap = Gap {
            site: self.plan.site.clone(),
            camera: self.plan.camera.clone(),
            from,
            // A clock that was set back makes spans overlap. The gap then has length zero, and
            // its detail names the reason.
            to: to.max(from),
            cause,
            detail,
            frames_dropped,
            chunks_dropped: None,
            source_bytes,
        };
        self.spool.write_gap(&gap)?;
        self.objects.created();
        self.stats.gaps.fetch_add(1, Relaxed);
        Ok(())
    }
}

/// Returns the number of bytes that an output adds to the disk.
fn bytes_of(output: &Output) -> u64 {
    match output {
        Output::Begin { init, .. } => init.len() as u64,
        Output::Fragment(fragment) => fragment.len_bytes(),
        Output::Finish { tail, .. } => tail.len() as u64,
        Output::SpanEnd { .. } => 0,
    }
}
