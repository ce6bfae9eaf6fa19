//! Publishes records to a Pub/Sub topic.
//!
//! A message is a CloudEvent in structured mode. Its attributes follow the binary mode of the CloudEvents
//! Pub/Sub binding (`ce-type` …), so that a subscription can filter and a reader need not parse the data first.
//! Each text and each flag at the top level of the record's data is an attribute as well (`data-site`,
//! `data-reason`), for the filters of triggers. A text of more than 1024 bytes, Pub/Sub's limit, is left out.
//!
//! Records published at the same time are sent together; a record waits for others for at most [`LINGER`].
//! Messages have no ordering key: a record states facts about one object, and delivery is at least once and
//! unordered on every bus.

use crate::connect::{CALL_TIMEOUT, GoogleOptions, within};
use crate::error;
use async_trait::async_trait;
use framepost_events::record::Record;
use framepost_ports::{Bus, Error, ErrorKind, Result};
use google_cloud_gax::retry_policy::RetryPolicyExt as _;
use google_cloud_pubsub::client::Publisher;
use google_cloud_pubsub::error::PublishError;
use google_cloud_pubsub::model::Message;
use google_cloud_pubsub::retry_policy::RetryableErrors;
use serde_json::Value;
use std::time::Duration;

/// How long a record waits for others to be sent with.
const LINGER: Duration = Duration::from_millis(5);
/// A connection that was idle may be dead without notice, for example in an instance that was frozen
/// between two requests. The first attempt then only detects that. Subscribers recognise a record that
/// arrives twice by its id.
const ATTEMPTS: u32 = 3;
/// The longest value of an attribute, Pub/Sub's limit.
const ATTRIBUTE_LIMIT_BYTES: usize = 1024;
/// Time limit for all attempts together.
const LIMIT: Duration = Duration::from_secs(20);

/// A Pub/Sub topic for records.
#[derive(Debug, Clone)]
pub struct PubSubBus {
    publisher: Publisher,
    topic: String,
}

impl PubSubBus {
    /// Connects to the topic `projects/P/topics/T`. Sends no request yet.
    pub async fn connect(topic: &str, options: &GoogleOptions) -> Result<Self> {
        Ok(Self { publisher: publisher(topic, options).await?, topic: topic.to_owned() })
    }
}

#[async_trait]
impl Bus for PubSubBus {
    async fn publish(&self, record: &Record) -> Result<()> {
        let message =
            message(record).map_err(|error| Error::new(ErrorKind::Invalid, "publish", &record.id).because(error))?;
        send(&self.publisher, &self.topic, message).await
    }
}

/// Creates a publisher to a topic, without ordering.
pub(crate) async fn publisher(topic: &str, options: &GoogleOptions) -> Result<Publisher> {
    let mut builder = Publisher::builder(topic)
        .with_credentials(options.credentials()?)
        .with_retry_policy(RetryableErrors.with_attempt_limit(ATTEMPTS).with_time_limit(LIMIT))
        .with_grpc_subchannel_count(1)
        .set_delay_threshold(LINGER);
    if let Some(endpoint) = options.endpoint() {
        builder = builder.with_endpoint(endpoint);
    }
    builder.build().await.map_err(|error| Error::new(ErrorKind::Invalid, "connect", topic).because(error))
}

/// Publishes one message. When it returns, the topic has stored the message.
pub(crate) async fn send(publisher: &Publisher, topic: &str, message: Message) -> Result<()> {
    within(CALL_TIMEOUT, "publish", topic, async {
        match publisher.publish(message).await {
            Ok(_id) => Ok(()),
            Err(PublishError::Rpc(error)) => Err(error::of("publish", topic, error)),
            Err(error) => Err(Error::new(ErrorKind::Transport, "publish", topic).because(error)),
        }
    })
    .await
}

/// Returns the message of a record, with its attributes.
pub(crate) fn message(record: &Record) -> serde_json::Result<Message> {
    let data = serde_json::to_value(&record.data)?;
    Ok(Message::new().set_data(serde_json::to_vec(record)?).set_attributes(attributes(record, &data)))
}

fn attributes(record: &Record, data: &Value) -> Vec<(String, String)> {
    let envelope = [
        ("ce-specversion", "1.0".to_owned()),
        ("ce-id", record.id.clone()),
        ("ce-type", record.event_type.clone()),
        ("ce-source", record.source.clone()),
        ("ce-time", record.time.to_string()),
        ("content-type", "application/cloudevents+json".to_owned()),
    ];
    let fields = data.as_object().into_iter().flatten().filter_map(|(field, value)| {
        let value = match value {
            Value::String(text) if (1..=ATTRIBUTE_LIMIT_BYTES).contains(&text.len()) => text.clone(),
            Value::Bool(flag) => flag.to_string(),
            _ => return None,
        };
        Some((format!("data-{field}"), value))
    });
    envelope.into_iter().map(|(name, value)| (name.to_owned(), value)).chain(fields).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_flags_can_be_filtered_by() {
        let sample = include_str!("../../../events/samples/records/chunk-probed.json");
        let record: Record = serde_json::from_str(sample).unwrap();
        let data = serde_json::json!({ "site": "plant-7", "startsWithRandomAccess": false, "codec": "", "sizeBytes": 7,
            "mediaLink": "x".repeat(1025), "detail": "x".repeat(1024), "object": { "key": "a" } });
        let attributes = attributes(&record, &data);
        let of_data: Vec<&str> =
            attributes.iter().map(|(name, _)| name.as_str()).filter(|name| name.starts_with("data-")).collect();
        assert_eq!(of_data, ["data-detail", "data-site", "data-startsWithRandomAccess"]);
        for (name, value) in
            [("data-site", "plant-7"), ("data-startsWithRandomAccess", "false"), ("ce-type", &record.event_type)]
        {
            assert!(attributes.contains(&(name.to_owned(), value.to_owned())), "{name}");
        }
    }
}
