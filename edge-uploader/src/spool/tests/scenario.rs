//! A camera with a toy container, an uploader without a network, and what must hold of everything that was uploaded.
//!
//! The container: 8 bytes init (`open....` or `done....`), fragments `F` + length + number (8 bytes) + filling + sum, tail `TAIL`.

use super::sim_fs::SimFs;
use crate::segment::Output;
use crate::spool::{
    Durability, Error, Options, Order, ReadSeek, Recovery, RepairFailure, RepairedPart, Spool, SpoolLimits,
    SpoolWriter, Tried,
};
use bytes::Bytes;
use framepost_events::attributes::{Attributes, ClockInfo, ClockSource};
use framepost_events::gap::{Gap, GapCause};
use framepost_events::manifest::{ChainChecker, ChainLink, Manifest, ManifestSigner};
use framepost_events::{KeyKind, ObjectKey, Sha256};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, SeekFrom};
use std::path::Path;
use std::sync::Arc;

const INIT_OPEN: &[u8; 8] = b"open....";
const INIT_DONE: &[u8; 8] = b"done....";
const TAIL: &[u8; 4] = b"TAIL";
const FRAGMENT: SignedDuration = SignedDuration::from_secs(1);

pub(in crate::spool) fn fragment(number: u64, filling: usize) -> Bytes {
    let mut bytes = vec![b'F', u8::try_from(filling % 256).unwrap()];
    bytes.extend(number.to_le_bytes());
    bytes.extend(std::iter::repeat_n(7, filling % 256));
    bytes.push(bytes.iter().fold(0, |sum: u8, b| sum.wrapping_add(*b)));
    bytes.into()
}

/// The numbers of the whole fragments, and where the last of them ends.
fn parse(bytes: &[u8]) -> (Vec<u64>, usize) {
    let mut numbers = Vec::new();
    let mut at = 8;
    while let Some([b'F', filling]) = bytes.get(at..at + 2) {
        let end = at + 11 + usize::from(*filling);
        let Some(whole) = bytes.get(at..end) else { break };
        let (sum, rest) = whole.split_last().unwrap();
        if rest.iter().fold(0, |sum: u8, b| sum.wrapping_add(*b)) != *sum {
            break;
        }
        numbers.push(u64::from_le_bytes(whole[2..10].try_into().unwrap()));
        at = end;
    }
    (numbers, at)
}

fn repair(part: &mut dyn ReadSeek, draft: &Attributes) -> Result<RepairedPart, RepairFailure> {
    let mut bytes = Vec::new();
    part.seek(SeekFrom::Start(0))?;
    part.read_to_end(&mut bytes)?;
    let (numbers, keep) = parse(&bytes);
    if numbers.is_empty() {
        return Err(RepairFailure::NothingWhole);
    }
    let attributes = finished(draft.clone(), draft.from.unwrap(), numbers.len());
    let init = Bytes::from_static(INIT_DONE);
    let tail = Bytes::from_static(TAIL);
    Ok(RepairedPart { keep_bytes: keep as u64, init, tail, attributes })
}

/// One chunk of three fragments of a file, which is the same whenever it is read; says when it ends.
pub(super) fn file_chunk(writer: &mut SpoolWriter, start: Timestamp, counter: u64) -> Result<Timestamp, Error> {
    let clock =
        ClockInfo { source: ClockSource::File, offset_us: None, uncertainty_us: None, replaced: None, rate_ppm: None };
    let draft =
        Attributes { full_content_type: Some("video/mp4".to_owned()), clock: Some(clock), ..Attributes::default() };
    writer.apply(Output::Begin { start, counter, init: Bytes::from_static(INIT_OPEN), draft: draft.clone() })?;
    for number in 3 * counter..3 * counter + 3 {
        writer.apply(Output::Fragment(fragment(number, 20).into()))?;
    }
    let init = Bytes::from_static(INIT_DONE);
    let tail = Bytes::from_static(TAIL);
    let attributes = finished(draft, start, 3);
    let end = attributes.to.unwrap();
    writer.apply(Output::Finish { init, tail, attributes })?;
    writer.settle()?;
    Ok(end)
}

fn finished(draft: Attributes, from: Timestamp, fragments: usize) -> Attributes {
    let duration = FRAGMENT * i32::try_from(fragments).unwrap();
    Attributes { from: Some(from), to: Some(from + duration), duration: Some(duration), ..draft }
}

pub(in crate::spool) fn options(quota_bytes: u64, durability: Durability) -> Options {
    Options {
        limits: SpoolLimits { quota_bytes, free_floor_bytes: 0 },
        durability,
        signer: Some(Arc::new(ManifestSigner::from_secret(&[5; 32]))),
        repair: Arc::new(repair),
    }
}

