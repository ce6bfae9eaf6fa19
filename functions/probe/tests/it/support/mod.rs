//! What the tests share: an object in memory that counts what is read of it, and media made and judged by ffmpeg.
#![allow(unreachable_pub, reason = "tests")]

use async_trait::async_trait;
use bytes::Bytes;
use framepost_events::attributes::Metadata;
use framepost_events::finalized::Provider;
use framepost_events::record::{ChunkProbed, Data, RejectReason};
use framepost_events::{ObjectFinalized, Sha256};
use framepost_ports::{ByteRange, Error, ErrorKind, ObjectHead, ObjectRead, ObjectSource, Result};
use framepost_probe::{HEAD_BYTES, MAX_BYTES, MAX_REQUESTS, ProbeSettings, inspect};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

pub fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

/// One object, and every range that was read of it.
pub struct OneObject {
    pub bytes: Bytes,
    pub metadata: Metadata,
    pub fails: Option<ErrorKind>,
    pub reads: Mutex<Vec<ByteRange>>,
}

impl OneObject {
    pub fn new(bytes: impl Into<Bytes>) -> Self {
        Self { bytes: bytes.into(), metadata: Vec::new(), fails: None, reads: Mutex::default() }
    }

    pub fn with(mut self, metadata: Metadata) -> Self {
        self.metadata = metadata;
        self
    }

    /// Returns how many reads were made, and how many bytes they asked for together.
    pub fn cost(&self) -> (usize, u64) {
        let reads = self.reads.lock().unwrap();
        (reads.len(), reads.iter().map(|range| range.len).sum())
    }

    pub fn assert_within_budget(&self, name: &str) {
        let (requests, bytes) = self.cost();
        assert!(requests <= MAX_REQUESTS as usize && bytes <= MAX_BYTES, "{name}: {requests} requests, {bytes} bytes");
        assert_eq!(self.reads.lock().unwrap()[0], ByteRange { start: 0, len: HEAD_BYTES }, "{name}");
    }
}

#[async_trait]
impl ObjectSource for OneObject {
    async fn read(&self, _: &str, key: &str, _: Option<&str>, range: ByteRange) -> Result<ObjectRead> {
        if let Some(kind) = self.fails {
            return Err(Error::new(kind, "get", key));
        }
        self.reads.lock().unwrap().push(range);
        let at = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX).min(self.bytes.len());
        let bytes = self.bytes.slice(at(range.start)..at(range.start.saturating_add(range.len)));
        let head = ObjectHead {
            size: self.bytes.len() as u64,
            content_type: String::new(),
            metadata: self.metadata.clone(),
            modified: None,
        };
        Ok(ObjectRead { head, bytes })
    }

    fn provider(&self) -> Provider {
        Provider::Local
    }

    fn media_link(&self, bucket: &str, key: &str, _: Option<&str>) -> String {
        format!("mem://{bucket}/{key}")
    }
}

pub fn event(key: &str) -> ObjectFinalized {
    ObjectFinalized {
        provider: Provider::Local,
        bucket: "footage".to_owned(),
        key: key.to_owned(),
        version: "1".to_owned(),
        size: None,
        time: "2026-11-21T02:00:00Z".parse().unwrap(),
        media_link: None,
        region: None,
        read_version: None,
    }
}

pub fn data(object: &OneObject, key: &str) -> Data {
    block_on(inspect(object, &event(key), &ProbeSettings::default())).unwrap()
}

pub fn probed(object: &OneObject, key: &str) -> ChunkProbed {
    match data(object, key) {
        Data::ChunkProbed(probed) => *probed,
        other => panic!("{key}: {other:?}"),
    }
}

/// The reason why an object is rejected, `None` if it is not. Within the budget either way.
pub fn reason(name: &str, bytes: impl Into<Bytes>) -> Option<RejectReason> {
    let object = OneObject::new(bytes);
    let data = data(&object, name);
    object.assert_within_budget(name);
    match data {
        Data::ObjectRejected(rejected) => Some(rejected.reason),
        _ => None,
    }
}

/// Runs ffmpeg with these arguments, the output in `dir`.
pub fn ffmpeg(dir: &Path, arguments: &str, name: &str) -> PathBuf {
    let path = dir.join(name);
    let output = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-y"])
        .args(arguments.split_whitespace())
        .arg(&path)
        .output()
        .expect("ffmpeg is installed");
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    path
}

/// ffprobe's word on a file.
pub struct Judge(serde_json::Value);

impl Judge {
    pub fn of(path: &Path) -> Self {
        let output = Command::new("ffprobe")
            .args(["-v", "error", "-show_streams", "-show_format", "-of", "json"])
            .arg(path)
            .output()
            .expect("ffprobe is installed");
        Self(serde_json::from_slice(&output.stdout).unwrap())
    }

    /// Whether the first packet of the video is a key frame.
    pub fn first_is_key(path: &Path) -> bool {
        let output = Command::new("ffprobe")
            .args(["-v", "error", "-select_streams", "v", "-show_entries", "packet=flags", "-of", "csv=p=0"])
            .args(["-read_intervals", "%+#1"])
            .arg(path)
            .output()
            .expect("ffprobe is installed");
        String::from_utf8_lossy(&output.stdout).starts_with('K')
    }

    pub fn stream(&self, kind: &str) -> Option<&serde_json::Value> {
        self.0["streams"].as_array()?.iter().find(|stream| stream["codec_type"] == kind)
    }

    pub fn size(&self) -> (u64, u64) {
        let video = self.stream("video").unwrap();
        (video["width"].as_u64().unwrap(), video["height"].as_u64().unwrap())
    }

    /// `%` in a codec's string is the level, which is the encoder's choice: as ffprobe reads it, in the codec's notation.
    pub fn with_level(&self, codec: &str) -> String {
        let level = self.stream("video").unwrap()["level"].as_i64().unwrap_or_default();
        let level = if codec.starts_with("avc") { format!("{level:02X}") } else { format!("{level:02}") };
        codec.replace('%', &level)
    }

    pub fn frame_rate(&self) -> f64 {
        let (frames, seconds) =
            self.stream("video").unwrap()["r_frame_rate"].as_str().unwrap().split_once('/').unwrap();
        frames.parse::<f64>().unwrap() / seconds.parse::<f64>().unwrap()
    }

    pub fn seconds(&self) -> f64 {
        self.0["format"]["duration"].as_str().unwrap().parse().unwrap()
    }
}

/// A file of the shared test data; `None`, loudly, where it is not there.
pub fn test_data(part: &str) -> Option<PathBuf> {
    let root = std::env::var_os("FRAMEPOST_TEST_DATA");
    if root.is_none() {
        eprintln!("skipped: FRAMEPOST_TEST_DATA is unset, so there is no {part}");
    }
    Some(Path::new(&root?).join(part))
}

/// A box of the file format.
pub fn mp4_box(kind: [u8; 4], body: &[u8]) -> Vec<u8> {
    let size = u32::try_from(8 + body.len()).unwrap();
    [&size.to_be_bytes()[..], &kind, body].concat()
}

pub fn sha256(bytes: &[u8]) -> Sha256 {
    Sha256::of(bytes)
}
