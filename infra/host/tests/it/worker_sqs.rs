//! The worker beside an SQS queue of moto's: every message is dealt with, and none is lost.

#![cfg(feature = "aws")]

use crate::support::{ByKey, notification};
use framepost_aws::{Credentials, S3Options, Session, SqsDeadLetters, SqsInbox, SqsQueue};
use framepost_events::ObjectFinalized;
use framepost_host::Handler;
use framepost_host::worker::{self, WorkerLimits};
use framepost_ports::{Function, Inbox as _, Outcome};
use framepost_tests::aws::account::Account;
use framepost_tests::aws::moto::{self, Moto};
use framepost_tests::aws::queue::{Messages, Queue};
use framepost_tests::aws::{ACCOUNT, REGION};
use serde_json::{Value, json};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, Semaphore};

/// How long a message stays hidden after its worker was last heard of.
pub(crate) const VISIBILITY_TIMEOUT: Duration = Duration::from_mins(1);

pub(crate) struct Cloud {
    /// Stopped when it goes.
    _moto: Moto,
    account: Account,
    pub(crate) session: Session,
}

pub(crate) async fn cloud() -> Option<Cloud> {
    let Some(python) = moto::python() else {
        framepost_tests::skip("there is no moto; `tests/run setup` installs it");
        return None;
    };
    let moto = Moto::start(&python);
    let credentials = Credentials { access_key_id: "administrator".to_owned(), secret_access_key: "any".to_owned() };
    let options = S3Options {
        endpoint_url: Some(moto.url().parse().unwrap()),
        region: Some(REGION.to_owned()),
        credentials: Some(credentials),
        ..S3Options::default()
    };
    let session = Session::new(options).await.unwrap();
    let account = Account::of(&moto);
    Some(Cloud { _moto: moto, account, session })
}

