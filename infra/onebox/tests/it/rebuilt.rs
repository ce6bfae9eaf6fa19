//! A catalogue that was lost is rebuilt from the bucket by `framepost replay probe` and `framepost replay infer`, with every row.

use framepost_events::gap::{Gap, GapCause};
use framepost_tests::aws::account::{Account, Identity};
use framepost_tests::binaries::{Output, Running};
use framepost_tests::media::Clip;
use rusqlite::types::Value as Cell;
use rusqlite::{Connection, OpenFlags};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_mins(2);
/// The site of the camera that is there while the catalogue is rebuilt.
const AFTERWARDS: &str = "afterwards";

/// Tables of what nothing in the bucket says: holds, removals of objects that are gone, how far the daily comparison is, and which
/// hours are packed.
const NOT_OF_THE_BUCKET: [&str; 4] = ["hold", "removal", "mark", "hour"];

/// A data directory, and the programs over it.
struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    fn command(arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_framepost"));
        command.args(arguments);
        command
    }

    /// Starts `framepost up` over the data directory, with `motion:` and `--stay`. It is killed when the result is dropped.
    fn up(&self, arguments: &[&str]) -> Running {
        let common = ["up", "--listen", "127.0.0.1:0", "--detector", "motion:", "--stay", "--dir"];
        Running::start(Self::command(&common).arg(self.data()).args(arguments))
    }

    /// Gives all objects of the bucket to a function again.
    fn replay(&self, function: &str) {
        let bucket = format!("file://{}", self.data().join("s3/footage").display());
        let mut replay = Self::command(&["replay", function, "--yes", "--bucket", &bucket, "--state"]);
        let mut running = Running::start(replay.arg(self.directory.path().join("state")));
        running.wait_for_exit_code(0, PATIENCE);
    }

    /// Waits until no function has anything left to do.
    fn settles(&self, up: &mut Running) {
        let inboxes = self.data().join("s3/footage/.framepost/inboxes");
        // What one of them does is in the inboxes of the next ones before its own is empty.
        let is_empty = |name: &&str| std::fs::read_dir(inboxes.join(name).join("waiting")).unwrap().next().is_none();
        let deadline = Instant::now() + PATIENCE;
        while !["probe", "infer", "catalog"].iter().all(is_empty) {
            assert!(Instant::now() < deadline && up.exited().is_none(), "{}", up.log());
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }

    fn rows(&self) -> BTreeMap<String, BTreeSet<String>> {
        rows(&self.data().join("catalog.db"))
    }
}

/// Waits for a line of standard error, and returns what is behind this text in it.
fn told(up: &Running, what: &str) -> String {
    up.wait_for(Output::Stderr, PATIENCE, |lines| {
        lines.iter().find_map(|line| Some(line.split_once(what)?.1.to_owned()))
    })
}

/// The rows of all tables as texts, but for those about what was recorded afterwards.
fn rows(file: &Path) -> BTreeMap<String, BTreeSet<String>> {
    let db = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let names = |sql: &str| -> BTreeMap<i64, String> {
        let mut statement = db.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        rows.map(Result::unwrap).collect()
    };
    let cameras = names("SELECT id, site || '/' || name FROM camera");
    let series = names("SELECT id, name FROM series");
    let mut tables = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").unwrap();
    let tables: Vec<String> = tables.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let mut found = BTreeMap::new();
    for table in tables.into_iter().filter(|table| !NOT_OF_THE_BUCKET.contains(&table.as_str())) {
        let mut statement = db.prepare(&format!("SELECT * FROM {table}")).unwrap();
        let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
        let mut rows = statement.query([]).unwrap();
        let mut texts = BTreeSet::new();
        while let Some(row) = rows.next().unwrap() {
            let mut fields = Map::new();
            for (n, column) in columns.iter().enumerate() {
                let field = match (column.as_str(), row.get(n).unwrap()) {
                    // In the order in which they were written, which is no property of the footage.
                    ("id", Cell::Integer(_)) => continue,
                    ("camera", Cell::Integer(id)) => Value::from(cameras[&id].clone()),
                    ("series", Cell::Integer(id)) => Value::from(series[&id].clone()),
                    (_, Cell::Text(text)) => same_anywhere(&text),
                    (_, Cell::Integer(number)) => Value::from(number),
                    (_, Cell::Real(number)) => Value::from(number),
                    (_, Cell::Null) => Value::Null,
                    (_, Cell::Blob(bytes)) => Value::from(bytes),
                };
                fields.insert(column.clone(), field);
            }
            texts.insert(Value::Object(fields).to_string());
        }
        texts.retain(|text| !text.contains(AFTERWARDS));
        found.insert(table, texts);
    }
    found
}

