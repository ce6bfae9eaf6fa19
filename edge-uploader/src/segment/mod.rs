//! Turns frames into ONVIF chunks. Does no I/O and uses no clock: the caller passes frames with
//! wall-clock times, and gets [`Output`]s.
//!
//! A [`Segmenter`] handles one span. The output follows the ONVIF Recording Control Service Specification,
//! annex "Object storage recording format", format MP4, over ISO/IEC 14496-12:
//!
//! ```text
//! ftyp moov (prft moof mdat)… mfra
//! ```
//!
//! Invariants:
//!
//! - A chunk starts with a random access video frame and ends before the first one at or after the window.
//!   (With a tolerance of half a frame, because a camera's 3 s may be 2.999 s.)
//! - If no random access frame arrives for longer than `chunk_max`, the span continues in a chunk that starts
//!   between two of them and says so ([`ChunkStart::Between`]). The same holds for a span whose first frame is
//!   not a random access frame. Such a chunk ends before the next random access frame, so that each of these
//!   begins a chunk that plays on its own. No chunk is much longer than the window and `chunk_max` together.
//! - Every access unit that [`Segmenter::push`] accepts is in exactly one chunk or is counted in [`Stats`]. Its
//!   bytes and its presentation time are unchanged.
//! - Presentation times of a chunk count from its earliest sample. Decoding times are computed so that no
//!   picture is decoded after it is shown; the composition offset gives each sample its own presentation time.
//! - `to` of a chunk is `from` of the next. If pictures precede the random access frame that they follow in
//!   decoding order (H.265 leading pictures), the chunk's time begins with the first of them.
//! - Audio belongs to the chunk during whose presentation time it begins. Audio before the
//!   source's first picture belongs to the first chunk, which then begins with it. The priming
//!   of an AAC encoder, which is silence, is packed together at the first picture's time
//!   instead. [`Segmenter::push`] describes the exceptions.
//!
//! [`ChunkStart::Between`]: framepost_events::attributes::ChunkStart::Between
//!
//! [`repair`] turns what a crash left of a chunk into a complete, shorter chunk.

mod activity;
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

pub(crate) use activity::ACTIVE_LEVEL;
pub use activity::Quiet;
pub use fragment::Fragment;
pub use repair::{RepairError, Repaired, repair};
pub use segmenter::{Error, Segmenter};
pub use settings::{Cuts, SegmentSettings, Stats};
pub use thin::Keep;

use bytes::Bytes;
use framepost_events::attributes::Attributes;
use jiff::Timestamp;

/// What to write, in this order: `Begin (Fragment* Finish Begin)* … SpanEnd`.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// A chunk begins. Its first fragment follows immediately.
    Begin {
        /// Wall-clock time of its first sample in whole microseconds. With `counter`,
        /// it determines the chunk's key.
        start: Timestamp,
        /// Number of the chunk in its span, starting at 0.
        counter: u64,
        /// The boxes `ftyp` and `moov`.
        init: Bytes,
        /// Attributes known so far (no `to`, duration or digest). They are kept beside
        /// the part file for recovery.
        draft: Attributes,
    },
    /// Bytes to append: one `prft` + `moof` + `mdat`.
    Fragment(Fragment),
    /// The chunk is complete.
    Finish {
        /// Replaces the first bytes of the file: as long as in `Begin`, with the duration in `mehd`.
        init: Bytes,
        /// Bytes to append: `mfra`.
        tail: Bytes,
        /// All attributes except the digest, the chain and the signature, which the spool adds.
        attributes: Attributes,
    },
    /// The span ends: write an empty object with this time.
    SpanEnd {
        /// Wall-clock time of the end of the last sample.
        end: Timestamp,
        /// Counter of the last chunk plus 1.
        counter: u64,
    },
}
