//! Counters and states of cameras, for metrics and the progress display.

use super::anchor::GatewayClock;
use super::watch::{Change, Episode, Unstored, Watch};
use crate::camera::Extent;
use crate::media::{Frame, TrackKind, VideoParameters};
use crate::segment::ACTIVE_LEVEL;
use crate::tick;
use framepost_events::Camera;
use framepost_events::activity::Activity;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicI64, AtomicU8, AtomicU64};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Where a camera's session stands, for the display, metrics and reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum CameraState {
    /// The connection is being made.
    Connecting,
    /// Frames are arriving. Whether they are stored, [`unstored`](CameraCounters::unstored) says.
    Recording,
    /// The connection was lost, and will be made again soon.
    Lost,
    /// A finite source was read to its end.
    Finished,
    /// A finite source could not be read, or the spool could not be written.
    Failed,
    /// The gateway was stopped.
    Stopped,
}

/// What a camera sends, as its last session described it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescribedStream {
    /// Codec of the video, as in RFC 6381: `avc1.64001f`.
    pub codec: String,
    /// Width of the picture in pixels, after cropping.
    pub width: u32,
    /// Height of the picture in pixels, after cropping.
    pub height: u32,
}

/// Before the first frame of a camera.
const NO_ARRIVAL: u64 = u64::MAX;

/// Where the activity in a camera's last chunk is not known.
const NO_ACTIVITY: u64 = u64::MAX;

/// Counters of one camera, updated during recording.
#[derive(Debug)]
pub struct CameraCounters {
    pub name: Camera,
    /// Its URL or file, without credentials.
    pub source: String,
    /// Whether it ends by itself.
    pub extent: Extent,
    /// For how long it may show nothing new, where that is known.
    pub silence_max: Option<Duration>,
    state: AtomicU8,
    /// Number of sessions that began.
    pub connects: AtomicU64,
    /// Number of video frames received.
    pub frames: AtomicU64,
    /// Number of video frames received at which decoding can start.
    pub random_access_frames: AtomicU64,
    /// Number of video frames that a finite source has in all; 0 if it does not say.
    pub frames_total: AtomicU64,
    /// Number of frames of any kind dropped because the disk was slow.
    pub frames_dropped: AtomicU64,
    /// Number of RTP packets lost on the network.
    pub packets_lost: AtomicU64,
    /// Number of damaged places in a file.
    pub damaged: AtomicU64,
    /// Number of bytes received.
    pub bytes: AtomicU64,
    /// Number of frames whose own times were implausible and were replaced.
    pub times_replaced: AtomicU64,
    /// Number of permanent jumps of the camera's timestamps.
    pub clock_steps: AtomicU64,
    /// Number of chunks closed.
    pub chunks: AtomicU64,
    /// Number of closed chunks that start between two random access frames.
    pub chunks_between: AtomicU64,
    /// Of these, the ones in which something happened.
    pub chunks_active: AtomicU64,
    /// The activity in the last chunk, in hundredths; [`NO_ACTIVITY`] where nothing is known of it.
    activity_percent: AtomicU64,
    /// Number of spans closed.
    pub spans: AtomicU64,
    /// Number of gaps recorded.
    pub gaps: AtomicU64,
    /// End of the last span in µs since 1970; `i64::MIN` before the first.
    last_end_us: AtomicI64,
    /// When the last frame of any kind came, in µs of the monotonic clock; [`NO_ARRIVAL`] before the first.
    last_arrival_us: AtomicU64,
    described: Mutex<Option<DescribedStream>>,
    /// Why the last session broke.
    last_problem: Mutex<Option<String>>,
    /// Checks whether arriving frames are stored. Absent for a finite source, which waits for the disk
    /// and reports its own end.
    watch: Option<Mutex<Watch>>,
}

impl CameraCounters {
    /// Creates counters for a camera that may show nothing new for `silence_max`, if that is known.
    pub(super) fn new(name: Camera, source: String, extent: Extent, silence_max: Option<Duration>) -> Self {
        let zero = AtomicU64::default;
        Self {
            name,
            source,
            extent,
            silence_max,
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
            chunks_active: zero(),
            activity_percent: AtomicU64::new(NO_ACTIVITY),
            spans: zero(),
            gaps: zero(),
            last_end_us: AtomicI64::new(i64::MIN),
            last_arrival_us: AtomicU64::new(NO_ARRIVAL),
            described: Mutex::default(),
            last_problem: Mutex::default(),
            watch: (extent == Extent::Live).then(|| Mutex::new(Watch::new(silence_max))),
        }
    }

