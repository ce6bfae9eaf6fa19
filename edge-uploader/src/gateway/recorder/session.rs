//! One session of a camera with one set of parameters: its clock, and the span that is being recorded.

use super::super::anchor::GatewayClock;
use super::super::steps::Steps;
use super::writing::{GapStart, OpenGap, Writing};
use crate::camera::{Extent, describes};
use crate::clock::{Note, Origin, Placed, SessionClock, StepCause};
use crate::media::{Frame, StreamParameters, TrackKind};
use crate::segment::{Output, Segmenter};
use crate::spool;
use framepost_events::gap::GapCause;
use jiff::Timestamp;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// What belongs to one session with one set of parameters. Everything that it writes goes by the [`Writing`] that it is handed.
pub(super) struct RecordedSession {
    pub(super) parameters: StreamParameters,
    pub(super) described: Described,
    pub(super) clock: SessionClock,
    pub(super) span: Option<Segmenter>,
    gateway: Arc<GatewayClock>,
    /// Distances between pictures, for a finite source.
    steps: Steps,
}

/// Whether the parameter sets are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Described {
    Yes,
    NotYet,
}

impl RecordedSession {
    /// Nothing is recorded of it yet.
    pub(super) fn new(parameters: StreamParameters, clock: SessionClock, gateway: Arc<GatewayClock>) -> Self {
        let described = if describes(&parameters.video) { Described::Yes } else { Described::NotYet };
        Self { parameters, described, clock, span: None, gateway, steps: Steps::default() }
    }

    /// Closes the span before a picture of a file that comes long after the one before it.
    fn hole(&mut self, to: &mut Writing, frame: &Frame) -> Result<(), spool::Error> {
        let timescale = self.parameters.video.timescale;
        let Some(hole) = self.steps.see(frame.pts, frame.duration, timescale, to.plan.window) else {
            return Ok(());
        };
        if let Some(from) = self.flush_and_close(to)? {
            let detail = format!("no picture for {} s", hole.as_secs());
            tracing::warn!(camera = %to.plan.camera, seconds = hole.as_secs(), "the file has no pictures for a while");
            to.open_gap(OpenGap::new(GapStart::At(from), GapCause::NotInSource, Some(detail)));
        }
        Ok(())
    }

    /// Takes in a frame, and records those whose wall-clock time is known by now, which may be none or several.
    pub(super) fn frame(&mut self, to: &mut Writing, frame: Frame) -> Result<(), spool::Error> {
        if frame.track == TrackKind::Video && to.plan.extent == Extent::Finite {
            self.hole(to, &frame)?;
        }
        to.objects.arrived(frame.arrival);
        self.clock.set_stepping(to.objects.stepping());
        let placed = self.clock.push(&self.gateway.anchor(), frame);
        self.tell_notes(to);
        for placed in placed {
            self.placed(to, placed)?;
        }
        Ok(())
    }

    /// Records a frame whose time is known.
    fn placed(&mut self, to: &mut Writing, placed: Placed) -> Result<(), spool::Error> {
        let Placed { frame, wall, origin, step } = placed;
        if let Some(step) = step {
            if step.cause != StepCause::Gateway {
                to.objects.stepped();
            }
            self.broken_by_clock(to, &step.to_string())?;
        }
        if origin == Origin::Arrival {
            to.stats.times_replaced.fetch_add(1, Relaxed);
        }
        if frame.track == TrackKind::Video
            && frame.reference.is_random_access()
            && let Some(span) = &mut self.span
        {
            self.clock.set_synchronized(self.gateway.synchronized());
            span.set_clock(self.clock.info());
        }
        if frame.track == TrackKind::Video {
            to.last_wall = Some(wall);
        }
        for attempt in 0..2 {
            let span = self.span.get_or_insert_with(|| {
                let span = Segmenter::new(to.plan.settings(), self.parameters.clone(), self.clock.info());
                span.with_quiet(to.quiet())
            });
            if to.plan.extent == Extent::Live {
                span.set_cuts(to.objects.cuts());
            }
            let before = span.stats();
            match span.push_timed(frame.clone(), wall, origin) {
                Ok(outputs) => {
                    to.account(frame.track, before, span.stats());
                    to.keep_quiet(span, &outputs);
                    return to.write(outputs);
                }
                Err(error) if attempt == 0 => self.broken_by_clock(to, &error.to_string())?,
                Err(error) => {
                    tracing::warn!(camera = %to.plan.camera, %error, "frame dropped");
                    to.stats.frames_dropped.fetch_add(1, Relaxed);
                }
            }
        }
        Ok(())
    }

    /// Counts and logs the clock's findings about the camera.
    fn tell_notes(&mut self, to: &mut Writing) {
        for note in self.clock.notes() {
            if let Note::Stepped { .. } = note {
                to.stats.clock_steps.fetch_add(1, Relaxed);
            }
            to.notes.tell(&to.plan.camera, note, self.gateway.monotonic());
        }
    }

    fn flush_held(&mut self, to: &mut Writing) -> Result<(), spool::Error> {
        let placed = self.clock.flush();
        self.tell_notes(to);
        for placed in placed {
            self.placed(to, placed)?;
        }
        Ok(())
    }

    fn broken_by_clock(&mut self, to: &mut Writing, detail: &str) -> Result<(), spool::Error> {
        if let Some(from) = self.close(to)? {
            tracing::warn!(camera = %to.plan.camera, detail, "span closed");
            let detail = Some(detail.to_owned());
            to.open_gap(OpenGap::new(GapStart::At(from), GapCause::ClockJump, detail));
        }
        Ok(())
    }

    /// Records what the clock still held, and closes the span, if one is open: its end.
    pub(super) fn flush_and_close(&mut self, to: &mut Writing) -> Result<Option<Timestamp>, spool::Error> {
        self.flush_held(to)?;
        self.close(to)
    }

    /// Closes the span if one is open, and returns its end.
    fn close(&mut self, to: &mut Writing) -> Result<Option<Timestamp>, spool::Error> {
        let Some(span) = self.span.take() else { return Ok(None) };
        to.tell_left_out(span.stats());
        let outputs = match span.finish() {
            Ok(outputs) => outputs,
            Err(error) => {
                // The spool repairs the open chunk from the disk, as after a crash.
                tracing::error!(camera = %to.plan.camera, error = framepost_ports::chain(&error), "span not closed");
                Vec::new()
            }
        };
        let end = outputs.iter().find_map(|output| match output {
            Output::SpanEnd { end, .. } => Some(*end),
            _ => None,
        });
        to.write(outputs)?;
        if let Some(end) = end {
            to.stats.span_ended(end);
        }
        Ok(end)
    }
}
