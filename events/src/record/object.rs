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
}
