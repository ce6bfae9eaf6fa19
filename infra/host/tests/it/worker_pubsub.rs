//! A worker beside a Pub/Sub subscription, against pstest.

#![cfg(feature = "gcp")]

use framepost_events::ObjectFinalized;
use framepost_gcp::{GoogleOptions, PubSubDeadLetters, PubSubInbox, PubSubSubscription, Taking};
use framepost_host::Handler;
use framepost_host::worker::{self, Summary, WorkerLimits};
use framepost_ports::{ErrorKind, Function, Outcome, Reason};
use framepost_tests::google_emulators::GoogleEmulators;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinHandle;

/// Does what the key says, and remembers what it was asked.
struct ByKey {
    asked: Mutex<Vec<String>>,
    go_on: Semaphore,
}

impl ByKey {
    fn times(&self, key: &str) -> usize {
        self.asked.lock().unwrap().iter().filter(|asked| *asked == key).count()
    }

    async fn until(&self, key: &str, times: usize) {
        let seen = async {
            while self.times(key) < times {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_mins(1), seen).await.unwrap_or_else(|_| panic!("{key}: not {times} times"));
    }
}

#[async_trait::async_trait]
impl Function<ObjectFinalized> for ByKey {
    fn name(&self) -> &'static str {
        "by-key"
    }

    async fn handle(&self, event: ObjectFinalized) -> Outcome {
        let key = event.key.clone();
        self.asked.lock().unwrap().push(key.clone());
        let is_first = self.times(&key) == 1;
        match key.as_str() {
            "panic" if is_first => panic!("as asked"),
            "retry" if is_first => {
                Outcome::Retry { after: Duration::from_mins(15), reason: Reason::new("busy", "as asked") }
            }
            "reject" => Outcome::Reject(Reason::new("not-media", "as asked")),
            "skip" => Outcome::Skip(Reason::new("not-ours", "as asked")),
            "wait" => {
                self.go_on.acquire().await.unwrap().forget();
                Outcome::Done
            }
            _ => Outcome::Done,
        }
    }
}

struct Worker {
    google: GoogleEmulators,
    function: Arc<ByKey>,
    topic: String,
    subscription: String,
    rejected: String,
    stop: oneshot::Sender<()>,
    worker: JoinHandle<framepost_ports::Result<Summary>>,
}

async fn start(taking: Taking) -> Option<Worker> {
    let google = GoogleEmulators::start()?;
    let topic = google.topic();
    let dead = google.topic();
    let subscription = google.subscription(&topic, 10);
    let rejected = google.subscription(&dead, 60);
    let options = GoogleOptions { endpoint: Some(google.pubsub.parse().unwrap()) };
    let function = Arc::new(ByKey { asked: Mutex::default(), go_on: Semaphore::new(0) });
    let dead_letters = Arc::new(PubSubDeadLetters::connect(&dead, &options).await.unwrap());
    let handler = Handler::new(function.clone(), Some(dead_letters));
    let stream = PubSubSubscription::connect(&subscription, taking, &options).await.unwrap();
    let (stop, stopped) = oneshot::channel();
    let inbox = Arc::new(PubSubInbox::new(stream));
    let limits = WorkerLimits { concurrency: taking.in_hand as usize, ..WorkerLimits::default() };
    let worker = tokio::spawn(worker::run(handler, inbox, limits, async { stopped.await.unwrap_or(()) }));
    Some(Worker { google, function, topic, subscription, rejected, stop, worker })
}

impl Worker {
    fn publish(&self, key: &str) {
        publish(&self.google, &self.topic, key);
    }

    async fn stop(self) -> (GoogleEmulators, String) {
        self.stop.send(()).unwrap();
        self.worker.await.unwrap().unwrap();
        (self.google, self.subscription)
    }
}

/// Publishes what Cloud Storage says of an object.
pub(crate) fn publish(google: &GoogleEmulators, topic: &str, key: &str) {
    let data = json!({ "kind": "storage#object", "bucket": "footage", "name": key, "generation": "1",
        "metageneration": "1", "size": "5", "timeCreated": "2026-11-20T15:08:27.130Z" });
    google.publish(topic, data.to_string().as_bytes(), &attributes(key));
}

