//! A benchmark: how long a viewer's usual questions take with a catalogue of a fleet's size, through HTTP and without.
//!
//!     cargo test --release -p framepost-sql --test it -- --ignored --nocapture scale::
//!
//! `FRAMEPOST_SCALE_CHUNKS` says how many chunks of 140 cameras there are (5 000 000 unless given), one in seven with something
//! seen in it. It is written in batches of 256 records as the function `catalog` does, into a file and, where PostgreSQL is
//! installed, into a server; `FRAMEPOST_SCALE_ONLY` names one of both, `sqlite` or `postgres`. With `FRAMEPOST_SCALE_DIRECTORY` the
//! file is kept there, and one of an earlier run is asked as it is.
//!
//! Each question is asked of the API, of the catalogue alone, and as bare SQL that brings the rows of it: the chunks of the day and of
//! the hour, or the sightings.

use crate::server::Server;
use axum::Router;
use framepost_api::{Access, Api, MediaOrigins, Telling, router};
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
use std::path::{Path, PathBuf};
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
    let routes: Router = router(Api {
        catalog,
        source,
        clock,
        exports: None,
        access,
        media_origins,
        workings: None,
        telling: Telling::AsItHappens,
    });
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

/// A question of a viewer, with its budget.
#[derive(Clone, Copy)]
enum Question {
    Day,
    Hour,
    Newest,
}

impl Question {
    const ALL: [(Self, &str, f64); 3] = [
        (Self::Day, "a day's timeline", 30.0),
        (Self::Hour, "an hour's playlist", 15.0),
        (Self::Newest, "newest 50 of a label", 5.0),
    ];

    fn path(self, camera: &CameraName, label: &str, within: Interval) -> String {
        let CameraName { site, camera: name } = camera;
        let range = format!("from={}&to={}", within.from, within.to);
        match self {
            Self::Day => format!("/v1/timeline?site={site}&camera={name}&{range}&resolution=30&countSeconds=300"),
            Self::Hour => format!("/v1/playlists/{site}/{name}.m3u8?{range}"),
            Self::Newest => format!("/v1/sightings?label={label}&limit=50"),
        }
    }

    /// Asks the catalogue for what the API asks it for most of all. Returns the number of rows.
    async fn of_catalog(self, catalog: &dyn Catalog, camera: &CameraName, label: &str, within: Interval) -> usize {
        match self {
            Self::Day => catalog.outlines(camera, within, 100_000).await.unwrap().len(),
            Self::Hour => catalog.briefs(camera, within, 100_000).await.unwrap().len(),
            Self::Newest => {
                let query = SightingQuery {
                    cameras: None,
                    labels: vec![label.to_owned()],
                    within: Interval::ALWAYS,
                    score_min: 0.0,
                    after: None,
                    limit: 51,
                };
                catalog.sightings(&query).await.unwrap().len()
            }
        }
    }

    fn sql(self, camera: &CameraName, label: &str, within: Interval) -> String {
        let CameraName { site, camera: name } = camera;
        let [from, to] = [within.from, within.to].map(Timestamp::as_microsecond);
        let columns = match self {
            Self::Day => "from_us, to_us, size_bytes, activity, signature, content, chain",
            Self::Hour => {
                "from_us, to_us, key, place, version, time_us, seconds, size_bytes, init_bytes, media_end, timescale,
                sample_entry, codec, audio_codec, random_access, activity, signature, content, chain"
            }
            Self::Newest => {
                return format!(
                    "SELECT c.site, c.name, e.name, e.model, s.sighting FROM sighting s JOIN camera c ON c.id = s.camera
                        JOIN series e ON e.id = s.series WHERE s.label = '{label}' ORDER BY s.from_us DESC LIMIT 51"
                );
            }
        };
        format!(
            "SELECT {columns} FROM chunk WHERE camera = (SELECT id FROM camera WHERE site = '{site}' AND name = '{name}')
                AND from_us >= {from} AND from_us < {to} AND newest = 1 ORDER BY from_us, key"
        )
    }
}

/// A database without a catalogue around it.
enum Bare {
    File(rusqlite::Connection),
    Server(tokio_postgres::Client),
}

impl Bare {
    /// Reads all values of the rows. Returns the number of rows.
    async fn rows(&self, sql: &str) -> usize {
        match self {
            Self::File(connection) => {
                let mut statement = connection.prepare(sql).unwrap();
                let columns = statement.column_count();
                let mut rows = statement.query(()).unwrap();
                let mut count = 0;
                while let Some(row) = rows.next().unwrap() {
                    for column in 0..columns {
                        std::hint::black_box(row.get_ref(column).unwrap());
                    }
                    count += 1;
                }
                count
            }
            Self::Server(client) => client.query(sql, &[]).await.unwrap().len(),
        }
    }
}

