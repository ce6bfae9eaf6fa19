//! Footage made by ffmpeg, objects in memory, and detectors that count.

pub(crate) mod house;
pub(crate) mod pretender;

use async_trait::async_trait;
use bytes::Bytes;
use framepost_events::attributes::{Attributes, Metadata};
use framepost_events::detection::{Bounds, Detection};
use framepost_events::finalized::Provider;
use framepost_events::record::{ChunkProbed, Container, Data, Model, Record};
use framepost_infer::pictures::{Decoder, Limits, find_program};
use framepost_ports::prices::aws::REKOGNITION_PICTURE;
use framepost_ports::{ByteRange, Detector, ObjectHead, ObjectRead, ObjectSource, Picture, Price, Result, Sampling};
use jiff::SignedDuration;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Returns ffmpeg, or logs a skip.
pub(crate) fn ffmpeg() -> Option<PathBuf> {
    let found = find_program("ffmpeg", std::env::var_os("PATH"));
    if found.is_none() {
        println!("skipped: ffmpeg is missing: apt-get install ffmpeg");
    }
    found
}

pub(crate) fn decoder() -> Option<Decoder> {
    Some(Decoder::new(ffmpeg()?, Limits::default()))
}

/// Makes a file with ffmpeg. `arguments` stand between the input and the output's name.
pub(crate) fn footage(source: &str, arguments: &[&str], name: &str) -> Option<Bytes> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    let mut command = Command::new(ffmpeg()?);
    command.args(["-nostdin", "-v", "error", "-y", "-f", "lavfi", "-i", source]).args(arguments).arg(&path);
    let output = command.output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() && told.contains("Unknown encoder") {
        println!("skipped: this ffmpeg lacks an encoder: {told}");
        return None;
    }
    assert!(output.status.success(), "{command:?}: {told}");
    Some(std::fs::read(path).unwrap().into())
}

/// The arguments for a fragmented MP4 with a fragment for each random access frame, as the gateway writes it.
pub(crate) const FRAGMENTED: [&str; 2] = ["-movflags", "frag_keyframe+empty_moov+default_base_moof"];

/// One object in memory, which counts requests and bytes.
#[derive(Debug, Default)]
pub(crate) struct Object {
    pub(crate) bytes: Bytes,
    pub(crate) metadata: Metadata,
    pub(crate) reads: Mutex<Vec<ByteRange>>,
}

impl Object {
    pub(crate) fn of(bytes: impl Into<Bytes>) -> Self {
        Self { bytes: bytes.into(), ..Self::default() }
    }

    /// The same with the metadata that a gateway writes: the table of its `mfra`.
    pub(crate) fn of_gateway(bytes: Bytes, chunk: &ChunkProbed) -> Self {
        let end = usize::try_from(chunk.media_end.unwrap()).unwrap();
        let attributes = Attributes {
            from: chunk.duration.from,
            to: chunk.duration.to,
            duration: Some(SignedDuration::from_secs_f64(chunk.duration.seconds.unwrap())),
            timescale: chunk.timescale,
            media_end: chunk.media_end,
            seek_table: Some(bytes[end..].to_vec()),
            ..Attributes::default()
        };
        Self { metadata: attributes.to_metadata().unwrap(), ..Self::of(bytes) }
    }

    pub(crate) fn requests(&self) -> Vec<ByteRange> {
        self.reads.lock().unwrap().clone()
    }
}

#[async_trait]
impl ObjectSource for Object {
    async fn read(&self, _bucket: &str, _key: &str, _version: Option<&str>, range: ByteRange) -> Result<ObjectRead> {
        self.reads.lock().unwrap().push(range);
        let size = self.bytes.len();
        let at = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX).min(size);
        let head = ObjectHead {
            size: size as u64,
            content_type: String::new(),
            metadata: self.metadata.clone(),
            modified: None,
        };
        Ok(ObjectRead { head, bytes: self.bytes.slice(at(range.start)..at(range.start.saturating_add(range.len))) })
    }

    fn provider(&self) -> Provider {
        Provider::Local
    }

    fn media_link(&self, _bucket: &str, key: &str, _version: Option<&str>) -> String {
        key.to_owned()
    }
}