/// A text, or what it is as JSON, without what belongs to the run of the program: how long the detector took, and the port of the
/// links into the bucket.
fn same_anywhere(text: &str) -> Value {
    let Ok(mut value) = serde_json::from_str::<Value>(text) else { return Value::from(text) };
    let data = if value.get("data").is_some() { &mut value["data"] } else { &mut value };
    if let Some(data) = data.as_object_mut() {
        data.remove("detectorMs");
        if let Some(Value::String(link)) = data.get_mut("mediaLink") {
            let path = link.split_once("/footage/").map(|(_, key)| key.to_owned());
            *link = path.unwrap_or_default();
        }
    }
    value
}

#[test]
fn a_lost_catalogue_is_rebuilt_with_every_row() {
    if Command::new("ffmpeg").arg("-version").output().is_err() {
        println!("skipped: no ffmpeg");
        return;
    }
    let place = Place { directory: tempfile::tempdir().unwrap() };
    let clip = Clip::H264.path();
    let mut up = place.up(&["--sign", clip.to_str().unwrap()]);
    told(&up, "all files are read");
    // What a file does not make: a gap, and what is no footage.
    let endpoint = told(&up, "bucket    http://");
    let key: Value = serde_json::from_slice(&std::fs::read(place.data().join("access-key.json")).unwrap()).unwrap();
    let identity = Identity {
        access_key_id: key["accessKeyId"].as_str().unwrap().to_owned(),
        secret_access_key: key["secretAccessKey"].as_str().unwrap().to_owned(),
        session_token: None,
    };
    let account = Account::at(format!("http://{}", endpoint.split('/').next().unwrap()), identity);
    let from = "2026-11-20T15:00:00Z".parse().unwrap();
    let gap = Gap {
        site: "onebox".parse().unwrap(),
        camera: "gate".parse().unwrap(),
        from,
        to: from + jiff::SignedDuration::from_secs(7),
        cause: GapCause::CameraLost,
        detail: Some("connection refused".to_owned()),
        frames_dropped: None,
        chunks_dropped: None,
        source_bytes: None,
    };
    account.put_new("footage", &gap.key(0).to_string(), &serde_json::to_vec(&gap).unwrap());
    account.put_new("footage", "onebox/2026-11-20/gate/15/08-23Z.0.mp4", b"no footage");
    for kind in ["gap.recorded", "object.rejected"] {
        let is_there = |lines: &[String]| lines.iter().any(|line| line.contains(kind)).then_some(());
        up.wait_for(Output::Stdout, PATIENCE, is_there);
    }
    place.settles(&mut up);
    up.interrupt();
    up.wait(PATIENCE);
    let before = place.rows();
    for (table, least) in [
        ("camera", 2),
        ("chunk", 3),
        ("gap", 1),
        ("span_end", 1),
        ("reject", 1),
        ("look", 3),
        ("sighting", 1),
        ("tail", 1),
    ] {
        assert!(before[table].len() >= least, "{table}: {:?}", before[table]);
    }

    for file in ["catalog.db", "catalog.db-wal", "catalog.db-shm"] {
        let _ = std::fs::remove_file(place.data().join(file));
    }
    // A camera that never says anything, so that nothing is recorded meanwhile.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("rtsp://{}/", silent.local_addr().unwrap());
    place.replay("probe");
    let mut up = place.up(&["--sign", "--site", AFTERWARDS, &url]);
    place.settles(&mut up);
    place.replay("infer");
    place.settles(&mut up);
    up.interrupt();
    up.wait(PATIENCE);
    let after = place.rows();
    assert_eq!(after.keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>());
    for (table, rows) in &before {
        let lost: Vec<&String> = rows.difference(&after[table]).collect();
        let new: Vec<&String> = after[table].difference(rows).collect();
        assert!(lost.is_empty() && new.is_empty(), "{table} lost {lost:#?}\nand has instead {new:#?}");
    }
}
