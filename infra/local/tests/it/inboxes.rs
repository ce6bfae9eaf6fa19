//! Each subscriber receives every message of its topics at least once, also across
//! a restart and between processes.

use async_trait::async_trait;
use framepost_events::record::{ObjectRejected, Record, RejectReason};
use framepost_events::{ObjectFinalized, envelope, finalized};
use framepost_local::{LocalBucket, LocalInbox};
use framepost_ports::contract::{self, InboxSubject, Listener, Waits};
use framepost_ports::{
    Bus as _, DeadLetter, DeadLetters as _, Delivery, ErrorKind, Inbox, Keys, NewObject, ObjectSink as _, Reason,
    Records, Topic,
};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

async fn open(dir: &Path) -> LocalBucket {
    LocalBucket::open(dir.join("footage")).await.unwrap()
}

async fn put(bucket: &LocalBucket, key: &str) {
    bucket.put(&NewObject::of_bytes(key, "", key.to_owned())).await.unwrap();
}

async fn objects(bucket: &LocalBucket, name: &str) -> LocalInbox {
    bucket.inboxes().subscribe(name, vec![Topic::ObjectFinalized(Keys::default())]).await.unwrap()
}

fn event(delivery: &Delivery) -> ObjectFinalized {
    match finalized::parse(&delivery.message.body).unwrap().remove(0) {
        finalized::Notice::Finalized(event) => event,
        other => panic!("{other:?}"),
    }
}

async fn one(inbox: &LocalInbox) -> Delivery {
    tokio::time::timeout(Duration::from_secs(30), inbox.receive(1)).await.expect("a message").unwrap().remove(0)
}

fn record(key: &str) -> Record {
    let event = ObjectFinalized {
        provider: finalized::Provider::Local,
        bucket: "footage".to_owned(),
        key: key.to_owned(),
        version: "1".to_owned(),
        size: None,
        time: "2026-11-20T15:08:27Z".parse().unwrap(),
        media_link: None,
        region: None,
        read_version: None,
    };
    let rejected = ObjectRejected::new(RejectReason::NotMedia, "junk", &event);
    Record::about(&(&event).into(), event.time, rejected)
}

struct Subject {
    bucket: LocalBucket,
    inbox: Mutex<Option<LocalInbox>>,
}

#[async_trait]
impl InboxSubject for Subject {
    async fn send(&self, body: &str) {
        // The body of a record's message is the record; the suite's bodies travel as its detail.
        let record = record(body);
        self.bucket.inboxes().publish(&record).await.unwrap();
    }

    async fn open(&self) -> Arc<dyn Inbox> {
        self.inbox.lock().unwrap().take();
        let topics = vec![Topic::Record(Records::of_types([record("x").data.event_type()]))];
        let inbox = self.bucket.inboxes().subscribe("suite", topics).await.unwrap();
        *self.inbox.lock().unwrap() = Some(inbox.clone());
        Arc::new(KeyOf(inbox))
    }

    fn waits(&self) -> Waits {
        Waits::AsAsked
    }
}

/// An inbox of records that shows the suite the bodies which it sent: a record's key holds them.
struct KeyOf(LocalInbox);

#[async_trait]
impl Inbox for KeyOf {
    async fn receive(&self, max: usize) -> framepost_ports::Result<Vec<Delivery>> {
        let mut received = self.0.receive(max).await?;
        for delivery in &mut received {
            let envelope::Carried::Record(record) = envelope::parse(&delivery.message.body).unwrap() else {
                panic!("{delivery:?}")
            };
            delivery.message.body = record.data.object().key.clone().into();
        }
        Ok(received)
    }

    async fn close(&self) {
        self.0.close().await;
    }
}

#[tokio::test]
async fn an_inbox_keeps_the_contract() {
    let dir = tempfile::tempdir().unwrap();
    let subject = Subject { bucket: open(dir.path()).await, inbox: Mutex::default() };
    contract::inbox(&subject).await;
}

