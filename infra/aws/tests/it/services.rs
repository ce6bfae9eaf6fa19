//! EventBridge, DynamoDB and SQS against moto: the contract suites, and behaviour that only moto can show.

#![cfg(feature = "functions")]

use async_trait::async_trait;
use bytes::Bytes;
use framepost_aws::{
    Credentials, DynamoLedger, EventBridgeBus, S3Listing, S3Options, Session, SqsDeadLetters, SqsFeed, SqsInbox,
    SqsQueue,
};
use framepost_events::envelope::{self, Carried};
use framepost_events::finalized::{self, Notice, ObjectFinalized, Provider};
use framepost_events::record::{ObjectRejected, Record, RejectReason};
use framepost_ports::contract::{self, InboxSubject, Listener, Waits};
use framepost_ports::{
    Bus as _, DeadLetter, DeadLetters as _, ErrorKind, Feed as _, Given, Inbox, LedgerStore as _, ObjectListing as _,
    Reason,
};
use framepost_tests::aws::account::Account;
use framepost_tests::aws::moto::{self, Moto};
use framepost_tests::aws::queue::Queue;
use framepost_tests::aws::{ACCOUNT, REGION};
use serde_json::json;
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub(crate) struct Cloud {
    /// Stops the server when dropped.
    _moto: Moto,
    pub(crate) account: Account,
    pub(crate) options: S3Options,
    pub(crate) session: Session,
}

pub(crate) async fn cloud() -> Option<Cloud> {
    let Some(python) = moto::python() else {
        framepost_tests::skip("there is no moto; `tests/run setup` installs it");
        return None;
    };
    let moto = Moto::start(&python);
    let options = S3Options {
        endpoint_url: Some(moto.url().parse().unwrap()),
        region: Some(REGION.to_owned()),
        credentials: Some(Credentials {
            access_key_id: "administrator".to_owned(),
            secret_access_key: "any".to_owned(),
        }),
        ..S3Options::default()
    };
    let session = Session::new(options.clone()).await.unwrap();
    let account = Account::of(&moto);
    Some(Cloud { _moto: moto, account, options, session })
}

impl Cloud {
    fn queue(&self, name: &str) -> (url::Url, Queue) {
        let made = self.account.json("sqs", "AmazonSQS.CreateQueue", &json!({ "QueueName": name }));
        let url = made["QueueUrl"].as_str().unwrap();
        (url.parse().unwrap(), Queue::at(&self.account, url))
    }
}

/// A queue that a rule of the bus fills, like that of any subscriber.
struct Subscriber {
    queue: Queue,
    heard: Mutex<Vec<Record>>,
}

#[async_trait]
impl Listener for Subscriber {
    async fn heard(&self) -> Vec<Record> {
        let mut heard = self.heard.lock().unwrap();
        for message in self.queue.take() {
            let envelope: serde_json::Value = serde_json::from_str(&message.body).unwrap();
            assert_eq!(envelope["source"], "framepost.probe");
            assert_eq!(envelope["detail-type"], envelope["detail"]["type"]);
            match envelope::parse(message.body.as_bytes()).unwrap() {
                Carried::Record(record) => heard.push(*record),
                Carried::Ignored { detail, .. } => panic!("{detail}"),
            }
        }
        heard.clone()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn eventbridge_keeps_the_contract_of_a_bus() {
    let Some(cloud) = cloud().await else { return };
    let (_, queue) = cloud.queue("subscriber");
    let arn = format!("arn:aws:sqs:{REGION}:{ACCOUNT}:subscriber");
    cloud.account.json("events", "AWSEvents.CreateEventBus", &json!({ "Name": "records" }));
    let rule = json!({ "Name": "all", "EventBusName": "records",
        "EventPattern": r#"{"source":[{"prefix":"framepost."}]}"# });
    let made = cloud.account.json("events", "AWSEvents.PutRule", &rule);
    let policy = json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Action": "sqs:SendMessage",
        "Principal": { "Service": "events.amazonaws.com" }, "Resource": arn,
        "Condition": { "ArnEquals": { "aws:SourceArn": made["RuleArn"] } } }] });
    let attributes = json!({ "QueueUrl": queue_url(&cloud), "Attributes": { "Policy": policy.to_string() } });
    cloud.account.json("sqs", "AmazonSQS.SetQueueAttributes", &attributes);
    let target = json!({ "Rule": "all", "EventBusName": "records", "Targets": [{ "Id": "queue", "Arn": arn }] });
    cloud.account.json("events", "AWSEvents.PutTargets", &target);
    let bus = EventBridgeBus::new(&cloud.session, "records");
    contract::bus(&bus, &Subscriber { queue, heard: Mutex::default() }).await;
}

