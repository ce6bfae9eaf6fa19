//! A chunk whose times begin later: the same bytes, with the decode times of its fragments moved.

use super::fragments::{Move, moved};
use super::head::tracks;
use bytes::Bytes;
use framepost_events::record::ChunkProbed;
use framepost_ports::{ByteRange, Error, ErrorKind, ObjectSource};

/// The largest chunk whose times are moved, in bytes up to the end of its media.
const BYTES_MAX: u64 = 64 << 20;

/// Where the media of a chunk begin and end, if its times can be moved.
pub(crate) fn movable(chunk: &ChunkProbed) -> Option<(u64, u64)> {
    let (start, end) = chunk.init_bytes.zip(chunk.media_end)?;
    (start < end && end <= chunk.size_bytes.min(BYTES_MAX)).then_some((start, end))
}

/// Reads a chunk up to the end of its media, and moves its times `by_s` seconds. What [`movable`] returns is `(start, end)`.
pub(crate) async fn later(
    source: &dyn ObjectSource,
    chunk: &ChunkProbed,
    (start, end): (u64, u64),
    by_s: f64,
) -> Result<Bytes, Error> {
    let object = &chunk.object;
    let whole = source.read(&object.bucket, &object.key, None, ByteRange { start: 0, len: end }).await?.bytes;
    let damaged = |because| Error::new(ErrorKind::Corrupt, "get", &object.key).because(because);
    if whole.len() as u64 != end {
        return Err(damaged("the object's length changed"));
    }
    let (init, media) = whole.split_at(usize::try_from(start).unwrap_or(usize::MAX).min(whole.len()));
    let moved = tracks(init).and_then(|tracks| {
        moved(media, &Move { number: 0, begins_at: by_s, from: start, to: start, ends_at: None }, &tracks)
    });
    let moved = moved.ok_or_else(|| damaged("not a fragment"))?;
    Ok([init, &moved.bytes].concat().into())
}
