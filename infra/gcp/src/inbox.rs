//! A Pub/Sub subscription as an inbox.

use crate::subscription::{PubSubSubscription, Pulled};
use async_trait::async_trait;
use framepost_ports::{Carrier, Delivery, Inbox, Message, Receipt, Result};
use std::time::Duration;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

/// Takes messages from a Pub/Sub subscription, one at a call. Leases are extended while a message is in hand.
///
/// [`Delivery::again`] gives a message back at once, whatever time it asks for: the subscription's back-off decides when it
/// comes again, as it does for push.
#[derive(Debug)]
pub struct PubSubInbox {
    /// `None` once it is closed.
    subscription: Mutex<Option<PubSubSubscription>>,
    closing: CancellationToken,
}

impl PubSubInbox {
    /// Takes messages from `subscription`.
    pub fn new(subscription: PubSubSubscription) -> Self {
        Self { subscription: Mutex::new(Some(subscription)), closing: CancellationToken::new() }
    }
}

#[async_trait]
impl Inbox for PubSubInbox {
    async fn receive(&self, _max: usize) -> Result<Vec<Delivery>> {
        let mut subscription = self.subscription.lock().await;
        let Some(open) = subscription.as_mut() else { return Ok(Vec::new()) };
        let pulled = tokio::select! {
            biased;
            () = self.closing.cancelled() => return Ok(Vec::new()),
            pulled = open.next() => pulled?,
        };
        let message = Message {
            attributes: pulled.attributes.clone(),
            published: pulled.published,
            ..Message::new(pulled.id.clone(), Carrier::PubSub, pulled.data.clone())
        };
        Ok(vec![Delivery::new(message, Box::new(PubSubReceipt(pulled)))])
    }

    async fn close(&self) {
        self.closing.cancel();
        let subscription = self.subscription.lock().await.take();
        if let Some(subscription) = subscription {
            subscription.leave().left().await;
        }
    }
}

/// Dropped unanswered, the client gives the message back.
struct PubSubReceipt(Pulled);

#[async_trait]
impl Receipt for PubSubReceipt {
    async fn done(self: Box<Self>) -> Result<()> {
        self.0.acknowledge();
        Ok(())
    }

    async fn again(self: Box<Self>, _after: Duration) -> Result<()> {
        self.0.give_back();
        Ok(())
    }
}
