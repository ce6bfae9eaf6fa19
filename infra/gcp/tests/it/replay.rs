//! What `framepost replay` needs of Google Cloud, against fake-gcs-server and pstest.

#![cfg(feature = "functions")]

use framepost_events::ObjectFinalized;
use framepost_events::finalized::{self, Notice};
use framepost_events::record::Record;
use framepost_gcp::{GcsListing, GoogleOptions, PubSubFeed};
use framepost_ports::{ErrorKind, Feed as _, Given, ObjectListing as _, chain};
use framepost_tests::google_emulators::{GoogleEmulators, Message};
use std::time::Duration;

fn options(endpoint: &str) -> GoogleOptions {
    GoogleOptions { endpoint: Some(endpoint.parse().expect("a URL")) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_is_listed_by_key_and_an_object_told_as_it_was_told() {
    let Some(google) = GoogleEmulators::start() else { return };
    let bucket = google.bucket();
    let topic = google.topic();
    let subscription = google.subscription(&topic, 60);
    google.notify(&bucket, &topic);
    let mut keys: Vec<String> = (0..23).map(|n| format!("site/{n:02} ä+b&c=d.mp4")).collect();
    keys.extend(["other/a".to_owned(), "site.x/a".to_owned(), "sitf".to_owned()]);
    for key in &keys {
        google.overwrite(&bucket, key, "video/mp4", b"bytes");
    }
    let listing = GcsListing::new(&bucket, &options(&google.storage)).expect("a client");
    let mut listed = Vec::new();
    loop {
        let after = listed.last().map_or(String::new(), |event: &ObjectFinalized| event.key.clone());
        let page = listing.list("site/", &after, 7).await.expect("listed");
        let is_last = page.len() < 7;
        listed.extend(page);
        if is_last {
            break;
        }
    }
    let expected: Vec<&str> = keys[..23].iter().map(String::as_str).collect();
    assert_eq!(listed.iter().map(|event| event.key.as_str()).collect::<Vec<_>>(), expected);
    assert_eq!(listing.list("", "", 100).await.expect("listed").len(), keys.len());
    assert!(listing.list("nothing/", "", 7).await.expect("listed").is_empty());

    // The event that told of each object when it was put.
    let told = google.drain(&subscription, Duration::from_secs(30), |messages| messages.len() == keys.len());
    for event in &listed {
        let of_this = |message: &&Message| message.attributes["objectId"] == event.key;
        let first = parsed(told.iter().find(of_this).expect("it was told"));
        assert_eq!((first.identity(), first.size), (event.identity(), event.size));
        assert_eq!(first.read_version, event.read_version);
    }

    // Given again, it is told the same.
    let feed = PubSubFeed::connect(&topic, &options(&google.pubsub)).await.expect("connected");
    let record: Record =
        serde_json::from_str(include_str!("../../../../events/samples/records/chunk-probed.json")).expect("a record");
    let given: Vec<Given> =
        listed.iter().cloned().map(Given::Object).chain([Given::Record(Box::new(record.clone()))]).collect();
    feed.give(&given).await.expect("given");
    let told = google.drain(&subscription, Duration::from_secs(30), |messages| messages.len() == given.len());
    let (records, objects): (Vec<Message>, Vec<Message>) =
        told.into_iter().partition(|message| message.attributes.contains_key("ce-type"));
    let mut again: Vec<String> = objects.iter().map(|message| parsed(message).identity()).collect();
    again.sort();
    let mut expected: Vec<String> = listed.iter().map(ObjectFinalized::identity).collect();
    expected.sort();
    assert_eq!(again, expected);
    assert_eq!(serde_json::from_slice::<Record>(&records[0].data).expect("a record"), record);
}

fn parsed(message: &Message) -> ObjectFinalized {
    let attributes = message.attributes.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    match finalized::parse_pubsub(attributes, &message.data).expect("an event").remove(0) {
        Notice::Finalized(event) => event,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_told() {
    let Some(google) = GoogleEmulators::start() else { return };
    let listing = GcsListing::new("no-such-bucket", &options(&google.storage)).expect("a client");
    let error = listing.list("", "", 7).await.expect_err("there is no such bucket");
    assert_eq!(error.kind(), ErrorKind::NotFound, "{}", chain(&error));
    let topic = PubSubFeed::topic_of(google.project(), "nobody");
    let feed = PubSubFeed::connect(&topic, &options(&google.pubsub)).await.expect("nothing is asked yet");
    let record = serde_json::from_str(include_str!("../../../../events/samples/records/chunk-probed.json"));
    let error = feed.give(&[Given::Record(Box::new(record.expect("a record")))]).await.expect_err("no such topic");
    assert_eq!(error.kind(), ErrorKind::NotFound, "{}", chain(&error));
}