    /// Returns for how long frames have arrived without being stored, and why. `None` if they are being stored.
    pub fn unstored(&self) -> Option<Episode> {
        self.watched(|watch| watch.episode()).flatten()
    }

    /// Records that a fragment was written.
    pub(super) fn stored(&self) {
        self.watched(Watch::stored);
    }

    /// Records that a frame was left out according to the operator's settings.
    pub(super) fn left_out(&self, track: TrackKind) {
        self.watched(|watch| watch.left_out(track));
    }

    /// Records that a received frame was lost.
    pub(super) fn lost(&self, why: Unstored) {
        self.watched(|watch| watch.lost(why));
    }

    /// Records a frame that is unusable because its parameter sets are unknown.
    pub(super) fn undescribed(&self, arrival: Duration) {
        self.watched(|watch| {
            watch.arrived(TrackKind::Video, arrival);
            watch.lost(Unstored::Undescribed);
        });
    }

    fn watched<T>(&self, act: impl FnOnce(&mut Watch) -> T) -> Option<T> {
        Some(act(&mut self.watch.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner)))
    }

    /// Logs, once for each episode, that frames arrive and none is stored.
    fn look(&self, now: Duration) {
        match self.watched(|watch| watch.look(now)).flatten() {
            Some(Change::Began(Episode { lasts, why })) => {
                tracing::error!(camera = %self.name, seconds = lasts.as_secs(), why = %why, "frames arrive and are not stored");
            }
            Some(Change::Ended) => tracing::info!(camera = %self.name, "frames are stored again"),
            None => {}
        }
    }

    /// Returns the end of the last closed span.
    pub fn last_end(&self) -> Option<jiff::Timestamp> {
        let micros = self.last_end_us.load(Relaxed);
        (micros != i64::MIN).then(|| jiff::Timestamp::from_microsecond(micros).ok())?
    }

    /// How many times its quiet level the camera sent in the last chunk, where that is known.
    pub fn activity(&self) -> Option<f64> {
        let percent = self.activity_percent.load(Relaxed);
        (percent != NO_ACTIVITY).then(|| percent as f64 / 100.0)
    }

    /// A chunk was closed with so much activity in it.
    pub(super) fn measured(&self, activity: Option<Activity>) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a level is not negative")]
        let percent = activity.map_or(NO_ACTIVITY, |activity| (activity.level * 100.0).round() as u64);
        self.activity_percent.store(percent, Relaxed);
        let active = activity.is_some_and(|activity| activity.level > ACTIVE_LEVEL);
        self.chunks_active.fetch_add(u64::from(active), Relaxed);
    }

    /// When the last frame came, on the monotonic clock.
    pub fn last_arrival(&self) -> Option<Duration> {
        let micros = self.last_arrival_us.load(Relaxed);
        (micros != NO_ARRIVAL).then(|| Duration::from_micros(micros))
    }

    /// What it sends, once a session has described it.
    pub fn described(&self) -> Option<DescribedStream> {
        self.described.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn describe(&self, video: &VideoParameters) {
        let described =
            DescribedStream { codec: video.rfc6381.clone(), width: video.width.into(), height: video.height.into() };
        *self.described.lock().unwrap_or_else(PoisonError::into_inner) = Some(described);
    }

    /// Why the last session broke, in words that may be shown; `None` where none has.
    pub fn last_problem(&self) -> Option<String> {
        self.last_problem.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn broke(&self, problem: &str) {
        *self.last_problem.lock().unwrap_or_else(PoisonError::into_inner) = Some(problem.to_owned());
    }

    pub(super) fn span_ended(&self, end: jiff::Timestamp) {
        self.spans.fetch_add(1, Relaxed);
        self.last_end_us.store(end.as_microsecond(), Relaxed);
    }

    /// Returns where the camera's session stands.
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
        self.last_arrival_us.store(u64::try_from(frame.arrival.as_micros()).unwrap_or(NO_ARRIVAL), Relaxed);
        self.bytes.fetch_add(frame.data.len() as u64, Relaxed);
    }
}

/// Checks every second whether a camera's frames are stored, until it has ended or `stop` is cancelled.
pub(super) async fn watch(camera: Weak<CameraCounters>, clock: Arc<GatewayClock>, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = tick::next() => {}
            () = stop.cancelled() => return,
        }
        let Some(camera) = camera.upgrade() else { return };
        if matches!(camera.state(), CameraState::Finished | CameraState::Failed | CameraState::Stopped) {
            return;
        }
        camera.look(clock.monotonic());
    }
}