fn memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line =
        |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim().to_owned();
    format!("{} resident, {} at most", line("VmRSS:"), line("VmHWM:"))
}

async fn fill(what: &str, catalog: &dyn Catalog, per_camera: usize, bare_rate: f64, bytes: impl AsyncFn() -> u64) {
    let (records, took) = Fleet::new().write(catalog, per_camera).await;
    let chunks = per_camera * CAMERAS;
    let rate = records as f64 / took.as_secs_f64();
    let ratio = bare_rate / rate;
    println!(
        "{what}: {records} records of {chunks} chunks written, {rate:.0} a second (budget 5000); bare SQL {bare_rate:.0} a second   \
         ratio {ratio:.2}"
    );
    println!("{what}: {:.0} bytes a chunk", bytes().await as f64 / chunks as f64);
}

async fn ask(what: &str, catalog: Arc<dyn Catalog>, per_camera: usize, bare: Bare) {
    let fleet = Fleet::new();
    println!("{what}: before the questions {}", memory());
    let mut asker = serve(catalog.clone(), fleet.at(per_camera)).await;
    let mut random = fastrand::Rng::with_seed(1);
    let end = fleet.at(per_camera);
    for (question, name, budget) in Question::ALL {
        let hours = if matches!(question, Question::Day) { 24 } else { 1 };
        let within = Interval { from: (end - SignedDuration::from_hours(hours)).max(fleet.start), to: end };
        let [mut through, mut alone, mut sql] = [vec![], vec![], vec![]];
        for _ in 0..ASKED {
            let camera = &fleet.cameras[random.usize(0..CAMERAS)];
            let label = LABELS[random.usize(0..LABELS.len())];
            let began = Instant::now();
            assert!(asker.get(&question.path(camera, label, within)).await > 100);
            through.push(began.elapsed());
            let began = Instant::now();
            assert!(question.of_catalog(&*catalog, camera, label, within).await > 0);
            alone.push(began.elapsed());
            let began = Instant::now();
            assert!(bare.rows(&question.sql(camera, label, within)).await > 0);
            sql.push(began.elapsed());
        }
        let [http, http_95] = middle(through);
        let [alone, alone_95] = middle(alone);
        let [sql, sql_95] = middle(sql);
        let ratio = http / sql;
        println!(
            "{what}: {name:22} HTTP p50 {http:7.2} ms  p95 {http_95:7.2} ms (budget {budget})   catalogue alone {alone:7.2}  \
             {alone_95:7.2}   bare SQL {sql:7.2}  {sql_95:7.2}   ratio of HTTP to bare SQL {ratio:.2}"
        );
    }
    println!("{what}: after them {}", memory());
}

fn size(directory: &Path) -> u64 {
    std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a benchmark: tests/run bench"]
async fn questions_of_a_fleet() {
    let chunks = std::env::var("FRAMEPOST_SCALE_CHUNKS").ok().and_then(|text| text.parse().ok()).unwrap_or(5_000_000);
    let per_camera = usize::max(chunks / CAMERAS, 100);
    let only = std::env::var("FRAMEPOST_SCALE_ONLY").ok();
    let is_asked_for = |store: &str| only.as_deref().is_none_or(|only| only == store);
    let batches = Fleet::new().batches(BARE);
    if is_asked_for("sqlite") {
        let temporary = tempfile::tempdir().unwrap();
        let kept = std::env::var_os("FRAMEPOST_SCALE_DIRECTORY").map(PathBuf::from);
        let directory = kept.as_deref().unwrap_or(temporary.path());
        let file = directory.join("catalog.db");
        let is_filled = file.exists();
        let catalog = Arc::new(SqliteCatalog::open(&file).await.unwrap());
        if is_filled {
            // What is left for later by the program that filled it, which may be an older one.
            let began = Instant::now();
            for _ in 0..4 {
                catalog.pack(Fleet::new().at(per_camera)).await.unwrap();
            }
            println!("SQLite: packed in {:.1} s", began.elapsed().as_secs_f64());
        } else {
            let rate = bare_sqlite(&temporary.path().join("bare.db"), &batches);
            std::fs::remove_file(temporary.path().join("bare.db")).unwrap();
            fill("SQLite", &*catalog, per_camera, rate, async || size(directory)).await;
        }
        ask("SQLite", catalog, per_camera, Bare::File(rusqlite::Connection::open(&file).unwrap())).await;
    }
    if !is_asked_for("postgres") {
        return;
    }
    let Some(server) = Server::start() else { return };
    let rate = bare_postgres(&server.database("bare"), &batches).await;
    let url = server.database("scale");
    let catalog = Arc::new(PostgresCatalog::connect(&url).await.unwrap());
    fill("PostgreSQL", &*catalog, per_camera, rate, async || server.bytes("scale")).await;
    let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    ask("PostgreSQL", catalog, per_camera, Bare::Server(client)).await;
}
