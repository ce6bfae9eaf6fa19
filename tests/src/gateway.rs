//! A gateway under stress: one live camera, an `edge-uploader` that is killed and restarted, and a ledger of
//! everything that must not be lost.
//!
//! A second client of the same stream (ffmpeg) records all of it. The tests use that recording to check that
//! each span is an unbroken run of what the camera sent.

use crate::binaries::{Output, Running};
use crate::bucket::{Bucket, files};
use crate::edge::EdgeConfig;
use crate::judge::boxes::{top_level, whole_fragments_end};
use crate::judge::packets::{Packet, pictures, unbroken_run};
use crate::judge::recording::Recording;
use crate::judge::spans::Span;
use framepost_events::{ObjectKey, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// Waits until `condition` holds; panics with `what` after `within`.
pub fn eventually(what: &str, within: Duration, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + within;
    while !condition() {
        assert!(Instant::now() < deadline, "{what}: not within {within:?}");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

/// A gateway's configuration and process.
#[derive(Debug)]
pub struct Gateway {
    config: EdgeConfig,
    file: PathBuf,
    running: Option<Running>,
    log: String,
}

impl Gateway {
    /// Creates a gateway that is not running yet. Each start writes its configuration to `file`.
    pub fn new(config: EdgeConfig, file: PathBuf) -> Self {
        Self { config, file, running: None, log: String::new() }
    }

    pub fn start(&mut self) {
        self.running = Some(Running::start(&mut self.config.run(&self.file)));
    }

    /// Waits for its message that it has started.
    fn wait_for_start(&self) {
        let running = self.running.as_ref().expect("the gateway runs");
        running.wait_for(Output::Stderr, Duration::from_secs(30), |lines| {
            lines.iter().any(|line| line.contains("started")).then_some(())
        });
    }

    /// Waits until the camera's frames arrive.
    pub fn wait_until_recording(&self) {
        let running = self.running.as_ref().expect("the gateway runs");
        running.wait_for(Output::Stderr, Duration::from_secs(30), |lines| {
            lines.iter().any(|line| line.contains("recording")).then_some(())
        });
    }

    /// Kills it. Panics if it had already ended.
    pub fn kill(&mut self) {
        let Some(mut running) = self.running.take() else { return };
        let ended = running.exited();
        assert!(ended.is_none(), "the gateway ended by itself: {ended:?}\n{}", running.log());
        running.kill();
        self.keep_log(&running);
    }

    /// Sends SIGTERM and expects exit code 0 within the gateway's own deadline.
    pub fn terminate(&mut self) {
        let Some(mut running) = self.running.take() else { return };
        running.terminate();
        running.wait_for_exit_code(0, Duration::from_mins(1));
        self.keep_log(&running);
    }

    fn keep_log(&mut self, running: &Running) {
        self.log = running.log();
        assert!(!self.log.contains("panicked"), "{}", self.log);
    }

    /// What the last run said.
    pub fn log(&self) -> String {
        self.running.as_ref().map_or_else(|| self.log.clone(), Running::log)
    }

    /// Where it keeps its objects, under their keys.
    fn objects(&self) -> PathBuf {
        self.config.spool.join("objects")
    }

    /// Returns the files in the spool: objects, parts and their companions.
    pub fn spooled(&self) -> Vec<PathBuf> {
        files(&self.objects())
    }

    /// Starts it again, waits until everything is uploaded, and stops it. The camera must be gone by then.
    pub fn drain(&mut self, within: Duration) {
        self.start();
        self.wait_for_start();
        let spool = self.objects();
        eventually("the spool runs empty", within, || files(&spool).is_empty());
        self.terminate();
    }
}

/// Everything that was seen to exist and must therefore not be lost.
#[derive(Debug, Default)]
pub struct Ledger {
    /// Closed objects: in the spool after a kill, or in the bucket.
    closed: BTreeMap<String, Sha256>,
    /// The complete fragments of parts, as they were after a kill.
    parts: BTreeMap<String, Vec<u8>>,
}

impl Ledger {
    /// Notes everything in the spool and in the bucket. The gateway must not run meanwhile. Panics if an object
    /// that was closed before has changed.
    pub fn note(&mut self, gateway: &Gateway, bucket: &Bucket) {
        for path in gateway.spooled() {
            let Some(name) = path.strip_prefix(gateway.objects()).ok().and_then(Path::to_str) else { continue };
            if name.parse::<ObjectKey>().is_ok() {
                self.note_closed(name, &path);
            } else if let Some(key) = name.strip_suffix(".part") {
                let bytes = read(&path);
                if let Some(end) = whole_fragments_end(&bytes) {
                    self.parts.insert(key.to_owned(), bytes[..end].to_vec());
                }
            }
        }
        for object in bucket.of("gate", framepost_events::KeyKind::Chunk) {
            let key = object.key.to_string();
            if !self.closed.contains_key(&key) {
                self.note_closed(&key, &object.path);
            }
        }
    }

    fn note_closed(&mut self, key: &str, path: &Path) {
        let digest = Sha256::of(&read(path));
        let before = self.closed.insert(key.to_owned(), digest);
        assert!(before.is_none_or(|before| before == digest), "{key} was closed, and its bytes changed");
    }

    /// Returns the number of closed objects and of parts that were seen.
    pub fn sizes(&self) -> (usize, usize) {
        (self.closed.len(), self.parts.len())
    }

    /// Returns every noted object that the bucket lacks or holds with other bytes.
    pub fn faults(&self, bucket: &Bucket) -> Vec<String> {
        let objects: BTreeMap<String, Vec<u8>> =
            bucket.objects().iter().map(|object| (object.key.to_string(), object.bytes())).collect();
        let mut faults = Vec::new();
        for (key, digest) in &self.closed {
            let fault = match objects.get(key) {
                None => format!("{key} was closed and is missing"),
                Some(bytes) if Sha256::of(bytes) != *digest => format!("{key} has other bytes than when it was closed"),
                Some(_) => continue,
            };
            faults.push(fault);
        }
        for (key, part) in &self.parts {
            // Closing a chunk rewrites its init segment, whose length stays the same.
            let boxes = top_level(part).unwrap_or_default();
            let init_end = boxes.iter().find(|found| found.kind == "moov").map_or(0, |moov| moov.end);
            let fault = match objects.get(key).map(|bytes| bytes.get(init_end..part.len())) {
                None => format!("{key}: {} bytes of whole fragments were on disk, and it is missing", part.len()),
                Some(kept) if kept != Some(&part[init_end..]) => format!("{key}: whole fragments were lost or changed"),
                Some(_) => continue,
            };
            faults.push(fault);
        }
        faults
    }
}

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A second client of the camera, which records the whole stream.
#[derive(Debug)]
pub struct Reference {
    running: Running,
    file: PathBuf,
}

impl Reference {
    /// Starts recording `url` into `file` (Matroska), and waits for the first bytes.
    pub fn start(url: &str, file: &Path) -> Self {
        let mut command = Command::new("ffmpeg");
        command.args([
            "-nostdin",
            "-v",
            "error",
            "-rtsp_transport",
            "tcp",
            "-i",
            url,
            "-c",
            "copy",
            "-flush_packets",
            "1",
        ]);
        command.arg(file);
        let running = Running::start(&mut command);
        eventually("the reference begins", Duration::from_secs(30), || {
            file.metadata().is_ok_and(|data| data.len() > 0)
        });
        Self { running, file: file.to_owned() }
    }

    /// Stops recording and returns all its pictures.
    pub fn end(mut self) -> Vec<Packet> {
        self.running.interrupt();
        self.running.wait(Duration::from_secs(30));
        pictures(&self.file).unwrap_or_else(|fault| panic!("the reference: {fault}"))
    }
}

/// Returns every difference between spans and what the camera sent: each span must be an unbroken run of it,
/// and no picture may be in two spans.
pub fn faults_against(reference: &[Packet], recording: &Recording, spans: &[Span]) -> Vec<String> {
    let mut faults = Vec::new();
    let mut shown_until = 0;
    for span in spans {
        let mut shown = Vec::new();
        let mut starts = 0;
        for chunk in &recording.chunks {
            if (span.from..span.to).contains(&chunk.object.key.start) {
                let marked = chunk.record.as_ref().and_then(|record| record.starts_with_random_access);
                starts += usize::from(marked != Some(false));
                match pictures(&chunk.object.path) {
                    Ok(pictures) => shown.extend(pictures),
                    Err(fault) => faults.push(fault),
                }
            }
        }
        // Killed before its first random access frame, so that what is stored of it cannot
        // be decoded on its own.
        if shown.is_empty() && starts == 0 {
            continue;
        }
        match unbroken_run(reference, &shown) {
            Ok(start) if start >= shown_until => shown_until = start + shown.len(),
            Ok(start) => faults.push(format!(
                "the span of {}: its {} pictures begin with number {start}, and those before {shown_until} of {} are in an \
                 earlier one",
                span.from,
                shown.len(),
                reference.len()
            )),
            Err(fault) => faults.push(format!("the span of {} is no run of what was sent: {fault}", span.from)),
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::ffmpeg;
    use crate::rtsp::{RtspOptions, RtspServer};
    use fixture::{fragments, put};

    /// A gateway and a bucket built by hand.
    mod fixture {
        use super::*;

        pub(super) fn fragments(numbers: &[u8]) -> Vec<u8> {
            let mut bytes = Vec::new();
            for (kind, body) in [(b"ftyp", 0), (b"moov", 0)]
                .into_iter()
                .chain(numbers.iter().flat_map(|n| [(b"moof", *n), (b"mdat", *n)]))
            {
                bytes.extend(9_u32.to_be_bytes());
                bytes.extend(kind);
                bytes.push(body);
            }
            bytes
        }

        pub(super) fn put(root: &Path, key: &str, bytes: &[u8]) {
            let path = root.join(key);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
    }

    const A: &str = "plant-7/2026-11-20/gate/15/08-20Z.0.mp4";
    const B: &str = "plant-7/2026-11-20/gate/15/08-23Z.1.mp4";

    #[test]
    fn what_was_closed_or_whole_is_missed_when_it_is_gone() {
        let directory = tempfile::tempdir().unwrap();
        let spool = directory.path().join("spool");
        let root = directory.path().join("bucket");
        let config = EdgeConfig::one_camera(&spool, "file:///x", "rtsp://x");
        let gateway = Gateway::new(config, directory.path().join("edge.toml"));
        let bucket = Bucket::at(&root);
        put(&spool.join("objects"), A, &fragments(&[1, 2]));
        let mut part = fragments(&[3, 4]);
        part.truncate(part.len() - 1);
        put(&spool.join("objects"), &format!("{B}.part"), &part);
        let mut ledger = Ledger::default();
        ledger.note(&gateway, &bucket);
        assert_eq!(ledger.sizes(), (1, 1));

        let faults = ledger.faults(&bucket).join("\n");
        assert!(
            faults.contains("was closed and is missing") && faults.contains("whole fragments were on disk"),
            "{faults}"
        );

        put(&root, A, &fragments(&[1, 9]));
        put(&root, B, &fragments(&[9]));
        let faults = ledger.faults(&bucket).join("\n");
        assert!(faults.contains("other bytes") && faults.contains("lost or changed"), "{faults}");

        put(&root, A, &fragments(&[1, 2]));
        put(&root, B, &fragments(&[3]));
        assert_eq!(ledger.faults(&bucket), Vec::<String>::new());
    }

    #[test]
    fn every_client_of_the_camera_sees_the_same_pictures() {
        let directory = tempfile::tempdir().unwrap();
        let server = RtspServer::start(RtspOptions::default());
        let url = server.url("h264-short-gop");
        let reference = Reference::start(&url, &directory.path().join("reference.mkv"));
        // Another client with another container, which recorded a part of the time.
        let part = directory.path().join("part.mp4");
        ffmpeg(["-rtsp_transport", "tcp", "-i", url.as_str(), "-c", "copy", "-t", "2"], &part);
        let shown = pictures(&part).unwrap();
        let reference = reference.end();
        assert!(shown.len() >= 40, "{} pictures", shown.len());
        unbroken_run(&reference, &shown).unwrap();
        let holed = [&shown[..20], &shown[21..]].concat();
        assert!(unbroken_run(&reference, &holed).is_err(), "a missing picture is missed");
        let distinct: std::collections::BTreeSet<_> = shown.iter().map(|picture| &picture.md5).collect();
        assert_eq!(distinct.len(), shown.len(), "no two pictures are alike");
    }

    #[test]
    #[should_panic(expected = "its bytes changed")]
    fn a_closed_object_that_changes_is_noticed() {
        let directory = tempfile::tempdir().unwrap();
        let spool = directory.path().join("spool");
        let gateway = Gateway::new(EdgeConfig::one_camera(&spool, "file:///x", "rtsp://x"), directory.path().join("e"));
        let mut ledger = Ledger::default();
        for number in [1, 2] {
            put(&spool.join("objects"), A, &fragments(&[number]));
            ledger.note(&gateway, &Bucket::at(directory.path().join("bucket")));
        }
    }
}
