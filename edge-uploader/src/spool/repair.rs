//! The interface to the code that knows what a complete fragment is.

use bytes::Bytes;
use framepost_events::attributes::Attributes;
use std::io::{self, Read, Seek};

/// A file that can be read at any position.
pub trait ReadSeek: Read + Seek {}

impl<T: Read + Seek + ?Sized> ReadSeek for T {}

/// Instructions that turn a part file into a complete chunk.
#[derive(Debug, Clone, PartialEq)]
pub struct RepairedPart {
    /// Everything after this position is cut off.
    pub keep_bytes: u64,
    /// Replaces the first bytes of the file.
    pub init: Bytes,
    /// Bytes to append after the cut.
    pub tail: Bytes,
    /// The attributes of the shorter chunk.
    pub attributes: Attributes,
}

/// Why no chunk can be made from a part file.
#[derive(Debug, thiserror::Error)]
pub enum RepairFailure {
    /// No fragment is complete.
    #[error("not one fragment is whole")]
    NothingWhole,
    /// The file does not have the form that the spool writes.
    #[error("the part is not a chunk")]
    Malformed(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The file could not be read.
    #[error("the part cannot be read")]
    Io(#[from] io::Error),
}

/// Computes how to turn what a crash left into a complete chunk.
///
/// A repair that was interrupted is repeated, so a part may already have a tail, or some of one.
pub trait Repair: Send + Sync {
    /// Reads a part file. `draft` has the attributes known when the chunk began.
    fn repair(&self, part: &mut dyn ReadSeek, draft: &Attributes) -> Result<RepairedPart, RepairFailure>;
}

impl<F> Repair for F
where
    F: Fn(&mut dyn ReadSeek, &Attributes) -> Result<RepairedPart, RepairFailure> + Send + Sync,
{
    fn repair(&self, part: &mut dyn ReadSeek, draft: &Attributes) -> Result<RepairedPart, RepairFailure> {
        self(part, draft)
    }
}

/// The repair of [`crate::segment`].
pub(super) fn segment(part: &mut dyn ReadSeek, draft: &Attributes) -> Result<RepairedPart, RepairFailure> {
    use crate::segment::{RepairError, Repaired, repair};
    match repair(part, draft) {
        Ok(Repaired { keep_bytes, init, tail, attributes }) => Ok(RepairedPart { keep_bytes, init, tail, attributes }),
        Err(RepairError::Nothing) => Err(RepairFailure::NothingWhole),
        Err(RepairError::Io(error)) => Err(RepairFailure::Io(error)),
        Err(error) => Err(RepairFailure::Malformed(Box::new(error))),
    }
}
