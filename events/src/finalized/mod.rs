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
//! | Framepost on one machine | a CloudEvent around [`ObjectFinalized`] or [`ObjectRemoved`] | `local` |
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
mod pubsub;
mod s3;
mod sns;

use crate::{Error, ObjectRemoved};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

pub use local::EVENT_TYPE as FINALIZED_EVENT_TYPE;

/// The cloud that stores the bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// Amazon S3, or a store with its protocol.
    S3,
    /// Cloud Storage by Google.
    Gcs,
    /// A directory on this machine.
    Local,
}

impl std::fmt::Display for Provider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::S3 => "s3",
            Self::Gcs => "gcs",
            Self::Local => "local",
        })
    }
}

/// An object that is complete and will not change under this version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ObjectFinalized {
    /// The cloud that stores the bucket.
    pub provider: Provider,
    /// Name of the bucket.
    pub bucket: String,
    /// Key of the object, decoded.
    pub key: String,
    /// S3: the versionId, otherwise the sequencer (normalised); GCS: `generation.metageneration`; local:
    /// the start of the digest.
    pub version: String,
    /// Size in bytes, if the sender provides it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// When the object became complete.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub time: Timestamp,
    /// A link to the bytes, if the sender provides one (GCS `mediaLink`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_link: Option<String>,
    /// The bucket's region, if the sender provides it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The part of `version` with which this exact object can be read again: S3's versionId, GCS's generation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_version: Option<String>,
}

impl ObjectFinalized {
    /// Returns the identity of the work for this event, which is the same for every redelivery.
    pub fn identity(&self) -> String {
        format!("{}/{}/{}@{}", self.provider, self.bucket, self.key, self.version)
    }

    /// Returns the event, unless bucket, key or version are invalid.
    fn checked(self, sender: Sender) -> Result<Notice, Error> {
        named(&self.bucket, &self.key, &self.version).map_err(|rule| sender.error(rule))?;
        Ok(Notice::Finalized(self))
    }
}

impl ObjectRemoved {
    /// The event, unless it names no object at all.
    fn checked(self, sender: Sender) -> Result<Notice, Error> {
        named(&self.bucket, &self.key, self.version.as_ref().unwrap_or(&self.sequence))
            .map_err(|rule| sender.error(rule))?;
        Ok(Notice::Removed(self))
    }
}

/// Whether these name an object; an error says what is missing.
fn named(bucket: &str, key: &str, version: &str) -> Result<(), &'static str> {
    match () {
        () if bucket.is_empty() => Err("the bucket's name is empty"),
        // A bucket's name never holds a slash; one that does could pass itself off as another bucket's object.
        () if bucket.contains('/') => Err("the bucket's name holds a slash"),
        () if key.is_empty() => Err("the object's key is empty"),
        () if version.is_empty() => Err("the object's version is empty"),
        () => Ok(()),
    }
}

/// The result of parsing a message about one object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Notice {
    /// The message reports a new object.
    Finalized(ObjectFinalized),
    /// An object, or a version of one, is gone.
    Removed(ObjectRemoved),
    /// The message is sound and there is nothing to do: acknowledge it.
    Ignored {
        /// The reason, for counters.
        code: IgnoreCode,
        /// The reason, for people.
        detail: String,
    },
}

impl Notice {
    fn ignored(code: IgnoreCode, detail: impl Into<String>) -> Self {
        Self::Ignored { code, detail: detail.into() }
    }
}

/// Why a valid message requires no action. The words are stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IgnoreCode {
    /// S3 tests a notification that was just configured.
    TestEvent,
    /// SNS asks its subscriber to confirm. Whoever runs the endpoint must answer that.
    SubscriptionConfirmation,
    /// An object, or a version of one, is gone, and that is not asked for, or nothing more is known of it.
    Deleted,
    /// A version of an object is no longer the live one, and that is not asked for.
    Archived,
    /// Metadata, tags or permissions changed, but not the bytes.
    MetadataUpdate,
    /// An audit log entry, which says who sent a request, not that the object is complete.
    AuditLog,
    /// Another kind of event of a known sender.
    OtherEvent,
}

impl IgnoreCode {
    /// Returns the word for logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TestEvent => "test-event",
            Self::SubscriptionConfirmation => "subscription-confirmation",
            Self::Deleted => "deleted",
            Self::Archived => "archived",
            Self::MetadataUpdate => "metadata-update",
            Self::AuditLog => "audit-log",
            Self::OtherEvent => "other-event",
        }
    }
}

impl std::fmt::Display for IgnoreCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The sender of a message, recognised by fields that only this sender writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sender {
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
    fn of(message: &Map<String, Value>) -> Option<Self> {
        let has = |name: &str| message.contains_key(name);
        let object = |name: &str| message.get(name).is_some_and(Value::is_object);
        match () {
            () if has("specversion") => Some(Self::CloudEvent),
            () if has("Type") && has("TopicArn") => Some(Self::Sns),
            () if has("detail-type") => Some(Self::EventBridge),
            () if has("Records") => Some(Self::S3),
            () if has("Event") && has("Service") => Some(Self::S3Test),
            () if object("message") => Some(Self::PubSubPush),
            () if gcs::is_resource(message) => Some(Self::Gcs),
            () if object("attributes") || has("messageId") || has("message_id") => Some(Self::PubSubMessage),
            () => None,
        }
    }

    fn error(self, what: impl std::fmt::Display) -> Error {
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
