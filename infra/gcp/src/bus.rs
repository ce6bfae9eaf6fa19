//! Publishes records to a Pub/Sub topic.
//!
//! A message is a CloudEvent in structured mode. Its attributes follow the binary mode of the CloudEvents
//! Pub/Sub binding (`ce-type` …), so that a subscription can filter and a reader need not parse the data first.
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
use std::time::Duration;

/// How long a record waits for others to be sent with.
const LINGER: Duration = Duration::from_millis(5);
/// A connection that was idle may be dead without notice, for example in an instance that was frozen between
/// two requests. The first attempt then only detects that. Subscribers recognise a record that arrives twice by
/// its id.
const ATTEMPTS: u32 = 3;
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

fn message(record: &Record) -> serde_json::Result<Message> {
    let attributes = [
        ("ce-specversion", "1.0".to_owned()),
        ("ce-id", record.id.clone()),
        ("ce-type", record.event_type.clone()),
        ("ce-source", record.source.clone()),
        ("ce-time", record.time.to_string()),
        ("content-type", "application/cloudevents+json".to_owned()),
    ];
    Ok(Message::new().set_data(serde_json::to_vec(record)?).set_attributes(attributes))
}
