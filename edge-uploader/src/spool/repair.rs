//! The seam to whoever knows what a whole fragment is.

use bytes::Bytes;
use framepost_events::attributes::Attributes;
use std::io::{self, Read, Seek};

/// A file that can be read anywhere.
pub trait ReadSeek: Read + Seek {}

impl<T: Read + Seek + ?Sized> ReadSeek for T {}

/// What makes a whole chunk of a part.
#[derive(Debug, Clone, PartialEq)]
pub struct RepairedPart {
    /// Everything after this is cut off.
    pub keep_bytes: u64,
    /// Overwrites the first bytes.
    pub init: Bytes,
    /// Appended.
    pub tail: Bytes,
    /// Those of the shorter chunk.
    pub attributes: Attributes,
}

/// Why no chunk can be made of a part.
#[derive(Debug, thiserror::Error)]
pub enum RepairFailure {
    /// Not one fragment is whole.
    #[error("not one fragment is whole")]
    NothingWhole,
    /// It is not what the spool wrote.
    #[error("the part is not a chunk")]
    Malformed(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It cannot be read.
    #[error("the part cannot be read")]
    Io(#[from] io::Error),
}

/// Says how to make a whole chunk of what a crash left.
///
/// A repair that was cut short is repeated, so a part may hold a tail already, or a part of one.
pub trait Repair: Send + Sync {
    /// `draft` is what was known when the chunk began.
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

/// The segmenter's own repair.
pub(super) fn segment(part: &mut dyn ReadSeek, draft: &Attributes) -> Result<RepairedPart, RepairFailure> {
    use crate::segment::{RepairError, Repaired, repair};
    match repair(part, draft) {
        Ok(Repaired { keep_bytes, init, tail, attributes }) => Ok(RepairedPart { keep_bytes, init, tail, attributes }),
        Err(RepairError::Nothing) => Err(RepairFailure::NothingWhole),
        Err(RepairError::Io(error)) => Err(RepairFailure::Io(error)),
        Err(error) => Err(RepairFailure::Malformed(Box::new(error))),
    }
}
