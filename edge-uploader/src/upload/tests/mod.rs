//! The uploader against a bucket that misbehaves by script. Time is tokio's and paused: waiting costs nothing.

use super::{Backoff, Drained, UploadSettings, Uploader};
use crate::segment::Output;
use crate::spool;
use crate::spool::{Durability, Options, ReadSeek, RepairFailure, SourceFile, Spool, SpoolLimits, SpoolWriter};
use async_trait::async_trait;
use bytes::Bytes;
use framepost_events::attributes::{Attributes, ClockInfo, ClockSource};
use framepost_events::{KeyKind, ObjectKey, Sha256};
use framepost_ports::{Error, ErrorKind, NewObject, ObjectSink, Put, Result, Seen};
use futures::StreamExt as _;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// What one put meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    Take,
    /// The object is created, the answer is lost.
    LoseAnswer,
    Fail(ErrorKind),
    /// Reads a little and never answers.
    Stall,
    /// A defect in the program.
    Panic,
}

/// Whether the credential may look at objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Looking {
    Allowed,
    Denied,
}

#[derive(Default)]
struct Inside {
    objects: BTreeMap<String, Vec<u8>>,
    /// For the next puts, whatever their objects.
    script: VecDeque<Act>,
    /// For all puts of keys that contain this.
    always: Vec<(String, Act)>,
    puts: Vec<(Instant, String)>,
    running: usize,
    most_running: usize,
}

struct Bucket {
    inside: Mutex<Inside>,
    looking: Looking,
}

impl Bucket {
    fn new(looking: Looking, script: impl IntoIterator<Item = Act>) -> Arc<Self> {
        let inside = Inside { script: script.into_iter().collect(), ..Inside::default() };
        Arc::new(Self { inside: Mutex::new(inside), looking })
    }
}

struct Running<'a>(&'a Bucket);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.inside.lock().unwrap().running -= 1;
    }
}

