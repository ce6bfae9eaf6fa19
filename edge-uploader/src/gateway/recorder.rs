//! Turns one camera's frames into chunks on disk: the wall clock, the segmenter and the spool, on
//! a thread of its own.
//!
//! A span lasts until something interrupts it: a lost session, changed parameters, a step of the wall clock, an
//! overrun. The span then gets its end object. A gap is written when the first chunk of the next span begins,
//! because only then its end is known.
//!
//! If the spool cannot be written (a full or broken disk), the span ends as well. Recording of a live camera is
//! tried again with the next frames, because the disk may recover. A file is given up, because it can be read
//! again. A file that was not read to its end, or that will get longer, leaves its last chunk open: the spool
//! removes it, and the next run writes it completely under the same key.

use super::anchor::GatewayClock;
use super::plan::Plan;
use super::progress::CameraStats;
use super::queue::{Item, QueueReceiver};
use super::steps::Steps;
use super::watch::Unstored;
use crate::camera::{CameraEvent, Extent, FaultCost, SourceFault, Timing, describes};
use crate::clock::{Note, Origin, Placed, SessionClock};
use crate::media::{Frame, StreamParameters, TrackKind};
use crate::segment::{Keep, Output, Segmenter, Stats};
use crate::spool::{self, SourceFile, SpoolWriter};
use framepost_events::attributes::{Attributes, ChunkStart};
use framepost_events::gap::{Gap, GapCause, SourceBytes};
use jiff::Timestamp;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// A gap since the end of a span.
#[derive(Debug, Clone)]
struct OpenGap {
    /// The end of the recorded video; `None` if it is known only after the spool has repaired a failed span.
    from: Option<Timestamp>,
    cause: GapCause,
    detail: Option<String>,
    frames_dropped: Option<u64>,
    source_bytes: Option<SourceBytes>,
}

/// The recorder of one camera.
pub(super) struct Recorder {
    plan: Plan,
    spool: SpoolWriter,
    gateway: Arc<GatewayClock>,
    stats: Arc<CameraStats>,
    timing: Option<Timing>,
    session: Option<SessionState>,
    gap: Option<OpenGap>,
    trouble: Trouble,
    /// Whether it was logged that chunks start between random access frames.
    between: Told,
    /// Number of frames of a file whose parameter sets are unknown.
    undescribed: u64,
    /// Wall-clock times of the last video frame, and of the last one before a fault that ended the span.
    last_wall: Option<Timestamp>,
    last_fault: Option<Timestamp>,
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

/// The state of one session with one set of parameters.
struct SessionState {
    parameters: StreamParameters,
    described: Described,
    clock: SessionClock,
    span: Option<Segmenter>,
    /// Distances between pictures, for a finite source.
    steps: Steps,
}

/// Whether the parameter sets are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Described {
    Yes,
    NotYet,
}

impl Recorder {
    /// Creates a recorder that writes to `spool`.
    pub(super) fn new(plan: Plan, mut spool: SpoolWriter, gateway: Arc<GatewayClock>, stats: Arc<CameraStats>) -> Self {
        // For a file, the time since it was last read is not a gap.
        let recorded_to = match plan.extent {
            Extent::Live => spool.recorded_to(),
            Extent::Finite => {
                spool.reads(plan.file.as_deref().and_then(SourceFile::of));
                None
            }
        };
        let gap = recorded_to.map(|from| OpenGap {
            from: Some(from),
            cause: GapCause::NotRunning,
            detail: None,
            frames_dropped: None,
            source_bytes: None,
        });
        Self {
            plan,
            spool,
            gateway,
            stats,
            timing: None,
            session: None,
            gap,
            trouble: Trouble::None,
            between: Told::No,
            undescribed: 0,
            last_wall: None,
            last_fault: None,
        }
    }

    /// Records until the queue's sender is dropped. Then closes the span.
    pub(super) fn run(mut self, mut queue: QueueReceiver) -> Result<(), spool::Error> {
        let mut complete = self.plan.extent == Extent::Live;
        while let Some(item) = queue.next() {
            complete |= matches!(item, Item::End);
            let result = self.item(item);
            self.survive(result)?;
        }
        if self.plan.extent == Extent::Finite && self.undescribed > 0 {
            tracing::warn!(camera = %self.plan.camera, frames = self.undescribed,
                "frames left out: their parameter sets are neither in the file's description nor with them");
        }
        if !complete {
            return Ok(());
        }
        let result = self.end_session();
        self.survive(result)
    }

