//! A whole recording: one camera's objects with their metadata, the records about them, and the source.

use super::packets::{self, Packet, Stream, same_packets};
use super::spans::{Entry, Span, check_spans};
use super::{Claims, judge_chunk};
use crate::bucket::{Bucket, Object};
use framepost_events::KeyKind;
use framepost_events::attributes::{Attributes, ChunkStart};
use framepost_events::record::{ChunkProbed, Data, Record};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::path::Path;

/// A chunk with its metadata and its record.
#[derive(Debug)]
pub struct Chunk {
    pub object: Object,
    pub attributes: Attributes,
    /// Its record; `None` if the test makes no records.
    pub record: Option<ChunkProbed>,
}

impl Chunk {
    fn from(&self) -> Timestamp {
        self.attributes.from.unwrap_or(self.object.key.start)
    }

    fn judge(&self, frame_seconds: f64) -> Vec<String> {
        let Self { object, attributes, record } = self;
        let key = object.key.to_string();
        let seconds = record.as_ref().and_then(|record| record.duration.seconds);
        let claims = Claims { key: Some(&key), seconds, attributes: Some(attributes), frame_seconds };
        let mut faults = judge_chunk(&object.path, &claims);
        let Some(record) = record else { return faults };
        let duration = &record.duration;
        if seconds.is_none() || (duration.from, duration.to) != (attributes.from, attributes.to) {
            faults.push(format!(
                "{key}: the record says {duration:?}, the metadata {:?} to {:?}",
                attributes.from, attributes.to
            ));
        }
        if record.size_bytes != std::fs::metadata(&object.path).map_or(0, |data| data.len()) {
            faults.push(format!("{key}: the record says {} bytes", record.size_bytes));
        }
        if record.integrity.sha256 != attributes.sha256 {
            faults.push(format!("{key}: the record's digest is {:?}", record.integrity.sha256));
        }
        let between = attributes.start == ChunkStart::Between;
        if record.starts_with_random_access == Some(between) {
            faults.push(format!("{key}: the record and the metadata differ in what the chunk starts with"));
        }
        let pixels = attributes.video.as_ref().map(|video| (video.width, video.height));
        if pixels != Some((record.resolution.width, record.resolution.height)) {
            faults.push(format!("{key}: the record says {:?}, the metadata {pixels:?}", record.resolution));
        }
        faults
    }
}

/// One camera's recording, as its bucket and its records describe it.
#[derive(Debug)]
pub struct Recording {
    /// The chunks in order.
    pub chunks: Vec<Chunk>,
    /// Span ends and gaps.
    pub others: Vec<Object>,
    /// Faults in how records and objects match.
    faults: Vec<String>,
}

impl Recording {
    /// Collects the objects of `camera` in `bucket` and the records about them. Each object
    /// must have exactly one record.
    pub fn new(bucket: &Bucket, camera: &str, records: &[Record]) -> Self {
        let mut recording = Self::without_records(bucket, camera);
        let mut said: BTreeMap<&str, Vec<&Record>> = BTreeMap::new();
        for record in records {
            said.entry(&record.subject).or_default().push(record);
        }
        let one = |object: &Object| -> Result<Data, String> {
            let key = object.key.to_string();
            match said.get(key.as_str()).map(Vec::as_slice) {
                Some([record]) => Ok(record.data.clone()),
                Some(several) => Err(format!("{key}: {} records", several.len())),
                None => Err(format!("{key}: no record")),
            }
        };
        let Self { chunks, others, faults } = &mut recording;
        for chunk in chunks {
            match one(&chunk.object) {
                Ok(Data::ChunkProbed(record)) => chunk.record = Some(*record),
                Ok(other) => faults.push(format!("{}: the record is {other:?}", chunk.object.key)),
                Err(fault) => faults.push(fault),
            }
        }
        faults.extend(others.iter().filter_map(|object| one(object).err()));
        recording
    }

