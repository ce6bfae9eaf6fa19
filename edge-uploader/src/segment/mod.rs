//! Frames into ONVIF chunks. No I/O and no clock: frames and wall-clock times in, [`Output`]s out.

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
    Fragment(Bytes),
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
