//! What it takes to give a function objects of the past again.

use crate::Result;
use async_trait::async_trait;
use framepost_events::ObjectFinalized;
use framepost_events::record::Record;

/// The objects of one bucket, by their keys.
#[async_trait]
pub trait ObjectListing: Send + Sync {
    /// The first objects whose keys begin with `prefix` and come after `after`, by the keys' bytes: `max` of them at most,
    /// fewer only at the end. Each as the event that told of it, as far as the bucket still knows: its identity is that
    /// event's where the bucket keeps versions. What one call costs is one request for up to 1000 objects.
    async fn list(&self, prefix: &str, after: &str, max: usize) -> Result<Vec<ObjectFinalized>>;
}

/// What a function is given again.
#[derive(Debug, Clone, PartialEq)]
pub enum Given {
    /// For a function that is triggered by objects.
    Object(ObjectFinalized),
    /// For one that is triggered by records.
    Record(Box<Record>),
}

impl Given {
    /// As one JSON document, a CloudEvent.
    pub fn to_json(&self) -> serde_json::Result<Vec<u8>> {
        match self {
            Self::Object(event) => Ok(event.to_json()),
            Self::Record(record) => serde_json::to_vec(record),
        }
    }

    /// The same each time the same thing is given.
    pub fn identity(&self) -> String {
        match self {
            Self::Object(event) => event.identity(),
            Self::Record(record) => format!("record {}", record.id),
        }
    }
}

/// The far end of one subscriber's inbox.
#[async_trait]
pub trait Feed: Send + Sync {
    /// Puts all of these into the inbox; on return it has them. Where that fails, some may be there, and giving them again
    /// has the effect of once.
    async fn give(&self, given: &[Given]) -> Result<()>;
}
