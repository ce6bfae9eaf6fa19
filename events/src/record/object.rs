//! The object that a record is about.

use crate::finalized::{ObjectFinalized, Provider};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The object that a record is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ObjectRef {
    /// Who keeps the bucket.
    pub provider: Provider,
    /// The bucket's name.
    pub bucket: String,
    /// The object's key.
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
    /// The identity of the work that is done for the object: that of its event.
    pub fn identity(&self) -> String {
        let Self { provider, bucket, key, version } = self;
        format!("{provider}/{bucket}/{key}@{version}")
    }
}