fn attributes(key: &str) -> BTreeMap<String, String> {
    [("eventType", "OBJECT_FINALIZE"), ("payloadFormat", "JSON_API_V1"), ("bucketId", "footage"), ("objectId", key)]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_outcome_has_its_end() {
    let Some(worker) = start(Taking::default()).await else { return };
    for key in ["a b", "skip", "retry", "panic", "reject"] {
        worker.publish(key);
    }
    worker.google.publish(&worker.topic, b"junk", &BTreeMap::new());
    for (key, times) in [("a b", 1), ("skip", 1), ("reject", 1), ("retry", 2), ("panic", 2)] {
        worker.function.until(key, times).await;
    }
    let letters = worker.google.drain(&worker.rejected, Duration::from_secs(30), |letters| letters.len() >= 2);
    let mut reasons: Vec<&str> = letters.iter().map(|letter| letter.attributes["framepost-reason"].as_str()).collect();
    reasons.sort_unstable();
    assert_eq!(reasons, ["not-an-event", "not-media"]);
    for letter in &letters {
        assert_eq!(letter.attributes["framepost-function"], "by-key");
        match letter.attributes["framepost-reason"].as_str() {
            "not-an-event" => assert_eq!(letter.data, b"junk"),
            _ => assert_eq!(letter.attributes["objectId"], "reject"),
        }
    }
    let function = worker.function.clone();
    let (google, subscription) = worker.stop().await;
    assert!(google.pull(&subscription).is_empty(), "everything is acknowledged");
    for (key, times) in [("a b", 1), ("skip", 1), ("reject", 1), ("retry", 2), ("panic", 2)] {
        assert_eq!(function.times(key), times, "{key}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_kept_for_as_long_as_its_handling_takes() {
    let lease = Duration::from_secs(10);
    let Some(worker) = start(Taking { lease, ..Taking::default() }).await else { return };
    worker.publish("wait");
    worker.function.until("wait", 1).await;
    // The service gives it to somebody else when the lease is over, so time itself is what this is about.
    tokio::time::sleep(lease + Duration::from_secs(4)).await;
    assert!(worker.google.pull(&worker.subscription).is_empty());
    worker.function.go_on.add_permits(1);
    let function = worker.function.clone();
    let (google, subscription) = worker.stop().await;
    assert!(google.pull(&subscription).is_empty());
    assert_eq!(function.times("wait"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn at_the_end_what_is_in_hand_is_finished_and_the_rest_is_left() {
    let Some(worker) = start(Taking { in_hand: 1, ..Taking::default() }).await else { return };
    worker.publish("wait");
    worker.function.until("wait", 1).await;
    let function = worker.function.clone();
    let stop = worker.stop;
    stop.send(()).unwrap();
    let data = b"left for somebody else";
    worker.google.publish(&worker.topic, data, &BTreeMap::new());
    let left = worker.google.drain(&worker.subscription, Duration::from_secs(30), |found| !found.is_empty());
    assert_eq!(left[0].data, data);
    assert!(!worker.worker.is_finished());
    function.go_on.add_permits(1);
    worker.worker.await.unwrap().unwrap();
    assert!(worker.google.pull(&worker.subscription).is_empty(), "it is acknowledged");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_that_is_not_there_ends_the_worker() {
    let Some(google) = GoogleEmulators::start() else { return };
    let options = GoogleOptions { endpoint: Some(google.pubsub.parse().unwrap()) };
    let name = format!("projects/{}/subscriptions/nobody-made-it", google.project());
    let stream = PubSubSubscription::connect(&name, Taking::default(), &options).await.unwrap();
    let function = Arc::new(ByKey { asked: Mutex::default(), go_on: Semaphore::new(0) });
    let inbox = Arc::new(PubSubInbox::new(stream));
    let ended = worker::run(Handler::new(function, None), inbox, WorkerLimits::default(), std::future::pending()).await;
    let error = ended.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error:?}");
}
