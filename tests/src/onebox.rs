//! Runs `framepost up`, the whole pipeline as one process, and reads its output.

use crate::binaries::{Output, Program, Running};
use crate::bucket::Bucket;
use crate::edge::Credentials;
use framepost_events::record::{ChunkProbed, Data, Record};
use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long it may take on a busy machine until it serves requests.
const START: Duration = Duration::from_secs(30);

/// A running `framepost up`.
#[derive(Debug)]
pub struct Onebox {
    pub running: Running,
    directory: PathBuf,
}

impl Onebox {
    /// Starts `framepost up --dir DIR VIDEO...`. Without a video it plays its own clip live. `infer` is left out: its decoding
    /// would take processor time from what is measured.
    pub fn up<V: AsRef<OsStr>>(directory: &Path, videos: &[V]) -> Self {
        let mut command = Program::Framepost.command();
        command.args(["up", "--without", "infer", "--dir"]).arg(directory).args(videos);
        Self { running: Running::start(&mut command), directory: directory.to_owned() }
    }

    /// The same with `infer`, whose detector sees what moves, and with nothing that such a test does not name.
    pub fn seeing<V: AsRef<OsStr>>(directory: &Path, arguments: &[V]) -> Self {
        let mut command = Program::Framepost.command();
        command.args(["up", "--dir"]).arg(directory).args(arguments);
        Self { running: Running::start(&mut command), directory: directory.to_owned() }
    }

    /// Its bucket, on disk.
    pub fn bucket(&self) -> Bucket {
        Bucket::of_onebox(&self.directory)
    }

    /// Returns the address of its S3 endpoint, from its standard error.
    pub fn endpoint(&self) -> SocketAddr {
        self.running.wait_for(Output::Stderr, START, |lines| {
            lines.iter().find_map(|line| {
                let (_, rest) = line.split_once("http://127.0.0.1:")?;
                let port: String = rest.chars().take_while(char::is_ascii_digit).collect();
                Some(SocketAddr::from(([127, 0, 0, 1], port.parse().ok()?)))
            })
        })
    }

    /// Returns the address of its API, from its standard error.
    pub fn api(&self) -> SocketAddr {
        self.running.wait_for(Output::Stderr, START, |lines| {
            lines.iter().find_map(|line| {
                let rest = line.strip_prefix("api")?.split_once("http://")?.1;
                rest.split('/').next()?.parse().ok()
            })
        })
    }

    /// The access key of its S3 endpoint, from its directory.
    pub fn credentials(&self) -> Credentials {
        self.endpoint();
        let path = self.directory.join("access-key.json");
        let text = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let key: serde_json::Value = serde_json::from_slice(&text).expect("an access key");
        let field = |name: &str| key[name].as_str().expect("a text").to_owned();
        Credentials { access_key_id: field("accessKeyId"), secret_access_key: field("secretAccessKey") }
    }

    /// Returns every record so far. Panics if a line of standard output is not a record,
    /// because `| jq` must work.
    pub fn records(&self) -> Vec<Record> {
        records(&self.running.lines(Output::Stdout))
    }

    /// Waits until records of `chunks` chunks have been printed.
    pub fn wait_for_chunks(&self, chunks: usize, within: Duration) {
        self.running.wait_for(Output::Stdout, within, |lines| {
            (lines.iter().filter(|line| line.contains("io.framepost.chunk.probed.v1")).count() >= chunks).then_some(())
        });
    }

    /// Waits until `objects` records, of any kind but the gateway's own reports, have been printed.
    pub fn wait_for_records_of(&self, objects: usize, within: Duration) {
        self.running.wait_for(Output::Stdout, within, |lines| {
            let footage = lines.iter().filter(|line| !line.contains("io.framepost.gateway.reported.v1"));
            (footage.count() >= objects).then_some(())
        });
    }

    /// Interrupts it and waits until it has closed, drained and ended with exit code 0.
    pub fn end(&mut self) {
        self.running.interrupt();
        self.running.wait_for_exit_code(0, Duration::from_secs(30));
    }
}

/// Lines of JSON as records.
pub fn records(lines: &[String]) -> Vec<Record> {
    let parse =
        |line: &String| serde_json::from_str(line).unwrap_or_else(|error| panic!("not a record: {error}: {line}"));
    lines.iter().map(parse).collect()
}

/// The records of chunks among `records`.
pub fn chunks(records: &[Record]) -> Vec<&ChunkProbed> {
    let of_chunk = |record| match record {
        &Record { data: Data::ChunkProbed(ref chunk), .. } => Some(&**chunk),
        _ => None,
    };
    records.iter().filter_map(of_chunk).collect()
}