struct Heard {
    inbox: LocalInbox,
    records: Mutex<Vec<Record>>,
}

#[async_trait]
impl Listener for Heard {
    async fn heard(&self) -> Vec<Record> {
        let received = tokio::time::timeout(Duration::from_millis(20), self.inbox.receive(10)).await;
        for delivery in received.map_or_else(|_| Vec::new(), Result::unwrap) {
            let envelope::Carried::Record(record) = envelope::parse(&delivery.message.body).unwrap() else {
                panic!("{delivery:?}")
            };
            self.records.lock().unwrap().push(*record);
            delivery.done().await.unwrap();
        }
        self.records.lock().unwrap().clone()
    }
}

#[tokio::test]
async fn inboxes_are_a_bus() {
    let dir = tempfile::tempdir().unwrap();
    let inboxes = open(dir.path()).await.inboxes();
    let topics = vec![Topic::Record(Records::of_types([record("x").data.event_type()]))];
    let inbox = inboxes.subscribe("listener", topics).await.unwrap();
    contract::bus(&inboxes, &Heard { inbox, records: Mutex::default() }).await;
}

#[tokio::test]
async fn each_subscriber_hears_of_what_it_subscribed_to() {
    let dir = tempfile::tempdir().unwrap();
    let bucket = open(dir.path()).await;
    let inboxes = bucket.inboxes();
    let probe = objects(&bucket, "probe").await;
    let audit = objects(&bucket, "audit").await;
    let rejected = record("x").data.event_type().to_owned();
    let infer = inboxes.subscribe("infer", vec![Topic::Record(Records::of_types([rejected]))]).await.unwrap();
    let other =
        inboxes.subscribe("other", vec![Topic::Record(Records::of_types(["io.framepost.other.v1"]))]).await.unwrap();
    put(&bucket, "a").await;
    inboxes.publish(&record("b")).await.unwrap();
    assert_eq!((probe.len(), audit.len(), infer.len(), other.len()), (1, 1, 1, 0));
    for inbox in [&probe, &audit] {
        let delivery = one(inbox).await;
        let event = event(&delivery);
        assert_eq!((event.key.as_str(), event.bucket.as_str(), event.size), ("a", "footage", Some(1)));
        delivery.done().await.unwrap();
    }
    assert_eq!(infer.len(), 1, "what one subscriber deals with stays with the others");
    one(&infer).await.done().await.unwrap();
    inboxes.drained().await;
}

#[tokio::test]
async fn what_was_not_done_comes_again_after_a_restart_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let bucket = open(dir.path()).await;
    let inbox = objects(&bucket, "probe").await;
    for key in ["a", "b", "c"] {
        put(&bucket, key).await;
    }
    let first = one(&inbox).await;
    assert_eq!((event(&first).key.as_str(), first.message.deliveries), ("a", Some(1)));
    first.done().await.unwrap();
    drop(one(&inbox).await);
    drop((bucket, inbox));

    let bucket = open(dir.path()).await;
    // These messages arrive while no taker is running.
    put(&bucket, "d").await;
    let inbox = objects(&bucket, "probe").await;
    for key in ["b", "c", "d"] {
        let delivery = one(&inbox).await;
        assert_eq!(event(&delivery).key, key);
        delivery.done().await.unwrap();
    }
    bucket.inboxes().drained().await;
    assert!(inbox.is_empty());
}

#[tokio::test]
async fn messages_of_another_opening_are_found() {
    let dir = tempfile::tempdir().unwrap();
    let taker = open(dir.path()).await;
    let inbox = objects(&taker, "probe").await;
    // Opens the bucket again, as another process would, so that nothing in memory is shared.
    let writer = open(dir.path()).await;
    let waiting = tokio::spawn({
        let inbox = inbox.clone();
        async move { one(&inbox).await }
    });
    put(&writer, "a").await;
    assert_eq!(event(&waiting.await.unwrap()).key, "a");
    let refused = writer.inboxes().subscribe("probe", vec![Topic::ObjectFinalized(Keys::default())]).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Busy);
    let late = objects(&writer, "late").await;
    put(&taker, "b").await;
    assert_eq!(event(&one(&late).await).key, "b", "a subscription of another process counts at once");
}

