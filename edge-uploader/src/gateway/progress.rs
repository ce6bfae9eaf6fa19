//! What is to be seen from outside while the gateway works.

use crate::media::{Frame, TrackKind};
use framepost_events::Camera;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicI64, AtomicU8, AtomicU64};

/// Where a camera stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum CameraState {
    /// The connection is being made.
    Connecting,
    /// Frames come.
    Recording,
    /// The connection broke; another is tried soon.
    Lost,
    /// A finite source was read to its end.
    Finished,
    /// A finite source could not be read, or the spool could not be written.
    Failed,
    /// The gateway was told to stop.
    Stopped,
}

/// Counters of one camera, updated as it goes.
#[derive(Debug)]
pub struct CameraStats {
    /// The camera.
    pub name: Camera,
    state: AtomicU8,
    /// Sessions that began.
    pub connects: AtomicU64,
    /// Video frames received.
    pub frames: AtomicU64,
    /// Video frames of a finite source in all; 0 where it does not say.
    pub frames_total: AtomicU64,
    /// Frames of any kind that were dropped because the disk was slow.
    pub frames_dropped: AtomicU64,
    /// RTP packets that got lost on the way.
    pub packets_lost: AtomicU64,
    /// Bytes received.
    pub bytes: AtomicU64,
    /// Frames whose own times could not be, and were replaced.
    pub times_replaced: AtomicU64,
    /// Lasting jumps of the camera's times.
    pub clock_steps: AtomicU64,
    /// Chunks closed.
    pub chunks: AtomicU64,
    /// Spans closed.
    pub spans: AtomicU64,
    /// Gaps recorded.
    pub gaps: AtomicU64,
    /// The end of the last span, in µs since 1970; `i64::MIN` before the first.
    last_end_us: AtomicI64,
}

impl CameraStats {
    pub(super) fn new(name: Camera) -> Self {
        let zero = AtomicU64::default;
        Self {
            name,
            state: AtomicU8::new(CameraState::Connecting as u8),
            connects: zero(),
            frames: zero(),
            frames_total: zero(),
            frames_dropped: zero(),
            packets_lost: zero(),
            bytes: zero(),
            times_replaced: zero(),
            clock_steps: zero(),
            chunks: zero(),
            spans: zero(),
            gaps: zero(),
            last_end_us: AtomicI64::new(i64::MIN),
        }
    }

    /// The end of the last span that was closed.
    pub fn last_end(&self) -> Option<jiff::Timestamp> {
        let micros = self.last_end_us.load(Relaxed);
        (micros != i64::MIN).then(|| jiff::Timestamp::from_microsecond(micros).ok())?
    }

    pub(super) fn span_ended(&self, end: jiff::Timestamp) {
        self.spans.fetch_add(1, Relaxed);
        self.last_end_us.store(end.as_microsecond(), Relaxed);
    }

    /// Where the camera stands.
    pub fn state(&self) -> CameraState {
        use CameraState::{Connecting, Failed, Finished, Lost, Recording, Stopped};
        let value = self.state.load(Relaxed);
        [Connecting, Recording, Lost, Finished, Failed, Stopped]
            .into_iter()
            .find(|state| *state as u8 == value)
            .unwrap_or(Connecting)
    }

    pub(super) fn set_state(&self, state: CameraState) {
        self.state.store(state as u8, Relaxed);
    }

    pub(super) fn received(&self, frame: &Frame) {
        if frame.track == TrackKind::Video && self.frames.fetch_add(1, Relaxed) == 0 {
            tracing::info!(camera = %self.name, "recording");
        }
        self.set_state(CameraState::Recording);
        self.bytes.fetch_add(frame.data.len() as u64, Relaxed);
    }
}
