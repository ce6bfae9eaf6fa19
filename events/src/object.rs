//! The object that an event is about, and the event that it is complete.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The cloud that stores the bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// Amazon S3, or a store with its protocol.
    S3,
    /// Cloud Storage by Google.
    Gcs,
    /// A directory on this machine.
    Local,
}

impl std::fmt::Display for Provider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::S3 => "s3",
            Self::Gcs => "gcs",
            Self::Local => "local",
        })
    }
}

/// An object that is complete and will not change under this version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ObjectFinalized {
    /// The cloud that stores the bucket.
    pub provider: Provider,
    /// Name of the bucket.
    pub bucket: String,
    /// Key of the object, decoded.
    pub key: String,
    /// S3: the versionId, otherwise the sequencer (normalised); GCS: `generation.metageneration`; local:
    /// the start of the digest.
    pub version: String,
    /// Size in bytes, if the sender provides it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// When the object became complete.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub time: Timestamp,
    /// A link to the bytes, if the sender provides one (GCS `mediaLink`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_link: Option<String>,
    /// The bucket's region, if the sender provides it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The part of `version` with which this exact object can be read again: S3's versionId, GCS's generation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_version: Option<String>,
}

impl ObjectFinalized {
    /// Returns the identity of the work for this event, which is the same for every redelivery.
    pub fn identity(&self) -> String {
        format!("{}/{}/{}@{}", self.provider, self.bucket, self.key, self.version)
    }
}
