//! A function of this test's own that removed objects and schedules trigger, run by the whole program.

use async_trait::async_trait;
use framepost_host::{AnyEvent, Registered};
use framepost_local::LocalBucket;
use framepost_ports::{Function, Outcome};
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const DIRECTORY: &str = "FRAMEPOST_SWEEPER_DIRECTORY";

const MANIFEST: &str = "
name: sweeper
description: Notes what has gone, and when it is time.
triggers:
  - { event: object-removed, suffixes: [.mp4] }
  - { event: schedule, name: daily, every_minutes: 1440 }
delivery: { batch_size: 1, max_deliveries: 5 }
runtime: { memory_mib: 128, timeout_s: 30, max_concurrency: 2 }
";

struct Sweeper(PathBuf);

#[async_trait]
impl Function<AnyEvent> for Sweeper {
    fn name(&self) -> &'static str {
        "sweeper"
    }

    async fn handle(&self, event: AnyEvent) -> Outcome {
        let line = match event {
            AnyEvent::Removed(removed) => format!("removed {}\n", removed.key),
            AnyEvent::Due(due) => format!("due {} {}\n", due.name, due.time.unwrap()),
            other => format!("{other:?}\n"),
        };
        let mut notes = File::options().create(true).append(true).open(&self.0).unwrap();
        notes.write_all(line.as_bytes()).unwrap();
        Outcome::Done
    }
}

/// The program under test: this test's own executable.
#[test]
#[ignore = "started by removals_and_schedules_happen_on_one_machine"]
fn program() {
    let Some(directory) = std::env::var_os(DIRECTORY).map(PathBuf::from) else { return };
    let notes = directory.join("notes");
    let functions = vec![
        Registered::new(framepost_probe::MANIFEST, framepost_probe::start).unwrap(),
        Registered::new(MANIFEST, move |_| std::future::ready(Ok(Sweeper(notes.clone())))).unwrap(),
    ];
    let data = directory.join("data");
    let clip = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/demo.mp4");
    let arguments = ["framepost", "up", "--dir", data.to_str().unwrap(), clip].map(Into::into);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(framepost_onebox::main(functions, arguments));
}

/// Runs the program until it has recorded its clip, and returns what the function noted, line by line.
fn run(directory: &Path) -> Vec<String> {
    let ended = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "sweeper::program", "--ignored", "--nocapture"])
        .env(DIRECTORY, directory)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    let notes = fs::read_to_string(directory.join("notes")).unwrap_or_default();
    let _ = fs::remove_file(directory.join("notes"));
    notes.lines().map(str::to_owned).collect()
}

#[test]
fn removals_and_schedules_happen_on_one_machine() {
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(run(directory.path()), [""; 0], "the schedule begins, and nothing has gone");

    // While the program is down, an object goes, and three midnights pass.
    let root = directory.path().join("data/s3/footage");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let gone = runtime.block_on(async {
        let bucket = LocalBucket::open(&root).await.unwrap();
        let keys = bucket.list("", "", 100).await.unwrap().into_iter().map(|object| object.key);
        let mut gone = Vec::new();
        let mut suffixes = [".mp4", ".mp4_end"].iter();
        for key in keys.collect::<Vec<_>>() {
            if suffixes.as_slice().first().is_some_and(|suffix| key.ends_with(suffix)) {
                suffixes.next();
                bucket.remove(&key).await.unwrap();
                gone.push(key);
            }
        }
        gone
    });
    assert_eq!(gone.len(), 2, "a chunk, and the end of a span");
    let settled = root.join(".framepost/inboxes/sweeper/schedules/daily");
    let began: jiff::Timestamp = fs::read_to_string(&settled).unwrap().parse().unwrap();
    fs::write(&settled, (began - jiff::SignedDuration::from_hours(72)).to_string()).unwrap();

    let mut heard = run(directory.path());
    heard.sort();
    let [due, removed] = &heard[..] else { panic!("{heard:?}") };
    assert!(due.starts_with("due daily ") && due.ends_with("T00:00:00Z"), "{due}");
    assert_eq!(removed, &format!("removed {}", gone[0]), "the end of a span is nothing that it asked for");
    assert_eq!(run(directory.path()), [""; 0], "a restart repeats nothing");
}
