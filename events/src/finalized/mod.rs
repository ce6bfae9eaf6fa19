//! "This object is complete": one shape for every sender. "It is gone" comes the same ways: see [`removed`](crate::removed).
//!
//! | sender | what it sends | file |
//! |---|---|---|
//! | S3, and stores that speak its protocol | event notification 2.x, `s3:TestEvent` | `s3` |
//! | SNS | either of the AWS shapes as a text in `Message` | `sns` |
//! | EventBridge | `Object Created` and `Object Deleted` of `aws.s3` | `eventbridge` |
//! | Cloud Storage | Pub/Sub notification: attributes and the object resource | `gcs` |
//! | Pub/Sub | that one pulled, pushed in an envelope, or pushed unwrapped | `pubsub` |
//! | Eventarc | CloudEvents, direct or around a Pub/Sub message, binary or structured | `cloudevent` |
//! | Framepost on one machine | a CloudEvent around [`ObjectFinalized`] or [`ObjectRemoved`](crate::ObjectRemoved) | `local` |
//!
//! Invariants: the sender is recognised by fields that only it writes, before anything else is parsed, so
//! that an error always names that sender. A message is parsed completely or fails: invalid input is an
//! [`Error`], and a valid message that requires no action is [`Notice::Ignored`]. Unknown fields are ignored.
//! No input causes a panic.
//!
//! Delivery is at least once and unordered. [`ObjectFinalized::identity`] identifies the work.

mod cloudevent;
mod eventbridge;
mod gcs;
pub(crate) mod json;
mod local;
mod notice;
mod pubsub;
mod s3;
mod sender;
mod sns;

use crate::Error;
use sender::Sender;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

pub use crate::object::{ObjectFinalized, Provider};
pub use local::EVENT_TYPE as FINALIZED_EVENT_TYPE;
pub use notice::{IgnoreCode, Notice};

/// Parses a message whose body contains the whole event: an SQS body, an EventBridge event, a Pub/Sub push
/// envelope, a CloudEvent in structured mode.
pub fn parse(body: &[u8]) -> Result<Vec<Notice>, Error> {
    let message = json::object(body).map_err(Error::Event)?;
    let one = |notice: Result<Notice, Error>| notice.map(|notice| vec![notice]);
    match Sender::of(&message) {
        Some(Sender::S3) => s3::records(message),
        Some(Sender::S3Test) => one(s3::test_event(&message)),
        Some(Sender::Sns) => sns::message(message),
        Some(Sender::EventBridge) => one(eventbridge::event(message)),
        Some(Sender::Gcs) => one(gcs::resource(message)),
        Some(Sender::PubSubPush) => one(pubsub::push(message)),
        Some(Sender::PubSubMessage) => one(pubsub::message(message)),
        Some(Sender::CloudEvent) => one(cloudevent::structured(message)),
        None => Err(Error::Event(unknown(&message))),
    }
}

/// Parses an HTTP request: a CloudEvent in binary mode (`ce-…` headers), a Pub/Sub push without envelope
/// (attributes as headers), or one whose body contains the whole event. Header names may have any letter case.
pub fn parse_http<'a, I>(headers: I, body: &[u8]) -> Result<Vec<Notice>, Error>
where
    I: IntoIterator<Item = (&'a str, &'a str)>,
{
    let headers: BTreeMap<String, &str> =
        headers.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect();
    let content_type = headers.get("content-type").map(|value| value.to_ascii_lowercase()).unwrap_or_default();
    if content_type.starts_with("application/cloudevents-batch") {
        return Err(Sender::CloudEvent.error("batched mode is not supported"));
    }
    if content_type.starts_with("application/cloudevents") {
        return parse(body);
    }
    if headers.contains_key("ce-specversion") {
        return cloudevent::binary(&headers, body).map(|notice| vec![notice]);
    }
    let unwrapped = headers.contains_key("eventtype") && headers.contains_key("bucketid");
    if unwrapped || headers.contains_key("x-goog-pubsub-message-id") {
        return parse_pubsub(headers.iter().map(|(name, value)| (name.as_str(), *value)), body);
    }
    parse(body)
}

/// Parses a pulled Pub/Sub message: its attributes, and its data decoded from base64.
pub fn parse_pubsub<'a, I>(attributes: I, data: &[u8]) -> Result<Vec<Notice>, Error>
where
    I: IntoIterator<Item = (&'a str, &'a str)>,
{
    gcs::notification(&gcs::Attributes::read(attributes)?, data, None).map(|notice| vec![notice])
}

/// Describes a message of an unknown sender by the names of its fields.
fn unknown(message: &Map<String, Value>) -> String {
    let mut names: Vec<String> = message.keys().take(8).map(|name| name.chars().take(40).collect()).collect();
    if message.len() > names.len() {
        names.push("…".to_owned());
    }
    format!("no known sender writes an object with the fields [{}]", names.join(", "))
}
