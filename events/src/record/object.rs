//! A reference to the object of a record.

use crate::finalized::{ObjectFinalized, Provider};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Identifies the object that a record is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ObjectRef {
    /// The cloud that stores the bucket.
    pub provider: Provider,
    /// Name of the bucket.
    pub bucket: String,
    /// Key of the object.
    pub key: String,
    /// The object's version, as in the event.
    pub version: String,
}

impl From<&ObjectFinalized> for ObjectRef {
    fn from(event: &ObjectFinalized) -> Self {
        let ObjectFinalized { provider, bucket, key, version, .. } = event.clone();
        Self { provider, bucket, key, version }
    }
}

impl ObjectRef {
    /// Returns the identity of the work for the object, which is that of its event.
    pub fn identity(&self) -> String {
        let Self { provider, bucket, key, version } = self;
        format!("{provider}/{bucket}/{key}@{version}")
    }

    /// Returns the part of the version with which this exact object can be read again, as
    /// [`ObjectFinalized::read_version`] has it; `None` where only the newest can be read.
    ///
    /// Without versioning, the version of an S3 object is a sequencer or an ETag: 32 hexadecimal digits, after which an
    /// upload in parts has `-` and their number. S3's own version ids use more letters than that.
    pub fn read_version(&self) -> Option<&str> {
        let version = self.version.as_str();
        match self.provider {
            Provider::S3 => (!is_sequencer_or_etag(version)).then_some(version),
            Provider::Gcs => Some(version.split_once('.').map_or(version, |(generation, _)| generation)),
            Provider::Local => Some(version),
        }
    }
}

fn is_sequencer_or_etag(version: &str) -> bool {
    let (digest, parts) = version.split_once('-').unwrap_or((version, ""));
    let is_digest = digest.len() == 32 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_digest && parts.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_a_record_reads_the_object_again() {
        for (provider, version, expected) in [
            (Provider::S3, "3sL4kqtJlcpXroDTDmJ.rmSpXd3dIbrH", Some("3sL4kqtJlcpXroDTDmJ.rmSpXd3dIbrH")),
            (Provider::S3, "0d1f3a2b-1111-4222-8333-0123456789ab", Some("0d1f3a2b-1111-4222-8333-0123456789ab")),
            (Provider::S3, "0055AED6DCD902814000000000000000", None),
            (Provider::S3, "d41d8cd98f00b204e9800998ecf8427e", None),
            (Provider::S3, "d41d8cd98f00b204e9800998ecf8427e-12", None),
            (Provider::Gcs, "1700000000000001.1", Some("1700000000000001")),
            (Provider::Gcs, "1700000000000001", Some("1700000000000001")),
            (Provider::Local, "3f00aa3f00aa3f00", Some("3f00aa3f00aa3f00")),
        ] {
            let object = ObjectRef { provider, bucket: "b".into(), key: "k".into(), version: version.into() };
            assert_eq!(object.read_version(), expected, "{provider} {version}");
        }
    }
}
