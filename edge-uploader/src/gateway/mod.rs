//! The gateway as a whole: one spool, one uploader, and a receiver and a recorder for each camera.
//!
//! ```text
//! receiver (task) ──queue──▶ recorder (thread) ──files──▶ spool ──▶ uploader (tasks, shared by all cameras)
//! ```
//!
//! Cameras share only the spool and the uploader, so a faulty camera does not disturb the others. A shutdown
//! stops the receivers, lets the recorders close their spans, and gives the uploader the rest of the deadline.
//! Objects that are not uploaded by then stay in the spool for the next start.

mod anchor;
mod plan;
mod progress;
mod queue;
mod receiver;
mod reception;
mod recorder;
mod steps;
mod watch;

pub use progress::{CameraCounters, CameraState, DescribedStream};
pub use watch::{Episode, Unstored};

use crate::camera::{Camera, CameraError, Extent, Reading};
use crate::clock::{Synchronized, TrustedClock};
use crate::config::Recording;
use crate::spool::{self, Spool};
use crate::upload::{self, Drained, UploadStats, Uploader};
use anchor::GatewayClock;
use framepost_events::Site;
use framepost_ports::{Clock, ObjectSink};
use jiff::Timestamp;
use plan::Plan;
use receiver::Ended;
use reception::{Pace, Reception};
use recorder::Recorder;
use std::path::Path;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A running gateway. It owns the spool and the uploader; a task for each camera runs beside it.
pub struct Gateway {
    site: Site,
    spool: Spool,
    uploader: Uploader,
    clock: Arc<GatewayClock>,
    cameras: Mutex<Vec<Arc<CameraCounters>>>,
    /// The thread that receives from all cameras whose data can wait. Started with the first such camera.
    reception: Mutex<Option<Reception>>,
    /// Cancelling it stops the receivers.
    stop: CancellationToken,
    /// Cancelling it stops the uploader.
    stop_uploads: CancellationToken,
    /// The uploader's task, until a shutdown has waited for it.
    uploading: Mutex<Option<JoinHandle<()>>>,
}

/// How long a shutdown waits for the uploader's tasks to end after it has stopped them. They hold the spool.
const UPLOADS_END: Duration = Duration::from_secs(1);

