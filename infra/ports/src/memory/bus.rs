use crate::{Bus, Error, ErrorKind, Result};
use async_trait::async_trait;
use framepost_events::record::Record;
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

/// A bus that keeps the records published to it.
#[derive(Debug, Default)]
pub struct RecordingBus {
    records: Mutex<Vec<Record>>,
    failures: Mutex<VecDeque<ErrorKind>>,
}

impl RecordingBus {
    /// Returns all published records in order.
    pub fn records(&self) -> Vec<Record> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Makes the next publish that has no failure assigned yet fail with `kind`. The record is not kept.
    pub fn fail_next(&self, kind: ErrorKind) {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).push_back(kind);
    }
}

#[async_trait]
impl Bus for RecordingBus {
    async fn publish(&self, record: &Record) -> Result<()> {
        if let Some(kind) = self.failures.lock().unwrap_or_else(PoisonError::into_inner).pop_front() {
            return Err(Error::new(kind, "publish", &record.id));
        }
        self.records.lock().unwrap_or_else(PoisonError::into_inner).push(record.clone());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::{self, Listener};

    #[async_trait]
    impl Listener for RecordingBus {
        async fn heard(&self) -> Vec<Record> {
            self.records()
        }
    }

    #[tokio::test]
    async fn it_keeps_the_contract() {
        let bus = RecordingBus::default();
        contract::bus(&bus, &bus).await;
    }
}
