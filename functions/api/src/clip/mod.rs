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
//! edit list (ISO/IEC 14496-12 §8.6.6) tells players at which millisecond to begin and how long to play.

mod fragments;
mod head;
mod plan;

pub(crate) use plan::{BEFORE, Gaps, Plan, Refusal};

use bytes::Bytes;
use framepost_ports::{ByteRange, Error, ErrorKind, ObjectSource};
use head::Head;
use std::sync::Arc;

/// A clip with its head, which can be read from any offset.
#[derive(Clone)]
pub(crate) struct Clip {
    head: Arc<Head>,
    plan: Arc<Plan>,
}

impl Clip {
    /// Reads the initialization segment of the first chunk, and makes the clip's head from it.
    pub(crate) async fn open(source: &dyn ObjectSource, plan: Plan) -> Result<Self, Error> {
        let (chunk, len) = plan.init();
        let range = ByteRange { start: 0, len };
        let init = source.read(&chunk.object.bucket, &chunk.object.key, None, range).await?.bytes;
        let damaged = || Error::new(ErrorKind::Corrupt, "clip", &chunk.object.key).because("no initialization segment");
        let head = Head::of(&init, plan.starts_at(), plan.skipped(), plan.played()).ok_or_else(damaged)?;
        Ok(Self { head: Arc::new(head), plan: Arc::new(plan) })
    }

    /// Returns the length of the file in bytes.
    pub(crate) fn size(&self) -> u64 {
        self.head.bytes.len() as u64 + self.plan.media_bytes()
    }

    /// The next bytes from `start` on, some of those before `end`.
    pub(crate) async fn read(&self, source: &dyn ObjectSource, start: u64, end: u64) -> Result<Bytes, Error> {
        let head_bytes = self.head.bytes.len() as u64;
        if start < head_bytes {
            return Ok(cut(&self.head.bytes, start, end));
        }
        let mut at = head_bytes;
        for (number, part) in (0..).zip(self.plan.parts()) {
            let behind = at + part.len();
            if start < behind {
                let object = &part.chunk.object;
                let range = ByteRange { start: part.start, len: part.len() };
                let media = source.read(&object.bucket, &object.key, None, range).await?.bytes;
                if media.len() as u64 != part.len() {
                    return Err(Error::new(ErrorKind::Corrupt, "clip", &object.key)
                        .because("the object is shorter than it was"));
                }
                let moved = fragments::moved(&media, number, part.begins_at, part.start, at, &self.head.timescales);
                let damaged = || Error::new(ErrorKind::Corrupt, "clip", &object.key).because("a fragment that is none");
                return Ok(cut(&moved.ok_or_else(damaged)?, start - at, end - at));
            }
            at = behind;
        }
        Ok(Bytes::new())
    }
}

/// The bytes from `start` to `end`, or to where they end.
fn cut(bytes: &Bytes, start: u64, end: u64) -> Bytes {
    let within = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len());
    bytes.slice(within(start)..within(end))
}
