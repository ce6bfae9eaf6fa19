//! A benchmark: how long a viewer's usual questions take with a catalogue of a fleet's size, through HTTP and without.
//!
//!     cargo test --release -p framepost-sql --test it -- --ignored --nocapture scale::
//!
//! `FRAMEPOST_SCALE_CHUNKS` says how many chunks of 140 cameras there are (5 000 000 unless given), one in seven with something
//! seen in it. It is written in batches of 256 records as the function `catalog` does, into a file and, where PostgreSQL is
//! installed, into a server.

use crate::server::Server;
use axum::Router;
use framepost_api::{Access, Api, MediaOrigins, router};
use framepost_events::detection::{Bounds, Detection};
use framepost_events::record::{
    ChunkInferred, ChunkProbed, Data, InferredFrame, LabelSummary, Model, ObjectRef, Record,
};
use framepost_events::{KeyKind, ObjectKey, Sha256};
use framepost_ports::Catalog;
use framepost_ports::catalog::{CameraName, Change, Interval, SightingQuery};
use framepost_ports::contract::Footage;
use framepost_ports::memory::{MemoryBucket, SimulatedClock};
use framepost_sql::{PostgresCatalog, SqliteCatalog};
use jiff::{SignedDuration, Timestamp};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const CAMERAS: usize = 140;
const BATCH: usize = 256;
/// Each question is asked so often, of other cameras.
const ASKED: usize = 100;
/// Batches that are written as bare SQL.
const BARE: usize = 200;
const LABELS: [&str; 4] = ["person", "car", "dog", "bicycle"];

/// A fleet whose cameras record without a pause, in chunks of three seconds.
struct Fleet {
    probed: ChunkProbed,
    cameras: Vec<CameraName>,
    start: Timestamp,
}

impl Fleet {
    fn new() -> Self {
        let mut footage = Footage::new(1);
        let start = footage.start();
        let Data::ChunkProbed(probed) = footage.chunk(&Footage::camera(0), 0, 0, "1").remove(0).data else {
            unreachable!("the first is of probe")
        };
        let name = |n: usize| CameraName {
            site: format!("site-{}", n % 7).parse().unwrap(),
            camera: format!("cam-{n}").parse().unwrap(),
        };
        Self { probed: *probed, cameras: (0..CAMERAS).map(name).collect(), start }
    }

    fn at(&self, chunk: usize) -> Timestamp {
        self.start + SignedDuration::from_secs(3 * i64::try_from(chunk).unwrap())
    }

    /// What is said of the `n`th chunk of a camera.
    fn records(&self, camera: usize, n: usize, out: &mut Vec<Change>) {
        let CameraName { site, camera: name } = self.cameras[camera].clone();
        let from = self.at(n);
        let to = from + SignedDuration::from_secs(3);
        let key = ObjectKey::new(site.clone(), name.clone(), from, n as u64, KeyKind::Chunk).to_string();
        let object = ObjectRef { key, ..self.probed.object.clone() };
        let mut chunk = ChunkProbed { site: Some(site.clone()), camera: Some(name.clone()), ..self.probed.clone() };
        chunk.object = object.clone();
        (chunk.duration.from, chunk.duration.to) = (Some(from), Some(to));
        let duration = chunk.duration.clone();
        let time = to + SignedDuration::from_millis(500);
        out.push(Change::Record(Box::new(Record::about(&object, time, chunk))));
        if !(n + camera).is_multiple_of(7) {
            return;
        }
        let seen = Detection {
            label: LABELS[(n / 7 + camera) % LABELS.len()].to_owned(),
            score: 0.5 + (n % 50) as f64 / 100.0,
            bounds: Bounds { left: 0.25, top: 0.25, width: 0.5, height: 0.5 },
            zones: vec![],
        };
        let frames = vec![InferredFrame { offset: 0.0, time: Some(from), detections: vec![seen] }];
        let inferred = ChunkInferred {
            site: Some(site),
            camera: Some(name),
            duration,
            model: Model { detector: "onnx".to_owned(), name: "m".to_owned(), version: None, digest: None, arm: None },
            settings_digest: Sha256::of(b"settings"),
            skipped: None,
            activity: None,
            summary: LabelSummary::of(&frames),
            frames,
            calls: None,
            dollars: None,
            detector_ms: None,
            object: object.clone(),
        };
        out.push(Change::Record(Box::new(Record::about(&object, time, inferred))));
    }

