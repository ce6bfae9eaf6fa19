//! An SQS queue for messages that can never be handled.

use crate::connect::Session;
use crate::error;
use async_trait::async_trait;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::MessageAttributeValue;
use framepost_ports::{DeadLetter, DeadLetters, Error, ErrorKind, Result};
use std::collections::HashMap;
use url::Url;

/// SQS's limit on the attributes of a message.
const MAX_ATTRIBUTES: usize = 10;

/// Parks messages in a queue. Use the queue that the redrive policy names, so that all dead letters
/// are in one place.
#[derive(Debug, Clone)]
pub struct SqsDeadLetters {
    client: Client,
    queue: Url,
}

impl SqsDeadLetters {
    /// Uses the queue with this URL. Sends no request yet.
    pub fn new(session: &Session, queue: Url) -> Self {
        Self { client: Client::new(&session.with_retries()), queue }
    }
}

#[async_trait]
impl DeadLetters for SqsDeadLetters {
    async fn park(&self, letter: &DeadLetter) -> Result<()> {
        let invalid = || Error::new(ErrorKind::Invalid, "park", self.queue.as_str());
        let body = std::str::from_utf8(&letter.body).map_err(|error| invalid().because(error))?;
        let mut attributes = HashMap::new();
        for (name, value) in letter.reason_attributes() {
            attributes.insert(name.to_owned(), text(value).map_err(|error| invalid().because(error))?);
        }
        // A letter that was redriven and failed again still has the reasons of its earlier failure.
        for (name, value) in letter.attributes.iter().filter(|(_, value)| !value.is_empty()) {
            if attributes.len() < MAX_ATTRIBUTES && !attributes.contains_key(name) {
                attributes.insert(name.clone(), text(value).map_err(|error| invalid().because(error))?);
            }
        }
        let sent = self
            .client
            .send_message()
            .queue_url(self.queue.as_str())
            .message_body(body)
            .set_message_attributes(Some(attributes))
            .send()
            .await;
        sent.map(drop).map_err(|failure| error::of("sqs", "park", self.queue.as_str(), failure))
    }
}

fn text(value: impl Into<String>) -> Result<MessageAttributeValue, aws_smithy_types::error::operation::BuildError> {
    MessageAttributeValue::builder().data_type("String").string_value(value).build()
}
