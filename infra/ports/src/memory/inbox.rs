use crate::waiting::{InHand, WaitingList};
use crate::{Carrier, Delivery, Inbox, Message, Receipt, Result};
use async_trait::async_trait;
use bytes::Bytes;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::watch;

/// An inbox in memory, oldest message first. Clones refer to the same inbox.
#[derive(Debug, Clone)]
pub struct MemoryInbox {
    next_id: Arc<AtomicU64>,
    waiting: Arc<WaitingList<u64, Bytes>>,
}

impl Default for MemoryInbox {
    fn default() -> Self {
        Self { next_id: Arc::default(), waiting: WaitingList::new(watch::channel(0).0) }
    }
}

impl MemoryInbox {
    /// Puts a message into the inbox, due immediately.
    pub fn send(&self, body: impl Into<Bytes>) {
        self.waiting.add([(self.next_id.fetch_add(1, Ordering::Relaxed), body.into())]);
    }

    /// Returns the number of messages that are not done.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Returns whether every message is done.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

#[async_trait]
impl Inbox for MemoryInbox {
    async fn receive(&self, max: usize) -> Result<Vec<Delivery>> {
        loop {
            let mut mark = self.waiting.mark();
            let Some(taken) = self.waiting.take_due(max) else { return Ok(Vec::new()) };
            if !taken.is_empty() {
                return Ok(taken.into_iter().map(delivery).collect());
            }
            self.waiting.changed(&mut mark, None).await;
        }
    }

    async fn close(&self) {
        self.waiting.close().await;
    }
}

fn delivery(in_hand: InHand<u64, Bytes>) -> Delivery {
    let id = in_hand.id().map_or_else(String::new, u64::to_string);
    let message =
        Message { deliveries: Some(in_hand.deliveries()), ..Message::new(id, Carrier::Queue, in_hand.value().clone()) };
    Delivery::new(message, Box::new(MemoryReceipt(in_hand)))
}

struct MemoryReceipt(InHand<u64, Bytes>);

#[async_trait]
impl Receipt for MemoryReceipt {
    async fn done(self: Box<Self>) -> Result<()> {
        self.0.done();
        Ok(())
    }

    async fn again(self: Box<Self>, after: Duration) -> Result<()> {
        self.0.again(after);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::{self, InboxSubject, Waits};

    struct Subject(MemoryInbox);

    #[async_trait]
    impl InboxSubject for Subject {
        async fn send(&self, body: &str) {
            self.0.send(body.to_owned());
        }

        async fn open(&self) -> Arc<dyn Inbox> {
            self.0.waiting.reopen();
            Arc::new(self.0.clone())
        }

        fn waits(&self) -> Waits {
            Waits::AsAsked
        }
    }

    #[tokio::test]
    async fn it_keeps_the_contract() {
        contract::inbox(&Subject(MemoryInbox::default())).await;
    }
}
