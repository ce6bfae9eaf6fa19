//! Where the random access frames of chunks are, so that players can be given these alone.
//!
//! A chunk ends with an index of its random access frames (`mfra`), and each fragment begins with the sizes of its samples. Two
//! small reads are therefore enough to know where one frame is: of the index, and of the first bytes of its fragment. A file without an
//! index is looked into at its first fragment only.
//!
//! - Only chunks of which a picture is wanted are read, and of those only what is needed. Reads of all requests together are limited.
//! - What was found is kept: an object never changes.
//! - Offsets in a file are not trusted: what is returned lies between the end of the chunk's head and the end of its media.

mod choice;
mod moof;

use crate::hls::is_playable;
use bytes::Bytes;
use framepost_media::mfra;
use framepost_ports::catalog::{ChunkBrief, Interval};
use framepost_ports::{ByteRange, Error, ErrorKind, ObjectSource};
use futures::{StreamExt as _, TryStreamExt as _};
use jiff::{SignedDuration, Timestamp};
use moof::Found;
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Semaphore;

/// Chunks that are looked into at a time for one request, and reads at a time for all of them.
const AT_ONCE: usize = 16;
const READS_AT_ONCE: usize = 48;
/// Bytes of a fragment that mostly say where its first picture ends.
const FIRST_BYTES: u64 = 512;
/// A head, an index or a `moof` that is longer is not read.
const LONGEST_BYTES: u64 = 256 * 1024;
/// Chunks of which is kept what was found, twice: it takes about 100 bytes for each, and 40 for each picture.
const KEPT: usize = 20_000;

/// A random access frame that begins a fragment.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Frame {
    /// Seconds from the start of the chunk until it is shown.
    seconds: f64,
    /// The offset of its fragment.
    at: u64,
}

/// A picture that can be decoded by itself.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Picture {
    /// Which of the chunks it is in.
    pub(crate) chunk: usize,
    /// The wall-clock time at which it is shown.
    pub(crate) at: Timestamp,
    /// Its bytes in the object: its fragment's beginning, and no other picture.
    pub(crate) bytes: Range<u64>,
}

/// What was found of a chunk.
#[derive(Debug)]
struct Index {
    /// The id of the video's track.
    track: u32,
    /// In the order of their times.
    frames: Vec<Frame>,
    /// By the offset of a frame's fragment, once it was looked for: where the frame ends, if it can be said.
    ends: Mutex<BTreeMap<u64, Option<u64>>>,
}

#[derive(Debug, Default)]
struct Kept {
    /// What was asked for since `old` was young.
    young: HashMap<String, Arc<Index>>,
    old: HashMap<String, Arc<Index>>,
}

/// Finds random access frames, and remembers them.
#[derive(Debug, Clone)]
pub(crate) struct KeyFrames {
    kept: Arc<Mutex<Kept>>,
    reads: Arc<Semaphore>,
}

impl Default for KeyFrames {
    fn default() -> Self {
        Self { kept: Arc::default(), reads: Arc::new(Semaphore::new(READS_AT_ONCE)) }
    }
}

impl KeyFrames {
    /// Finds one picture for every `every_s` seconds of the interval, in the order of time. Objects that are gone or damaged have none.
    pub(crate) async fn pictures(
        &self,
        source: &dyn ObjectSource,
        chunks: &[&ChunkBrief],
        within: Interval,
        every_s: i64,
    ) -> Result<Vec<Picture>, Error> {
        let wanted = choice::wanted(chunks, within, every_s).into_iter();
        let found = wanted.map(async |(n, times)| self.of_chunk(source, (n, chunks[n]), &times).await);
        let found: Vec<Vec<Picture>> = futures::stream::iter(found).buffered(AT_ONCE).try_collect().await?;
        Ok(found.concat())
    }

    async fn of_chunk(
        &self,
        source: &dyn ObjectSource,
        (n, chunk): (usize, &ChunkBrief),
        times: &[Timestamp],
    ) -> Result<Vec<Picture>, Error> {
        let reader = Reader { source, chunk, reads: &self.reads };
        let Some(index) = or_none(self.index(&reader).await)? else { return Ok(vec![]) };
        let mut pictures = Vec::new();
        for Frame { seconds, at } in choice::chosen(&index.frames, chunk.from, times) {
            let known = index.ends.lock().unwrap_or_else(PoisonError::into_inner).get(&at).copied();
            let end = if let Some(end) = known {
                end
            } else {
                let end = or_none(reader.end(at, index.track).await)?;
                index.ends.lock().unwrap_or_else(PoisonError::into_inner).insert(at, end);
                end
            };
            let shown =
                SignedDuration::try_from_secs_f64(seconds).ok().and_then(|after| chunk.from.checked_add(after).ok());
            if let (Some(end), Some(shown)) = (end, shown) {
                pictures.push(Picture { chunk: n, at: shown, bytes: at..end });
            }
        }
        Ok(pictures)
    }