    /// The first batches of it.
    fn batches(&self, count: usize) -> Vec<Vec<Change>> {
        let mut batches = vec![vec![]];
        for chunk in 0.. {
            for camera in 0..CAMERAS {
                let last = batches.len() - 1;
                self.records(camera, chunk, &mut batches[last]);
                if batches[last].len() >= BATCH {
                    if batches.len() == count {
                        return batches;
                    }
                    batches.push(vec![]);
                }
            }
        }
        batches
    }

    /// Writes all of it; returns how many records that were, and how long the catalogue took. Making the records is not its work.
    async fn write(&self, catalog: &dyn Catalog, per_camera: usize) -> (usize, Duration) {
        let mut batch = Vec::with_capacity(BATCH + 2);
        let mut records = 0;
        let mut took = Duration::ZERO;
        let mut apply = async |batch: &mut Vec<Change>| {
            let began = Instant::now();
            catalog.apply(batch).await.unwrap();
            took += began.elapsed();
            records += batch.len();
            batch.clear();
        };
        for n in 0..per_camera {
            for camera in 0..CAMERAS {
                self.records(camera, n, &mut batch);
                if batch.len() >= BATCH {
                    apply(&mut batch).await;
                }
            }
        }
        apply(&mut batch).await;
        (records, took)
    }
}

/// The middle and the 95th of a hundred, in ms.
fn middle(mut times: Vec<Duration>) -> [f64; 2] {
    times.sort();
    [50, 95].map(|percent| times[(times.len() - 1) * percent / 100].as_secs_f64() * 1e3)
}

/// Asks over one connection, as a browser does.
struct Asker(TcpStream);

impl Asker {
    async fn get(&mut self, path: &str) -> usize {
        let request = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
        self.0.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        loop {
            assert_ne!(self.0.read_buf(&mut answer).await.unwrap(), 0, "{path}");
            let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
            let head = String::from_utf8_lossy(&answer[..end]).to_lowercase();
            assert!(head.starts_with("http/1.1 200"), "{path}: {head}");
            let (_, rest) = head.split_once("content-length: ").expect("a length");
            let length: usize = rest.lines().next().unwrap().trim().parse().unwrap();
            if answer.len() >= end + 4 + length {
                return length;
            }
        }
    }
}

async fn serve(catalog: Arc<dyn Catalog>, now: Timestamp) -> Asker {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let source = Arc::new(MemoryBucket::new("footage"));
    let clock = Arc::new(SimulatedClock::new(now));
    let access = Access::on_loopback(address);
    let media_origins = MediaOrigins::default();
    let routes: Router = router(Api { catalog, source, clock, exports: None, access, media_origins, workings: None });
    tokio::spawn(async move { axum::serve(listener, routes).await });
    Asker(TcpStream::connect(address).await.unwrap())
}

/// Every `batch` of these is committed at once: pairs of a key and a record, as a table without anything else would have them.
fn pairs(batch: &[Change]) -> (Vec<String>, Vec<String>) {
    let pair = |change: &Change| match change {
        Change::Record(record) => (record.data.object().key.clone(), serde_json::to_string(record).unwrap()),
        Change::Removed(_) => unreachable!("nothing is removed"),
    };
    batch.iter().map(pair).unzip()
}

/// How many records a second a table of nothing but keys and records takes, in batches of as many: the least that a database does.
fn bare_sqlite(file: &Path, batches: &[Vec<Change>]) -> f64 {
    let mut connection = rusqlite::Connection::open(file).unwrap();
    connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL").unwrap();
    connection.execute_batch("CREATE TABLE bare (key TEXT NOT NULL, record TEXT NOT NULL)").unwrap();
    connection.execute_batch("CREATE INDEX bare_key ON bare (key)").unwrap();
    let began = Instant::now();
    let mut records = 0;
    for batch in batches {
        let (keys, texts) = pairs(batch);
        let transaction = connection.transaction().unwrap();
        for pair in keys.iter().zip(&texts) {
            transaction.prepare_cached("INSERT INTO bare VALUES (?, ?)").unwrap().execute(pair).unwrap();
        }
        transaction.commit().unwrap();
        records += keys.len();
    }
    records as f64 / began.elapsed().as_secs_f64()
}

