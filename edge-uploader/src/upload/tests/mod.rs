//! The uploader against a bucket that misbehaves by script. Time is tokio's and paused: waiting costs nothing.

mod any_script;
mod bucket;
mod existing;
mod order;
mod outages;
mod refused;

use super::{Drained, UploadSettings, Uploader};
use crate::segment::Output;
use crate::spool::{Durability, Options, ReadSeek, RepairFailure, SourceFile, Spool, SpoolLimits, SpoolWriter};
use bucket::Bucket;
use bytes::Bytes;
use framepost_events::attributes::{Attributes, ClockInfo, ClockSource};
use jiff::{SignedDuration, Timestamp};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

fn open(dir: &Path) -> Spool {
    let repair = |_: &mut dyn ReadSeek, _: &Attributes| Err(RepairFailure::NothingWhole);
    let limits = SpoolLimits { quota_bytes: 1 << 30, free_floor_bytes: 0 };
    let options = Options { limits, durability: Durability::Chunk, signer: None, repair: Arc::new(repair) };
    Spool::open(dir, options).unwrap().0
}

fn start_of(camera: &str) -> Timestamp {
    let start: Timestamp = "2026-11-20T15:00:00Z".parse().unwrap();
    start + SignedDuration::from_hours(i64::try_from(camera.len()).unwrap())
}

/// A span of `chunks` chunks of `bytes` bytes each, without its end object.
fn record(spool: &Spool, camera: &str, chunks: u64, bytes: usize) {
    let writer = spool.writer("s".parse().unwrap(), camera.parse().unwrap()).unwrap();
    record_with(writer, camera, chunks, bytes, &Attributes::default());
}

/// The same of a file that is read again.
fn record_file(spool: &Spool, file: &Path, camera: &str, chunks: u64) {
    let mut writer = spool.writer("s".parse().unwrap(), camera.parse().unwrap()).unwrap();
    writer.reads(SourceFile::of(file));
    let clock =
        ClockInfo { source: ClockSource::File, offset_us: None, uncertainty_us: None, replaced: None, rate_ppm: None };
    record_with(writer, camera, chunks, 8, &Attributes { clock: Some(clock), ..Attributes::default() });
}

fn record_with(mut writer: SpoolWriter, camera: &str, chunks: u64, bytes: usize, draft: &Attributes) {
    let mut start = start_of(camera);
    for counter in 0..chunks {
        let init = Bytes::from_static(b"init");
        let draft = draft.clone();
        writer.apply(Output::Begin { start, counter, init: init.clone(), draft: draft.clone() }).unwrap();
        let body = format!("{camera}{counter}").into_bytes().into_iter().cycle().take(bytes).collect::<Vec<u8>>();
        writer.apply(Output::Fragment(Bytes::from(body).into())).unwrap();
        let attributes = Attributes { duration: Some(SignedDuration::from_secs(3)), from: Some(start), ..draft };
        writer.apply(Output::Finish { init, tail: Bytes::new(), attributes }).unwrap();
        writer.settle().unwrap();
        start += SignedDuration::from_secs(3);
    }
}

fn uploader(spool: &Spool, bucket: &Arc<Bucket>, settings: UploadSettings) -> (Uploader, CancellationToken) {
    let uploader = Uploader::new(spool.clone(), bucket.clone(), settings, fastrand::Rng::with_seed(7));
    let shutdown = CancellationToken::new();
    let running = uploader.clone();
    let token = shutdown.clone();
    tokio::spawn(async move { running.run(token).await });
    (uploader, shutdown)
}

async fn drained(uploader: &Uploader, within: Duration) -> Drained {
    uploader.drain(Some(Instant::now() + within)).await
}

const HOUR: Duration = Duration::from_hours(1);
const HOUR_MS: u64 = 3_600_000;