    async fn index(&self, reader: &Reader<'_>) -> Result<Option<Arc<Index>>, Error> {
        let identity = reader.chunk.object.identity();
        let kept = || self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        {
            let mut kept = kept();
            let found = kept.young.get(&identity).or_else(|| kept.old.get(&identity)).cloned();
            if let Some(found) = found {
                kept.keep(identity, found.clone());
                return Ok(Some(found));
            }
        }
        let Some(index) = reader.index().await?.map(Arc::new) else { return Ok(None) };
        kept().keep(identity, index.clone());
        Ok(Some(index))
    }
}

impl Kept {
    fn keep(&mut self, identity: String, index: Arc<Index>) {
        if self.young.len() >= KEPT {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(identity, index);
    }
}

/// Turns the errors of a single object into nothing: it was removed or replaced, or is damaged.
fn or_none<T>(found: Result<Option<T>, Error>) -> Result<Option<T>, Error> {
    match found {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Corrupt) => Ok(None),
        found => found,
    }
}

/// Reads what is needed of one chunk.
struct Reader<'a> {
    source: &'a dyn ObjectSource,
    chunk: &'a ChunkBrief,
    reads: &'a Semaphore,
}

impl Reader<'_> {
    /// Some bytes of the chunk: fewer at its end, and none of another object with its key.
    async fn read(&self, bytes: Range<u64>) -> Result<Bytes, Error> {
        let object = &self.chunk.object;
        let end = bytes.end.min(self.chunk.size_bytes);
        let range = ByteRange { start: bytes.start, len: end.saturating_sub(bytes.start) };
        // The semaphore is never closed.
        let _permit = self.reads.acquire().await.ok();
        let read = self.source.read(&object.bucket, &object.key, None, range).await?;
        if read.head.size != self.chunk.size_bytes || read.bytes.len() as u64 != range.len {
            return Err(Error::not_found("get", &object.key).because("the object is another one"));
        }
        Ok(read.bytes)
    }

    async fn index(&self) -> Result<Option<Index>, Error> {
        let (Some(start), Some(end)) = (self.chunk.init_bytes, self.chunk.media_end) else { return Ok(None) };
        let size = self.chunk.size_bytes;
        if !is_playable(self.chunk) {
            return Ok(None);
        }
        if let Some(timescale) = self.chunk.timescale.filter(|timescale| *timescale > 0)
            && (1..=LONGEST_BYTES).contains(&(size - end))
            && let Some(table) = mfra::first_table(&self.read(end..size).await?)
        {
            let is_first = |entry: &&mfra::Entry| (entry.run, entry.sample) == (1, 1);
            let entries = table.entries.iter().filter(is_first).filter(|entry| (start..end).contains(&entry.at));
            let frame = |entry: &mfra::Entry| Frame { seconds: entry.time as f64 / f64::from(timescale), at: entry.at };
            let mut frames: Vec<Frame> = entries.map(frame).collect();
            frames.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
            return Ok(Some(Index { track: table.track, frames, ends: Mutex::default() }));
        }
        if start > LONGEST_BYTES || self.chunk.starts_with_random_access == Some(false) {
            return Ok(None);
        }
        let bytes = self.read(0..(start + FIRST_BYTES).min(end)).await?;
        let after_head = usize::try_from(start).ok().and_then(|start| bytes.get(start..));
        let Some(track) = moof::video_track(&bytes) else { return Ok(None) };
        let frames = after_head.and_then(moof::first_moof).map(|at| Frame { seconds: 0.0, at: start + at });
        Ok(Some(Index { track, frames: frames.into_iter().collect(), ends: Mutex::default() }))
    }

    /// Where the first picture of the fragment at this offset ends; `None` if it has none.
    async fn end(&self, at: u64, track: u32) -> Result<Option<u64>, Error> {
        let Some(media_end) = self.chunk.media_end else { return Ok(None) };
        let mut len = FIRST_BYTES;
        loop {
            let bytes = self.read(at..at.saturating_add(len).min(media_end)).await?;
            match moof::first_picture(&bytes, at, track) {
                Found::Picture(picture) => return Ok(Some(picture.end).filter(|end| *end <= media_end)),
                Found::Bytes(needed) if needed > len && needed <= LONGEST_BYTES => len = needed,
                Found::Bytes(_) | Found::Nothing => return Ok(None),
            }
        }
    }
}
