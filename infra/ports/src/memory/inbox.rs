use crate::{Carrier, Delivery, Inbox, Message, Receipt, Result};
use async_trait::async_trait;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// An inbox in memory, oldest message first. Clones refer to the same inbox.
#[derive(Debug, Clone)]
pub struct MemoryInbox {
    state: Arc<Mutex<State>>,
    /// Counts the changes of `state`, so that tasks can wait for one.
    changes: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    next_id: u64,
    waiting: BTreeMap<u64, Waiting>,
    is_closed: bool,
}

#[derive(Debug)]
struct Waiting {
    body: Bytes,
    /// `None` while a taker has the message in hand.
    due: Option<Instant>,
    deliveries: u32,
}

impl Default for MemoryInbox {
    fn default() -> Self {
        Self { state: Arc::default(), changes: watch::channel(0).0 }
    }
}

impl MemoryInbox {
    /// Puts a message into the inbox, due immediately.
    pub fn send(&self, body: impl Into<Bytes>) {
        let body = body.into();
        self.change(|state| {
            let id = state.next_id;
            state.next_id += 1;
            state.waiting.insert(id, Waiting { body, due: Some(Instant::now()), deliveries: 0 });
        });
    }

    /// Returns the number of messages that are not done.
    pub fn len(&self) -> usize {
        self.state().waiting.len()
    }

    /// Returns whether every message is done.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.state());
        self.changes.send_modify(|count| *count = count.wrapping_add(1));
        result
    }

    fn take(&self, max: usize) -> Vec<Delivery> {
        let now = Instant::now();
        let mut taken = Vec::new();
        let mut state = self.state();
        let due = state.waiting.iter_mut().filter(|(_, waiting)| waiting.due.is_some_and(|due| due <= now));
        for (id, waiting) in due.take(max) {
            waiting.due = None;
            waiting.deliveries += 1;
            let message = Message {
                deliveries: Some(waiting.deliveries),
                ..Message::new(id.to_string(), Carrier::Queue, waiting.body.clone())
            };
            let receipt = MemoryReceipt { inbox: self.clone(), id: Some(*id) };
            taken.push(Delivery::new(message, Box::new(receipt)));
        }
        taken
    }

    fn next_due(&self) -> Option<Instant> {
        self.state().waiting.values().filter_map(|waiting| waiting.due).min()
    }
}

#[async_trait]
impl Inbox for MemoryInbox {
    async fn receive(&self, max: usize) -> Result<Vec<Delivery>> {
        let mut changes = self.changes.subscribe();
        loop {
            changes.mark_unchanged();
            if self.state().is_closed {
                return Ok(Vec::new());
            }
            let taken = self.take(max);
            if !taken.is_empty() {
                return Ok(taken);
            }
            // `self` owns the sender, so the channel cannot close.
            let _ = match self.next_due() {
                Some(due) => tokio::time::timeout_at(due, changes.changed()).await.unwrap_or(Ok(())),
                None => changes.changed().await,
            };
        }
    }

    async fn close(&self) {
        self.change(|state| state.is_closed = true);
        let mut changes = self.changes.subscribe();
        while self.state().waiting.values().any(|waiting| waiting.due.is_none()) {
            let _ = changes.changed().await;
        }
    }
}

struct MemoryReceipt {
    inbox: MemoryInbox,
    /// `None` after the message is answered.
    id: Option<u64>,
}

impl MemoryReceipt {
    fn give_back(&mut self, after: Duration) {
        if let Some(id) = self.id.take() {
            self.inbox.change(|state| {
                if let Some(waiting) = state.waiting.get_mut(&id) {
                    waiting.due = Some(Instant::now() + after);
                }
            });
        }
    }
}

#[async_trait]
impl Receipt for MemoryReceipt {
    async fn done(mut self: Box<Self>) -> Result<()> {
        if let Some(id) = self.id.take() {
            self.inbox.change(|state| state.waiting.remove(&id));
        }
        Ok(())
    }

    async fn again(mut self: Box<Self>, after: Duration) -> Result<()> {
        self.give_back(after);
        Ok(())
    }
}

impl Drop for MemoryReceipt {
    fn drop(&mut self) {
        self.give_back(Duration::ZERO);
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
            self.0.change(|state| state.is_closed = false);
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
