//! What is to be seen from outside while the gateway works.

use super::anchor::GatewayClock;
use super::watch::{Change, Episode, Unstored, Watch};
use crate::camera::Extent;
use crate::media::{Frame, TrackKind};
use framepost_events::Camera;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicI64, AtomicU8, AtomicU64};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often cameras are looked at whose frames may not be stored.
const LOOK_EVERY: Duration = Duration::from_secs(1);

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
    /// Of these, the ones that decoding can start at.
    pub random_access_frames: AtomicU64,
    /// Video frames of a finite source in all; 0 where it does not say.
    pub frames_total: AtomicU64,
    /// Frames of any kind that were dropped because the disk was slow.
    pub frames_dropped: AtomicU64,
    /// RTP packets that got lost on the way.
    pub packets_lost: AtomicU64,
    /// Damaged places of a file.
    pub damaged: AtomicU64,
    /// Bytes received.
    pub bytes: AtomicU64,
    /// Frames whose own times could not be, and were replaced.
    pub times_replaced: AtomicU64,
    /// Lasting jumps of the camera's times.
    pub clock_steps: AtomicU64,
    /// Chunks closed.
    pub chunks: AtomicU64,
    /// Of these, the ones that start between two random access frames.
    pub chunks_between: AtomicU64,
    /// Spans closed.
    pub spans: AtomicU64,
    /// Gaps recorded.
    pub gaps: AtomicU64,
    /// The end of the last span, in µs since 1970; `i64::MIN` before the first.
    last_end_us: AtomicI64,
    /// Whether what arrives is stored. A finite source is not watched: it waits for the disk, and its end tells.
    watch: Option<Mutex<Watch>>,
}

impl CameraStats {
    /// Of a camera that may show nothing new for `silence_max`, where that is known.
    pub(super) fn new(name: Camera, extent: Extent, silence_max: Option<Duration>) -> Self {
        let zero = AtomicU64::default;
        Self {
            name,
            state: AtomicU8::new(CameraState::Connecting as u8),
            connects: zero(),
            frames: zero(),
            random_access_frames: zero(),
            frames_total: zero(),
            frames_dropped: zero(),
            packets_lost: zero(),
            damaged: zero(),
            bytes: zero(),
            times_replaced: zero(),
            clock_steps: zero(),
            chunks: zero(),
            chunks_between: zero(),
            spans: zero(),
            gaps: zero(),
            last_end_us: AtomicI64::new(i64::MIN),
            watch: (extent == Extent::Live).then(|| Mutex::new(Watch::new(silence_max))),
        }
    }

    /// While frames arrive and none is stored: for how long, and why.
    pub fn unstored(&self) -> Option<Episode> {
        self.watched(|watch| watch.episode()).flatten()
    }

    /// A fragment was written.
    pub(super) fn stored(&self) {
        self.watched(Watch::stored);
    }

    /// A frame is left out, because the operator wants it so.
    pub(super) fn left_out(&self, track: TrackKind) {
        self.watched(|watch| watch.left_out(track));
    }

    /// A frame that was received is lost.
    pub(super) fn lost(&self, why: Unstored) {
        self.watched(|watch| watch.lost(why));
    }

    /// A frame came whose parameter sets are not known: it is no use.
    pub(super) fn undescribed(&self, arrival: Duration) {
        self.watched(|watch| {
            watch.arrived(TrackKind::Video, arrival);
            watch.lost(Unstored::Undescribed);
        });
    }

    fn watched<T>(&self, act: impl FnOnce(&mut Watch) -> T) -> Option<T> {
        Some(act(&mut self.watch.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner)))
    }

    /// Tells, once an episode, that frames arrive and none is stored.
    fn look(&self, now: Duration) {
        match self.watched(|watch| watch.look(now)).flatten() {
            Some(Change::Began(Episode { lasts, why })) => {
                tracing::error!(camera = %self.name, seconds = lasts.as_secs(), why = %why, "frames arrive and are not stored");
            }
            Some(Change::Ended) => tracing::info!(camera = %self.name, "frames are stored again"),
            None => {}
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
        if frame.track == TrackKind::Video && frame.reference.is_random_access() {
            self.random_access_frames.fetch_add(1, Relaxed);
        }
        self.watched(|watch| watch.arrived(frame.track, frame.arrival));
        self.set_state(CameraState::Recording);
        self.bytes.fetch_add(frame.data.len() as u64, Relaxed);
    }
}

/// Looks at a camera until it has ended, or `stop`.
pub(super) async fn watch(camera: Weak<CameraStats>, clock: Arc<GatewayClock>, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = stop.cancelled() => return,
        }
        let Some(camera) = camera.upgrade() else { return };
        if matches!(camera.state(), CameraState::Finished | CameraState::Failed | CameraState::Stopped) {
            return;
        }
        camera.look(clock.monotonic());
    }
}
