//! `kill -9` of the whole program at random moments, with two functions of this test's own that are triggered by records: each
//! of them hears of everything, however often the program dies, and whether or not it was left out for a while.
//!
//! `FRAMEPOST_KILL_ROUNDS` says how often (12 unless given), `FRAMEPOST_SEED` repeats the moments of an earlier run.

use async_trait::async_trait;
use framepost_events::record::Record;
use framepost_events::{KeyKind, ObjectKey};
use framepost_host::Registered;
use framepost_local::LocalBucket;
use framepost_ports::{Function, NewObject, ObjectSink as _, Outcome, Put, Reason};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

const DIRECTORY: &str = "FRAMEPOST_KILLED_DIRECTORY";
const ARGUMENTS: &str = "FRAMEPOST_KILLED_ARGUMENTS";

/// Hears of every record.
const FIRST: &str = "
name: first
description: Notes every record.
triggers:
  - event: record
    types:
      - io.framepost.chunk.probed.v1
      - io.framepost.span.ended.v1
      - io.framepost.gap.recorded.v1
      - io.framepost.object.rejected.v1
delivery: { batch_size: 10, max_deliveries: 5 }
runtime: { memory_mib: 128, timeout_s: 30, max_concurrency: 2 }
";

/// Hears of chunks of one site alone.
const SECOND: &str = "
name: second
description: Notes chunks.
triggers:
  - event: record
    types: [io.framepost.chunk.probed.v1]
    filters: { site: [onebox, elsewhere] }
delivery: { batch_size: 10, max_deliveries: 5 }
runtime: { memory_mib: 128, timeout_s: 30, max_concurrency: 2 }
";

/// Writes down what each record is about, durably. Now and then it is busy.
struct Notes {
    name: &'static str,
    notes: Mutex<File>,
}

impl Notes {
    fn in_directory(name: &'static str) -> anyhow::Result<Self> {
        let directory = std::env::var_os(DIRECTORY).expect("the test says where");
        let file = File::options().create(true).append(true).open(notes(Path::new(&directory), name))?;
        Ok(Self { name, notes: Mutex::new(file) })
    }
}

#[async_trait]
impl Function<Record> for Notes {
    fn name(&self) -> &'static str {
        self.name
    }

    async fn handle(&self, record: Record) -> Outcome {
        if fastrand::u8(..8) == 0 {
            return Outcome::Retry { after: Duration::from_millis(100), reason: Reason::new("busy", "now and then") };
        }
        let mut notes = self.notes.lock().unwrap();
        notes.write_all(format!("{}\n", record.subject).as_bytes()).unwrap();
        notes.sync_data().unwrap();
        Outcome::Done
    }
}

fn notes(directory: &Path, name: &str) -> PathBuf {
    directory.join(format!("{name}.notes"))
}

