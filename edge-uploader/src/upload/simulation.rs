//! Simulates the uploader over a line that is too slow: which chunk is sent first, and how soon all cameras are
//! up to date after an outage. Time is simulated, and the line is in mahimahi's format (each entry is the
//! millisecond at which 1500 bytes may leave).
//!
//! The lines are the trace of a driving LTE modem, if the shared data is available, and a synthetic one.

use super::{UploadSettings, Uploader};
use crate::segment::Output;
use crate::spool::{Durability, Options, ReadSeek, RepairFailure, Spool, SpoolLimits, SpoolWriter};
use async_trait::async_trait;
use bytes::Bytes;
use framepost_events::attributes::Attributes;
use framepost_events::{KeyKind, ObjectKey};
use framepost_ports::{Error, NewObject, ObjectSink, Put, Result};
use futures::StreamExt as _;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

const CAMERAS: usize = 8;
const CHUNK: Duration = Duration::from_secs(3);
const PACKET_BYTES: u64 = 1500;

/// The opportunities of one round in ms. At the end, the round starts again.
struct Trace(Vec<u64>);

impl Trace {
    /// Creates a line of 300 kB/s that fades, and sometimes stops for some seconds.
    fn made(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut at_ms = 0;
        let mut opportunities = Vec::new();
        while at_ms < 120_000 {
            let (for_ms, per_100_ms) = match random.u32(0..10) {
                0 => (random.u64(1_000..6_000), 0),
                1..4 => (random.u64(1_000..4_000), random.u64(4..10)),
                _ => (random.u64(1_000..4_000), random.u64(15..40)),
            };
            for step in 0..for_ms / 100 {
                opportunities.extend((0..per_100_ms).map(|n| at_ms + step * 100 + n * 100 / per_100_ms.max(1)));
            }
            at_ms += for_ms;
        }
        opportunities.push(at_ms);
        Self(opportunities)
    }

    fn shared() -> Option<Self> {
        let file = PathBuf::from(std::env::var_os("FRAMEPOST_TEST_DATA")?).join("traces/ATT-LTE-driving-2016.up");
        let text = std::fs::read_to_string(file).ok()?;
        text.lines().map(|line| line.trim().parse().ok()).collect::<Option<Vec<u64>>>().map(Self)
    }

    fn bytes_per_second(&self) -> f64 {
        let period_ms = self.0.last().copied().unwrap_or(1).max(1);
        (self.0.len() as u64 * PACKET_BYTES) as f64 * 1000.0 / period_ms as f64
    }

    fn at(&self, n: usize) -> Duration {
        let period_ms = self.0.last().copied().unwrap_or(1);
        Duration::from_millis((n / self.0.len()) as u64 * period_ms + self.0[n % self.0.len()])
    }
}

/// A bucket at the end of a line that all puts share.
struct FarBucket {
    trace: Trace,
    began: Instant,
    used: Mutex<usize>,
    /// A period in which no byte moves. Connections from that period never move again.
    outage: Option<(Duration, Duration)>,
    stored: Mutex<Vec<(Instant, ObjectKey, u64)>>,
}

impl FarBucket {
    async fn pass(&self, bytes: usize) {
        let packets = bytes.div_ceil(1500).max(1);
        let at = {
            let mut used = self.used.lock().unwrap();
            let now = self.began.elapsed();
            while self.trace.at(*used) < now {
                *used += 1;
            }
            *used += packets;
            self.trace.at(*used - 1)
        };
        tokio::time::sleep_until(self.began + at).await;
    }

    async fn hang_in_outage(&self, put_began: Duration) {
        if let Some((from, to)) = self.outage
            && put_began < to
            && self.began.elapsed() >= from
        {
            std::future::pending::<()>().await;
        }
    }
}

