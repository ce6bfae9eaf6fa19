//! Records through Pub/Sub, against pstest.

use framepost_events::record::Record;
use framepost_gcp::{GoogleOptions, PubSubBus};
use framepost_ports::{Bus as _, ErrorKind};
use framepost_tests::google_emulators::GoogleEmulators;
use std::time::Duration;

fn record() -> Record {
    serde_json::from_str(include_str!("../../../../events/samples/records/chunk-probed.json")).expect("a record")
}

fn options(google: &GoogleEmulators) -> GoogleOptions {
    GoogleOptions { endpoint: Some(google.pubsub.parse().expect("a URL")) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_arrives_as_a_cloudevent_with_its_attributes() {
    let Some(google) = GoogleEmulators::start() else { return };
    let topic = google.topic();
    let subscription = google.subscription(&topic, 60);
    let bus = PubSubBus::connect(&topic, &options(&google)).await.expect("connected");
    let record = record();
    bus.publish(&record).await.expect("published");
    let [message] = &google.drain(&subscription, Duration::from_secs(30), |found| !found.is_empty())[..] else {
        panic!("one message")
    };
    assert_eq!(serde_json::from_slice::<Record>(&message.data).expect("a record"), record);
    let time = record.time.to_string();
    for (name, value) in [
        ("ce-specversion", "1.0"),
        ("ce-id", &record.id),
        ("ce-type", "io.framepost.chunk.probed.v1"),
        ("ce-source", "framepost/probe"),
        ("ce-time", &time),
        ("content-type", "application/cloudevents+json"),
    ] {
        assert_eq!(message.attributes.get(name).map(String::as_str), Some(value), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_out_of_order_is_asked_again_and_then_told_of() {
    let Some(google) = GoogleEmulators::start() else { return };
    let topic = google.topic();
    let subscription = google.subscription(&topic, 60);
    let bus = PubSubBus::connect(&topic, &options(&google)).await.expect("connected");
    google.fail_next("Publish", 14, 2);
    bus.publish(&record()).await.expect("the third try is answered");
    assert_eq!(google.drain(&subscription, Duration::from_secs(30), |found| !found.is_empty()).len(), 1);
    for (code, kind) in [(14, ErrorKind::Busy), (8, ErrorKind::Busy), (7, ErrorKind::Denied), (3, ErrorKind::Invalid)] {
        google.fail_next("Publish", code, 3);
        let error = bus.publish(&record()).await.expect_err("nothing was published");
        assert_eq!(error.kind(), kind, "{}", framepost_ports::chain(&error));
        assert!(framepost_ports::chain(&error).contains("a fault on purpose"), "{}", framepost_ports::chain(&error));
        google.forget_faults("Publish");
    }
    let nowhere = format!("{topic}-that-is-not-there");
    let bus = PubSubBus::connect(&nowhere, &options(&google)).await.expect("nothing is asked yet");
    let error = bus.publish(&record()).await.expect_err("there is no such topic");
    assert_eq!(error.kind(), ErrorKind::NotFound, "{}", framepost_ports::chain(&error));
}
