//! Reads of a chunk what its wanted frames take.
//!
//! Of a chunk of ours, the first request brings its metadata with the init segment, and the second one the fragments from the
//! first wanted one to the last. A small chunk, or one of which every frame is wanted, takes one request. Any other file is
//! read whole, up to a limit, into a temporary file without a name: where an MP4 has its samples at the start and its index at
//! the end, ffmpeg has to seek.

use super::arguments::Times;
use super::fragments;
use super::limits::{Limits, PICTURES_MAX};
use super::{PicturesError, Wanted};
use bytes::Bytes;
use framepost_events::attributes::Attributes;
use framepost_events::record::{ChunkProbed, Container};
use framepost_media::mfra::{self, Entry};
use framepost_ports::{ByteRange, Error, ErrorKind, ObjectRead, ObjectSource};
use std::fs::File;
use std::io::{self, Seek as _, Write as _};
use std::time::Duration;

/// A chunk of at most this size is read whole with the first request.
const SMALL_BYTES: u64 = 256 * 1024;
/// A chunk of ours is kept in memory up to this size; a larger one is treated like any other file.
const MEMORY_BYTES: u64 = 64 << 20;
/// Bytes of one request for a whole file.
const PART_BYTES: u64 = 8 << 20;

/// What ffmpeg is given.
#[derive(Debug)]
pub(super) enum Footage {
    /// Parts of a fragmented file, in their order.
    Parts(Vec<Bytes>, Times),
    /// A file, positioned at its start.
    File(File),
}

pub(super) async fn footage(
    source: &dyn ObjectSource,
    chunk: &ChunkProbed,
    wanted: Wanted,
    limits: &Limits,
) -> Result<Footage, PicturesError> {
    let object = Object { source, chunk };
    let end = chunk.media_end.unwrap_or(chunk.size_bytes).min(chunk.size_bytes);
    if let (Container::Fmp4, Some(init)) = (chunk.container, chunk.init_bytes)
        && end <= MEMORY_BYTES.min(limits.read_bytes)
        && init < end
    {
        return object.fragments(init, end, wanted).await;
    }
    object.whole(limits.read_bytes).await
}

struct Object<'a> {
    source: &'a dyn ObjectSource,
    chunk: &'a ChunkProbed,
}

impl Object<'_> {
    async fn fragments(&self, init: u64, end: u64, wanted: Wanted) -> Result<Footage, PicturesError> {
        let is_every = matches!(wanted, Wanted::PerSecond(_));
        let first = if is_every || end <= SMALL_BYTES { end } else { init };
        let head = self.read(0..first).await?;
        let ours = Attributes::from_metadata(head.head.metadata.iter().map(|(name, value)| (&**name, &**value)));
        let Ok(Attributes { from: Some(_), seek_table, timescale, .. }) = ours else {
            // Of another writer: its offsets may count from anywhere, and its times too.
            let rest = if first < end { self.read(first..end).await?.bytes } else { Bytes::new() };
            return Ok(Footage::Parts(vec![head.bytes, rest], Times::FromStart));
        };
        if is_every {
            return Ok(Footage::Parts(vec![head.bytes], Times::OfChunk));
        }
        let is_within = |entry: &Entry| (init..end).contains(&entry.at);
        let table = seek_table.and_then(|table| mfra::first_table(&table)).unwrap_or_default();
        let entries: Vec<Entry> = table.entries.into_iter().filter(is_within).collect();
        let wanted = chosen(&entries, wanted, self.chunk.duration.seconds, timescale);
        let Some((from, to)) = extent(&entries, &wanted, end) else {
            return Err(PicturesError::None("the chunk has no random access frame".to_owned()));
        };
        let (bytes, start) =
            if first == end { (head.bytes.clone(), 0) } else { (self.read(from..to).await?.bytes, from) };
        let ranges = fragments::ranges(&bytes, start, &wanted);
        let init = usize::try_from(init)
            .map_or_else(|_| head.bytes.clone(), |init| head.bytes.slice(..init.min(head.bytes.len())));
        let parts = std::iter::once(init).chain(ranges.into_iter().map(|range| bytes.slice(range)));
        Ok(Footage::Parts(parts.collect(), Times::OfChunk))
    }

    /// Copies the object into a temporary file, or as much of it as is allowed.
    async fn whole(&self, most: u64) -> Result<Footage, PicturesError> {
        let size = self.chunk.size_bytes;
        if size > most && self.chunk.container == Container::Mp4 {
            return Err(PicturesError::None(format!("{size} bytes are more than the {most} that may be read")));
        }
        let mut file = blocking(tempfile::tempfile).await?;
        let mut at = 0;
        while at < size.min(most) {
            let bytes = self.read(at..(at + PART_BYTES).min(size).min(most)).await?.bytes;
            at += bytes.len() as u64;
            file = blocking(move || {
                file.write_all(&bytes)?;
                Ok(file)
            })
            .await?;
        }
        let file = blocking(move || {
            file.rewind()?;
            Ok(file)
        });
        Ok(Footage::File(file.await?))
    }

    /// One request. The object must be the one that was probed, and the range complete.
    async fn read(&self, range: std::ops::Range<u64>) -> Result<ObjectRead, PicturesError> {
        let object = &self.chunk.object;
        let len = range.end - range.start;
        let range = ByteRange { start: range.start, len };
        let read = self.source.read(&object.bucket, &object.key, object.read_version(), range).await;
        let read = read.map_err(PicturesError::Read)?;
        let changed =
            |what: &str| PicturesError::Read(Error::new(ErrorKind::Corrupt, "get", &object.key).because(what));
        if read.head.size != self.chunk.size_bytes {
            // It was replaced, and its next version is probed, too.
            return Err(PicturesError::Read(Error::not_found("get", &object.key).because("the object changed")));
        }
        if read.bytes.len() as u64 != len {
            return Err(changed("fewer bytes came than were asked for"));
        }
        Ok(read)
    }
}

/// The offsets of the wanted fragments.
fn chosen(entries: &[Entry], wanted: Wanted, seconds: Option<f64>, timescale: Option<u32>) -> Vec<u64> {
    if wanted == Wanted::First {
        return entries.first().map(|entry| entry.at).into_iter().collect();
    }
    // One of a fragment is enough for ffmpeg to find the others. Times are rounded.
    let gap =
        wanted.gap(seconds).saturating_sub(Duration::from_millis(10)).as_secs_f64() * f64::from(timescale.unwrap_or(0));
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "not negative, and saturating is right"
    )]
    let mut offsets: Vec<u64> =
        fragments::thinned(entries, gap as u64, PICTURES_MAX).iter().map(|entry| entry.at).collect();
    offsets.dedup();
    offsets
}

/// From the first wanted fragment to the end of the last.
fn extent(entries: &[Entry], wanted: &[u64], end: u64) -> Option<(u64, u64)> {
    let first = *wanted.first()?;
    let last = *wanted.last()?;
    let next = entries.iter().map(|entry| entry.at).find(|at| *at > last);
    Some((first, next.unwrap_or(end)))
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, PicturesError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(io::Error::other).flatten().map_err(PicturesError::Machine)
}