#[async_trait]
impl ObjectSink for Bucket {
    async fn put(&self, object: &NewObject) -> Result<Put> {
        let act = {
            let mut inside = self.inside.lock().unwrap();
            inside.puts.push((Instant::now(), object.key.clone()));
            inside.running += 1;
            inside.most_running = inside.most_running.max(inside.running);
            let always = inside.always.iter().find(|(part, _)| object.key.contains(part)).map(|(_, act)| *act);
            always.or_else(|| inside.script.pop_front()).unwrap_or(Act::Take)
        };
        let _running = Running(self);
        let failed = |kind| Err(Error::new(kind, "put", object.key.as_str()));
        let mut body = Vec::new();
        let mut content = object.content.open();
        while let Some(piece) = content.next().await {
            body.extend(piece.map_err(|error| Error::new(ErrorKind::Transport, "put", "x").because(error))?);
            if act == Act::Stall {
                std::future::pending::<()>().await;
            }
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
        match act {
            Act::Stall => std::future::pending().await,
            Act::Panic => panic!("as the script says"),
            Act::Fail(kind) => return failed(kind),
            Act::Take | Act::LoseAnswer => {}
        }
        if Sha256::of(&body) != object.sha256 {
            return failed(ErrorKind::Corrupt);
        }
        let mut inside = self.inside.lock().unwrap();
        if inside.objects.contains_key(&object.key) {
            return Ok(Put::AlreadyExists);
        }
        inside.objects.insert(object.key.clone(), body);
        if act == Act::LoseAnswer { failed(ErrorKind::Transport) } else { Ok(Put::Created) }
    }

    async fn look(&self, key: &str) -> Result<Seen> {
        if self.looking == Looking::Denied {
            return Err(Error::new(ErrorKind::Denied, "head", key));
        }
        let inside = self.inside.lock().unwrap();
        let body = inside.objects.get(key).ok_or_else(|| Error::not_found("head", key))?;
        Ok(Seen { bytes: Some(body.len() as u64), sha256: Some(Sha256::of(body)), crc32c: None })
    }

    fn url(&self) -> String {
        "test://bucket".to_owned()
    }
}

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

#[tokio::test(start_paused = true)]
async fn everything_arrives_and_leaves_the_spool() {
    let dir = tempfile::tempdir().unwrap();
    let spool = open(dir.path());
    record(&spool, "a", 5, 200_000);
    record(&spool, "bb", 5, 10);
    let bucket = Bucket::new(Looking::Denied, []);
    let (uploader, _shutdown) = uploader(&spool, &bucket, UploadSettings::default());
    assert_eq!(drained(&uploader, HOUR).await, Drained::Empty);
    let stats = uploader.stats();
    assert_eq!((stats.created_objects, stats.sent_bytes), (10, stats.stored_bytes));
    assert_eq!(stats.stored_bytes, 5 * 200_004 + 5 * 14);
    let inside = bucket.inside.lock().unwrap();
    assert_eq!((inside.objects.len(), inside.puts.len()), (10, 10));
    assert!((2..=4).contains(&inside.most_running), "{}", inside.most_running);
}

/// (before, script, looking) → (created, already there, quarantined).
#[tokio::test(start_paused = true)]
async fn what_already_exists_means() {
    let ours = "inita0a0a0a0".to_owned();
    type Case<'a> = (&'a str, Option<&'a str>, Vec<Act>, Looking, (u64, u64, u64));
    let cases: [Case<'_>; 6] = [
        ("lost answer, may look", None, vec![Act::LoseAnswer], Looking::Allowed, (0, 1, 0)),
        ("lost answer, put only", None, vec![Act::LoseAnswer], Looking::Denied, (0, 1, 0)),
        ("ours is there, may look", Some(&ours), vec![], Looking::Allowed, (0, 1, 0)),
        ("ours is there, put only", Some(&ours), vec![], Looking::Denied, (0, 0, 1)),
        ("another is there, may look", Some("else"), vec![], Looking::Allowed, (0, 0, 1)),
        ("another is there, put only", Some("else"), vec![], Looking::Denied, (0, 0, 1)),
    ];
    for (name, before, script, looking, expected) in cases {
        let dir = tempfile::tempdir().unwrap();
        let spool = open(dir.path());
        record(&spool, "a", 1, 8);
        let bucket = Bucket::new(looking, script);
        if let Some(before) = before {
            let key = "s/2026-11-20/a/16/00-00Z.0.mp4".to_owned();
            bucket.inside.lock().unwrap().objects.insert(key, before.as_bytes().to_vec());
        }
        let (uploader, _shutdown) = uploader(&spool, &bucket, UploadSettings::default());
        assert_eq!(drained(&uploader, HOUR).await, Drained::Empty, "{name}");
        let stats = uploader.stats();
        let found = (stats.created_objects, stats.already_there_objects, stats.quarantined_objects);
        assert_eq!(found, expected, "{name}");
        assert_eq!(spool.quarantined().len() as u64, expected.2, "{name}");
    }
}

/// The answer is lost, and the process with it: the next one remembers the try.
#[tokio::test(start_paused = true)]
async fn a_try_is_remembered_over_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let spool = open(dir.path());
    record(&spool, "a", 1, 8);
    let bucket = Bucket::new(Looking::Denied, [Act::LoseAnswer]);
    let (first, shutdown) = uploader(&spool, &bucket, UploadSettings::default());
    let lost = async {
        while first.stats().retries.transport == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    lost.await;
    shutdown.cancel();
    drop((first, spool));
    let spool = loop {
        // The lock is free as soon as the last task has noticed.
        let repair = |_: &mut dyn ReadSeek, _: &Attributes| Err(RepairFailure::NothingWhole);
        let limits = SpoolLimits { quota_bytes: 1 << 30, free_floor_bytes: 0 };
        let options = Options { limits, durability: Durability::Chunk, signer: None, repair: Arc::new(repair) };
        match Spool::open(dir.path(), options) {
            Ok((spool, _)) => break spool,
            Err(_) => tokio::time::sleep(Duration::from_millis(1)).await,
        }
    };
    let (second, _shutdown) = uploader(&spool, &bucket, UploadSettings::default());
    assert_eq!(drained(&second, HOUR).await, Drained::Empty);
    assert_eq!((second.stats().already_there_objects, second.stats().quarantined_objects), (1, 0));
}

/// For an hour nothing answers: the puts are few, no more than one in 2.5 s, and spread out; afterwards all goes at once.
#[tokio::test(start_paused = true)]
async fn an_outage_is_probed_and_not_hammered() {
    for kind in [ErrorKind::Transport, ErrorKind::Busy, ErrorKind::Denied, ErrorKind::NotFound] {
        let dir = tempfile::tempdir().unwrap();
        let spool = open(dir.path());
        record(&spool, "a", 50, 8);
        let bucket = Bucket::new(Looking::Denied, []);
        bucket.inside.lock().unwrap().always.push((String::new(), Act::Fail(kind)));
        let (uploader, _shutdown) = uploader(&spool, &bucket, UploadSettings::default());
        assert!(matches!(drained(&uploader, HOUR).await, Drained::Left { objects: 50, .. }));
        assert!(uploader.stats().is_unreachable);
        let puts = bucket.inside.lock().unwrap().puts.len();
        let most = if matches!(kind, ErrorKind::Transport | ErrorKind::Busy) { 3600 * 2 / 5 } else { 300 };
        assert!((8..most).contains(&puts), "{kind}: {puts}");
        bucket.inside.lock().unwrap().always.clear();
        let back = Instant::now();
        assert_eq!(drained(&uploader, HOUR).await, Drained::Empty, "{kind}");
        assert!(back.elapsed() < Duration::from_mins(21), "{kind}: {:?}", back.elapsed());
        assert_eq!((uploader.stats().created_objects, uploader.stats().quarantined_objects), (50, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_ends_an_attempt_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let spool = open(dir.path());
    record(&spool, "a", 3, 10);
    let bucket = Bucket::new(Looking::Denied, []);
    bucket.inside.lock().unwrap().always = vec![(".1.mp4".to_owned(), Act::Panic)];
    let (uploader, _shutdown) = uploader(&spool, &bucket, UploadSettings { workers: 1, ..UploadSettings::default() });
    assert_eq!(drained(&uploader, HOUR).await, Drained::Left { objects: 1, bytes: 14 });
    let tries = bucket.inside.lock().unwrap().puts.iter().filter(|(_, key)| key.contains(".1.mp4")).count();
    assert!((10..=3600).contains(&tries), "{tries} in an hour");
    // What is recorded meanwhile goes on.
    record(&spool, "bb", 3, 10);
    bucket.inside.lock().unwrap().always.clear();
    assert_eq!(drained(&uploader, HOUR).await, Drained::Empty);
    assert_eq!(uploader.stats().created_objects, 6);
}

#[tokio::test(start_paused = true)]
async fn one_task_waits_for_changes_however_many_puts_are_allowed() {
    let dir = tempfile::tempdir().unwrap();
    let spool = open(dir.path());
    let bucket = Bucket::new(Looking::Denied, []);
    let (uploader, _shutdown) = uploader(&spool, &bucket, UploadSettings { workers: 8, ..UploadSettings::default() });
    tokio::task::yield_now().await;
    assert_eq!(spool.listeners(), 1);
    // An idle one uploads what is closed later, one by one and many at once.
    for camera in 1..=20 {
        record(&spool, &"c".repeat(camera), if camera % 2 == 0 { 12 } else { 1 }, 10);
        assert_eq!(drained(&uploader, HOUR).await, Drained::Empty);
        assert_eq!(spool.listeners(), 1);
    }
    let inside = bucket.inside.lock().unwrap();
    assert_eq!(inside.objects.len(), 10 * 12 + 10);
    assert!((2..=8).contains(&inside.most_running), "{}", inside.most_running);
}

#[tokio::test(start_paused = true)]
async fn a_stuck_object_does_not_hold_up_the_others() {
    for act in
        [Act::Stall, Act::Fail(ErrorKind::Transport), Act::Fail(ErrorKind::Invalid), Act::Fail(ErrorKind::Corrupt)]
    {
        let dir = tempfile::tempdir().unwrap();
        let spool = open(dir.path());
        record(&spool, "a", 20, 8);
        let bucket = Bucket::new(Looking::Denied, []);
        bucket.inside.lock().unwrap().always.push((".0.mp4".to_owned(), act));
        let (uploader, _shutdown) = uploader(&spool, &bucket, UploadSettings::default());
        let left = drained(&uploader, Duration::from_mins(3)).await;
        let stats = uploader.stats();
        assert_eq!(stats.created_objects, 19, "{act:?}");
        let set_aside = spool.quarantined().len();
        assert!(matches!((left, set_aside), (Drained::Left { objects: 1, .. }, 0) | (Drained::Empty, 1)), "{act:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_for_good_is_set_aside_and_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let spool = open(dir.path());
    record(&spool, "a", 3, 8);
    let bucket = Bucket::new(Looking::Denied, []);
    bucket.inside.lock().unwrap().always.push((".1.mp4".to_owned(), Act::Fail(ErrorKind::Invalid)));
    let (uploader, _shutdown) = uploader(&spool, &bucket, UploadSettings::default());
    assert_eq!(drained(&uploader, HOUR).await, Drained::Empty);
    let puts = bucket.inside.lock().unwrap().puts.iter().filter(|(_, key)| key.ends_with(".1.mp4")).count();
    assert_eq!(puts, 4);
    assert!(spool.quarantined()[0].reason.contains("refused as invalid"));
    bucket.inside.lock().unwrap().always.clear();
    assert_eq!(spool.release_quarantine(None).unwrap(), 1);
    assert_eq!(drained(&uploader, HOUR).await, Drained::Empty);
    assert_eq!(uploader.stats().created_objects, 3);
}

/// What is in the bucket cannot be compared. As long as the file is as it was, nothing can be lost by letting the spool's copy go.
#[tokio::test(start_paused = true)]
async fn what_a_file_still_holds_is_not_kept_twice() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("clip.mp4");
    std::fs::write(&file, "the recording").unwrap();
    let spool = open(&dir.path().join("spool"));
    let bucket = Bucket::new(Looking::Denied, []);
    let (uploader, _shutdown) = uploader(&spool, &bucket, UploadSettings::default());
    let counts = || (uploader.stats().created_objects, uploader.stats().uncompared_objects, spool.quarantined().len());
    record_file(&spool, &file, "a", 3);
    assert_eq!((drained(&uploader, HOUR).await, counts()), (Drained::Empty, (3, 0, 0)));
    record_file(&spool, &file, "a", 3);
    assert_eq!((drained(&uploader, HOUR).await, counts()), (Drained::Empty, (3, 3, 0)));
    // It is written to, and another recording after that: the copies may be the only ones.
    record_file(&spool, &file, "a", 2);
    std::fs::write(&file, "another").unwrap();
    assert_eq!((drained(&uploader, HOUR).await, counts()), (Drained::Empty, (3, 3, 2)));
    // What is set aside does not stand in the way of what the same file gives, and is not given up for another's.
    record_file(&spool, &file, "bb", 2);
    assert_eq!((drained(&uploader, HOUR).await, counts()), (Drained::Empty, (5, 3, 2)));
    let mut writer = spool.writer("s".parse().unwrap(), "a".parse().unwrap()).unwrap();
    writer.reads(SourceFile::of(&file));
    let begin = Output::Begin { start: start_of("a"), counter: 0, init: Bytes::new(), draft: Attributes::default() };
    assert!(matches!(writer.apply(begin), Err(spool::Error::KeyInQuarantine { .. })));
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_of_a_file_is_made_again() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("clip.mp4");
    std::fs::write(&file, "the recording").unwrap();
    let spool = open(&dir.path().join("spool"));
    let bucket = Bucket::new(Looking::Denied, []);
    bucket.inside.lock().unwrap().always.push((".1.mp4".to_owned(), Act::Fail(ErrorKind::Invalid)));
    let (uploader, _shutdown) = uploader(&spool, &bucket, UploadSettings::default());
    for _ in 0..2 {
        record_file(&spool, &file, "a", 3);
        assert_eq!((drained(&uploader, HOUR).await, spool.quarantined().len()), (Drained::Empty, 1));
    }
    bucket.inside.lock().unwrap().always.clear();
    record_file(&spool, &file, "a", 3);
    assert_eq!((drained(&uploader, HOUR).await, spool.quarantined().len()), (Drained::Empty, 0));
    assert_eq!(bucket.inside.lock().unwrap().objects.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_file_that_rotted_is_set_aside_and_one_that_is_gone_is_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let spool = open(dir.path());
    record(&spool, "a", 3, 8);
    let hour = dir.path().join("objects/s/2026-11-20/a/16");
    std::fs::write(hour.join("00-00Z.0.mp4"), "inita0a0a0aX").unwrap();
    std::fs::remove_file(hour.join("00-03Z.1.mp4")).unwrap();
    let bucket = Bucket::new(Looking::Denied, []);
    let (uploader, _shutdown) = uploader(&spool, &bucket, UploadSettings::default());
    assert_eq!(drained(&uploader, HOUR).await, Drained::Empty);
    assert_eq!((uploader.stats().created_objects, spool.quarantined().len()), (1, 1));
    let quarantined = spool.quarantined();
    assert!(quarantined[0].reason.contains("differ from those of the closed chunk"), "{quarantined:?}");
}

#[tokio::test(start_paused = true)]
async fn the_newest_goes_first_and_the_oldest_of_all_keeps_its_share() {
    let dir = tempfile::tempdir().unwrap();
    record(&open(dir.path()), "old", 100, 8);
    let spool = open(dir.path());
    record(&spool, "a", 30, 8);
    let bucket = Bucket::new(Looking::Denied, []);
    let settings = UploadSettings { workers: 1, ..UploadSettings::default() };
    let (uploader, _shutdown) = uploader(&spool, &bucket, settings);
    assert_eq!(drained(&uploader, HOUR).await, Drained::Empty);
    let inside = bucket.inside.lock().unwrap();
    let counters = |camera: &str| -> Vec<u64> {
        let keys = inside.puts[..40].iter().map(|(_, key)| key.parse::<ObjectKey>().unwrap());
        keys.filter(|key| key.camera.as_ref().unwrap().as_str() == camera && key.kind == KeyKind::Chunk)
            .map(|key| key.counter)
            .collect()
    };
    // Each camera's turns go from its newest back; the eighth slots from the oldest of all on.
    let new = counters("a");
    let old = counters("old");
    assert_eq!(new, (0..30).rev().take(new.len()).collect::<Vec<u64>>());
    let share: Vec<u64> = old.iter().copied().filter(|counter| *counter < 50).collect();
    assert_eq!(share, [0, 1, 2, 3, 4]);
    assert!((15..=20).contains(&new.len()), "{new:?} {old:?}");
}

#[tokio::test(start_paused = true)]
async fn the_bandwidth_cap_holds_and_is_no_stall() {
    let dir = tempfile::tempdir().unwrap();
    let spool = open(dir.path());
    record(&spool, "a", 4, 300_000);
    let bucket = Bucket::new(Looking::Denied, []);
    let settings = UploadSettings { bandwidth_bytes_per_second: Some(500), ..UploadSettings::default() };
    let (uploader, _shutdown) = uploader(&spool, &bucket, settings);
    let start = Instant::now();
    assert_eq!(drained(&uploader, HOUR).await, Drained::Empty);
    let seconds = start.elapsed().as_secs();
    assert!((2_390..2_420).contains(&seconds), "{seconds}");
    assert_eq!(uploader.stats().retries.transport, 0);
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => Just(Act::Take),
        2 => Just(Act::LoseAnswer),
        2 => Just(Act::Fail(ErrorKind::Transport)),
        2 => Just(Act::Fail(ErrorKind::Busy)),
        1 => Just(Act::Fail(ErrorKind::Denied)),
        1 => Just(Act::Fail(ErrorKind::Invalid)),
        1 => Just(Act::Fail(ErrorKind::Corrupt)),
        1 => Just(Act::Fail(ErrorKind::Io)),
        1 => Just(Act::Stall),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the bucket does, and however often the process restarts, every object is there once or set aside.
    #[test]
    fn nothing_is_lost_under_any_script(
        script in proptest::collection::vec(act(), 0..60),
        restarts in proptest::collection::vec(1_u64..120_000, 0..4),
        looking in prop_oneof![Just(Looking::Allowed), Just(Looking::Denied)],
    ) {
        let dir = tempfile::tempdir().unwrap();
        let bucket = Bucket::new(looking, script);
        let settings = UploadSettings {
            refusal_backoff: Backoff { base: Duration::from_secs(1), cap: Duration::from_secs(30) },
            ..UploadSettings::default()
        };
        let mut objects = 0;
        for (round, after_ms) in restarts.into_iter().chain([HOUR_MS]).enumerate() {
            // Each life has a runtime of its own; dropping it is the crash.
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
            let spool = open(dir.path());
            record(&spool, &"c".repeat(round + 1), 4, 100_000);
            objects += 4;
            runtime.block_on(async {
                let (uploader, _shutdown) = uploader(&spool, &bucket, settings.clone());
                drained(&uploader, Duration::from_millis(after_ms)).await;
            });
        }
        let spool = open(dir.path());
        // The end object of the last span, which this last start has written.
        prop_assert_eq!(spool.pending(), (1, 0));
        let quarantined = spool.quarantined();
        let inside = bucket.inside.lock().unwrap();
        let chunks = inside.objects.keys().filter(|key| key.parse::<ObjectKey>().unwrap().kind == KeyKind::Chunk).count();
        let set_aside = quarantined.iter().filter(|q| !inside.objects.contains_key(&q.key.to_string())).count();
        prop_assert_eq!(chunks + set_aside, objects, "{:?}", quarantined);
        // A refusal makes the next put the first one: an object that got there before it is somebody's for all that is known.
        let for_good = |reason: &str| reason.contains("invalid") || reason.contains("never put from here");
        prop_assert!(quarantined.iter().all(|q| for_good(&q.reason)), "{:?}", quarantined);
    }
}