fn queue_url(cloud: &Cloud) -> String {
    format!("{}/{ACCOUNT}/subscriber", cloud.account.endpoint())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_no_bus_takes_is_invalid() {
    let Some(cloud) = cloud().await else { return };
    let event = ObjectFinalized {
        provider: Provider::S3,
        bucket: "footage".to_owned(),
        key: "junk".to_owned(),
        version: "1".to_owned(),
        size: None,
        time: "2026-11-20T15:08:27Z".parse().unwrap(),
        media_link: None,
        region: None,
        read_version: None,
    };
    let record = |detail: String| {
        let rejected = ObjectRejected::new(RejectReason::NotMedia, detail, &event);
        Record::about(&(&event).into(), event.time, rejected)
    };
    let bus = EventBridgeBus::new(&cloud.session, "default");
    let error = bus.publish(&record("x".repeat(256 * 1024))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{}", framepost_ports::chain(&error));
    bus.publish(&record("x".repeat(200 * 1024))).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn dynamodb_keeps_the_contract_of_a_ledger() {
    let Some(cloud) = cloud().await else { return };
    let table = json!({ "TableName": "claims", "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{ "AttributeName": "work", "AttributeType": "S" }],
        "KeySchema": [{ "AttributeName": "work", "KeyType": "HASH" }] });
    cloud.account.json("dynamodb", "DynamoDB_20120810.CreateTable", &table);
    let ledger = DynamoLedger::new(&cloud.session, "claims");
    contract::ledger(Arc::new(ledger.clone())).await;
    let scan = cloud.account.json("dynamodb", "DynamoDB_20120810.Scan", &json!({ "TableName": "claims", "Limit": 1 }));
    let item = &scan["Items"][0];
    let expires: i64 = item["expires_at"]["N"].as_str().unwrap().parse().unwrap();
    let days = (expires - jiff::Timestamp::now().as_second()) / 86_400;
    assert!((29..=31).contains(&days), "{days} days");
    assert!(["working", "done", "failed"].contains(&item["state"]["S"].as_str().unwrap()), "{item}");
    let nowhere = DynamoLedger::new(&cloud.session, "no-such-table");
    let error = nowhere.read("w").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{}", framepost_ports::chain(&error));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_lies_whole_with_its_reason() {
    let Some(cloud) = cloud().await else { return };
    let (url, queue) = cloud.queue("dead-letters");
    let dead_letters = SqsDeadLetters::new(&cloud.session, url.clone());
    let attributes =
        (0..12).map(|n| (format!("own-{n:02}"), if n == 0 { String::new() } else { format!("value {n}") }));
    let earlier = ("framepost-reason".to_owned(), "of an earlier time".to_owned());
    let letter = DeadLetter {
        id: "1".to_owned(),
        function: "probe",
        reason: Reason::new("not-an-event", "line one\nline \u{0} two"),
        attributes: std::iter::once(earlier).chain(attributes).collect(),
        body: Bytes::from_static("{ \"ä\": <&> }".as_bytes()),
    };
    dead_letters.park(&letter).await.unwrap();
    let messages = queue.take();
    let [message] = &messages[..] else { panic!("{messages:?}") };
    assert_eq!(message.body.as_bytes(), letter.body);
    for (name, value) in [
        ("framepost-function", Some("probe")),
        ("framepost-reason", Some("not-an-event")),
        ("framepost-detail", Some("line one line   two")),
        ("own-00", None),
        ("own-01", Some("value 1")),
        ("own-07", Some("value 7")),
        ("own-08", None),
    ] {
        assert_eq!(message.attribute(name), value, "{name}");
    }
    let gone = format!("{}/{ACCOUNT}/no-such-queue", cloud.account.endpoint());
    let error = SqsDeadLetters::new(&cloud.session, gone.parse().unwrap()).park(&letter).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{}", framepost_ports::chain(&error));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_gives_hides_and_forgets() {
    let Some(cloud) = cloud().await else { return };
    let (url, sender) = cloud.queue("work");
    let queue = SqsQueue::new(&cloud.session, url);
    let ids: Vec<String> = (0..12).map(|n| sender.send(&format!("body {n}"))).collect();
    let mut received = Vec::new();
    while received.len() < ids.len() {
        received.extend(queue.receive(10, Duration::from_mins(5)).await.unwrap());
    }
    let mut came: Vec<&str> = received.iter().map(|message| message.id.as_str()).collect();
    came.sort_unstable();
    let mut sent: Vec<&str> = ids.iter().map(String::as_str).collect();
    sent.sort_unstable();
    assert_eq!(came, sent, "each once while it is hidden");
    let receipts: Vec<_> = received.iter().map(|message| message.receipt.clone()).collect();
    queue.delete(&receipts[..11]).await.unwrap();
    queue.hide(&[(receipts[11].clone(), Duration::ZERO)]).await.unwrap();
    let again = queue.receive(10, Duration::from_mins(5)).await.unwrap();
    assert_eq!(again.len(), 1);
    assert_eq!((&again[0].id, &again[0].body), (&received[11].id, &received[11].body));
}

struct Inboxes {
    queue: SqsQueue,
    sender: Queue,
}

#[async_trait]
impl InboxSubject for Inboxes {
    async fn send(&self, body: &str) {
        let body = body.to_owned();
        tokio::task::block_in_place(|| self.sender.send(&body));
    }

    async fn open(&self) -> Arc<dyn Inbox> {
        Arc::new(SqsInbox::new(self.queue.clone(), Duration::from_mins(1)))
    }

    fn waits(&self) -> Waits {
        Waits::AsAsked
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_is_an_inbox() {
    let Some(cloud) = cloud().await else { return };
    let (url, sender) = cloud.queue("inbox");
    contract::inbox(&Inboxes { queue: SqsQueue::new(&cloud.session, url), sender }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_of_the_past_are_listed_by_key_and_given_to_a_function_s_queue() {
    let Some(cloud) = cloud().await else { return };
    let configuration = format!(
        "<CreateBucketConfiguration><LocationConstraint>{REGION}</LocationConstraint></CreateBucketConfiguration>"
    );
    for bucket in ["plain", "versions"] {
        cloud.account.s3("PUT", &format!("/{bucket}"), &[], configuration.as_bytes()).expect(bucket);
    }
    let versioning = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    cloud.account.s3("PUT", "/versions?versioning", &[], versioning).expect("versions");
    let mut expected: Vec<String> = (0..25).map(|n| format!("site/2026-11-20/gate/15/08-{n:02}Z.{n}.mp4")).collect();
    for bucket in ["plain", "versions"] {
        for key in &expected {
            cloud.account.put_new(bucket, key, b"video");
        }
        cloud.account.put_new(bucket, "other/x", b"");
        // Older versions and delete markers are not objects.
        cloud.account.s3("PUT", &format!("/{bucket}/{}", expected[3]), &[], b"longer video").expect("another version");
        cloud.account.s3("DELETE", &format!("/{bucket}/{}", expected[7]), &[], b"").expect("a marker");
    }
    expected.remove(7);
    for bucket in ["plain", "versions"] {
        let listing = S3Listing::new(&cloud.session, bucket).unwrap();
        let mut events: Vec<ObjectFinalized> = Vec::new();
        loop {
            let after = events.last().map(|event| event.key.clone()).unwrap_or_default();
            let page = listing.list("site/", &after, 7).await.unwrap();
            assert!(page.len() <= 7);
            if page.is_empty() {
                break;
            }
            events.extend(page);
        }
        let keys: Vec<&str> = events.iter().map(|event| event.key.as_str()).collect();
        assert_eq!(keys, expected, "{bucket}");
        assert_eq!(events[3].size, Some(12));
        assert_eq!(events[0].read_version.is_some(), bucket == "versions");
        if bucket == "versions" {
            let head = cloud.account.s3("HEAD", &format!("/{bucket}/{}", expected[3]), &[], b"").expect("it is there");
            let version = head.headers.iter().find(|(name, _)| name == "x-amz-version-id").map(|(_, id)| id.clone());
            assert_eq!(version.as_ref(), Some(&events[3].version), "the identity is that of the object's own event");
        }
        let (_, queue) = cloud.queue(&format!("framepost-{bucket}"));
        let feed = SqsFeed::of_name(&cloud.session, &format!("framepost-{bucket}")).await.unwrap();
        let given: Vec<Given> = events.iter().cloned().map(Given::Object).collect();
        feed.give(&given).await.unwrap();
        let mut came: Vec<ObjectFinalized> = queue
            .take()
            .iter()
            .map(|message| match &finalized::parse(message.body.as_bytes()).unwrap()[..] {
                [Notice::Finalized(event)] => event.clone(),
                other => panic!("{other:?}"),
            })
            .collect();
        came.sort_by(|a, b| a.key.cmp(&b.key));
        assert_eq!(came, events, "every function reads them as any other sender's");
    }
    let error = SqsFeed::of_name(&cloud.session, "framepost-nobody").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error:?}");
}
