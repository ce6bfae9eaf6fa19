//! What was set aside, compared with what is in the bucket: for a credential that may look at objects.

use crate::spool::{self, QuarantinedObject, Spool};
use framepost_ports::{Error, ErrorKind, Likeness, ObjectSink};

/// What becomes of an object that was set aside, and of which the bucket has nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Absent {
    /// It stays.
    Kept,
    /// It is given back to the uploader.
    Released,
}

/// What the bucket has under the key of an object that was set aside, and what became of the object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verified {
    /// The same bytes. The object is gone from the spool.
    Stored,
    /// Other bytes. The object stays.
    Other,
    /// Something that it gives no checksum of. The object stays.
    Unknown,
    /// Nothing, and the object stays.
    Absent,
    /// Nothing, and the object is given back to the uploader.
    Released,
}

/// Why an object could not be compared. It stays.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The bucket does not say what it has.
    #[error("the bucket does not tell")]
    Bucket(#[from] Error),
    /// The spool's disk refuses.
    #[error("the spool refuses")]
    Spool(#[from] spool::Error),
}

/// Settles one object of [`Spool::quarantined`]: it leaves the spool where the bucket has the same bytes.
///
/// Compared are the checksums of the file as it is now and, where it rotted since, as it was closed.
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
