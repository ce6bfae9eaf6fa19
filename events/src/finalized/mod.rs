//! "This object is complete": one shape for every sender.
//!
//! Delivery is at least once and unordered. The identity of work is [`ObjectFinalized::identity`].

use jiff::Timestamp;

/// Who keeps the bucket.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// Amazon S3, or what speaks its protocol.
    S3,
    /// Google Cloud Storage.
    Gcs,
    /// A directory of this machine.
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
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectFinalized {
    /// Who keeps the bucket.
    pub provider: Provider,
    /// The bucket's name.
    pub bucket: String,
    /// The object's key, decoded.
    pub key: String,
    /// S3: the versionId, else the sequencer (normalised); GCS: `generation.metageneration`; local: the digest's start.
    pub version: String,
    /// Bytes, where the sender says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// When the object became complete.
    pub time: Timestamp,
    /// A link to the bytes, where the sender gives one (GCS `mediaLink`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_link: Option<String>,
    /// The bucket's region, where the sender gives it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The part of `version` by which this exact object can be read again: S3's versionId, GCS's generation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_version: Option<String>,
}

impl ObjectFinalized {
    /// The identity of the work that this event asks for; the same for every redelivery.
    pub fn identity(&self) -> String {
        format!("{}/{}/{}@{}", self.provider, self.bucket, self.key, self.version)
    }
}