impl Cloud {
    pub(crate) fn queue(&self, name: &str, attributes: &Value) -> (url::Url, Queue) {
        let call = json!({ "QueueName": name, "Attributes": attributes });
        let made = self.account.json("sqs", "AmazonSQS.CreateQueue", &call);
        let url = made["QueueUrl"].as_str().unwrap();
        (url.parse().unwrap(), Queue::at(&self.account, url))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_message_is_dealt_with() {
    let Some(cloud) = cloud().await else { return };
    let (parked_url, parked) = cloud.queue("parked", &json!({}));
    let redrive =
        json!({ "deadLetterTargetArn": format!("arn:aws:sqs:{REGION}:{ACCOUNT}:parked"), "maxReceiveCount": 3 });
    let (url, queue) = cloud.queue("work", &json!({ "RedrivePolicy": redrive.to_string() }));
    for _ in 0..30 {
        queue.send(&notification(&["done"]));
    }
    for key in ["retry", "panic", "reject", "skip"] {
        queue.send(&notification(&[key]));
    }
    queue.send("{ this is no event");

    let function = Arc::new(ByKey::retrying(2, Duration::ZERO));
    let dead_letters = SqsDeadLetters::new(&cloud.session, parked_url);
    let handler = Handler::new::<ObjectFinalized>(function.clone(), Some(Arc::new(dead_letters)));
    let stop = Arc::new(Notify::new());
    let worker = tokio::spawn({
        let inbox = Arc::new(SqsInbox::new(SqsQueue::new(&cloud.session, url), VISIBILITY_TIMEOUT));
        let stop = stop.clone();
        async move { worker::run(handler, inbox, WorkerLimits::default(), stop.notified()).await }
    });
    let (queue, parked) = tokio::task::spawn_blocking(move || {
        // Two are parked by the host, the one that always panics by the queue itself.
        parked.wait_for(3, Duration::from_mins(2));
        while queue.count(Messages::Visible) + queue.count(Messages::InFlight) > 0 {
            std::thread::park_timeout(Duration::from_millis(50));
        }
        (queue, parked)
    })
    .await
    .unwrap();
    stop.notify_one();
    worker.await.unwrap().unwrap();
    assert_eq!(function.calls(), 30 + 3 + 3 + 1 + 1, "retried twice, panicked three times");
    assert_eq!(queue.take().len(), 0);
    let mut reasons: Vec<Option<String>> =
        parked.take().iter().map(|message| message.attribute("framepost-reason").map(str::to_owned)).collect();
    reasons.sort();
    assert_eq!(reasons, [None, Some("not-an-event".to_owned()), Some("not-media".to_owned())]);
}

/// Works on two events at a time, and has others wait.
struct Two {
    places: Semaphore,
    begun: AtomicUsize,
}

#[async_trait::async_trait]
impl Function<ObjectFinalized> for Two {
    fn name(&self) -> &'static str {
        "two"
    }

    fn at_once(&self) -> Option<NonZeroUsize> {
        NonZeroUsize::new(2)
    }

    async fn handle(&self, _: ObjectFinalized) -> Outcome {
        self.begun.fetch_add(1, Ordering::SeqCst);
        self.places.acquire().await.unwrap().forget();
        Outcome::Done
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_function_does_not_work_on_yet_stays_in_the_queue() {
    let Some(cloud) = cloud().await else { return };
    let (url, queue) = cloud.queue("work", &json!({}));
    for _ in 0..6 {
        queue.send(&notification(&["a"]));
    }
    let function = Arc::new(Two { places: Semaphore::new(0), begun: AtomicUsize::new(0) });
    let handler = Handler::new::<ObjectFinalized>(function.clone(), None);
    let inbox = Arc::new(SqsInbox::new(SqsQueue::new(&cloud.session, url), VISIBILITY_TIMEOUT));
    let counts = || [Messages::InFlight, Messages::Visible].map(|messages| queue.count(messages));
    let begun = || function.begun.load(Ordering::SeqCst) as u64;
    let stop = Arc::new(Notify::new());
    let stopped = stop.clone();
    let limits = WorkerLimits::default();
    let worker = tokio::spawn(async move { worker::run(handler, inbox, limits, stopped.notified()).await });
    for done in [0, 2, 4] {
        let deadline = Instant::now() + Duration::from_mins(1);
        // The answers to those before are on their way for a moment, and who has a message has not yet begun with it.
        while (counts(), begun()) != ([2, 4 - done], done + 2) && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(counts(), [2, 4 - done], "in hand and left, after {done}");
        assert_eq!(begun(), done + 2);
        function.places.add_permits(2);
    }
    stop.notify_one();
    let summary = worker.await.unwrap().unwrap();
    assert_eq!(summary.done, 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_finished_at_the_end_is_given_back() {
    let Some(cloud) = cloud().await else { return };
    let (url, queue) = cloud.queue("work", &json!({}));
    queue.send(&notification(&["stall"]));
    let function = Arc::new(ByKey::retrying(0, Duration::ZERO));
    let handler = Handler::new::<ObjectFinalized>(function.clone(), None);
    let limits = WorkerLimits { drain: Duration::from_millis(50), ..WorkerLimits::default() };
    let in_hand = {
        let function = function.clone();
        async move {
            while function.calls() == 0 {
                tokio::task::yield_now().await;
            }
        }
    };
    let inbox = Arc::new(SqsInbox::new(SqsQueue::new(&cloud.session, url), VISIBILITY_TIMEOUT));
    worker::run(handler, inbox, limits, in_hand).await.unwrap();
    let left = queue.receive(10);
    assert_eq!(left.len(), 1, "visible again, long before its visibility timeout");
    assert_eq!(left[0].deliveries, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_kept_for_as_long_as_its_handling_takes() {
    let Some(cloud) = cloud().await else { return };
    let (url, queue) = cloud.queue("work", &json!({}));
    queue.send(&notification(&["gate"]));
    let timeout = Duration::from_secs(20);
    let inbox = SqsInbox::new(SqsQueue::new(&cloud.session, url), timeout);
    let delivery = inbox.receive(1).await.unwrap().pop().unwrap();
    // The queue gives it to somebody else when the timeout is over, so time itself is what this is about.
    tokio::time::sleep(timeout + Duration::from_secs(4)).await;
    assert!(queue.receive(10).is_empty(), "it is in hand, and visible to others");
    delivery.done().await.unwrap();
    inbox.close().await;
    assert_eq!(queue.count(Messages::Visible) + queue.count(Messages::InFlight), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_cannot_be_reached_does_not_hold_up_the_end() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let options = S3Options {
        endpoint_url: Some(format!("http://{nobody}").parse().unwrap()),
        region: Some(REGION.to_owned()),
        credentials: Some(Credentials { access_key_id: "a".to_owned(), secret_access_key: "b".to_owned() }),
        ..S3Options::default()
    };
    let session = Session::new(options).await.unwrap();
    let queue = SqsQueue::new(&session, format!("http://{nobody}/{ACCOUNT}/work").parse().unwrap());
    let error = queue.receive(1, Duration::ZERO).await.unwrap_err();
    assert_eq!(error.kind(), framepost_ports::ErrorKind::Transport);
    let handler = Handler::new::<ObjectFinalized>(Arc::new(ByKey::retrying(0, Duration::ZERO)), None);
    let inbox = Arc::new(SqsInbox::new(queue, VISIBILITY_TIMEOUT));
    worker::run(handler, inbox, WorkerLimits::default(), std::future::ready(())).await.unwrap();
}
