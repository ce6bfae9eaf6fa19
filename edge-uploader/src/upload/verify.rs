//! Compares the objects in quarantine with the bucket, with a credential that may look at objects.

use crate::spool::{self, QuarantinedObject, Spool};
use framepost_ports::{Error, ErrorKind, Likeness, ObjectSink};

/// What to do with an object in quarantine that the bucket does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Absent {
    /// It stays in quarantine.
    Kept,
    /// It is returned to the uploader.
    Released,
}

/// The bucket's object under the key of an object in quarantine, and the consequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verified {
    /// The same bytes. The object leaves the spool.
    Stored,
    /// Other bytes. The object stays.
    Other,
    /// An object without a checksum to compare. The object stays.
    Unknown,
    /// No object, and ours stays in quarantine.
    Absent,
    /// No object, and ours is returned to the uploader.
    Released,
}

/// Why an object could not be compared. It stays in quarantine.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The bucket returned an error.
    #[error("the bucket does not say")]
    Bucket(#[from] Error),
    /// The spool's disk returned an error.
    #[error("the spool refuses")]
    Spool(#[from] spool::Error),
}

/// Settles one object of [`Spool::quarantined`]: it leaves the spool if the bucket has the same bytes.
///
/// Compares the checksums of the file as it is now and, if the file has been damaged since, those
/// from when it was closed.
pub async fn verify(
    spool: &Spool,
    sink: &dyn ObjectSink,
    object: &QuarantinedObject,
    absent: Absent,
) -> Result<Verified, VerifyError> {
    let seen = match sink.look(&object.key.to_string()).await {
        Ok(seen) => seen,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Ok(match absent {
                Absent::Kept => Verified::Absent,
                Absent::Released => {
                    spool.release_quarantine(Some(&object.key))?;
                    Verified::Released
                }
            });
        }
        Err(error) => return Err(error.into()),
    };
    let likeness = |(bytes, sha256, crc32c)| seen.compare(bytes, sha256, crc32c);
    let now = likeness(spool.digest(&object.key)?);
    let closed = spool.closed_digest(&object.key).map(likeness);
    Ok(match (now, closed) {
        (Likeness::Same, _) | (_, Some(Likeness::Same)) => {
            spool.known_stored(&object.key)?;
            Verified::Stored
        }
        (Likeness::Unknown, _) | (_, Some(Likeness::Unknown)) => Verified::Unknown,
        (Likeness::Other, _) => Verified::Other,
    })
}