/// What is outside of the file system, and survives everything.
pub(super) struct Outside {
    pub(super) bucket: BTreeMap<String, (Vec<u8>, Attributes)>,
    /// Fragments whose writing was answered with success.
    pub(super) written: BTreeSet<u64>,
    pub(super) begun: BTreeSet<u64>,
    next_number: u64,
    /// In a chunk that is closed and not settled.
    unsettled: Option<u64>,
    pub(super) now: Timestamp,
    pub(super) crashes: usize,
    source: Source,
}

/// Who makes the chunks. It decides whether a second put of one must have been remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Camera,
    /// It is made again from its start, and nobody need remember what was put of it.
    File,
}

impl Outside {
    pub(super) fn new() -> Self {
        Self {
            bucket: BTreeMap::new(),
            written: BTreeSet::new(),
            begun: BTreeSet::new(),
            next_number: 0,
            unsettled: None,
            now: "2026-11-20T10:59:50Z".parse().unwrap(),
            crashes: 0,
            source: Source::Camera,
        }
    }

    /// The same for a file that is read.
    pub(super) fn reading() -> Self {
        Self { source: Source::File, ..Self::new() }
    }

    pub(super) fn open(fs: &SimFs, options: Options) -> Result<(Spool, Recovery), Error> {
        Spool::open_on(Arc::new(fs.clone()), Path::new("/spool"), options)
    }

    /// One chunk, or what of it can be written.
    pub(super) fn chunk(&mut self, writer: &mut SpoolWriter, counter: u64, fragments: usize) -> Result<(), Error> {
        self.unsettled = None;
        self.unsettled_chunk(writer, counter, fragments)?;
        self.settle(writer)
    }

    fn settle(&mut self, writer: &mut SpoolWriter) -> Result<(), Error> {
        writer.settle()?;
        self.written.extend(self.unsettled.take());
        Ok(())
    }

    /// One whose end comes together with the next one's beginning, as from the segmenter.
    fn unsettled_chunk(&mut self, writer: &mut SpoolWriter, counter: u64, fragments: usize) -> Result<(), Error> {
        let start = self.now;
        let draft = Attributes { full_content_type: Some("video/mp4".to_owned()), ..Attributes::default() };
        writer.apply(Output::Begin { start, counter, init: Bytes::from_static(INIT_OPEN), draft: draft.clone() })?;
        let mut last = None;
        for _ in 0..fragments {
            // The first comes together with the chunk's beginning, the last with its end, and is synced with it.
            if let Some(number) = last.take() {
                self.settle(writer)?;
                self.written.insert(number);
            }
            let number = self.next_number;
            self.next_number += 1;
            self.begun.insert(number);
            self.now += FRAGMENT;
            writer.apply(Output::Fragment(fragment(number, 20).into()))?;
            last = Some(number);
        }
        let init = Bytes::from_static(INIT_DONE);
        let tail = Bytes::from_static(TAIL);
        writer.apply(Output::Finish { init, tail, attributes: finished(draft, start, fragments) })?;
        // What came with this chunk's beginning was settled with its end, if not before.
        self.written.extend(self.unsettled.take());
        self.unsettled = last;
        Ok(())
    }

    /// A span of some chunks and its end.
    pub(super) fn span(&mut self, writer: &mut SpoolWriter, chunks: u64) -> Result<(), Error> {
        self.unsettled = None;
        for counter in 0..chunks {
            self.unsettled_chunk(writer, counter, 3)?;
        }
        writer.apply(Output::SpanEnd { end: self.now, counter: chunks })?;
        self.settle(writer)
    }

    /// The gap from what is accounted for to now, as the supervisor writes it.
    pub(super) fn gap(&mut self, writer: &mut SpoolWriter, camera: &str) -> Result<(), Error> {
        self.now += SignedDuration::from_secs(5);
        let Some(from) = writer.recorded_to() else { return Ok(()) };
        let site = "s".parse().unwrap();
        let camera = camera.parse().unwrap();
        let to = self.now;
        let cause = GapCause::NotRunning;
        let detail = None;
        let frames_dropped = None;
        let chunks_dropped = None;
        let source_bytes = None;
        let gap = Gap { site, camera, from, to, cause, detail, frames_dropped, chunks_dropped, source_bytes };
        writer.write_gap(&gap)
    }

