//! `--keep` and `--keep-bytes`, by the whole program: what goes, what stays, and that the catalogue says the same as the bucket,
//! also after `kill -9`.
//!
//! `FRAMEPOST_KILL_ROUNDS` says how often it is killed (8 unless given), `FRAMEPOST_SEED` repeats the moments of an earlier run.

use framepost_events::{KeyKind, ObjectKey};
use framepost_host::Registered;
use framepost_local::LocalBucket;
use framepost_ports::catalog::{CameraName, Catalog as _, ChunkQuery, Hold, Interval, Order};
use framepost_ports::{NewObject, ObjectSink as _};
use framepost_sql::SqliteCatalog;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

const ARGUMENTS: &str = "FRAMEPOST_RETENTION_ARGUMENTS";
const DAY: Duration = Duration::from_hours(24);

/// The program under test: this test's own executable.
#[test]
#[ignore = "started by the tests of this file"]
fn program() {
    let Ok(arguments) = std::env::var(ARGUMENTS) else { return };
    let functions = vec![
        Registered::new(framepost_probe::MANIFEST, framepost_probe::start).unwrap(),
        Registered::new(framepost_catalog::MANIFEST, framepost_catalog::start).unwrap(),
    ];
    let arguments = ["framepost"].into_iter().chain(arguments.split('\n')).map(Into::into);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(framepost_onebox::main(functions, arguments));
}

/// A data directory, and the program in it.
struct Box {
    directory: tempfile::TempDir,
    runtime: tokio::runtime::Runtime,
}

impl Box {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap(), runtime: tokio::runtime::Runtime::new().unwrap() }
    }

    fn start(&self, arguments: &[&str]) -> Child {
        let data = self.directory.path().join("data");
        let mut all = vec!["up", "--dir", data.to_str().unwrap(), "--window", "300ms"];
        all.extend(arguments);
        let log = File::create(self.directory.path().join("log")).unwrap();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "retention::program", "--ignored", "--nocapture"]).env(ARGUMENTS, all.join("\n"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap()
    }

    /// Records the clip as this camera, and returns what the program said.
    fn record(&self, camera: &str, arguments: &[&str]) -> String {
        let clip = self.directory.path().join(format!("{camera}.mp4"));
        fs::copy(concat!(env!("CARGO_MANIFEST_DIR"), "/assets/demo.mp4"), &clip).unwrap();
        let mut program = self.start(&[&[clip.to_str().unwrap()], arguments].concat());
        let deadline = Instant::now() + Duration::from_mins(2);
        let ended = loop {
            match program.try_wait().unwrap() {
                Some(status) => break Some(status),
                None if Instant::now() > deadline => break None,
                None => std::thread::park_timeout(Duration::from_millis(20)),
            }
        };
        let log = fs::read_to_string(self.directory.path().join("log")).unwrap();
        let _ = program.kill();
        assert!(ended.is_some_and(|status| status.success()), "{ended:?}\n{log}");
        log
    }

    fn root(&self) -> PathBuf {
        self.directory.path().join("data/s3/footage")
    }

    /// Every key in the bucket.
    fn keys(&self) -> BTreeSet<String> {
        self.runtime.block_on(async {
            let bucket = LocalBucket::open(self.root()).await.unwrap();
            bucket.list("", "", usize::MAX).await.unwrap().into_iter().map(|object| object.key).collect()
        })
    }

    fn chunks(&self) -> BTreeSet<String> {
        self.keys().into_iter().filter(|key| is_chunk(key)).collect()
    }

    /// The keys of the chunks that the catalogue has.
    fn catalogued(&self) -> BTreeSet<String> {
        let query = ChunkQuery {
            cameras: None,
            within: Interval::ALWAYS,
            order: Order::OldestFirst,
            after: None,
            limit: 100_000,
        };
        self.runtime.block_on(async {
            let rows = self.catalog().await.chunks(&query).await.unwrap();
            rows.into_iter().map(|row| row.chunk.object.key).collect()
        })
    }

    async fn catalog(&self) -> SqliteCatalog {
        SqliteCatalog::open(self.directory.path().join("data/catalog.db")).await.unwrap()
    }

    /// Has the file of an object be this old.
    fn age(&self, key: &str, age: Duration) {
        let file = File::options().append(true).open(self.root().join(key)).unwrap();
        file.set_modified(SystemTime::now() - age).unwrap();
    }

    fn bytes(&self, keys: &BTreeSet<String>) -> u64 {
        keys.iter().map(|key| fs::metadata(self.root().join(key)).unwrap().len()).sum()
    }
}

fn is_chunk(key: &str) -> bool {
    key.parse::<ObjectKey>().is_ok_and(|key| key.kind == KeyKind::Chunk)
}

/// A hold from so long after the start of one chunk until so long after that of another.
fn hold([first, last]: [&str; 2], from_ms: i64, to_ms: i64) -> Hold {
    let [key, last] = [first, last].map(|key| key.parse::<ObjectKey>().unwrap());
    let after = |key: &ObjectKey, ms: i64| key.start + SignedDuration::from_millis(ms);
    Hold {
        id: "h".to_owned(),
        camera: CameraName::of(key.site.as_ref(), key.camera.as_ref()).unwrap(),
        within: Interval { from: after(&key, from_ms), to: after(&last, to_ms) },
        reason: "a test".to_owned(),
        created: Timestamp::UNIX_EPOCH,
        created_by: None,
    }
}

