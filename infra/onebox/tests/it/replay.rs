//! `framepost replay` beside a local bucket: counted, asked, given once, and gone on with after a kill.

use framepost_local::LocalBucket;
use framepost_ports::{Keys, NewObject, ObjectSink as _, Records, Topic};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

struct Bucket {
    directory: tempfile::TempDir,
}

impl Bucket {
    /// A bucket with objects of two sites on two days, of which everybody heard before there was a subscriber.
    fn filled() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let bucket = Self { directory };
        bucket.run(async |bucket| {
            for site in ["plant-7", "plant-8"] {
                for (day, camera) in [("2026-11-20", "gate"), ("2026-11-20", "dock"), ("2026-11-21", "gate")] {
                    for n in 0..10 {
                        let key = format!("{site}/{day}/{camera}/15/08-{:02}Z.{n}.mp4", n * 3);
                        bucket.put(&NewObject::of_bytes(&key, "video/mp4", key.clone())).await.unwrap();
                    }
                }
            }
            bucket.put(&NewObject::of_bytes("in/monday.mkv", "", "junk")).await.unwrap();
            let objects = Topic::ObjectFinalized(Keys::default());
            bucket.inboxes().keep("probe", vec![objects]).await.unwrap();
            bucket.inboxes().keep("other", vec![Topic::Record(Records::of_types(["x"]))]).await.unwrap();
        });
        bucket
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("footage")
    }

    fn run(&self, work: impl AsyncFnOnce(LocalBucket)) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async { work(LocalBucket::open(self.path()).await.unwrap()).await });
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_framepost"));
        command.args(["replay", "probe", "--bucket", &format!("file://{}", self.path().display())]);
        command.arg("--state").arg(self.directory.path().join("state")).args(arguments).stdin(Stdio::null());
        command
    }

    fn replay(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// The keys of what waits for `name`.
    fn waiting(&self, name: &str) -> BTreeSet<String> {
        let inbox = self.path().join(".framepost/inboxes").join(name).join("waiting");
        std::fs::read_dir(inbox).unwrap().filter_map(|entry| key_of(&entry.unwrap().path())).collect()
    }
}

fn key_of(message: &Path) -> Option<String> {
    let message: serde_json::Value = serde_json::from_slice(&std::fs::read(message).ok()?).ok()?;
    Some(message["subject"].as_str()?.to_owned())
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_range_is_counted_and_given_to_one_function_once() {
    let bucket = Bucket::filled();
    let range = ["--site", "plant-7", "--from", "2026-11-20T15:08:09Z", "--to", "2026-11-21T15:08:06Z"];
    let with = |more: &[&'static str]| [&range[..], more].concat();
    let counted = bucket.replay(&with(&["--dry-run"]));
    assert!(counted.status.success(), "{}", said(&counted));
    // Seven of each camera on the first day, two on the second.
    assert!(said(&counted).contains("16 objects, 0.000 GB; nothing to pay for"), "{}", said(&counted));
    assert!(bucket.waiting("probe").is_empty());

    let unasked = bucket.replay(&range);
    assert_eq!(unasked.status.code(), Some(1));
    assert!(said(&unasked).contains("give --yes"), "{}", said(&unasked));

    for _ in 0..2 {
        let given = bucket.replay(&with(&["--yes"]));
        assert!(given.status.success(), "{}", said(&given));
        assert!(said(&given).contains("16 objects, 16 messages given to probe"), "{}", said(&given));
        let waiting = bucket.waiting("probe");
        assert_eq!(waiting.len(), 16, "{waiting:?}");
        assert!(waiting.iter().all(|key| key.starts_with("plant-7/")), "{waiting:?}");
        assert!(bucket.waiting("other").is_empty());
    }
    let all = bucket.replay(&["--yes"]);
    assert!(said(&all).contains("61 objects"), "{}", said(&all));
    assert_eq!(bucket.waiting("probe").len(), 61);
}

#[test]
fn a_replay_that_was_killed_goes_on_where_it_was() {
    let bucket = Bucket::filled();
    // The last of 61 objects is given eight seconds after the 21st: enough to cut the command off before on a busy machine.
    let arguments = ["--yes", "--rate", "5/s"];
    let mut cut_off = bucket.command(&arguments).stderr(Stdio::null()).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_mins(1);
    // They are given five at a time, and the progress is kept after each step.
    while bucket.waiting("probe").len() < 21 {
        assert!(Instant::now() < deadline, "nothing is given");
        std::thread::park_timeout(Duration::from_millis(5));
    }
    cut_off.kill().unwrap();
    cut_off.wait().unwrap();
    let before = bucket.waiting("probe").len();
    assert!(before < 61, "it was too fast to be cut off");
    let rest = bucket.replay(&["--yes"]);
    assert!(rest.status.success(), "{}", said(&rest));
    assert!(said(&rest).contains("continues after"), "{}", said(&rest));
    assert!(!said(&rest).contains("61 objects, 0."), "{}", said(&rest));
    assert_eq!(bucket.waiting("probe").len(), 61);
    // It has come to its end, so the next one begins anew.
    assert!(!said(&bucket.replay(&["--dry-run"])).contains("continues after"));
}

#[test]
fn what_cannot_be_replayed_is_told() {
    let bucket = Bucket::filled();
    let place = bucket.path();
    for (arguments, expected) in [
        (
            vec!["replay", "nobody", "--bucket", "file:///x"],
            "there is no function \"nobody\"; there are catalog, infer, probe",
        ),
        (vec!["replay", "probe", "--bucket", "ftp://x"], "expected s3://bucket, gs://bucket or file:///directory"),
        (vec!["replay", "probe", "--bucket", "file:///x", "--rate", "0/s"], "such as 50/s"),
        (vec!["replay", "probe", "--bucket", "file:///x", "--inbox", "log:"], "expected sqs:"),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_framepost")).args(arguments).output().unwrap();
        assert!(!output.status.success());
        assert!(said(&output).contains(expected), "{}", said(&output));
    }
    let misspelt = place.with_file_name("fotage");
    let url = format!("file://{}", misspelt.display());
    let output =
        Command::new(env!("CARGO_BIN_EXE_framepost")).args(["replay", "probe", "--bucket", &url]).output().unwrap();
    assert!(!output.status.success() && said(&output).contains("not found"), "{}", said(&output));
    assert!(!misspelt.exists(), "listing created it");
    std::fs::remove_dir_all(place.join(".framepost/inboxes/probe")).unwrap();
    let nowhere = bucket.replay(&["--yes"]);
    assert!(!nowhere.status.success());
    assert!(said(&nowhere).contains("give probe: not found"), "{}", said(&nowhere));
}
