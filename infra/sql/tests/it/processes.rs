//! Writers that are processes of their own: two at the same time, killed in the middle of batches.
//!
//! `FRAMEPOST_KILL_ROUNDS` says how often they are killed (10 unless given), `FRAMEPOST_SEED` repeats the moments of an earlier run.

use crate::server::Server;
use framepost_ports::catalog::{Catalog, Change, ChunkQuery, Interval, Order, SightingQuery};
use framepost_ports::contract::Footage;
use framepost_ports::memory::MemoryCatalog;
use framepost_sql::{PostgresCatalog, SqliteCatalog};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A file of a catalogue, or the URL of one.
const CATALOG: &str = "FRAMEPOST_TEST_CATALOG";
/// Where a writer notes how far it is, and which of two it is: `<file> <0 or 1>`.
const WRITER: &str = "FRAMEPOST_TEST_WRITER";

/// Chunks of each camera.
const CHUNKS: i64 = 60;

pub(crate) fn changes() -> Vec<Change> {
    Footage::new(9).changes(CHUNKS)
}

async fn open(at: &str) -> Arc<dyn Catalog> {
    if at.starts_with("postgres:") {
        Arc::new(PostgresCatalog::connect(at).await.unwrap())
    } else {
        Arc::new(SqliteCatalog::open(at).await.unwrap())
    }
}

/// Writes every second batch, from where the one before was killed.
#[test]
#[ignore = "started by the tests of this file"]
fn writer() {
    let (Ok(catalog), Ok(writer)) = (std::env::var(CATALOG), std::env::var(WRITER)) else { return };
    let (noted, half) = writer.rsplit_once(' ').unwrap();
    let half: usize = half.parse().unwrap();
    let begin: usize = std::fs::read_to_string(noted).ok().and_then(|text| text.parse().ok()).unwrap_or(0);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let catalog = open(&catalog).await;
        let changes = changes();
        for (n, batch) in changes.chunks(7).enumerate().skip(begin).filter(|(n, _)| n % 2 == half) {
            catalog.apply(batch).await.unwrap();
            // Renamed, so that a kill leaves the old number or the new one.
            let staged = format!("{noted}.next");
            std::fs::write(&staged, (n + 1).to_string()).unwrap();
            std::fs::rename(staged, noted).unwrap();
        }
    });
}

fn start(catalog: &str, directory: &Path, half: usize) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "processes::writer", "--ignored"]).env(CATALOG, catalog);
    command.env(WRITER, format!("{} {half}", directory.join(format!("noted-{half}")).display()));
    command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap()
}

/// Has two writers killed again and again, lets them come to their end, and compares.
fn killed(catalog: &str, directory: &Path) {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let rounds = number("FRAMEPOST_KILL_ROUNDS").unwrap_or(10);
    let seed = number("FRAMEPOST_SEED").unwrap_or_else(|| fastrand::u64(..));
    println!("FRAMEPOST_SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let done = |half| std::fs::read_to_string(directory.join(format!("noted-{half}"))).unwrap_or_default();
    for _ in 0..rounds {
        let before = [done(0), done(1)];
        let mut writers = [0, 1].map(|half| start(catalog, directory, half));
        // Not before one of them writes, on a busy machine too.
        let deadline = Instant::now() + Duration::from_secs(20);
        while [done(0), done(1)] == before && Instant::now() < deadline {
            std::thread::park_timeout(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_millis(random.u64(0..40)));
        for writer in &mut writers {
            writer.kill().unwrap();
            writer.wait().unwrap();
        }
    }
    println!("after {rounds} kills: batch {} and batch {} of {}", done(0), done(1), changes().chunks(7).count());
    let mut writers = [0, 1].map(|half| start(catalog, directory, half));
    let deadline = Instant::now() + Duration::from_mins(2);
    for writer in &mut writers {
        let status = loop {
            match writer.try_wait().unwrap() {
                Some(status) => break status,
                None if Instant::now() > deadline => panic!("a writer does not end"),
                None => std::thread::park_timeout(Duration::from_millis(10)),
            }
        };
        assert!(status.success(), "{status}");
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async { same_as_memory(&*open(catalog).await).await });
}

/// Whether it answers as if nothing had happened.
pub(crate) async fn same_as_memory(catalog: &dyn Catalog) {
    let judge = MemoryCatalog::default();
    judge.apply(&changes()).await.unwrap();
    assert_eq!(catalog.cameras().await.unwrap(), judge.cameras().await.unwrap());
    let chunks =
        ChunkQuery { cameras: None, within: Interval::ALWAYS, order: Order::OldestFirst, after: None, limit: 10_000 };
    assert_eq!(catalog.chunks(&chunks).await.unwrap(), judge.chunks(&chunks).await.unwrap());
    let seen = SightingQuery {
        cameras: None,
        labels: vec![],
        within: Interval::ALWAYS,
        score_min: 0.0,
        after: None,
        limit: 10_000,
    };
    assert_eq!(catalog.sightings(&seen).await.unwrap(), judge.sightings(&seen).await.unwrap());
    for camera in (0..3).map(Footage::camera) {
        let looks = catalog.looks(&camera, Interval::ALWAYS, 10_000).await.unwrap();
        assert_eq!(looks, judge.looks(&camera, Interval::ALWAYS, 10_000).await.unwrap());
    }
}

#[test]
fn two_writers_of_a_file_are_killed_and_nothing_is_lost_or_halved() {
    let directory = tempfile::tempdir().unwrap();
    killed(directory.path().join("catalog.db").to_str().unwrap(), directory.path());
}

#[test]
fn two_writers_of_a_server_are_killed_and_nothing_is_lost_or_halved() {
    let Some(server) = Server::start() else { return };
    let directory = tempfile::tempdir().unwrap();
    killed(&server.database("killed"), directory.path());
}