/// Why a gateway cannot start.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// The spool cannot be opened.
    #[error("cannot use the spool")]
    Spool(#[from] spool::Error),
    /// A camera's thread cannot be started.
    #[error("cannot start a thread for a camera")]
    Thread(#[source] std::io::Error),
}

/// How a camera's recording ended.
#[derive(Debug)]
pub enum CameraEnd {
    /// A finite source was read to its end.
    Finished,
    /// A finite source was read to its end and parts of it are damaged. What could be read is recorded.
    Damaged,
    /// A finite source was read to its end and has no frame that can be recorded.
    Nothing,
    /// A finite source was read as far as it goes now, and will get longer. Its last chunk is left open, so
    /// that another run can write it completely.
    Unfinished(CameraError),
    /// The gateway was stopped.
    Stopped,
    /// The source could not be read, or not to its end.
    Failed(CameraError),
    /// The spool could not be written.
    SpoolFailed(spool::Error),
    /// The camera's code panicked. Other cameras continue.
    Panicked,
}

/// A camera that is being recorded.
pub struct Recorded {
    task: JoinHandle<CameraEnd>,
    /// Counters and state of the camera; they go on being read after the recording has ended.
    pub stats: Arc<CameraCounters>,
}

impl Recorded {
    /// Waits until the camera's recording has ended and all of it is in the spool.
    pub async fn ended(self) -> CameraEnd {
        self.task.await.unwrap_or(CameraEnd::Panicked)
    }
}

impl Gateway {
    /// Opens the spool, repairs what an earlier run left, and starts uploading.
    ///
    /// Blocks meanwhile: for milliseconds, or as long as it takes to hash the chunk that was being written.
    pub fn start(
        site: Site,
        spool_dir: &Path,
        options: spool::Options,
        sink: Arc<dyn ObjectSink>,
        upload: upload::UploadSettings,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, GatewayError> {
        let (spool, recovery) = Spool::open(spool_dir, options)?;
        if recovery.waiting_objects > 0 {
            let objects = recovery.waiting_objects;
            let bytes = recovery.waiting_bytes;
            tracing::info!(objects, bytes, "an earlier run left objects in the spool, uploading them");
        }
        let uploader = Uploader::new(spool.clone(), sink, upload, fastrand::Rng::new());
        let stop_uploads = CancellationToken::new();
        let running = uploader.clone();
        let token = stop_uploads.clone();
        let uploading = tokio::spawn(async move { running.run(token).await });
        let clock = Arc::new(GatewayClock::new(clock));
        let stop = CancellationToken::new();
        tokio::spawn(Arc::clone(&clock).watch(stop.clone()));
        let cameras = Mutex::default();
        let reception = Mutex::default();
        let uploading = Mutex::new(Some(uploading));
        Ok(Self { site, spool, uploader, clock, cameras, reception, stop, stop_uploads, uploading })
    }

    /// Records a camera until it ends or the gateway is stopped.
    pub fn record(
        &self,
        name: &framepost_events::Camera,
        camera: Box<dyn Camera>,
        what: &Recording,
        trusted: TrustedClock,
    ) -> Result<Recorded, GatewayError> {
        let plan = Plan {
            site: self.site.clone(),
            camera: name.clone(),
            source: camera.source(),
            window: what.window,
            chunk_max: what.chunk_max(),
            keep: what.keep,
            trusted,
            extent: camera.extent(),
            file: camera.file().map(Path::to_owned),
            silence_max: camera.silence_max(),
        };
        let writer = self.spool.writer(self.site.clone(), name.clone())?;
        let stats = Arc::new(CameraCounters::new(name.clone(), camera.source(), camera.extent(), camera.silence_max()));
        let (sender, receiver) = queue::queue();
        let recorder = Recorder::new(plan, writer, Arc::clone(&self.clock), Arc::clone(&stats));
        let spool = self.spool.clone();
        let site = self.site.clone();
        let counters = Arc::clone(&stats);
        let stop = self.stop.clone();
        let reading = camera.reading();
        let receiving = |pace: Pace| async move {
            // A file that is read again produces the same keys, so let the objects of an
            // earlier run be uploaded first.
            if camera.extent() == Extent::Finite {
                tokio::select! {
                    () = uploaded_of(&spool, &site, &counters.name) => {}
                    () = stop.cancelled() => return Ended::Stopped,
                }
            }
            receiver::receive(camera, sender, counters, pace, stop).await
        };
        let reception = match reading {
            Reading::Prompt => tokio::spawn(receiving(Pace::default())),
            Reading::Relaxed => {
                let mut shared = self.reception.lock().unwrap_or_else(PoisonError::into_inner);
                let shared = match &mut *shared {
                    Some(shared) => shared,
                    none => none.insert(Reception::start(self.stop.clone()).map_err(GatewayError::Thread)?),
                };
                shared.spawn(receiving(shared.pace()))
            }
        };
        let (done, recording) = tokio::sync::oneshot::channel();
        std::thread::Builder::new()
            .name(format!("rec-{name}"))
            .spawn(move || drop(done.send(recorder.run(receiver))))
            .map_err(GatewayError::Thread)?;
        self.cameras.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&stats));
        tokio::spawn(progress::watch(Arc::downgrade(&stats), Arc::clone(&self.clock), self.stop.clone()));
        let task = tokio::spawn(ended(reception, recording, Arc::clone(&stats)));
        Ok(Recorded { task, stats })
    }

    /// Returns the counters of all cameras in the order in which they were added.
    pub fn cameras(&self) -> Vec<Arc<CameraCounters>> {
        self.cameras.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns the counters of the uploader.
    pub fn upload_stats(&self) -> UploadStats {
        self.uploader.stats()
    }

    /// Returns the site, the same for all cameras.
    pub fn site(&self) -> &Site {
        &self.site
    }

    /// Now, by the gateway's clock: the wall clock, and the monotonic one that arrivals have.
    pub fn now(&self) -> (Timestamp, Duration) {
        self.clock.now()
    }

    /// Whether the system clock is synchronised, as of the last time it was asked.
    pub fn synchronized(&self) -> Synchronized {
        self.clock.synchronized()
    }

    /// Whether the gateway was told to stop.
    pub fn is_stopping(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// Returns how often the system clock was set since the start.
    pub fn system_clock_sets(&self) -> u64 {
        self.clock.anchor().epoch()
    }

    /// Returns the gateway's spool.
    pub fn spool(&self) -> &Spool {
        &self.spool
    }

    /// Stops the receivers. The recorders then close their spans; [`Recorded::ended`] waits for each.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// Waits until the spool is empty except for objects in quarantine.
    pub async fn uploaded(&self) {
        self.uploader.drain(None).await;
    }

    /// Stops the receivers and gives the uploader until `deadline` to empty the spool.
    pub async fn shutdown(&self, deadline: Duration) -> Drained {
        self.stop.cancel();
        let drained = self.uploader.drain(Some(tokio::time::Instant::now() + deadline)).await;
        self.stop_uploads.cancel();
        let uploading = self.uploading.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(uploading) = uploading
            && tokio::time::timeout(UPLOADS_END, uploading).await.is_err()
        {
            tracing::warn!("the uploader does not stop, the disk may be stuck");
        }
        drained
    }
}

/// A gateway that is dropped stops recording and uploading, and leaves the spool to the next one.
impl Drop for Gateway {
    fn drop(&mut self) {
        self.stop.cancel();
        self.stop_uploads.cancel();
    }
}

/// Waits until no object of this camera waits for its upload.
async fn uploaded_of(spool: &Spool, site: &Site, camera: &framepost_events::Camera) {
    let mut changes = spool.changes();
    while spool.has_pending(site, camera) {
        if changes.changed().await.is_err() {
            return;
        }
    }
}

/// Waits for the receiver and then for the recorder, so that everything received is in the spool.
async fn ended(
    reception: JoinHandle<Ended>,
    recorded: tokio::sync::oneshot::Receiver<Result<(), spool::Error>>,
    stats: Arc<CameraCounters>,
) -> CameraEnd {
    let reception = reception.await;
    let end = match (recorded.await, reception) {
        (Ok(Err(error)), _) => CameraEnd::SpoolFailed(error),
        (Err(_), _) | (_, Err(_) | Ok(Ended::RecorderGone)) => CameraEnd::Panicked,
        (Ok(Ok(())), Ok(Ended::Finished)) if stats.chunks.load(Relaxed) == 0 => CameraEnd::Nothing,
        (Ok(Ok(())), Ok(Ended::Finished)) if stats.damaged.load(Relaxed) > 0 => CameraEnd::Damaged,
        (Ok(Ok(())), Ok(Ended::Finished)) => CameraEnd::Finished,
        (Ok(Ok(())), Ok(Ended::Stopped)) => CameraEnd::Stopped,
        (Ok(Ok(())), Ok(Ended::Failed(error))) => CameraEnd::Failed(error),
        (Ok(Ok(())), Ok(Ended::Unfinished(error))) => CameraEnd::Unfinished(error),
    };
    let camera = stats.name.as_str();
    match &end {
        CameraEnd::Finished => stats.set_state(CameraState::Finished),
        CameraEnd::Damaged => {
            stats.set_state(CameraState::Finished);
            let places = stats.damaged.load(Relaxed);
            tracing::error!(
                camera,
                places,
                "the file is not whole: what could be read of it is recorded, the rest is lost"
            );
        }
        CameraEnd::Nothing => {
            tracing::error!(camera, "nothing to record: the file has no video frame that can be used");
        }
        CameraEnd::Unfinished(error) => {
            let error = framepost_ports::chain(error);
            tracing::warn!(camera, error, "the file is unfinished: its last piece is left for another run");
            stats.set_state(CameraState::Stopped);
        }
        CameraEnd::Stopped => stats.set_state(CameraState::Stopped),
        CameraEnd::Failed(error) => tracing::error!(camera, error = framepost_ports::chain(error), "camera failed"),
        CameraEnd::SpoolFailed(error) => {
            tracing::error!(
                camera,
                error = framepost_ports::chain(error),
                "recording failed: the spool cannot be written"
            );
        }
        CameraEnd::Panicked => tracing::error!(camera, "recording failed because of a defect in the program"),
    }
    if matches!(end, CameraEnd::Nothing | CameraEnd::Failed(_) | CameraEnd::SpoolFailed(_) | CameraEnd::Panicked) {
        stats.set_state(CameraState::Failed);
    }
    end
}
