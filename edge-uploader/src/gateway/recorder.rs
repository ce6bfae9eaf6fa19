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

mod losses;
mod notes;
mod objects;
mod session;
mod writing;

use self::losses::Losses;
use self::session::{Described, RecordedSession};
use self::writing::{GapStart, OpenGap, Writing};
use super::anchor::GatewayClock;
use super::plan::Plan;
use super::progress::CameraCounters;
use super::queue::{Item, QueueReceiver};
use super::watch::Unstored;
use crate::camera::{CameraEvent, Extent, FaultCost, SourceFault};
use crate::clock::SessionClock;
use crate::media::{Frame, StreamParameters, Timing, TrackKind};
use crate::spool::{self, SpoolWriter};
use framepost_events::gap::{GapCause, SourceBytes};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// The recorder of one camera.
pub(super) struct Recorder {
    writing: Writing,
    gateway: Arc<GatewayClock>,
    timing: Option<Timing>,
    session: Option<RecordedSession>,
    /// Number of frames of a file whose parameter sets are unknown.
    undescribed: u64,
    losses: Losses,
}

impl Recorder {
    /// Creates a recorder that writes to `spool`.
    pub(super) fn new(plan: Plan, spool: SpoolWriter, gateway: Arc<GatewayClock>, stats: Arc<CameraCounters>) -> Self {
        let writing = Writing::new(plan, spool, stats);
        Self { writing, gateway, timing: None, session: None, undescribed: 0, losses: Losses::default() }
    }

    /// Records until the queue's sender is dropped. Then closes the span.
    pub(super) fn run(mut self, mut queue: QueueReceiver) -> Result<(), spool::Error> {
        let mut complete = self.writing.plan.extent == Extent::Live;
        while let Some(item) = queue.next() {
            complete |= matches!(item, Item::End);
            let result = self.item(item);
            self.survive(result)?;
        }
        if self.writing.plan.extent == Extent::Finite && self.undescribed > 0 {
            tracing::warn!(camera = %self.writing.plan.camera, frames = self.undescribed,
                "frames left out: neither the file's sample description nor the frames have parameter sets");
        }
        // A file that was not read to its end leaves its last chunk open.
        let ended = if complete { self.end_session().and_then(|()| self.writing.end_file()) } else { Ok(()) };
        self.survive(ended)?;
        self.writing.keep()
    }

    /// Handles a failure of the spool: gives up a file, or ends the span of a live camera.
    fn survive(&mut self, result: Result<(), spool::Error>) -> Result<(), spool::Error> {
        let Err(error) = result else {
            return Ok(());
        };
        if self.writing.plan.extent == Extent::Finite {
            return Err(error);
        }
        if let Some(session) = &mut self.session {
            session.span = None;
        }
        self.writing.failed(&error);
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
                self.writing.stats.packets_lost.fetch_add(packets, Relaxed);
                Ok(())
            }
            Item::Event(CameraEvent::Fault(fault), _) => self.source_fault(fault),
            Item::Overrun => {
                tracing::warn!(camera = %self.writing.plan.camera, "the disk is too slow, frames are dropped");
                self.break_span(GapCause::ReceiverOverrun, None)
            }
            Item::Resumed { frames } => {
                tracing::warn!(camera = %self.writing.plan.camera, frames, "frames were dropped");
                if let Some(gap) = self.writing.gap_by(GapCause::ReceiverOverrun) {
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

    /// Handles a fault in a file that can be read further. If pictures are lost, or another recording follows, ends the span and
    /// records a gap, as [`Losses`] allows.
    fn source_fault(&mut self, fault: SourceFault) -> Result<(), spool::Error> {
        let SourceFault { cost, detail, bytes } = fault;
        let start = bytes.map(|bytes| bytes.start);
        let end = bytes.map(|bytes| bytes.end);
        let cause = match cost {
            FaultCost::NoPicture | FaultCost::Pictures => {
                self.writing.stats.damaged.fetch_add(1, Relaxed);
                tracing::warn!(camera = %self.writing.plan.camera, start, end, detail, "the file is damaged");
                GapCause::SourceDamaged
            }
            FaultCost::Order => {
                tracing::warn!(camera = %self.writing.plan.camera, detail, "the file's times start again from an earlier time");
                GapCause::NotInSource
            }
        };
        if cost == FaultCost::NoPicture {
            return Ok(());
        }
        if !self.losses.is_told(self.writing.last_wall, self.writing.plan.window) {
            return Ok(());
        }
        if cost == FaultCost::Pictures && self.writing.last_wall.is_none() {
            self.writing.open_gap(OpenGap::new(GapStart::FirstPicture, cause, Some(detail)));
        } else {
            self.break_span(cause, Some(detail))?;
        }
        if let Some(gap) = self.writing.gap_by(cause) {
            gap.source_bytes = union(gap.source_bytes, bytes);
        }
        Ok(())
    }

    fn parameters(&mut self, parameters: StreamParameters) -> Result<(), spool::Error> {
        if self.session.as_ref().is_some_and(|session| session.parameters == parameters) {
            return Ok(());
        }
        let mut before = self.session.take();
        let closed = match &mut before {
            Some(session) => session.flush_and_close(&mut self.writing).map(|_| ()),
            None => Ok(()),
        };
        let plan = &self.writing.plan;
        let clock = match before {
            // The same stream continues with new parameters, so keep its clock.
            Some(session) if session.clock.fits(&parameters) => session.clock,
            _ => {
                let timing = self.timing.unwrap_or(Timing::Arrival);
                let anchor = self.gateway.anchor();
                SessionClock::new(timing, plan.trusted, &parameters, &anchor, self.gateway.synchronized())
            }
        };
        let video = &parameters.video;
        let audio = parameters.audio.as_ref().map(|audio| audio.rfc6381.as_str());
        tracing::info!(camera = %plan.camera, codec = video.rfc6381, width = video.width, height = video.height, audio,
            "stream parameters");
        self.writing.stats.describe(video);
        self.session = Some(RecordedSession::new(parameters, clock, Arc::clone(&self.gateway)));
        closed
    }

    fn frame(&mut self, frame: Frame) -> Result<(), spool::Error> {
        match &mut self.session {
            Some(session) if session.described == Described::Yes => session.frame(&mut self.writing, frame),
            _ => {
                self.undescribed += u64::from(frame.track == TrackKind::Video);
                self.writing.stats.lost(Unstored::Undescribed);
                Ok(())
            }
        }
    }

    fn break_span(&mut self, cause: GapCause, detail: Option<String>) -> Result<(), spool::Error> {
        let Some(session) = &mut self.session else { return Ok(()) };
        if let Some(from) = session.flush_and_close(&mut self.writing)? {
            self.writing.open_gap(OpenGap::new(GapStart::At(from), cause, detail));
        }
        Ok(())
    }

    fn end_session(&mut self) -> Result<(), spool::Error> {
        let Some(mut session) = self.session.take() else { return Ok(()) };
        session.flush_and_close(&mut self.writing).map(|_| ())
    }
}

/// Returns the range that covers both.
fn union(a: Option<SourceBytes>, b: Option<SourceBytes>) -> Option<SourceBytes> {
    match (a, b) {
        (Some(a), Some(b)) => Some(SourceBytes { start: a.start.min(b.start), end: a.end.max(b.end) }),
        (a, b) => a.or(b),
    }
}