    /// Handles a failure of the spool: gives up a file, or ends the span of a live camera.
    fn survive(&mut self, result: Result<(), spool::Error>) -> Result<(), spool::Error> {
        let Err(error) = result else {
            return Ok(());
        };
        if self.plan.extent == Extent::Finite {
            return Err(error);
        }
        let detail = framepost_ports::chain(&error);
        self.stats.lost(Unstored::CannotWrite);
        if self.trouble == Trouble::None {
            tracing::error!(camera = %self.plan.camera, error = detail, "cannot write, will go on trying");
            self.trouble = Trouble::CannotWrite;
        }
        if let Some(session) = &mut self.session {
            session.span = None;
        }
        let cause = if error.is_full() { GapCause::SpoolFull } else { GapCause::SpoolFailed };
        self.open_gap(OpenGap { from: None, cause, detail: Some(detail), frames_dropped: None, source_bytes: None });
        Ok(())
    }

    fn item(&mut self, item: Item) -> Result<(), spool::Error> {
        match item {
            Item::Connected { timing } => {
                self.end_session()?;
                self.timing = Some(timing);
                Ok(())
            }
            Item::Event(CameraEvent::Parameters(parameters), _) => self.parameters(parameters),
            Item::Event(CameraEvent::Frame(frame), _) => self.frame(frame),
            Item::Event(CameraEvent::SenderReport { pts, ntp }, _) => {
                if let Some(session) = &mut self.session {
                    session.clock.sender_report(pts, ntp);
                }
                Ok(())
            }
            Item::Event(CameraEvent::PacketsLost(packets), _) => {
                self.stats.packets_lost.fetch_add(packets, Relaxed);
                Ok(())
            }
            Item::Event(CameraEvent::Fault(fault), _) => self.source_fault(fault),
            Item::Overrun => {
                tracing::warn!(camera = %self.plan.camera, "the disk is too slow, dropping frames");
                self.break_span(GapCause::ReceiverOverrun, None)
            }
            Item::Resumed { frames } => {
                tracing::warn!(camera = %self.plan.camera, frames, "frames were dropped");
                if let Some(gap) = &mut self.gap
                    && gap.cause == GapCause::ReceiverOverrun
                {
                    gap.frames_dropped = Some(gap.frames_dropped.unwrap_or(0) + frames);
                }
                Ok(())
            }
            // The receiver has already counted undescribed frames.
            Item::Event(CameraEvent::Undescribed { .. }, _) | Item::End => Ok(()),
            Item::Lost { cause, detail } => {
                self.break_span(cause, Some(detail))?;
                self.session = None;
                Ok(())
            }
        }
    }

    /// Handles a fault in a file that can be read further. If pictures are lost, records a gap, but at most one
    /// for each window: otherwise a hostile file could create an object for each of its frames.
    fn source_fault(&mut self, fault: SourceFault) -> Result<(), spool::Error> {
        let SourceFault { cost, detail, bytes } = fault;
        let (start, end) = (bytes.map(|bytes| bytes.start), bytes.map(|bytes| bytes.end));
        let cause = match cost {
            FaultCost::NoPicture | FaultCost::Pictures => {
                self.stats.damaged.fetch_add(1, Relaxed);
                tracing::warn!(camera = %self.plan.camera, start, end, detail, "the file is damaged");
                GapCause::SourceDamaged
            }
            FaultCost::Order => {
                tracing::warn!(camera = %self.plan.camera, detail, "the file's times begin anew");
                GapCause::NotInSource
            }
        };
        let recent = self
            .last_fault
            .zip(self.last_wall)
            .is_some_and(|(fault, now)| now.duration_since(fault).unsigned_abs() < self.plan.window);
        if cost == FaultCost::NoPicture || cost == FaultCost::Pictures && recent {
            return Ok(());
        }
        self.last_fault = self.last_wall;
        self.break_span(cause, Some(detail))?;
        if let Some(gap) = &mut self.gap
            && gap.cause == cause
        {
            gap.source_bytes = bytes;
        }
        Ok(())
    }

    /// Closes the span before a picture of a file that comes long after the one before it.
    fn hole(&mut self, session: &mut SessionState, frame: &Frame) -> Result<(), spool::Error> {
        let timescale = session.parameters.video.timescale;
        let Some(hole) = session.steps.see(frame.pts, frame.duration, timescale, self.plan.window) else {
            return Ok(());
        };
        if let Some(from) = self.flush_and_close(session)? {
            let detail = format!("no picture for {} s", hole.as_secs());
            tracing::warn!(camera = %self.plan.camera, seconds = hole.as_secs(), "the file has no pictures for a while");
            let (cause, detail) = (GapCause::NotInSource, Some(detail));
            self.open_gap(OpenGap { from: Some(from), cause, detail, frames_dropped: None, source_bytes: None });
        }
        Ok(())
    }

