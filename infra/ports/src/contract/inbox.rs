//! The contract of [`Inbox`]: at-least-once delivery, one taker at a time, and effective answers.

use crate::{Delivery, Inbox};
use async_trait::async_trait;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// An inbox under test, and the means to send to it.
#[async_trait]
pub trait InboxSubject: Send + Sync {
    /// Puts a message with the given body into the inbox.
    async fn send(&self, body: &str);

    /// Opens a taker of the inbox, as after a restart of its process. The taker before is closed.
    async fn open(&self) -> Arc<dyn Inbox>;

    /// Returns who decides how long a message waits.
    fn waits(&self) -> Waits;
}

/// Who decides when a message is delivered again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waits {
    /// The caller of [`Delivery::again`].
    AsAsked,
    /// The configuration of the service.
    AsConfigured,
}

/// The longest time that an inbox may take to deliver its messages.
const PATIENCE: Duration = Duration::from_mins(1);

/// Checks the contract of [`Inbox`].
///
/// # Panics
///
/// Panics if the inbox breaks its contract.
pub async fn inbox(subject: &dyn InboxSubject) {
    let run = format!("contract-{:016x}", fastrand::u64(..));
    let inbox = subject.open().await;
    a_message_that_is_done_leaves(subject, &*inbox, &run).await;
    what_is_not_done_comes_again(subject, &*inbox, &run).await;
    takers_share(subject, &*inbox, &run).await;
    let inbox = what_is_in_hand_at_the_end_is_answered(subject, inbox, &run).await;
    inbox.close().await;
}

async fn a_message_that_is_done_leaves(subject: &dyn InboxSubject, inbox: &dyn Inbox, run: &str) {
    let bodies: BTreeSet<String> = (0..12).map(|n| format!("{run} leaves {n} \"ä\"")).collect();
    for body in &bodies {
        subject.send(body).await;
    }
    let mut came = BTreeSet::new();
    while came != bodies {
        for delivery in receive(inbox, 5).await {
            assert!(came.insert(body(&delivery)), "{delivery:?} came twice, and was done the first time");
            delivery.done().await.expect("done");
        }
    }
    assert_only(subject, inbox, &format!("{run} the next one")).await;
}

async fn what_is_not_done_comes_again(subject: &dyn InboxSubject, inbox: &dyn Inbox, run: &str) {
    subject.send(&format!("{run} again")).await;
    let first = one(inbox).await;
    let id = first.message.id.clone();
    let deliveries = first.message.deliveries;
    drop(first);
    let second = one(inbox).await;
    assert_eq!((&second.message.id, body(&second)), (&id, format!("{run} again")), "what is dropped comes again");
    if let (Some(before), Some(now)) = (deliveries, second.message.deliveries) {
        assert_eq!(now, before + 1, "deliveries are counted");
    }
    let asked = Instant::now();
    let pause = Duration::from_secs(1);
    second.again(pause).await.expect("again");
    let third = one(inbox).await;
    assert_eq!(third.message.id, id, "what is to come again does");
    if subject.waits() == Waits::AsAsked {
        // Some services count whole seconds.
        assert!(asked.elapsed() >= pause.mul_f64(0.9), "{:?} is too early", asked.elapsed());
    }
    third.done().await.expect("done");
    assert_only(subject, inbox, &format!("{run} after again")).await;
}

async fn takers_share(subject: &dyn InboxSubject, inbox: &dyn Inbox, run: &str) {
    let bodies: BTreeSet<String> = (0..8).map(|n| format!("{run} shared {n}")).collect();
    for body in &bodies {
        subject.send(body).await;
    }
    let mut in_hand = Vec::new();
    while in_hand.len() < bodies.len() {
        let received = tokio::join!(receive(inbox, 1), async {
            // There may be no message left for the other taker.
            tokio::time::timeout(Duration::from_millis(200), receive(inbox, 1)).await.unwrap_or_default()
        });
        in_hand.extend(received.0.into_iter().chain(received.1));
    }
    let ids: BTreeSet<&str> = in_hand.iter().map(|delivery| delivery.message.id.as_str()).collect();
    assert_eq!(ids.len(), bodies.len(), "what one taker has in hand comes to no other");
    for delivery in in_hand {
        delivery.done().await.expect("done");
    }
}

async fn what_is_in_hand_at_the_end_is_answered(
    subject: &dyn InboxSubject,
    inbox: Arc<dyn Inbox>,
    run: &str,
) -> Arc<dyn Inbox> {
    subject.send(&format!("{run} at the end")).await;
    let finished = one(&*inbox).await;
    let closing = tokio::spawn({
        let inbox = inbox.clone();
        async move { inbox.close().await }
    });
    finished.done().await.expect("done");
    tokio::time::timeout(PATIENCE, closing).await.expect("close returns once all is answered").expect("no panic");
    let next = subject.open().await;
    assert_only(subject, &*next, &format!("{run} after the end")).await;
    subject.send(&format!("{run} left")).await;
    let left = one(&*next).await;
    let closing = tokio::spawn({
        let next = next.clone();
        async move { next.close().await }
    });
    drop(left);
    tokio::time::timeout(PATIENCE, closing).await.expect("close returns once all is dropped").expect("no panic");
    let last = subject.open().await;
    let left = one(&*last).await;
    assert_eq!(body(&left), format!("{run} left"), "what nobody answered is there for the next taker");
    left.done().await.expect("done");
    last
}

/// Sends a message, and asserts that it is the only one in the inbox.
async fn assert_only(subject: &dyn InboxSubject, inbox: &dyn Inbox, body_sent: &str) {
    subject.send(body_sent).await;
    let next = one(inbox).await;
    assert_eq!(body(&next), body_sent, "what was done does not come again");
    next.done().await.expect("done");
}

async fn one(inbox: &dyn Inbox) -> Delivery {
    let mut received = receive(inbox, 1).await;
    assert_eq!(received.len(), 1, "at most as many as asked for");
    received.remove(0)
}

async fn receive(inbox: &dyn Inbox, max: usize) -> Vec<Delivery> {
    let received = async {
        loop {
            let received = inbox.receive(max).await.expect("receive");
            assert!(received.len() <= max, "at most as many as asked for");
            if !received.is_empty() {
                return received;
            }
        }
    };
    tokio::time::timeout(PATIENCE, received).await.expect("a message comes")
}

fn body(delivery: &Delivery) -> String {
    String::from_utf8_lossy(&delivery.message.body).into_owned()
}
