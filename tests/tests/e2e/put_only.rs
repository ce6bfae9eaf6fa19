//! Backfill with the shipped credential, which may put and nothing else.

use framepost_tests::binaries::Running;
use framepost_tests::edge::{Credentials, backfill};
use framepost_tests::gateway::eventually;
use framepost_tests::lying_bucket::{Echo, Kept, LyingBucket};
use framepost_tests::media::Clip;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

/// Returns a command that backfills the long clip in chunks of a second.
fn command(bucket: &LyingBucket, spool: &Path) -> Command {
    let mut command = backfill(&Clip::Long.path(), spool, "s3://footage");
    let credentials = Credentials { access_key_id: "AKIATEST".to_owned(), secret_access_key: "secret".to_owned() };
    credentials.give_to(&mut command);
    command.args(["--endpoint-url", &bucket.endpoint(), "--window", "1s", "--start", "2026-11-20T15:00:00Z"]);
    command
}

fn set_aside(spool: &Path) -> usize {
    let mut found = 0;
    let mut directories = vec![spool.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
            if entry.path().is_dir() {
                directories.push(entry.path());
            } else {
                found += usize::from(entry.path().extension().is_some_and(|extension| extension == "quarantine"));
            }
        }
    }
    found
}

#[test]
fn a_backfill_that_is_killed_again_and_again_ends_well_and_sets_nothing_aside() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let spool = directory.path().join("spool");
    let other_spool = directory.path().join("other");
    let bucket = LyingBucket::start(Echo::Checksum);
    for stored in [5, 30, 60] {
        let mut running = Running::start(&mut command(&bucket, &spool));
        eventually("objects are stored", Duration::from_mins(1), || bucket.objects().len() >= stored);
        running.kill();
    }
    let whole = |spool: &Path, uncompared: Option<usize>| {
        let output: Output = command(&bucket, spool).output().expect("the program can be started");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(0), "{said}");
        assert_eq!(set_aside(spool), 0, "{said}");
        assert!(said.contains("could not be compared"), "{said}");
        if let Some(uncompared) = uncompared {
            assert!(said.contains(&format!("{uncompared} objects were there already and could not")), "{said}");
        }
        bucket.objects()
    };
    let first = whole(&spool, None);
    // There are 120 chunks and the end of the span.
    assert_eq!(first.len(), 121);
    assert!(whole(&spool, Some(121)) == first);
    assert!(whole(&other_spool, Some(121)) == first, "another gateway, another spool");
    assert!(bucket.puts().iter().all(|put| put.kept != Some(Kept::OtherThere)), "each time the same bytes");
}