fn noted(directory: &Path, name: &str) -> BTreeSet<String> {
    // What was cut off in the middle of a line comes again.
    let text = std::fs::read_to_string(notes(directory, name)).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// The program under test: this test's own executable, as a process to be killed.
#[test]
#[ignore = "started by nothing_is_lost_for_any_subscriber"]
fn program() {
    let Ok(arguments) = std::env::var(ARGUMENTS) else { return };
    let functions = vec![
        Registered::new(framepost_probe::MANIFEST, framepost_probe::start).unwrap(),
        Registered::new(FIRST, async |_| Notes::in_directory("first")).unwrap(),
        Registered::new(SECOND, async |_| Notes::in_directory("second")).unwrap(),
    ];
    let arguments = ["framepost"].into_iter().chain(arguments.split('\n')).map(Into::into);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(framepost_onebox::main(functions, arguments));
}

fn start(directory: &Path, arguments: &[&str]) -> Child {
    let log = File::options().create(true).append(true).open(directory.join("log")).unwrap();
    let mut all = vec!["up", "--dir"];
    let data = directory.join("data");
    all.push(data.to_str().unwrap());
    all.extend(["--window", "300ms"]);
    all.extend(arguments);
    let program = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "killed::program", "--ignored", "--nocapture"])
        .env(DIRECTORY, directory)
        .env(ARGUMENTS, all.join("\n"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn();
    program.unwrap()
}

/// Waits until `done`, or until `deadline`.
fn until(deadline: Instant, mut done: impl FnMut() -> bool) -> bool {
    while !done() {
        if Instant::now() >= deadline {
            return false;
        }
        std::thread::park_timeout(Duration::from_millis(10));
    }
    true
}

/// The keys of everything in the bucket.
fn keys(bucket: &Path) -> BTreeSet<String> {
    fn walk(root: &Path, directory: &Path, found: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(directory).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                if path.file_name().unwrap() != ".framepost" {
                    walk(root, &path, found);
                }
            } else {
                found.insert(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    let mut found = BTreeSet::new();
    walk(bucket, bucket, &mut found);
    found
}

/// What waits in an inbox.
fn waiting(bucket: &Path, name: &str) -> usize {
    std::fs::read_dir(bucket.join(".framepost/inboxes").join(name).join("waiting")).map_or(0, Iterator::count)
}

#[test]
fn nothing_is_lost_for_any_subscriber() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let rounds = number("FRAMEPOST_KILL_ROUNDS").unwrap_or(12);
    let seed = number("FRAMEPOST_SEED").unwrap_or_else(|| fastrand::u64(..));
    println!("FRAMEPOST_SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let directory = tempfile::tempdir().unwrap();
    let bucket = directory.path().join("data/s3/footage");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    // Objects that another process was told are there.
    let mut created = BTreeSet::new();
    for round in 0..rounds {
        let arguments: &[&str] = match round % 4 {
            1 => &["--without", "second"],
            2 => &["--without", "probe", "--without", "first"],
            _ => &[],
        };
        let mut program = start(directory.path(), arguments);
        let ends = Instant::now() + Duration::from_millis(random.u64(50..2500));
        // A bucket that somebody else has open is not repaired, so the program comes first.
        if until(ends, || bucket.join(".framepost/inboxes/second.json").exists() && round > 0) {
            let pause = Duration::from_millis(random.u64(5..60));
            runtime.block_on(async {
                let other = LocalBucket::open(&bucket).await.unwrap();
                while Instant::now() + pause < ends {
                    let key = format!("in/{round}-{}.bin", created.len());
                    let put = other.put(&NewObject::of_bytes(&key, "", key.clone())).await.unwrap();
                    assert_eq!(put, Put::Created);
                    created.insert(key);
                    tokio::time::sleep(pause).await;
                }
            });
        }
        until(ends, || false);
        program.kill().unwrap();
        program.wait().unwrap();
    }
    let behind: Vec<usize> = ["probe", "first", "second"].map(|name| waiting(&bucket, name)).into();

    // Once without being killed: a recording that ends by itself.
    let clip = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/demo.mp4");
    let mut program = start(directory.path(), &[clip]);
    let ended = until(Instant::now() + Duration::from_mins(2), || program.try_wait().unwrap().is_some());
    let log = std::fs::read_to_string(directory.path().join("log")).unwrap();
    let _ = program.kill();
    assert!(ended, "it does not end\n{log}");
    let keys = keys(&bucket);
    let is_chunk = |key: &&String| key.parse::<ObjectKey>().is_ok_and(|key| key.kind == KeyKind::Chunk);
    let chunks: BTreeSet<String> = keys.iter().filter(is_chunk).cloned().collect();
    println!(
        "{rounds} kills: {} objects, {} of them chunks, {} of another process; waiting after the last kill {behind:?}",
        keys.len(),
        chunks.len(),
        created.len()
    );
    assert!(chunks.len() > 5 && !created.is_empty(), "{} chunks, {} others\n{log}", chunks.len(), created.len());
    assert!(created.is_subset(&keys), "objects are gone");
    for (name, expected) in [("first", &keys), ("second", &chunks)] {
        let noted = noted(directory.path(), name);
        let lost: Vec<&String> = expected.difference(&noted).collect();
        assert!(lost.is_empty(), "{name} never heard of {lost:?}\n{log}");
        let strange: Vec<&String> = noted.difference(expected).collect();
        assert!(strange.is_empty(), "{name} heard of {strange:?}");
        assert_eq!(waiting(&bucket, name), 0, "{name}\n{log}");
    }
}
