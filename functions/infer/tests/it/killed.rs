//! `kill -9` of the program in the middle of its work, with each record delivered twice and in any order: a paid service is asked
//! about each chunk once at most. The service is a stub of Rekognition that counts, asked by the real SDK.
//!
//! `FRAMEPOST_SEED` repeats the order and the moments of an earlier run.

use crate::support::{FRAGMENTED, decoder, footage, record};
use framepost_events::record::{CHUNK_INFERRED, CHUNK_PROBED, Container, Data, Record};
use framepost_local::LocalBucket;
use framepost_ports::{Bus as _, NewObject, ObjectSink as _, Records, Topic};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const CHUNKS: usize = 14;
const KILLS: usize = 5;
/// How long the stub takes for an answer, so that kills fall before, into and after it.
const ANSWER_AFTER_MS: u64 = 80;

/// How often the stub was asked about each picture.
#[derive(Default)]
struct Asked(Mutex<BTreeMap<String, usize>>);

impl Asked {
    fn all(&self) -> usize {
        self.0.lock().unwrap().values().sum()
    }
}

fn stub() -> (String, Arc<Asked>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(Asked::default());
    let log = asked.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let log = log.clone();
            // An error is a client that was killed.
            std::thread::spawn(move || while answer(&stream, &log).is_ok() {});
        }
    });
    (url, asked)
}

fn answer(mut stream: &TcpStream, asked: &Asked) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let body: Value = serde_json::from_slice(&body)?;
    let picture = body["Image"]["Bytes"].as_str().unwrap().to_owned();
    *asked.0.lock().unwrap().entry(picture).or_default() += 1;
    std::thread::park_timeout(Duration::from_millis(ANSWER_AFTER_MS));
    let labels = r#"{"Labels":[{"Name":"Person","Confidence":90.0,"Instances":[{"Confidence":90.0,
        "BoundingBox":{"Left":0.25,"Top":0.25,"Width":0.5,"Height":0.5}}]}]}"#;
    let kind = "content-type: application/x-amz-json-1.1";
    write!(stream, "HTTP/1.1 200 OK\r\n{kind}\r\ncontent-length: {}\r\n\r\n{labels}", labels.len())
}

fn start(dir: &Path, endpoint: &str, run: usize) -> Child {
    let at = |name: &str| format!("file://{}", dir.join(name).display());
    let mut command = Command::new(env!("CARGO_BIN_EXE_infer"));
    command
        .env("FRAMEPOST_EVENTS", at("footage"))
        .env("FRAMEPOST_LEDGER", at("ledger"))
        .env("FRAMEPOST_DETECTOR", "rekognition:")
        .env("FRAMEPOST_PICTURES", "first")
        .env("FRAMEPOST_STILL_BELOW", "0")
        .env("FRAMEPOST_STILL_DIFFERENCE", "0")
        .env("AWS_ENDPOINT_URL_REKOGNITION", endpoint)
        .env("AWS_REGION", "eu-central-1")
        .env("AWS_ACCESS_KEY_ID", "stub")
        .env("AWS_SECRET_ACCESS_KEY", "stub");
    let log = |name: &str| File::create(dir.join(format!("{run}.{name}"))).unwrap();
    command.stdin(Stdio::null()).stdout(log("out")).stderr(log("err")).spawn().unwrap()
}

/// What the runs wrote to standard output so far.
fn lines(dir: &Path, runs: impl Iterator<Item = usize>) -> Vec<Value> {
    let text = |run| std::fs::read_to_string(dir.join(format!("{run}.out"))).unwrap_or_default();
    // The last line of a run that was killed may be half a line.
    runs.flat_map(|run| text(run).lines().filter_map(|line| serde_json::from_str(line).ok()).collect::<Vec<_>>())
        .collect()
}

/// The keys of the objects that these records are about.
fn keys(lines: &[Value], is_meant: impl Fn(&Value) -> bool) -> BTreeSet<&str> {
    lines.iter().filter(|line| is_meant(line)).filter_map(|line| line["subject"].as_str()).collect()
}

/// Returns whether a program's log says that another one, which was killed, has claimed the work on `key`.
fn is_held(log: &str, key: &str) -> bool {
    let key = format!("key=\"{key}\"");
    log.lines().any(|line| line.contains("reason=\"in-work\"") && line.contains(&key))
}

