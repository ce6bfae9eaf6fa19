//! Keeps one camera connected while the gateway runs.

use super::progress::{CameraCounters, CameraState};
use super::queue::{Item, Place, QueueSender, RecorderGone};
use super::reception::{Haste, Pace};
use super::watch::Unstored;
use crate::camera::{Camera, CameraError, CameraEvent, Extent, Session};
use crate::media::Frame;
use framepost_events::gap::GapCause;
use futures::FutureExt as _;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::Poll;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The first and the longest bound of the wait before a lost camera is connected again. The actual
/// wait is random between zero and the bound, so that a site's cameras do not all reconnect at the
/// same time after a power cut.
const BACKOFF: std::ops::RangeInclusive<Duration> = Duration::from_millis(500)..=Duration::from_secs(30);

/// The same for a camera that was stopped because it exceeded a limit, since each attempt uses
/// what a camera may use.
const PENANCE: std::ops::RangeInclusive<Duration> = Duration::from_secs(10)..=Duration::from_mins(10);

/// After a session of this length, the wait starts again with the first bound. Otherwise a camera that hangs up
/// sooner would cause a span and a gap every second.
const GOOD_SESSION: Duration = Duration::from_secs(10);

/// The first frames arrive in a burst, and the session's clock needs a second to settle. Until then
/// every frame is read immediately.
const SETTLED: Duration = Duration::from_secs(2);

/// How the reception of a camera ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// A finite source was read to its end.
    Finished,
    /// The gateway is shutting down.
    Stopped,
    /// A finite source could not be read, or not to its end.
    Failed(CameraError),
    /// A finite source has no end yet.
    Unfinished(CameraError),
    /// The spool cannot be written.
    RecorderGone,
}

impl From<RecorderGone> for Ended {
    fn from(_: RecorderGone) -> Self {
        Self::RecorderGone
    }
}

/// Where what one camera sends goes, and what is told of it.
struct Reception {
    extent: Extent,
    queue: QueueSender,
    stats: Arc<CameraCounters>,
    pace: Pace,
    stop: CancellationToken,
}

/// Receives until the source ends or `stop` is cancelled.
pub(super) async fn receive(
    mut camera: Box<dyn Camera>,
    queue: QueueSender,
    stats: Arc<CameraCounters>,
    pace: Pace,
    stop: CancellationToken,
) -> Ended {
    let mut waits = Waits::default();
    let mut reception = Reception { extent: camera.extent(), queue, stats: Arc::clone(&stats), pace, stop };
    loop {
        let began = Instant::now();
        let frames = stats.frames.load(Relaxed);
        // A panic ends the session, as if the camera had hung up.
        let session = AssertUnwindSafe(reception.session(&mut *camera));
        let problem = match session.catch_unwind().await {
            Ok(Ok(problem)) => problem,
            Ok(Err(ended)) => return ended,
            Err(_) => {
                let problem = "the session failed because of a defect in the program".to_owned();
                CameraError::Lost { what: camera.source(), problem, source: None }
            }
        };
        if camera.extent() == Extent::Finite {
            if matches!(problem, CameraError::Unfinished { .. }) {
                // Without `Item::End`, the recorder leaves the last chunk open.
                return Ended::Unfinished(problem);
            }
            // The readable part of a damaged file is recorded. It will not get longer.
            return reception.queue.tell(Item::End).map_or_else(Ended::from, |()| Ended::Failed(problem));
        }
        stats.set_state(CameraState::Lost);
        let lasted = if stats.frames.load(Relaxed) > frames { began.elapsed() } else { Duration::ZERO };
        let wait = waits.after(&problem, lasted, fastrand::f64());
        // The detail is also stored in the bucket, so remove secrets and control
        // characters from the camera's text.
        let detail = framepost_ports::shown::line(&framepost_ports::chain(&problem));
        stats.broke(&detail);
        tracing::warn!(camera = %stats.name, error = detail, retry_in = ?wait, "camera lost");
        if let Err(gone) = reception.queue.tell(Item::Lost { cause: GapCause::CameraLost, detail }) {
            return gone.into();
        }
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = reception.stop.cancelled() => return Ended::Stopped,
        }
    }
}

/// The waits before a camera is connected again.
#[derive(Debug)]
struct Waits {
    backoff: Duration,
    penance: Duration,
}

impl Default for Waits {
    fn default() -> Self {
        Self { backoff: *BACKOFF.start(), penance: *PENANCE.start() }
    }
}

