//! Where records go.

use crate::Result;
use async_trait::async_trait;
use framepost_events::record::Record;

/// Takes records to whoever subscribed. At least once; the record's id tells the copies.
#[async_trait]
pub trait Bus: Send + Sync {
    /// On return the record is the bus's to deliver.
    async fn publish(&self, record: &Record) -> Result<()>;
}