async fn lay(dir: &Path, random: &mut fastrand::Rng) -> Option<BTreeSet<String>> {
    let bucket = LocalBucket::open(dir.join("footage")).await.unwrap();
    let inboxes = bucket.inboxes();
    let records = Records { types: vec![CHUNK_PROBED.to_owned()], filters: BTreeMap::new() };
    inboxes.keep("infer", vec![Topic::Record(records)]).await.unwrap();
    let mut laid = BTreeSet::new();
    let mut records = Vec::new();
    for chunk in 0..CHUNKS {
        let source = format!("color=0x{:02x}40{:02x}:s=160x90:r=5:d=1", chunk * 18, 255 - chunk * 18);
        let arguments = [&["-c:v", "libx264", "-pix_fmt", "yuv420p"][..], &FRAGMENTED].concat();
        let bytes = footage(&source, &arguments, "chunk.mp4")?;
        let key = format!("plant-7/2026-11-20/gate/15/08-{chunk:02}.000000Z.{chunk}.mp4");
        let object = NewObject::of_bytes(&key, "video/mp4", bytes.clone());
        bucket.put(&object).await.unwrap();
        let Record { event_type, time, data, .. } = record(&bytes, Container::Fmp4, 1.0);
        assert_eq!(event_type, CHUNK_PROBED);
        let Data::ChunkProbed(mut data) = data else { panic!("a chunk") };
        data.object.provider = framepost_events::finalized::Provider::Local;
        "footage".clone_into(&mut data.object.bucket);
        data.object.key.clone_from(&key);
        data.object.version = object.sha256.to_string();
        let object = data.object.clone();
        let record = Record::about(&object, time, *data);
        records.extend([record.clone(), record]);
        laid.insert(key);
    }
    random.shuffle(&mut records);
    for record in &records {
        inboxes.publish(record).await.unwrap();
    }
    Some(laid)
}

/// Waits until `done` returns true. Panics with `what` and the logs in `dir` after two minutes.
fn until(dir: &Path, what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_mins(2);
    while !done() {
        if Instant::now() > deadline {
            let logs: Vec<String> = (0..=KILLS)
                .flat_map(|run| [format!("{run}.out"), format!("{run}.err")])
                .map(|name| std::fs::read_to_string(dir.join(name)).unwrap_or_default())
                .collect();
            panic!("{what} did not happen\n{}", logs.join("\n"));
        }
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

#[tokio::test]
async fn a_paid_service_is_asked_about_each_chunk_once_whenever_the_program_dies() {
    if decoder().is_none() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let seed = std::env::var("FRAMEPOST_SEED").map_or_else(|_| fastrand::u64(..), |seed| seed.parse().unwrap());
    eprintln!("FRAMEPOST_SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let Some(laid) = lay(dir, &mut random).await else { return };
    let (endpoint, asked) = stub();
    for run in 0..KILLS {
        let before = asked.all();
        let mut program = start(dir, &endpoint, run);
        until(dir, "a call", || asked.all() > before);
        std::thread::park_timeout(Duration::from_millis(random.u64(..2 * ANSWER_AFTER_MS)));
        program.kill().unwrap();
        program.wait().unwrap();
    }
    let mut program = start(dir, &endpoint, KILLS);
    let is_record = |line: &Value| line["type"] == CHUNK_INFERRED;
    until(dir, "an end of every chunk", || {
        let all = lines(dir, 0..=KILLS);
        let seen = keys(&all, is_record);
        // A message that is put off comes again when the claim has run out, which no test waits for.
        let logs: Vec<String> = (0..=KILLS)
            .map(|run| std::fs::read_to_string(dir.join(format!("{run}.err"))).unwrap_or_default())
            .collect();
        laid.iter().all(|key| seen.contains(key.as_str()) || logs.iter().any(|log| is_held(log, key)))
    });
    program.kill().unwrap();
    program.wait().unwrap();

    let all = lines(dir, 0..=KILLS);
    let seen = keys(&all, is_record);
    let counts: Vec<usize> = asked.0.lock().unwrap().values().copied().collect();
    eprintln!("{KILLS} kills: {} calls for {CHUNKS} chunks, {} records", counts.len(), seen.len());
    assert!(counts.iter().all(|count| *count == 1), "{counts:?}");
    assert!(seen.len() > CHUNKS / 3, "{seen:?}");
}