impl Waits {
    /// Returns the wait after a session whose frames arrived during `lasted`, which is zero without frames.
    /// `chance` is between 0 and 1.
    fn after(&mut self, problem: &CameraError, lasted: Duration, chance: f64) -> Duration {
        if lasted > self.backoff.max(GOOD_SESSION) {
            self.backoff = *BACKOFF.start();
        }
        if lasted > *PENANCE.end() {
            self.penance = *PENANCE.start();
        }
        if let CameraError::Excessive { .. } = problem {
            // At least half of it, so that the wait is never short by chance.
            let wait = self.penance.mul_f64(0.5 + chance / 2.0);
            self.penance = (self.penance * 2).min(*PENANCE.end());
            return wait;
        }
        let wait = self.backoff.mul_f64(chance);
        self.backoff = (self.backoff * 2).min(*BACKOFF.end());
        wait
    }
}

impl Reception {
    /// Runs one session from its connection on. `Ok` is the reason to connect again.
    async fn session(&mut self, camera: &mut dyn Camera) -> Result<CameraError, Ended> {
        self.stats.set_state(CameraState::Connecting);
        let haste = self.pace.haste();
        let connected = tokio::select! {
            connected = camera.connect() => connected,
            () = self.stop.cancelled() => return Err(Ended::Stopped),
        };
        match connected {
            Ok(session) => {
                self.stats.connects.fetch_add(1, Relaxed);
                self.follow(session, haste).await
            }
            Err(error) => Ok(error),
        }
    }

    /// Follows a connected session until it ends.
    async fn follow(&mut self, mut session: Box<dyn Session>, haste: Haste) -> Result<CameraError, Ended> {
        self.queue.tell(Item::Connected { timing: session.timing() })?;
        if let Some(total) = session.frames_total() {
            self.stats.frames_total.store(total, Relaxed);
        }
        let mut haste = Some((haste, None));
        let stop = self.stop.clone();
        let stopped = stop.cancelled();
        tokio::pin!(stopped);
        loop {
            // A source with unlimited data must not delay the end.
            if self.stop.is_cancelled() {
                return Err(Ended::Stopped);
            }
            let mut next = session.next();
            let event = match futures::poll!(&mut next) {
                Poll::Ready(event) => event,
                Poll::Pending => {
                    match self.extent {
                        Extent::Live => self.queue.flush_due()?,
                        Extent::Finite => self.queue.flush()?,
                    }
                    tokio::select! {
                        biased;
                        () = &mut stopped => return Err(Ended::Stopped),
                        event = next => event,
                    }
                }
            };
            match event {
                Ok(Some(CameraEvent::Frame(frame))) => {
                    if let Some((_, first)) = &mut haste
                        && frame.arrival.saturating_sub(*first.get_or_insert(frame.arrival)) > SETTLED
                    {
                        haste = None;
                    }
                    self.frame(frame).await?;
                }
                Ok(Some(CameraEvent::Undescribed { arrival })) => self.stats.undescribed(arrival),
                Ok(Some(event)) => self.queue.tell(Item::Event(event, Place::default()))?,
                Ok(None) if self.extent == Extent::Finite => {
                    self.queue.tell(Item::End)?;
                    return Err(Ended::Finished);
                }
                Ok(None) => {
                    let what = self.stats.name.to_string();
                    let problem = "the camera ended the stream".to_owned();
                    return Ok(CameraError::Lost { what, problem, source: None });
                }
                Err(error) => return Ok(error),
            }
        }
    }

    async fn frame(&mut self, frame: Frame) -> Result<(), RecorderGone> {
        self.stats.received(&frame);
        self.pace.received(frame.data.len());
        if self.extent == Extent::Finite {
            return self.queue.send(frame).await;
        }
        let dropped = self.queue.offer(frame)?;
        if dropped > 0 {
            self.stats.frames_dropped.fetch_add(dropped, Relaxed);
            self.stats.lost(Unstored::TooSlow);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_good_sessions_end_that() {
        let what = || "rtsp://10.0.0.7/".to_owned();
        let lost = CameraError::Lost { what: what(), problem: String::new(), source: None };
        let excessive = CameraError::Excessive { what: what(), problem: String::new() };
        let none = Duration::ZERO;
        let short = Duration::from_secs(3);
        let good = Duration::from_mins(1);
        let mut waits = Waits::default();
        let mut after = |problem: &CameraError, lasted| waits.after(problem, lasted, 1.0).as_millis();
        assert_eq!([after(&lost, none), after(&lost, none), after(&lost, short)], [500, 1000, 2000]);
        assert_eq!([after(&lost, good), after(&lost, short)], [500, 1000]);
        for _ in 0..10 {
            after(&lost, none);
        }
        assert_eq!(after(&lost, none), 30_000);
        assert_eq!([after(&excessive, none), after(&excessive, good), after(&lost, good)], [10_000, 20_000, 500]);
        for _ in 0..10 {
            after(&excessive, good);
        }
        assert_eq!(after(&excessive, good), 600_000);
        assert_eq!(after(&excessive, Duration::from_hours(1)), 10_000);
        assert_eq!(waits.after(&excessive, none, 0.0), Duration::from_secs(10), "half of the second wait");
    }
}