#[test]
fn the_old_goes_and_what_is_held_stays() {
    let onebox = Box::new();
    onebox.record("gate", &[]);
    let first = onebox.keys();
    let chunks: Vec<String> = onebox.chunks().into_iter().collect();
    assert!(chunks.len() > 6, "{chunks:?}");
    // The hold begins within the third chunk and ends within the fourth.
    let held = hold([&chunks[2], &chunks[3]], 10, 10);
    onebox.runtime.block_on(async {
        onebox.catalog().await.hold(&held).await.unwrap();
        let bucket = LocalBucket::open(onebox.root()).await.unwrap();
        for key in ["exports/1/gate.mp4", "in/monday.mkv"] {
            bucket.put(&NewObject::of_bytes(key, "", "x")).await.unwrap();
        }
    });
    fs::write(onebox.root().join("by-hand.mp4"), "x").unwrap();
    for key in first.iter().map(String::as_str).chain(["exports/1/gate.mp4", "in/monday.mkv", "by-hand.mp4"]) {
        onebox.age(key, 8 * DAY);
    }
    let young = &chunks[5];
    onebox.age(young, 6 * DAY);

    let log = onebox.record("yard", &["--keep", "7d"]);
    let left = onebox.keys();
    for key in [&chunks[2], &chunks[3], young] {
        assert!(left.contains(key), "{key} is gone\n{log}");
    }
    for key in ["exports/1/gate.mp4", "by-hand.mp4"] {
        assert!(left.contains(key), "{key} is gone\n{log}");
    }
    assert!(!left.contains("in/monday.mkv"), "whatever was put has an end\n{log}");
    let gone: Vec<&String> = first.difference(&left).collect();
    let chunks_gone = gone.iter().filter(|key| is_chunk(key)).count();
    assert_eq!(chunks_gone, chunks.len() - 3, "{gone:?}\n{log}");
    assert!(left.iter().any(|key| key.contains("/yard/")), "{left:?}");
    assert_eq!(onebox.catalogued(), onebox.chunks());
    assert!(log.contains("older than --keep") && log.contains("covered by a hold"), "{log}");

    // Nothing holds it any more.
    onebox.runtime.block_on(async { onebox.catalog().await.release("h").await.unwrap() });
    onebox.record("yard", &["--keep", "7d"]);
    let left = onebox.keys();
    assert!(!left.contains(&chunks[2]) && !left.contains(&chunks[3]) && left.contains(young), "{left:?}");
    assert_eq!(onebox.catalogued(), onebox.chunks());
}

#[test]
fn there_is_never_more_than_was_allowed_at_the_end() {
    let onebox = Box::new();
    onebox.record("gate", &[]);
    let before = onebox.chunks();
    let all = onebox.keys();
    for (n, key) in all.iter().enumerate() {
        onebox.age(key, DAY.saturating_sub(Duration::from_secs(u64::try_from(n).unwrap())));
    }
    let most = onebox.bytes(&all) * 5 / 4;
    let log = onebox.record("yard", &["--keep-bytes", &most.to_string()]);
    let left = onebox.keys();
    assert!(onebox.bytes(&left) <= most, "{} of {most}\n{log}", onebox.bytes(&left));
    // The first by name were the oldest, and no more went than had to.
    let still: Vec<bool> = before.iter().map(|key| left.contains(key)).collect();
    assert!(still.is_sorted() && still.last() == Some(&true) && still.first() == Some(&false), "{still:?}\n{log}");
    assert_eq!(onebox.catalogued(), onebox.chunks());
    assert!(log.contains("more than --keep-bytes"), "{log}");

    // What is held is more than is allowed: it stays, and that is said.
    let key = onebox.chunks().into_iter().next().unwrap();
    onebox
        .runtime
        .block_on(async { onebox.catalog().await.hold(&hold([&key; 2], -3_600_000, 3_600_000)).await.unwrap() });
    let log = onebox.record("yard", &["--keep-bytes", "1"]);
    assert!(onebox.chunks().contains(&key), "{log}");
    assert!(log.contains("kept beyond the limits") && log.contains("covered by a hold"), "{log}");
    assert_eq!(onebox.catalogued(), onebox.chunks());
}

#[test]
fn a_kill_leaves_no_row_without_an_object() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let rounds = number("FRAMEPOST_KILL_ROUNDS").unwrap_or(8);
    let seed = number("FRAMEPOST_SEED").unwrap_or_else(|| fastrand::u64(..));
    println!("FRAMEPOST_SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let onebox = Box::new();
    onebox.record("gate", &[]);
    let most = onebox.bytes(&onebox.keys()) / 2;
    let most = most.to_string();
    let mut before = onebox.keys();
    let mut gone = 0;
    for _ in 0..rounds {
        // The built-in clip, live, and the oldest of what is there make room for it.
        let mut program = onebox.start(&["--keep-bytes", &most]);
        std::thread::sleep(Duration::from_millis(random.u64(100..2500)));
        program.kill().unwrap();
        program.wait().unwrap();
        let after = onebox.keys();
        gone += before.difference(&after).count();
        before = after;
    }
    let log = onebox.record("yard", &["--keep-bytes", &most]);
    println!("{rounds} kills, {gone} objects gone in between; {} chunks left", onebox.chunks().len());
    assert!(onebox.bytes(&onebox.keys()) <= most.parse().unwrap(), "{log}");
    assert_eq!(onebox.catalogued(), onebox.chunks(), "{log}");
}

#[test]
fn a_site_that_cannot_be_kept_small_is_refused() {
    let onebox = Box::new();
    let mut program = onebox.start(&["--site", "exports", "--keep", "1d"]);
    assert!(program.wait().is_ok());
    let log = fs::read_to_string(onebox.directory.path().join("log")).unwrap();
    assert!(log.contains("never removed"), "{log}");
    assert!(!onebox.root().exists(), "nothing was started");
}