#[async_trait]
impl ObjectSink for FarBucket {
    async fn put(&self, object: &NewObject) -> Result<Put> {
        let put_began = self.began.elapsed();
        self.hang_in_outage(put_began).await;
        let mut content = object.content.open();
        let mut bytes = 0;
        while let Some(piece) = content.next().await {
            let piece = piece.map_err(|_| Error::not_found("put", &object.key))?;
            self.hang_in_outage(put_began).await;
            self.pass(piece.len()).await;
            bytes += piece.len() as u64;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        self.hang_in_outage(put_began).await;
        self.stored.lock().unwrap().push((Instant::now(), object.key.parse().unwrap(), bytes));
        Ok(Put::Created)
    }

    async fn look(&self, key: &str) -> Result<framepost_ports::Seen> {
        Err(Error::not_found("head", key))
    }

    fn url(&self) -> String {
        "test://far".to_owned()
    }
}

/// One camera with a chunk every three seconds.
struct Recording {
    writer: SpoolWriter,
    next: Timestamp,
    counter: u64,
    body: Bytes,
}

impl Recording {
    fn chunk(&mut self) {
        let init = Bytes::from_static(b"init");
        let draft = Attributes::default();
        let start = self.next;
        let begin = Output::Begin { start, counter: self.counter, init: init.clone(), draft: draft.clone() };
        let duration = SignedDuration::try_from(CHUNK).unwrap();
        let attributes = Attributes { duration: Some(duration), from: Some(start), ..draft };
        let finish = Output::Finish { init, tail: Bytes::new(), attributes };
        for output in [begin, Output::Fragment(self.body.clone().into()), finish] {
            self.writer.apply(output).unwrap();
        }
        self.writer.settle().unwrap();
        self.next += duration;
        self.counter += 1;
    }
}

fn whole(number: f64) -> usize {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small and not negative")]
    let whole = number as usize;
    whole
}

/// The result of a run.
struct Seen {
    /// Age in seconds of each camera's newest stored picture, at each second after the first half minute.
    ages: Vec<f64>,
    stored_bytes: u64,
    /// Seconds until each camera had stored the chunk closed after the outage.
    back: f64,
}

impl Seen {
    fn age(&mut self, share: f64) -> f64 {
        self.ages.sort_by(f64::total_cmp);
        self.ages[whole((self.ages.len() - 1) as f64 * share)]
    }
}

/// Runs the cameras at `load` times the line's capacity.
fn simulate(
    trace: Trace,
    load: f64,
    settings: UploadSettings,
    length: Duration,
    outage: Option<(Duration, Duration)>,
) -> Seen {
    let dir = tempfile::tempdir().unwrap();
    let repair = |_: &mut dyn ReadSeek, _: &Attributes| Err(RepairFailure::NothingWhole);
    let limits = SpoolLimits { quota_bytes: u64::MAX, free_floor_bytes: 0 };
    let options = Options { limits, durability: Durability::Chunk, signer: None, repair: Arc::new(repair) };
    let spool = Spool::open(dir.path(), options).unwrap().0;
    let chunk_bytes = whole(trace.bytes_per_second() * load / CAMERAS as f64 * CHUNK.as_secs_f64());
    let body = Bytes::from(vec![7; chunk_bytes]);
    let zero: Timestamp = "2026-11-20T15:00:00Z".parse().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let bucket = runtime.block_on(async {
        let began = Instant::now();
        let bucket = Arc::new(FarBucket { trace, began, used: Mutex::new(0), outage, stored: Mutex::default() });
        let uploader = Uploader::new(spool.clone(), bucket.clone(), settings, fastrand::Rng::with_seed(3));
        let shutdown = CancellationToken::new();
        let running = tokio::spawn({
            let shutdown = shutdown.clone();
            async move { uploader.run(shutdown).await }
        });
        let mut cameras: Vec<Recording> = (0..CAMERAS)
            .map(|n| {
                let writer = spool.writer("s".parse().unwrap(), format!("c{n}").parse().unwrap()).unwrap();
                Recording { writer, next: zero, counter: 0, body: body.clone() }
            })
            .collect();
        // The chunks of different cameras end at different times, as if the cameras were
        // started one after the other.
        let step = CHUNK / u32::try_from(CAMERAS).unwrap();
        let mut at = began + CHUNK;
        'record: loop {
            for camera in &mut cameras {
                if at.duration_since(began) > length {
                    break 'record;
                }
                tokio::time::sleep_until(at).await;
                camera.chunk();
                at += step;
            }
        }
        shutdown.cancel();
        running.await.unwrap();
        bucket
    });
    look_at(&bucket, length, outage)
}

