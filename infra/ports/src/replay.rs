//! The ports for a replay, which gives a function objects that it had before.

use crate::Result;
use async_trait::async_trait;
use framepost_events::ObjectFinalized;
use framepost_events::record::Record;

/// Lists the objects of one bucket.
#[async_trait]
pub trait ObjectListing: Send + Sync {
    /// Returns objects whose keys begin with `prefix` and come after `after`, in the order of the keys' bytes: `max` at most, and
    /// fewer only at the end. Each is returned as the event of its completion, as far as the bucket still knows it. If the bucket
    /// keeps versions, its identity is that event's. A call costs one request for up to 1000 objects.
    async fn list(&self, prefix: &str, after: &str, max: usize) -> Result<Vec<ObjectFinalized>>;
}

/// What a replay gives to a function.
#[derive(Debug, Clone, PartialEq)]
pub enum Given {
    /// An object, for a function that is triggered by objects.
    Object(ObjectFinalized),
    /// A record, for a function that is triggered by records.
    Record(Box<Record>),
}

impl Given {
    /// Returns it as one JSON document, a CloudEvent.
    pub fn to_json(&self) -> serde_json::Result<Vec<u8>> {
        match self {
            Self::Object(event) => Ok(event.to_json()),
            Self::Record(record) => serde_json::to_vec(record),
        }
    }

    /// Returns a text that is the same each time the same thing is given.
    pub fn identity(&self) -> String {
        match self {
            Self::Object(event) => event.identity(),
            Self::Record(record) => format!("record {}", record.id),
        }
    }
}

/// The end of one subscriber's inbox into which messages are put.
#[async_trait]
pub trait Feed: Send + Sync {
    /// Puts all of these into the inbox, and returns when it has them. If this fails, the inbox may have some of them; giving them
    /// again has the effect of giving them once.
    async fn give(&self, given: &[Given]) -> Result<()>;
}
