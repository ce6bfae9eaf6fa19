//! How many messages a second the worker takes from SQS and from Pub/Sub, against a bare loop over the same client.
//!
//! The bare loop makes the client's calls and nothing else: it receives as many messages as one request brings, and
//! deletes or acknowledges them before it asks for more. It reads no message, handles none, renews no lease and has no
//! end. Both loops take turns, each with a fresh queue that was filled before. `BENCH_MESSAGES` is how many messages that
//! are (500).

use framepost_events::ObjectFinalized;
use framepost_host::Handler;
use framepost_host::worker::{self, WorkerLimits};
use framepost_ports::{Function, Inbox, Outcome};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;
use tokio::sync::Notify;

/// How often each loop has its turn. The first turn of both is not counted.
const TURNS: usize = 4;

fn messages() -> usize {
    std::env::var("BENCH_MESSAGES").ok().and_then(|value| value.parse().ok()).unwrap_or(500)
}

/// Does nothing, and says when it has done so for the last message.
struct Counted {
    left: AtomicUsize,
    last: Notify,
}

#[async_trait::async_trait]
impl Function<ObjectFinalized> for Counted {
    fn name(&self) -> &'static str {
        "counted"
    }

    async fn handle(&self, _: ObjectFinalized) -> Outcome {
        if self.left.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.last.notify_one();
        }
        Outcome::Done
    }
}

/// Takes `messages` from the inbox with the worker, until the last one is answered. Returns how many a second.
async fn with_the_worker(inbox: Arc<dyn Inbox>, limits: WorkerLimits, messages: usize) -> f64 {
    let function = Arc::new(Counted { left: AtomicUsize::new(messages), last: Notify::new() });
    let handler = Handler::new::<ObjectFinalized>(function.clone(), None);
    let begun = Instant::now();
    let summary = worker::run(handler, inbox, limits, function.last.notified()).await.unwrap();
    let rate = per_second(messages, begun);
    assert_eq!(summary.done, messages as u64, "{summary:?}");
    rate
}

fn per_second(messages: usize, since: Instant) -> f64 {
    messages as f64 / since.elapsed().as_secs_f64()
}

/// Prints the medians of all turns but the first, in the form of `tests/README.md`.
fn report(what: &str, mut ours: Vec<f64>, mut bare: Vec<f64>) {
    let [ours, bare] = [&mut ours, &mut bare].map(|rates| {
        let counted = &mut rates[1..];
        counted.sort_by(f64::total_cmp);
        counted[counted.len() / 2]
    });
    eprintln!("| {what}: messages a second, against a bare loop | {ours:.0} | {bare:.0} | {:.2} |", ours / bare);
}

#[cfg(feature = "aws")]
mod sqs {
    use super::*;
    use crate::support::notification;
    use crate::worker_sqs::{VISIBILITY_TIMEOUT, cloud};
    use framepost_aws::{MAX_MESSAGES, SqsInbox, SqsQueue};
    use serde_json::json;

    async fn bare(queue: &SqsQueue, messages: usize) -> f64 {
        let begun = Instant::now();
        let mut left = messages;
        while left > 0 {
            let received = queue.receive(MAX_MESSAGES, VISIBILITY_TIMEOUT).await.unwrap();
            let receipts: Vec<_> = received.into_iter().map(|message| message.receipt).collect();
            queue.delete(&receipts).await.unwrap();
            left = left.checked_sub(receipts.len()).expect("no message comes twice");
        }
        per_second(messages, begun)
    }

    #[tokio::test(flavor = "multi_thread")]
    #[ignore = "a benchmark: tests/run bench"]
    async fn against_a_bare_loop() {
        let Some(cloud) = cloud().await else { return };
        let messages = messages();
        let mut rates = [Vec::new(), Vec::new()];
        for turn in 0..2 * TURNS {
            let (url, queue) = cloud.queue(&format!("work-{turn}"), &json!({}));
            queue.send_all(&vec![notification(&["gate"]); messages]);
            let queue = SqsQueue::new(&cloud.session, url);
            rates[turn % 2].push(if turn % 2 == 0 {
                let inbox = SqsInbox::new(queue, VISIBILITY_TIMEOUT);
                with_the_worker(Arc::new(inbox), WorkerLimits::default(), messages).await
            } else {
                bare(&queue, messages).await
            });
        }
        let [ours, bare] = rates;
        report("the worker at SQS (moto)", ours, bare);
    }
}

#[cfg(feature = "gcp")]
mod pubsub {
    use super::*;
    use crate::worker_pubsub::publish;
    use framepost_gcp::{GoogleOptions, PubSubInbox, PubSubSubscription, Taking};
    use framepost_tests::google_emulators::GoogleEmulators;

    async fn bare(mut subscription: PubSubSubscription, messages: usize) -> f64 {
        let begun = Instant::now();
        for _ in 0..messages {
            subscription.next().await.unwrap().acknowledge();
        }
        subscription.leave().left().await;
        per_second(messages, begun)
    }

    #[tokio::test(flavor = "multi_thread")]
    #[ignore = "a benchmark: tests/run bench"]
    async fn against_a_bare_loop() {
        let Some(google) = GoogleEmulators::start() else { return };
        let options = GoogleOptions { endpoint: Some(google.pubsub.parse().unwrap()) };
        let messages = messages();
        let mut rates = [Vec::new(), Vec::new()];
        for turn in 0..2 * TURNS {
            let topic = google.topic();
            let name = google.subscription(&topic, 60);
            for _ in 0..messages {
                publish(&google, &topic, "gate");
            }
            let taking = Taking::default();
            let subscription = PubSubSubscription::connect(&name, taking, &options).await.unwrap();
            rates[turn % 2].push(if turn % 2 == 0 {
                let limits = WorkerLimits { concurrency: taking.in_hand as usize, ..WorkerLimits::default() };
                with_the_worker(Arc::new(PubSubInbox::new(subscription)), limits, messages).await
            } else {
                bare(subscription, messages).await
            });
            assert!(google.pull(&name).is_empty(), "every message is acknowledged");
        }
        let [ours, bare] = rates;
        report("the worker at Pub/Sub (emulator)", ours, bare);
    }
}
