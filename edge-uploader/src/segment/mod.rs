//! Frames into ONVIF chunks. No I/O and no clock: frames and wall-clock times in, [`Output`]s out.
//!
//! One [`Segmenter`] is one span. What comes out follows the ONVIF Recording Control Service Specification, annex
//! "Object storage recording format", format MP4, over ISO/IEC 14496-12:
//!
//! ```text
//! ftyp moov (prft moof mdat)… mfra
//! ```
//!
//! Invariants:
//!
//! * A chunk starts with a random access video frame and ends before the first one at or after the window. (Half a frame
//!   of tolerance, because a camera's 3 s are sometimes 2.999 s.)
//! * Where no random access frame comes for longer than `chunk_max`, the span goes on in a chunk that starts between two of
//!   them and says so ([`ChunkStart::Between`]); so does a span whose first frame is none. Such a chunk ends before the next
//!   random access frame, so that each of these begins a chunk that plays on its own. No chunk is much longer than
//!   the window and `chunk_max` together.
//! * Every access unit that [`Segmenter::push`] accepts is in exactly one chunk, or counted in [`Stats`]; its bytes and its
//!   presentation time are untouched.
//! * Presentation times of a chunk count from its earliest sample. Decoding times are made so that no
//!   picture is decoded after it is shown; the composition offset leads to each sample's own.
//! * `to` of a chunk is `from` of the next; where pictures precede the random access frame that they follow in decoding
//!   order (H.265 leading pictures), the chunk's time begins with the first of them.
//! * Sound belongs to the chunk in whose presentation time it begins. Sound before the first picture of the source
//!   belongs to the first chunk, which then begins with it; an AAC encoder's priming, which is silence, is packed together at
//!   the first picture's time instead. See [`Segmenter::push`] for the exceptions.
//!
//! [`ChunkStart::Between`]: framepost_events::attributes::ChunkStart::Between
//!
//! [`repair`] turns what a crash left of a chunk into a whole, shorter chunk.

mod boxes;
mod chunk;
mod fragment;
mod repair;
mod segmenter;
mod settings;
mod thin;
mod timeline;

#[cfg(test)]
mod tests;

pub use fragment::Fragment;
pub use repair::{RepairError, Repaired, repair};
pub use segmenter::{Error, Segmenter};
pub use settings::{Settings, Stats};
pub use thin::Keep;

use bytes::Bytes;
use framepost_events::attributes::Attributes;
use jiff::Timestamp;

/// What the segmenter wants written, in this order: `Begin (Fragment* Finish Begin)* … SpanEnd`.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// A chunk begins; its first fragment follows at once.
    Begin {
        /// Wall clock of its first sample, whole microseconds; together with `counter` the chunk's key.
        start: Timestamp,
        /// Its place in the span.
        counter: u64,
        /// `ftyp` and `moov`.
        init: Bytes,
        /// What is known already (no `to`, duration, digest); kept beside the part file for recovery.
        draft: Attributes,
    },
    /// One `prft` + `moof` + `mdat`, to be appended.
    Fragment(Fragment),
    /// The chunk is complete.
    Finish {
        /// Overwrites the first bytes of the file: the same length as in `Begin`, with the duration in `mehd`.
        init: Bytes,
        /// `mfra`, to be appended.
        tail: Bytes,
        /// All but the digest, the chain and the signature, which the spool adds.
        attributes: Attributes,
    },
    /// The span is over: an empty object at this time.
    SpanEnd {
        /// Wall clock of the end of the last sample.
        end: Timestamp,
        /// The last chunk's counter + 1.
        counter: u64,
    },
}
