//! A gateway before a bucket in memory, and what came out of it.

use edge_uploader::camera::Camera;
use edge_uploader::clock::TrustedClock;
use edge_uploader::config::Recording;
use edge_uploader::gateway::{CameraEnd, Gateway, GatewayError, Recorded};
use edge_uploader::segment::Keep;
use edge_uploader::spool::{self, Durability, Options, SpoolLimits};
use edge_uploader::upload::{Backoff, UploadSettings};
use framepost_events::attributes::Attributes;
use framepost_events::gap::{Gap, GapCause};
use framepost_events::{KeyKind, ObjectKey};
use framepost_ports::memory::{MemoryBucket, SimulatedClock};
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

/// The wall clock when the gateway's monotonic clock is 0.
pub(crate) const EPOCH: &str = "2026-11-20T15:00:00Z";

/// The wall clock this long after [`EPOCH`].
pub(crate) fn at(after: Duration) -> Timestamp {
    EPOCH.parse::<Timestamp>().unwrap() + SignedDuration::try_from(after).unwrap()
}

pub(crate) struct Scene {
    pub(crate) bucket: Arc<MemoryBucket>,
    pub(crate) clock: Arc<SimulatedClock>,
    pub(crate) spool: tempfile::TempDir,
    pub(crate) limits: SpoolLimits,
    /// How long the uploader waits for a bucket that does not answer, and before it tries again after a refusal.
    pub(crate) upload_waits: UploadWaits,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UploadWaits {
    /// As in a gateway, with quick repetitions.
    Usual,
    /// Longer than any test: what ends has not waited for an upload.
    Endless,
}

impl Scene {
    pub(crate) fn new() -> Self {
        Self {
            bucket: Arc::new(MemoryBucket::new("footage")),
            clock: Arc::new(SimulatedClock::new(at(Duration::ZERO))),
            spool: tempfile::tempdir().unwrap(),
            limits: SpoolLimits { quota_bytes: u64::MAX, free_floor_bytes: 0 },
            upload_waits: UploadWaits::Usual,
        }
    }

    /// Starts a gateway, once the one before has let go of the spool.
    pub(crate) async fn start(&self) -> Gateway {
        let started = std::cell::RefCell::new(None);
        until("the spool is free", || match self.try_start() {
            Err(GatewayError::Spool(spool::Error::Locked { .. })) => false,
            other => {
                *started.borrow_mut() = Some(other.unwrap());
                true
            }
        })
        .await;
        started.into_inner().unwrap()
    }

    fn try_start(&self) -> Result<Gateway, GatewayError> {
        let options = Options { limits: self.limits, durability: Durability::Chunk, ..Options::default() };
        let settings = match self.upload_waits {
            UploadWaits::Usual => {
                let backoff = Backoff { base: Duration::from_millis(5), cap: Duration::from_millis(20) };
                UploadSettings { backoff, ..UploadSettings::default() }
            }
            UploadWaits::Endless => {
                let endless = Duration::from_hours(24);
                let backoff = Backoff { base: endless, cap: endless };
                UploadSettings { stall: endless, backoff, refusal_backoff: backoff, ..UploadSettings::default() }
            }
        };
        let clock = Arc::clone(&self.clock);
        Gateway::start("s".parse().unwrap(), self.spool.path(), options, Arc::clone(&self.bucket) as _, settings, clock)
    }

    /// Records `camera` until `frames` have been received and all of it is in the bucket.
    pub(crate) async fn record(&self, camera: impl Camera + 'static, frames: u64) -> CameraEnd {
        let gateway = self.start().await;
        let recorded = record(&gateway, "c", camera, TrustedClock::Gateway);
        let end = stopped_after(&gateway, recorded, frames).await;
        gateway.shutdown(PATIENCE).await;
        end
    }

    /// What is in the bucket, in the order of time; and that it is what a bucket should hold.
    pub(crate) fn recording(&self) -> InBucket {
        let mut chunks = Vec::new();
        let mut ends = Vec::new();
        let mut gaps = Vec::new();
        for text in self.bucket.keys() {
            let key: ObjectKey = text.parse().unwrap();
            let bytes = self.bucket.bytes(&text).unwrap();
            let metadata = self.bucket.head(&text).unwrap().metadata;
            let attributes = Attributes::from_metadata(metadata.iter().map(|(n, v)| (n.as_str(), v.as_str()))).unwrap();
            match key.kind {
                KeyKind::Chunk => chunks.push((key, attributes)),
                KeyKind::SpanEnd => ends.push(key.start),
                KeyKind::Gap => gaps.push(Gap::from_json(&bytes).unwrap()),
            }
        }
        // Not the order of the keys: a fraction sorts before its whole second.
        chunks.sort_by_key(|(key, _)| key.start);
        ends.sort();
        gaps.sort_by_key(|gap: &Gap| gap.from);
        InBucket { chunks, ends, gaps }
    }
}

/// Chunks with their attributes, ends of spans, and gaps.
#[derive(Debug)]
pub(crate) struct InBucket {
    pub(crate) chunks: Vec<(ObjectKey, Attributes)>,
    pub(crate) ends: Vec<Timestamp>,
    pub(crate) gaps: Vec<Gap>,
}

impl InBucket {
    /// The starts of spans.
    pub(crate) fn starts(&self) -> Vec<Timestamp> {
        self.chunks.iter().filter(|(key, _)| key.counter == 0).map(|(key, _)| key.start).collect()
    }

    pub(crate) fn causes(&self) -> Vec<GapCause> {
        self.gaps.iter().map(|gap| gap.cause).collect()
    }

    /// How much video there is.
    pub(crate) fn recorded(&self) -> Duration {
        self.chunks.iter().map(|(_, attributes)| attributes.duration.unwrap().unsigned_abs()).sum()
    }

    /// How much of it and of gaps there is.
    pub(crate) fn accounted_for(&self) -> Duration {
        self.gaps.iter().map(|gap| gap.to.duration_since(gap.from).unsigned_abs()).sum::<Duration>() + self.recorded()
    }
}

/// Longer than anything takes that works.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn recording() -> Recording {
    Recording { window: Duration::from_secs(1), keep: Keep::All, ..Recording::default() }
}

pub(crate) fn record(gateway: &Gateway, name: &str, camera: impl Camera + 'static, trusted: TrustedClock) -> Recorded {
    gateway.record(&name.parse().unwrap(), Box::new(camera), &recording(), trusted).unwrap()
}

/// Waits for `frames`, tells the gateway to stop, and waits until the recording is closed.
pub(crate) async fn stopped_after(gateway: &Gateway, recorded: Recorded, frames: u64) -> CameraEnd {
    until("the frames are received", || recorded.stats.frames.load(Relaxed) >= frames).await;
    gateway.stop();
    recorded.ended().await
}

/// Waits for a condition.
pub(crate) async fn until(what: &str, condition: impl Fn() -> bool) {
    let waited = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waited).await.unwrap_or_else(|_| panic!("waited in vain until {what}"));
}