/// The same in PostgreSQL, with a statement for each batch.
async fn bare_postgres(url: &str, batches: &[Vec<Change>]) -> f64 {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute("CREATE TABLE bare (key TEXT NOT NULL, record TEXT NOT NULL)").await.unwrap();
    client.batch_execute("CREATE INDEX bare_key ON bare (key)").await.unwrap();
    let insert = "INSERT INTO bare SELECT * FROM unnest($1::text[], $2::text[])";
    let insert = client.prepare(insert).await.unwrap();
    let began = Instant::now();
    let mut records = 0;
    for batch in batches {
        let (keys, texts) = pairs(batch);
        client.execute(&insert, &[&keys, &texts]).await.unwrap();
        records += keys.len();
    }
    records as f64 / began.elapsed().as_secs_f64()
}

async fn measure(what: &str, catalog: Arc<dyn Catalog>, per_camera: usize, bare: f64, bytes: impl AsyncFn() -> u64) {
    let fleet = Fleet::new();
    let (records, took) = fleet.write(&*catalog, per_camera).await;
    let chunks = per_camera * CAMERAS;
    let rate = records as f64 / took.as_secs_f64();
    let ratio = bare / rate;
    println!(
        "{what}: {records} records of {chunks} chunks written, {rate:.0} a second; bare SQL {bare:.0} a second   ratio {ratio:.2}"
    );
    println!("{what}: {:.0} bytes a chunk", bytes().await as f64 / chunks as f64);
    let mut asker = serve(catalog.clone(), fleet.at(per_camera)).await;
    let mut random = fastrand::Rng::with_seed(1);
    let end = fleet.at(per_camera);
    let since = |hours: i64| (end - SignedDuration::from_hours(hours)).max(fleet.start);
    for (question, hours) in [("a day's timeline", 24), ("an hour's playlist", 1), ("newest 50 of a label", 0)] {
        let mut bare = Vec::new();
        let mut through = Vec::new();
        for _ in 0..ASKED {
            let camera = &fleet.cameras[random.usize(0..CAMERAS)];
            let label = LABELS[random.usize(0..LABELS.len())];
            let within = Interval { from: since(hours), to: end };
            let CameraName { site, camera: name } = camera;
            let range = format!("from={}&to={}", within.from, within.to);
            let path = match hours {
                0 => format!("/v1/sightings?label={label}&limit=50"),
                1 => format!("/v1/playlists/{site}/{name}.m3u8?{range}"),
                _ => format!("/v1/timeline?site={site}&camera={name}&{range}&resolution=30"),
            };
            let began = Instant::now();
            assert!(asker.get(&path).await > 100);
            through.push(began.elapsed());
            let began = Instant::now();
            if hours == 0 {
                let query = SightingQuery {
                    cameras: None,
                    labels: vec![label.to_owned()],
                    within: Interval::ALWAYS,
                    score_min: 0.0,
                    after: None,
                    limit: 51,
                };
                assert!(!catalog.sightings(&query).await.unwrap().is_empty());
            } else {
                assert!(!catalog.briefs(camera, within, 100_000).await.unwrap().is_empty());
            }
            bare.push(began.elapsed());
        }
        let [http, http_95] = middle(through);
        let [alone, alone_95] = middle(bare);
        let ratio = http / alone;
        println!(
            "{what}: {question:22} HTTP p50 {http:8.2} ms  p95 {http_95:8.2} ms   catalogue alone p50 {alone:8.2} ms  p95 \
             {alone_95:8.2} ms   ratio {ratio:.2}"
        );
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let memory = status.lines().find(|line| line.starts_with("VmRSS")).unwrap_or_default();
    println!("{what}: {}", memory.split_whitespace().collect::<Vec<_>>().join(" "));
}

fn size(directory: &Path) -> u64 {
    std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a benchmark: tests/run bench"]
async fn questions_of_a_fleet() {
    let chunks = std::env::var("FRAMEPOST_SCALE_CHUNKS").ok().and_then(|text| text.parse().ok()).unwrap_or(5_000_000);
    let per_camera = usize::max(chunks / CAMERAS, 100);
    let directory = tempfile::tempdir().unwrap();
    let batches = Fleet::new().batches(BARE);
    let bare = bare_sqlite(&directory.path().join("bare.db"), &batches);
    std::fs::remove_file(directory.path().join("bare.db")).unwrap();
    let file = SqliteCatalog::open(directory.path().join("catalog.db")).await.unwrap();
    measure("SQLite", Arc::new(file), per_camera, bare, async || size(directory.path())).await;
    let Some(server) = Server::start() else { return };
    let bare = bare_postgres(&server.database("bare"), &batches).await;
    let catalog = Arc::new(PostgresCatalog::connect(&server.database("scale")).await.unwrap());
    measure("PostgreSQL", catalog, per_camera, bare, async || server.bytes("scale")).await;
}