fn look_at(bucket: &FarBucket, length: Duration, outage: Option<(Duration, Duration)>) -> Seen {
    let mut stored: BTreeMap<String, Vec<(f64, f64)>> = BTreeMap::new();
    let zero: Timestamp = "2026-11-20T15:00:00Z".parse().unwrap();
    let all = bucket.stored.lock().unwrap();
    let step = CHUNK.as_secs_f64() / CAMERAS as f64;
    for (when, key, _) in all.iter().filter(|(_, key, _)| key.kind == KeyKind::Chunk) {
        let camera = key.camera.as_ref().unwrap().to_string();
        let nth: f64 = camera[1..].parse().unwrap();
        // When its last picture was taken: the chunk of that camera closed at that time.
        let taken = key.start.duration_since(zero).as_secs_f64() + CHUNK.as_secs_f64() + nth * step;
        stored.entry(camera).or_default().push((when.duration_since(bucket.began).as_secs_f64(), taken));
    }
    let mut ages = Vec::new();
    for second in 30..length.as_secs() {
        let now = second as f64;
        for of_camera in stored.values() {
            let newest = of_camera.iter().filter(|(when, _)| *when <= now).map(|(_, taken)| *taken).fold(0.0, f64::max);
            ages.push(now - newest);
        }
    }
    assert_eq!(stored.len(), CAMERAS, "cameras take turns");
    let over = outage.map_or(0.0, |(_, to)| to.as_secs_f64());
    let first_after = |of_camera: &Vec<(f64, f64)>| {
        let after = of_camera.iter().map(|(when, _)| *when).filter(|when| *when >= over);
        after.fold(f64::INFINITY, f64::min) - over
    };
    let back = stored.values().map(first_after).fold(0.0, f64::max);
    Seen { ages, stored_bytes: all.iter().map(|(_, _, bytes)| bytes).sum(), back }
}

/// Sends everything in the order of arrival.
fn oldest_first() -> UploadSettings {
    UploadSettings { backlog_share: 1, ..UploadSettings::default() }
}

#[test]
fn on_a_line_that_is_too_short_what_arrives_is_new() {
    let length = Duration::from_secs(150);
    let mut traces: Vec<fn() -> Trace> = vec![|| Trace::made(1)];
    if Trace::shared().is_some() {
        traces.push(|| Trace::shared().unwrap());
    } else {
        println!("skipped: FRAMEPOST_TEST_DATA is not set, so the LTE trace is left out");
    }
    for trace in traces {
        let mut newest = simulate(trace(), 1.2, UploadSettings::default(), length, None);
        let mut oldest = simulate(trace(), 1.2, oldest_first(), length, None);
        let p50 = newest.age(0.5);
        let p95 = newest.age(0.95);
        let old_p50 = oldest.age(0.5);
        let old_p95 = oldest.age(0.95);
        println!("newest first {p50:.1} s, {p95:.1} s; oldest first {old_p50:.1} s, {old_p95:.1} s");
        assert!(p50 < 9.0 && p50 < old_p50 / 2.0, "{p50} s against {old_p50} s");
        assert!(p95 < old_p95, "{p95} s against {old_p95} s");
        let used = newest.stored_bytes as f64 / oldest.stored_bytes as f64;
        assert!((0.93..1.07).contains(&used), "{used} of the line's use");
    }
}

/// The oldest objects do not wait forever: at night, when cameras send less than the line's capacity,
/// all of them are sent.
#[test]
fn what_was_left_behind_has_its_share() {
    let length = Duration::from_mins(2);
    let outage = (Duration::from_secs(10), Duration::from_secs(30));
    let seen = simulate(Trace::made(4), 0.6, UploadSettings::default(), length, Some(outage));
    let recorded = Trace::made(4).bytes_per_second() * 0.6 * (length.as_secs_f64() - CHUNK.as_secs_f64());
    let share = seen.stored_bytes as f64 / recorded;
    assert!(share > 0.93, "{share} of what was recorded, the last chunks not counted");
}

/// However many puts hung in the outage, and however long objects were delayed, all cameras are up
/// to date soon after it.
#[test]
fn after_a_tunnel_of_minutes_all_cameras_are_back_at_once() {
    let mut backs: Vec<f64> = Vec::new();
    for seconds in [60, 61, 62, 63, 65] {
        let from = Duration::from_secs(20);
        let to = Duration::from_secs(20 + seconds);
        let steady = Trace((0..12_000).map(|n| n / 2).collect());
        let seen = simulate(steady, 0.02, UploadSettings::default(), to + Duration::from_secs(20), Some((from, to)));
        backs.push(seen.back);
    }
    backs.sort_by(f64::total_cmp);
    println!("back after {backs:.1?} s");
    assert!(backs[backs.len() / 2] <= 3.0, "{backs:?}");
    assert!(backs.iter().all(|back| *back <= 6.0), "{backs:?}");
}
