//! Who sent a message.

use crate::Error;
use serde_json::{Map, Value};

/// The sender of a message, recognised by fields that only this sender writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sender {
    S3,
    S3Test,
    Sns,
    EventBridge,
    Gcs,
    PubSubPush,
    PubSubMessage,
    CloudEvent,
}

impl Sender {
    /// Returns the sender of a message, if it is a known one.
    pub(super) fn of(message: &Map<String, Value>) -> Option<Self> {
        let has = |name: &str| message.contains_key(name);
        let object = |name: &str| message.get(name).is_some_and(Value::is_object);
        match () {
            () if has("specversion") => Some(Self::CloudEvent),
            () if has("Type") && has("TopicArn") => Some(Self::Sns),
            () if has("detail-type") => Some(Self::EventBridge),
            () if has("Records") => Some(Self::S3),
            () if has("Event") && has("Service") => Some(Self::S3Test),
            () if object("message") => Some(Self::PubSubPush),
            () if is_resource(message) => Some(Self::Gcs),
            () if object("attributes") || has("messageId") || has("message_id") => Some(Self::PubSubMessage),
            () => None,
        }
    }

    pub(super) fn error(self, what: impl std::fmt::Display) -> Error {
        Error::Event(format!("{self}: {what}"))
    }
}

impl std::fmt::Display for Sender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::S3 => "S3 notification",
            Self::S3Test => "S3 test event",
            Self::Sns => "SNS message",
            Self::EventBridge => "EventBridge event",
            Self::Gcs => "Cloud Storage notification",
            Self::PubSubPush => "Pub/Sub push envelope",
            Self::PubSubMessage => "Pub/Sub message",
            Self::CloudEvent => "CloudEvent",
        })
    }
}

/// Returns whether a JSON object is the resource of an object in Cloud Storage ("Objects: resource representations").
pub(super) fn is_resource(object: &Map<String, Value>) -> bool {
    object.get("kind").and_then(Value::as_str) == Some("storage#object")
        || ["bucket", "name", "generation"].iter().all(|name| object.contains_key(*name))
}
