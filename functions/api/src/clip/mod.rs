//! Clips: an MP4 of any interval, as a virtual file.
//!
//! ```text
//! ftyp moov(mehd, elst)   the first chunk's, with a duration and an edit list
//! moof mdat moof mdat …   the first chunk's fragments, their times and numbers changed in place
//! moof mdat …             the next one's
//! ```
//!
//! Nothing is decoded and no sample moves. The length is therefore known before any media is read: that of the head, and that
//! of each chunk's media, which is in the catalogue. `Content-Length`, an entity tag and ranges work, and a range only reads
//! the chunks that it touches.
//!
//! Decoding can only start at a random access frame. The file begins with the chunk in which the clip begins, and an
//! edit list (ISO/IEC 14496-12 §8.6.6) tells players at which millisecond to begin and how long to play. What the last chunk shows
//! after that is also taken off its sample tables, for programs that do not apply the end of an edit list to fragments.
//!
//! With [`WallClockText`] there is a further track, all of which is in the head.

mod ends;
mod fragments;
mod head;
mod later;
#[cfg(test)]
pub(crate) mod made;
mod plan;
mod text;
mod text_track;

pub(crate) use fragments::{Changed, Move, moved};
pub(crate) use head::Head;
pub(crate) use later::{later, movable};
pub(crate) use plan::{BEFORE, CHUNKS_MAX, Gaps, Plan, Refusal, Timing};
pub(crate) use text::WallClockText;

use bytes::Bytes;
use framepost_events::Sha256;
use framepost_events::attributes::Metadata;
use framepost_ports::catalog::ChunkBrief;
use framepost_ports::{ByteRange, Error, ErrorKind, ObjectSource};
use std::sync::Arc;

/// A clip with its head, which can be read from any offset.
#[derive(Clone)]
pub(crate) struct Clip {
    head: Arc<Head>,
    plan: Arc<Plan>,
}

impl Clip {
    /// Reads the initialization segment of the first chunk, and makes the clip's head from it. `text` is that of the same plan.
    pub(crate) async fn open(
        source: &dyn ObjectSource,
        plan: Plan,
        text: Option<&WallClockText>,
    ) -> Result<Self, Error> {
        let (chunk, len) = plan.init();
        let range = ByteRange { start: 0, len };
        let init = source.read(&chunk.object.bucket, &chunk.object.key, None, range).await?.bytes;
        let damaged = || Error::new(ErrorKind::Corrupt, "clip", &chunk.object.key).because("no initialization segment");
        let head = Head::of(&init, plan.timing(), text).ok_or_else(damaged)?;
        Ok(Self { head: Arc::new(head), plan: Arc::new(plan) })
    }

    /// Returns the length of the file in bytes.
    pub(crate) fn size(&self) -> u64 {
        self.head.bytes.len() as u64 + self.plan.media_bytes()
    }

    /// The head of the file, before its fragments.
    pub(crate) fn head(&self) -> &Bytes {
        &self.head.bytes
    }

    /// The number of chunks that it is made of.
    pub(crate) fn pieces(&self) -> usize {
        self.plan.parts().len()
    }

    /// Reads the whole object of the `n`th chunk, whose media stand at `at` in the clip.
    pub(crate) async fn piece(&self, source: &dyn ObjectSource, n: usize, at: u64) -> Result<Piece, Error> {
        let part = &self.plan.parts()[n];
        let object = &part.chunk.object;
        let range = ByteRange { start: 0, len: part.chunk.size_bytes.saturating_add(1) };
        let read = source.read(&object.bucket, &object.key, None, range).await?;
        let whole = read.bytes;
        let damaged = |because| Error::new(ErrorKind::Corrupt, "clip", &object.key).because(because);
        if whole.len() as u64 != part.chunk.size_bytes {
            return Err(damaged("the object's length changed"));
        }
        let start = part.start;
        let end = part.start + part.len();
        let media = cut(&whole, start, end);
        let moved = fragments::moved(&media, &self.move_of(n, at), &self.head.tracks)
            .ok_or_else(|| damaged("not a fragment"))?;
        Ok(Piece {
            chunk: part.chunk.clone(),
            begins_at: part.begins_at,
            seconds: plan::seconds(&part.chunk),
            sha256: Sha256::of(&whole),
            metadata: read.head.metadata,
            head: cut(&whole, 0, start),
            media: moved.bytes,
            tail: cut(&whole, end, u64::MAX),
            changes: moved.changes,
        })
    }

    /// How the media of the `n`th chunk become those that stand at `at` in the clip.
    fn move_of(&self, n: usize, at: u64) -> Move {
        let part = &self.plan.parts()[n];
        let is_last = n + 1 == self.pieces();
        let ends_at = self.plan.timing().ends_at(plan::seconds(&part.chunk)).filter(|_| is_last);
        let number = u32::try_from(n).unwrap_or(u32::MAX);
        Move { number, begins_at: part.begins_at, from: part.start, to: at, ends_at }
    }

    /// The next bytes from `start` on, some of those before `end`.
    pub(crate) async fn read(&self, source: &dyn ObjectSource, start: u64, end: u64) -> Result<Bytes, Error> {
        let head_bytes = self.head.bytes.len() as u64;
        if start < head_bytes {
            return Ok(cut(&self.head.bytes, start, end));
        }
        let mut at = head_bytes;
        for (n, part) in self.plan.parts().iter().enumerate() {
            let behind = at + part.len();
            if start < behind {
                let object = &part.chunk.object;
                let range = ByteRange { start: part.start, len: part.len() };
                let media = source.read(&object.bucket, &object.key, None, range).await?.bytes;
                if media.len() as u64 != part.len() {
                    return Err(
                        Error::new(ErrorKind::Corrupt, "clip", &object.key).because("the object became shorter")
                    );
                }
                let moved = fragments::moved(&media, &self.move_of(n, at), &self.head.tracks);
                let damaged = || Error::new(ErrorKind::Corrupt, "clip", &object.key).because("not a fragment");
                return Ok(cut(&moved.ok_or_else(damaged)?.bytes, start - at, end - at));
            }
            at = behind;
        }
        Ok(Bytes::new())
    }
}

/// A chunk in a clip, and what it takes to have the chunk's own bytes again: its head, its media with `changes` undone, its tail.
pub(crate) struct Piece {
    pub(crate) chunk: ChunkBrief,
    /// Seconds of media before it in the clip.
    pub(crate) begins_at: f64,
    /// Seconds that its media last.
    pub(crate) seconds: f64,
    /// The digest of the whole object as it was read.
    pub(crate) sha256: Sha256,
    /// The object's metadata as it was read.
    pub(crate) metadata: Metadata,
    /// The object's bytes before its media.
    pub(crate) head: Bytes,
    /// Its media as they are in the clip.
    pub(crate) media: Bytes,
    /// The object's bytes behind its media.
    pub(crate) tail: Bytes,
    /// What a move changed.
    pub(crate) changes: Vec<Changed>,
}

/// The bytes from `start` to `end`, or to where they end.
pub(crate) fn cut(bytes: &Bytes, start: u64, end: u64) -> Bytes {
    let within = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len());
    bytes.slice(within(start)..within(end))
}
