//! A bus inside the process.

use async_trait::async_trait;
use framepost_events::record::Record;
use framepost_ports::{Bus, Result};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc;

/// Hands each record to every subscriber. Nothing is lost: a subscriber that is slow makes the publisher wait.
#[derive(Debug, Clone, Default)]
pub struct LocalBus {
    subscribers: Arc<Mutex<Vec<mpsc::Sender<Arc<Record>>>>>,
}

impl LocalBus {
    /// The records from now on; `capacity` of them wait for the subscriber before publishers do. Dropping the receiver
    /// ends the subscription.
    pub fn subscribe(&self, capacity: usize) -> mpsc::Receiver<Arc<Record>> {
        let (sender, receiver) = mpsc::channel(capacity);
        self.subscribers.lock().unwrap_or_else(PoisonError::into_inner).push(sender);
        receiver
    }
}

#[async_trait]
impl Bus for LocalBus {
    async fn publish(&self, record: &Record) -> Result<()> {
        let subscribers = {
            let mut subscribers = self.subscribers.lock().unwrap_or_else(PoisonError::into_inner);
            subscribers.retain(|subscriber| !subscriber.is_closed());
            subscribers.clone()
        };
        let record = Arc::new(record.clone());
        for subscriber in subscribers {
            // One that has just gone does not want it any more.
            let _ = subscriber.send(record.clone()).await;
        }
        Ok(())
    }
}
