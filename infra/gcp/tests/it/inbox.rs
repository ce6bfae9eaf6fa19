//! A Pub/Sub subscription as an inbox, against pstest.

#![cfg(feature = "functions")]

use async_trait::async_trait;
use framepost_gcp::{GoogleOptions, PubSubInbox, PubSubSubscription, Taking};
use framepost_ports::Inbox;
use framepost_ports::contract::{self, InboxSubject, Waits};
use framepost_tests::google_emulators::GoogleEmulators;
use std::collections::BTreeMap;
use std::sync::Arc;

struct Subject {
    google: GoogleEmulators,
    topic: String,
    subscription: String,
}

#[async_trait]
impl InboxSubject for Subject {
    async fn send(&self, body: &str) {
        tokio::task::block_in_place(|| self.google.publish(&self.topic, body.as_bytes(), &BTreeMap::new()));
    }

    async fn open(&self) -> Arc<dyn Inbox> {
        let options = GoogleOptions { endpoint: Some(self.google.pubsub.parse().expect("a URL")) };
        let subscription = PubSubSubscription::connect(&self.subscription, Taking::default(), &options).await;
        Arc::new(PubSubInbox::new(subscription.expect("connected")))
    }

    fn waits(&self) -> Waits {
        Waits::AsConfigured
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_is_an_inbox() {
    let Some(google) = GoogleEmulators::start() else { return };
    let topic = google.topic();
    let subscription = google.subscription(&topic, 10);
    contract::inbox(&Subject { google, topic, subscription }).await;
}