/// The sample record, as if it were of these bytes.
pub(crate) fn record(bytes: &[u8], container: Container, seconds: f64) -> Record {
    let sample = include_str!("../../../../../events/samples/records/chunk-probed.json");
    let mut record: Record = serde_json::from_str(sample).unwrap();
    let Data::ChunkProbed(chunk) = &mut record.data else { panic!("a chunk") };
    chunk.container = container;
    chunk.size_bytes = bytes.len() as u64;
    chunk.resolution.rotation = None;
    chunk.resolution.mirrored = None;
    chunk.activity = None;
    chunk.duration.seconds = Some(seconds);
    chunk.duration.to = chunk.duration.from.map(|from| from + SignedDuration::from_secs_f64(seconds));
    let find = |kind: &[u8]| bytes.windows(4).position(|window| window == kind).map(|at| at as u64 - 4);
    let is_fragmented = container == Container::Fmp4;
    chunk.init_bytes = find(b"moof").filter(|_| is_fragmented);
    chunk.media_end =
        bytes.windows(4).rposition(|window| window == b"mfra").map(|at| at as u64 - 4).filter(|_| is_fragmented);
    chunk.timescale = timescale(bytes);
    record
}

pub(crate) fn chunk(bytes: &[u8], container: Container, seconds: f64) -> ChunkProbed {
    let Data::ChunkProbed(chunk) = record(bytes, container, seconds).data else { panic!("a chunk") };
    *chunk
}

/// The timescale in the first `mdhd` (ISO/IEC 14496-12 §8.4.2) of version 0.
fn timescale(bytes: &[u8]) -> Option<u32> {
    let at = bytes.windows(4).position(|window| window == b"mdhd")?;
    Some(u32::from_be_bytes(bytes.get(at + 16..at + 20)?.try_into().ok()?))
}

/// Says that there is a thing in each picture, and counts the pictures that it was asked about.
pub(crate) struct Counting {
    pub(crate) model: Model,
    pub(crate) price: Option<Price>,
    /// The width and height that it sees pictures in, if that is one size.
    pub(crate) size: Option<(u32, u32)>,
    pub(crate) calls: AtomicUsize,
    /// Each call takes the next of these failures, or succeeds.
    pub(crate) failures: Mutex<Vec<framepost_ports::Error>>,
}

impl Counting {
    pub(crate) fn free() -> Self {
        let model = Model {
            detector: "counting".to_owned(),
            name: "counting".to_owned(),
            version: None,
            digest: None,
            arm: None,
        };
        Self { model, price: None, size: None, calls: AtomicUsize::new(0), failures: Mutex::default() }
    }

    pub(crate) fn paid() -> Self {
        Self { price: Some(REKOGNITION_PICTURE), ..Self::free() }
    }

    pub(crate) fn asked(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Detector for Counting {
    fn model(&self) -> &Model {
        &self.model
    }

    fn price(&self) -> Option<Price> {
        self.price
    }

    fn sampling(&self) -> Sampling {
        Sampling::RandomAccess
    }

    fn input_size(&self) -> Option<(u32, u32)> {
        self.size
    }

    async fn detect(&self, pictures: &[Picture]) -> Result<Vec<Vec<Detection>>> {
        self.calls.fetch_add(pictures.len(), Ordering::SeqCst);
        if let Some(error) = self.failures.lock().unwrap().pop() {
            return Err(error);
        }
        let thing = Detection { label: "thing".to_owned(), score: 0.75, bounds: Bounds::WHOLE, zones: vec![] };
        Ok(vec![vec![thing]; pictures.len()])
    }
}