    fn parameters(&mut self, parameters: StreamParameters) -> Result<(), spool::Error> {
        if self.session.as_ref().is_some_and(|session| session.parameters == parameters) {
            return Ok(());
        }
        let mut before = self.session.take();
        let closed = before.as_mut().map_or(Ok(()), |session| self.flush_and_close(session).map(|_| ()));
        let clock = match before {
            // The same stream continues with new parameters, so keep its clock.
            Some(session) if session.clock.fits(&parameters) => session.clock,
            _ => {
                let timing = self.timing.unwrap_or(Timing::Arrival);
                let (anchor, synchronized) = (self.gateway.anchor(), self.gateway.synchronized());
                SessionClock::new(timing, self.plan.trusted, &parameters, &anchor, synchronized)
            }
        };
        let video = &parameters.video;
        let audio = parameters.audio.as_ref().map(|audio| audio.rfc6381.as_str());
        tracing::info!(camera = %self.plan.camera, codec = video.rfc6381, width = video.width, height = video.height, audio,
            "stream parameters");
        let described = if describes(video) { Described::Yes } else { Described::NotYet };
        self.session = Some(SessionState { parameters, described, clock, span: None, steps: Steps::default() });
        closed
    }

    fn frame(&mut self, frame: Frame) -> Result<(), spool::Error> {
        // Take the session out of `self`, so that both it and the spool can be used mutably.
        let described = self.session.as_ref().is_some_and(|session| session.described == Described::Yes);
        let Some(mut session) = self.session.take_if(|_| described) else {
            self.undescribed += u64::from(frame.track == TrackKind::Video);
            self.stats.lost(Unstored::Undescribed);
            return Ok(());
        };
        let result = self.frame_of(&mut session, frame);
        self.session = Some(session);
        result
    }

    fn frame_of(&mut self, session: &mut SessionState, frame: Frame) -> Result<(), spool::Error> {
        if frame.track == TrackKind::Video && self.plan.extent == Extent::Finite {
            self.hole(session, &frame)?;
        }
        let placed = session.clock.push(&self.gateway.anchor(), frame);
        self.tell_notes(session);
        for placed in placed {
            self.placed(session, placed)?;
        }
        Ok(())
    }

    /// Records a frame whose time is known.
    fn placed(&mut self, session: &mut SessionState, placed: Placed) -> Result<(), spool::Error> {
        let Placed { frame, wall, origin, step } = placed;
        if let Some(step) = step {
            self.broken_by_clock(session, &step.to_string())?;
        }
        if origin == Origin::Arrival {
            self.stats.times_replaced.fetch_add(1, Relaxed);
        }
        if frame.track == TrackKind::Video
            && frame.reference.is_random_access()
            && let Some(span) = &mut session.span
        {
            session.clock.set_synchronized(self.gateway.synchronized());
            span.set_clock(session.clock.info());
        }
        if frame.track == TrackKind::Video {
            self.last_wall = Some(wall);
        }
        for attempt in 0..2 {
            let span = session.span.get_or_insert_with(|| {
                Segmenter::new(self.plan.settings(), session.parameters.clone(), session.clock.info())
            });
            let before = span.stats();
            match span.push_timed(frame.clone(), wall, origin) {
                Ok(outputs) => {
                    self.account(frame.track, before, span.stats());
                    return self.write(outputs);
                }
                Err(error) if attempt == 0 => self.broken_by_clock(session, &error.to_string())?,
                Err(error) => {
                    tracing::warn!(camera = %self.plan.camera, %error, "frame dropped");
                    self.stats.frames_dropped.fetch_add(1, Relaxed);
                }
            }
        }
        Ok(())
    }

    /// Logs the clock's findings about the camera.
    fn tell_notes(&self, session: &mut SessionState) {
        let camera = &self.plan.camera;
        for note in session.clock.notes() {
            match note {
                Note::Stepped { by_us } => {
                    self.stats.clock_steps.fetch_add(1, Relaxed);
                    tracing::warn!(%camera, by_ms = by_us / 1_000, "the camera's times jumped, going on without the jump");
                }
                Note::Rate(rate) => {
                    let ratio = format!("{rate:.3}");
                    tracing::warn!(%camera, ratio, "the camera's media clock does not run like the wall clock, its times are scaled");
                }
                Note::ByArrival => {
                    tracing::warn!(%camera, "the camera's times make no sense, taking the times of arrival");
                }
                Note::ReportRefused { off_us } => tracing::warn!(%camera, off_s = off_us / 1_000_000,
                    "the camera's clock is trusted and not plausible, taking the gateway's"),
            }
        }
    }