    /// Uploads up to `most` objects. A conflict with other bytes is a failure of the model.
    pub(super) fn upload(&mut self, spool: &Spool, most: usize) -> Result<(), Error> {
        for _ in 0..most {
            let Some(claim) = spool.claim(Order::Oldest, &|_| false) else { break };
            let key = claim.key().to_string();
            // The disk is gone; the next start reads it again.
            let Ok((_, metadata, sha256)) = claim.description() else { return Ok(()) };
            let metadata = metadata.clone();
            claim.mark_tried()?;
            let mut bytes = Vec::new();
            let Ok(mut reader) = claim.reader().open() else { return Ok(()) };
            reader.read_to_end(&mut bytes).unwrap();
            assert_eq!(Sha256::of(&bytes), sha256, "{key}: not the bytes that were closed");
            let attributes = Attributes::from_metadata(metadata.iter().map(|(n, v)| (n.as_str(), v.as_str()))).unwrap();
            if let Some((there, _)) = self.bucket.get(&key) {
                assert_eq!(*there, bytes, "{key}: put twice with different bytes");
                let remembered = claim.tried() == Tried::Before || self.source == Source::File;
                assert!(remembered, "{key}: put twice and not remembered");
            }
            self.bucket.insert(key, (bytes, attributes));
            claim.uploaded()?;
        }
        Ok(())
    }

    pub(super) fn numbers(&self, kind: KeyKind) -> Vec<u64> {
        let chunks = self.bucket.iter().filter(|(key, _)| key.parse::<ObjectKey>().unwrap().kind == kind);
        chunks.flat_map(|(_, (bytes, _))| parse(bytes).0).collect()
    }

    pub(super) fn gaps(&self, cause: GapCause) -> Vec<Gap> {
        let gaps = self.bucket.iter().filter(|(key, _)| key.ends_with("_gap"));
        gaps.map(|(_, (bytes, _))| Gap::from_json(bytes).unwrap()).filter(|gap| gap.cause == cause).collect()
    }

    /// Everything in the bucket is whole and signed, and every fragment is there at most once.
    pub(super) fn check_objects(&self) {
        let public = ManifestSigner::from_secret(&[5; 32]).public_key();
        for (text, (bytes, attributes)) in &self.bucket {
            let key: ObjectKey = text.parse().unwrap();
            let manifest = Manifest::claimed(text, bytes.len() as u64, attributes).unwrap();
            assert!(public.verifies(&manifest, &attributes.signature.unwrap()), "{text}");
            match key.kind {
                KeyKind::Chunk => {
                    let (numbers, end) = parse(bytes);
                    assert!(!numbers.is_empty() && bytes.starts_with(INIT_DONE) && &bytes[end..] == TAIL, "{text}");
                    let length = FRAGMENT * i32::try_from(numbers.len()).unwrap();
                    assert_eq!(attributes.to.unwrap(), attributes.from.unwrap() + length, "{text}");
                }
                KeyKind::SpanEnd => assert!(bytes.is_empty(), "{text}"),
                KeyKind::Gap => assert!(Gap::from_json(bytes).is_ok(), "{text}"),
            }
        }
        let mut numbers = self.numbers(KeyKind::Chunk);
        let count = numbers.len();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), count, "a fragment is there twice");
    }

    /// Nothing that was written is missing, at most the one being written at each crash is more, and every span is whole.
    pub(super) fn check_nothing_lost(&self) {
        self.check_objects();
        let there: BTreeSet<u64> = self.numbers(KeyKind::Chunk).into_iter().collect();
        let missing: Vec<_> = self.written.difference(&there).collect();
        assert!(missing.is_empty(), "written and not there: {missing:?}");
        assert!(there.is_subset(&self.begun));
        assert!(self.begun.len() - there.len() <= self.crashes, "more lost than was being written");
        let mut chain = ChainChecker::default();
        let mut objects: Vec<(ObjectKey, &String)> =
            self.bucket.keys().map(|text| (text.parse().unwrap(), text)).collect();
        // A span may begin at the very end of the one before.
        objects.sort_by_key(|(key, _)| (key.start, key.kind == KeyKind::Chunk, key.counter));
        let spans: Vec<_> = objects.into_iter().filter(|(key, _)| key.kind != KeyKind::Gap).collect();
        for (key, text) in &spans {
            let (bytes, attributes) = &self.bucket[*text];
            let manifest = Manifest::claimed(text, bytes.len() as u64, attributes).unwrap();
            assert_ne!(chain.next(key, &manifest), ChainLink::Broken, "{text}");
        }
        for (first, second) in spans.iter().zip(spans.iter().skip(1)) {
            let closed = first.0.kind == KeyKind::SpanEnd;
            assert_eq!(second.0.counter == 0, closed, "a span without its end before {}", second.1);
        }
        assert!(spans.last().is_none_or(|(key, _)| key.kind == KeyKind::SpanEnd), "the last span has no end");
    }
}
