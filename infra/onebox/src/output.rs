//! Writes records to standard output, one JSON object per line. Nothing else is written there,
//! so that `| jq` works.

use async_trait::async_trait;
use framepost_events::record::{self, Record};
use framepost_local::LocalInboxes;
use framepost_ports::{Bus, Error, ErrorKind, Result};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::{Mutex, PoisonError};
use tokio_util::sync::CancellationToken;

/// A bus that gives records to their subscribers, prints them and counts them.
#[derive(Debug, Default)]
pub(crate) struct Output {
    subscribers: Option<LocalInboxes>,
    /// How many records were published of each type.
    counts: Mutex<BTreeMap<String, u64>>,
    /// Cancelled when nobody reads any more.
    pub(crate) closed: CancellationToken,
}

/// What a summary calls the records of a type. A type that is not here is called by its own name.
const WORDS: [(&str, &str); 5] = [
    (record::CHUNK_PROBED, "chunks"),
    (record::CHUNK_INFERRED, "looked at"),
    (record::SPAN_ENDED, "span ends"),
    (record::GAP_RECORDED, "gaps recorded"),
    (record::OBJECT_REJECTED, "rejected"),
];

/// Writes one line. `Err` when nobody reads any more.
fn print(record: &Record) -> std::io::Result<()> {
    let mut line = serde_json::to_vec(record)?;
    line.push(b'\n');
    let mut out = std::io::stdout().lock();
    out.write_all(&line)?;
    out.flush()
}

#[async_trait]
impl Bus for Output {
    async fn publish(&self, record: &Record) -> Result<()> {
        if let Some(subscribers) = &self.subscribers {
            subscribers.publish(record).await?;
        }
        if let Err(error) = print(record) {
            self.closed.cancel();
            return Err(Error::new(ErrorKind::Transport, "publish", "standard output").because(error));
        }
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry(record.event_type.clone()).or_default() += 1;
        Ok(())
    }
}

impl Output {
    /// Gives records to those who have subscribed to them there, too.
    pub(crate) fn to(subscribers: LocalInboxes) -> Self {
        Self { subscribers: Some(subscribers), ..Self::default() }
    }

    /// How many records of this type were printed.
    pub(crate) fn count(&self, event_type: &str) -> u64 {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.get(event_type).copied().unwrap_or_default()
    }

    pub(crate) fn summary(&self) -> String {
        let mut parts: Vec<String> =
            WORDS.iter().map(|(event_type, word)| format!("{} {word}", self.count(event_type))).collect();
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let others = counts.iter().filter(|(event_type, _)| WORDS.iter().all(|(known, _)| known != event_type));
        parts.extend(others.map(|(event_type, count)| format!("{count} {event_type}")));
        parts.join(", ")
    }
}
