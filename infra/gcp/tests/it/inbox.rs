//! A Pub/Sub subscription as an inbox, against pstest.

#![cfg(feature = "functions")]

use async_trait::async_trait;
use framepost_gcp::{GcpCloud, GoogleOptions, PubSubInbox, PubSubSubscription, Taking};
use framepost_ports::contract::{self, InboxSubject, Waits};
use framepost_ports::location::Role;
use framepost_ports::{Cloud as _, Inbox, Location, Subscriber};
use framepost_tests::google_emulators::GoogleEmulators;
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
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

/// The emulator sends as many as there are, so what Pub/Sub is asked for is looked at. Nothing is sent to it yet.
#[tokio::test]
async fn no_more_is_pulled_than_the_function_works_on_at_a_time() {
    let nobody = GoogleOptions { endpoint: Some("http://127.0.0.1:1".parse().expect("a URL")) };
    let cloud = GcpCloud::new(nobody.clone(), nobody);
    let at = Location::parse("pubsub:projects/p/subscriptions/s", Role::Events).expect("a subscription");
    for (at_once, expected) in [(NonZeroUsize::new(2), 2), (NonZeroUsize::new(500), 32), (None, 32)] {
        let subscriber = Subscriber { name: "infer".to_owned(), topics: vec![], at_once };
        let subscription = cloud.subscribe(&at, subscriber).await.expect("connected");
        assert_eq!(subscription.concurrency, Some(expected), "{at_once:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_is_an_inbox() {
    let Some(google) = GoogleEmulators::start() else { return };
    let topic = google.topic();
    let subscription = google.subscription(&topic, 10);
    contract::inbox(&Subject { google, topic, subscription }).await;
}