#[tokio::test]
async fn a_subscription_that_ended_hears_nothing_and_keeps_what_waits() {
    let dir = tempfile::tempdir().unwrap();
    let bucket = open(dir.path()).await;
    let inbox = objects(&bucket, "probe").await;
    put(&bucket, "a").await;
    drop(inbox);
    bucket.inboxes().unsubscribe("probe").await.unwrap();
    put(&bucket, "b").await;
    let inbox = objects(&bucket, "probe").await;
    assert_eq!(inbox.len(), 1);
    assert_eq!(event(&one(&inbox).await).key, "a");
}

#[tokio::test]
async fn a_parked_message_lies_with_its_reason_once() {
    let dir = tempfile::tempdir().unwrap();
    let bucket = open(dir.path()).await;
    let inbox = objects(&bucket, "probe").await;
    put(&bucket, "a").await;
    let delivery = one(&inbox).await;
    let letter = DeadLetter {
        id: delivery.message.id.clone(),
        function: "probe",
        reason: Reason::new("not-media", "it begins like a picture"),
        attributes: Vec::new(),
        body: delivery.message.body.clone(),
    };
    for _ in 0..2 {
        inbox.park(&letter).await.unwrap();
    }
    delivery.done().await.unwrap();
    let dead: Vec<_> = std::fs::read_dir(dir.path().join("footage/.framepost/inboxes/probe/dead")).unwrap().collect();
    assert_eq!(dead.len(), 1);
    let letter = std::fs::read_to_string(dead[0].as_ref().unwrap().path()).unwrap();
    assert!(letter.contains("\"not-media\"") && letter.contains("footage"), "{letter}");
}

#[tokio::test]
async fn a_file_that_is_no_event_is_handed_out_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let bucket = open(dir.path()).await;
    let inbox = objects(&bucket, "probe").await;
    put(&bucket, "a").await;
    drop((bucket, inbox));
    std::fs::write(dir.path().join("footage/.framepost/inboxes/probe/waiting/0000-0-0.json"), "{").unwrap();
    let inbox = objects(&open(dir.path()).await, "probe").await;
    assert_eq!(inbox.len(), 2);
    assert_eq!(one(&inbox).await.message.body, "{".as_bytes());
}

#[tokio::test]
async fn names_that_are_no_files_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let inboxes = open(dir.path()).await.inboxes();
    for name in ["", ".tmp", "../x", "a/b", "-x", "Probe", &"x".repeat(64)] {
        let error = inboxes.subscribe(name, vec![Topic::ObjectFinalized(Keys::default())]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_takers_take_each_message_once() {
    let dir = tempfile::tempdir().unwrap();
    let bucket = open(dir.path()).await;
    let inbox = objects(&bucket, "probe").await;
    let taken = Arc::new(Mutex::new(vec![]));
    let takers: Vec<_> = (0..4)
        .map(|_| {
            let inbox = inbox.clone();
            let taken = taken.clone();
            tokio::spawn(async move {
                loop {
                    for delivery in inbox.receive(3).await.unwrap() {
                        taken.lock().unwrap().push(event(&delivery).key);
                        delivery.done().await.unwrap();
                    }
                }
            })
        })
        .collect();
    let keys: Vec<String> = (0..20).map(|n| format!("k/{n:02}")).collect();
    for key in &keys {
        put(&bucket, key).await;
    }
    bucket.inboxes().drained().await;
    takers.iter().for_each(tokio::task::JoinHandle::abort);
    let mut taken = taken.lock().unwrap().clone();
    taken.sort();
    assert_eq!(taken, keys);
}