    fn flush_held(&mut self, session: &mut SessionState) -> Result<(), spool::Error> {
        let placed = session.clock.flush();
        self.tell_notes(session);
        for placed in placed {
            self.placed(session, placed)?;
        }
        Ok(())
    }

    fn broken_by_clock(&mut self, session: &mut SessionState, detail: &str) -> Result<(), spool::Error> {
        if let Some(from) = self.close(session)? {
            tracing::warn!(camera = %self.plan.camera, detail, "span closed");
            let detail = Some(detail.to_owned());
            self.open_gap(OpenGap {
                from: Some(from),
                cause: GapCause::ClockJump,
                detail,
                frames_dropped: None,
                source_bytes: None,
            });
        }
        Ok(())
    }

    fn break_span(&mut self, cause: GapCause, detail: Option<String>) -> Result<(), spool::Error> {
        let Some(mut session) = self.session.take() else { return Ok(()) };
        let from = self.flush_and_close(&mut session);
        self.session = Some(session);
        if let Some(from) = from? {
            self.open_gap(OpenGap { from: Some(from), cause, detail, frames_dropped: None, source_bytes: None });
        }
        Ok(())
    }

    /// Opens a gap. Keeps an open one, because the first cause is the relevant one: what follows while there is
    /// no video is its consequence.
    fn open_gap(&mut self, gap: OpenGap) {
        self.gap.get_or_insert(gap);
    }

    fn end_session(&mut self) -> Result<(), spool::Error> {
        let Some(mut session) = self.session.take() else { return Ok(()) };
        self.flush_and_close(&mut session).map(|_| ())
    }

    fn flush_and_close(&mut self, session: &mut SessionState) -> Result<Option<Timestamp>, spool::Error> {
        self.flush_held(session)?;
        self.close(session)
    }

    /// Closes the span if one is open, and returns its end.
    fn close(&mut self, session: &mut SessionState) -> Result<Option<Timestamp>, spool::Error> {
        let Some(span) = session.span.take() else { return Ok(None) };
        self.tell_left_out(span.stats());
        let outputs = match span.finish() {
            Ok(outputs) => outputs,
            Err(error) => {
                // The spool repairs the open chunk from the disk, as after a crash.
                tracing::error!(camera = %self.plan.camera, error = framepost_ports::chain(&error), "span not closed");
                Vec::new()
            }
        };
        let end = outputs.iter().find_map(|output| match output {
            Output::SpanEnd { end, .. } => Some(*end),
            _ => None,
        });
        self.write(outputs)?;
        if let Some(end) = end {
            self.stats.span_ended(end);
        }
        Ok(end)
    }

    /// Records what the segmenter did with a frame.
    fn account(&self, track: TrackKind, before: Stats, now: Stats) {
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
    fn tell_left_out(&self, stats: Stats) {
        let Stats { empty, oversized, audio_dropped, .. } = stats;
        if self.plan.extent == Extent::Finite && empty + oversized + audio_dropped > 0 {
            tracing::warn!(camera = %self.plan.camera, empty, oversized, audio_dropped,
                "frames left out: empty, too large, sound without pictures");
        }
    }

    fn write(&mut self, outputs: Vec<Output>) -> Result<(), spool::Error> {
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
            let closed = match &output {
                Output::Finish { attributes, .. } => Some(attributes.start),
                _ => None,
            };
            self.spool.apply(output)?;
            if stored {
                self.stats.stored();
            }
            if let Some(start) = closed {
                self.stats.chunks.fetch_add(1, Relaxed);
                self.stats.chunks_between.fetch_add(u64::from(start == ChunkStart::Between), Relaxed);
                if self.trouble == Trouble::CannotWrite {
                    tracing::info!(camera = %self.plan.camera, "can write again");
                    self.trouble = Trouble::None;
                }
            }
        }
        self.spool.settle()
    }

    fn write_gap(&mut self, gap: OpenGap, to: Timestamp) -> Result<(), spool::Error> {
        let OpenGap { from, cause, detail, frames_dropped, source_bytes } = gap;
        let Some(from) = from.or(self.spool.recorded_to()) else { return Ok(()) };
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
