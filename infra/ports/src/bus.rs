//! The port for publishing records.

use crate::Result;
use async_trait::async_trait;
use framepost_events::record::Record;

/// Delivers records to all subscribers, at least once. Subscribers recognise a repeated record by its id.
#[async_trait]
pub trait Bus: Send + Sync {
    /// Publishes a record. When it returns, the bus has stored the record.
    async fn publish(&self, record: &Record) -> Result<()>;
}
