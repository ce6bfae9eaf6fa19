//! A Pub/Sub subscription as an inbox.

use crate::subscription::{PubSubSubscription, Pulled};
use async_trait::async_trait;
use framepost_ports::{Carrier, Delivery, Inbox, Message, Receipt, Result};
use std::time::Duration;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

/// Takes messages from a Pub/Sub subscription, one for each call. The client extends leases while a
/// message is in hand.
///
/// [`Delivery::again`] returns a message immediately, whatever delay the caller asks for. The subscription's
/// back-off decides when it is delivered again, as for push subscriptions.
#[derive(Debug)]
pub struct PubSubInbox {
    /// Where messages are pulled from; `None` after [`close`](Inbox::close).
    subscription: Mutex<Option<PubSubSubscription>>,
    closing: CancellationToken,
}

impl PubSubInbox {
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

/// If this is dropped without an answer, the client returns the message to the subscription.
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