    /// Collects the objects of `camera` in `bucket`, for tests that make no records.
    pub fn without_records(bucket: &Bucket, camera: &str) -> Self {
        let mut faults = Vec::new();
        let mut chunks = Vec::new();
        for object in bucket.of(camera, KeyKind::Chunk) {
            match object.attributes() {
                Ok(attributes) => chunks.push(Chunk { object, attributes, record: None }),
                Err(fault) => faults.push(format!("{}: {fault}", object.key)),
            }
        }
        if chunks.is_empty() {
            faults.push(format!("there are no chunks of {camera}"));
        }
        let strangers = bucket.strangers();
        if !strangers.is_empty() {
            faults.push(format!("files that are no objects: {strangers:?}"));
        }
        let mut others = bucket.of(camera, KeyKind::SpanEnd);
        others.extend(bucket.of(camera, KeyKind::Gap));
        Self { chunks, others, faults }
    }

    /// The only camera's recording.
    pub fn only(bucket: &Bucket, records: &[Record]) -> Self {
        let cameras = bucket.cameras();
        let [camera] = &cameras[..] else { panic!("one camera was expected in the bucket, there are {cameras:?}") };
        Self::new(bucket, camera, records)
    }

    /// Returns the spans, or every fault of every chunk and of how chunks form spans.
    pub fn judge(&self, frame_seconds: f64) -> Result<Vec<Span>, Vec<String>> {
        let mut faults = self.faults.clone();
        faults.extend(self.chunks.iter().flat_map(|chunk| chunk.judge(frame_seconds)));
        match (check_spans(&self.entries()), faults.is_empty()) {
            (Ok(spans), true) => Ok(spans),
            (Ok(_), false) => Err(faults),
            (Err(more), _) => Err([faults, more].concat()),
        }
    }

    fn entries(&self) -> Vec<Entry> {
        let chunk = |chunk: &Chunk| Entry {
            key: chunk.object.key.clone(),
            from: chunk.from(),
            to: chunk.attributes.to.unwrap_or(chunk.object.key.start),
        };
        let other = |object: &Object| Entry { key: object.key.clone(), from: object.key.start, to: object.key.start };
        self.chunks.iter().map(chunk).chain(self.others.iter().map(other)).collect()
    }

    /// All packets of one stream, in order.
    pub fn packets(&self, stream: Stream) -> Result<Vec<Packet>, String> {
        let mut all = Vec::new();
        for chunk in &self.chunks {
            all.extend(packets::packets(&chunk.object.path, stream)?);
        }
        Ok(all)
    }

    /// Checks that the chunks together equal the source, packet for packet, each at its time.
    pub fn is_the_same_as(&self, source: &Path, streams: &[Stream]) -> Result<(), Vec<String>> {
        let mut faults = Vec::new();
        for stream in streams {
            let outcome = packets::packets(source, *stream)
                .and_then(|source| same_packets(&source, &self.packets(*stream)?).map(|()| source))
                .and_then(|source| self.keeps_times(&source, *stream));
            if let Err(fault) = outcome {
                faults.push(format!("{stream:?}: {fault}"));
            }
        }
        if faults.is_empty() { Ok(()) } else { Err(faults) }
    }

    /// Checks that wall-clock times (`from` + presentation time) follow the source's
    /// presentation times within 1 ms.
    fn keeps_times(&self, source: &[Packet], stream: Stream) -> Result<(), String> {
        // An AAC encoder's priming is silence before the first picture and has at most three packets.
        let priming = if stream == Stream::Audio { 3 } else { 0 };
        let mut times = source.iter().map(|packet| packet.pts_seconds).enumerate();
        let mut first = None;
        for chunk in &self.chunks {
            let from = chunk.from().as_microsecond() as f64 / 1e6;
            for packet in packets::packets(&chunk.object.path, stream)? {
                let (Some((n, Some(expected))), Some(found)) = (times.next(), packet.pts_seconds) else { continue };
                if n < priming {
                    continue;
                }
                let offset = from + found - expected;
                let first = *first.get_or_insert(offset);
                if (offset - first).abs() > 0.001 {
                    let off_ms = (offset - first) * 1000.0;
                    return Err(format!("{}: the packet of {expected} s is {off_ms:.3} ms off", chunk.object.key));
                }
            }
        }
        Ok(())
    }
}
