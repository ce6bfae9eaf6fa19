//! A topic for messages that can never be handled. Its subscription keeps them.

use crate::bus::{publisher, send};
use crate::connect::GoogleOptions;
use async_trait::async_trait;
use framepost_ports::{DeadLetter, DeadLetters, Result};
use google_cloud_pubsub::client::Publisher;
use google_cloud_pubsub::model::Message;
use std::collections::HashMap;

/// Pub/Sub's limits on the attributes of a message.
const MAX_ATTRIBUTES: usize = 100;
const LONGEST_NAME_BYTES: usize = 256;
const LONGEST_VALUE_BYTES: usize = 1024;
/// Pub/Sub reserves attribute names with this prefix.
const RESERVED: &str = "goog";

/// Parks messages in a topic. Use the topic that the dead-letter policy names, so that all dead letters
/// are in one place.
#[derive(Debug, Clone)]
pub struct PubSubDeadLetters {
    publisher: Publisher,
    topic: String,
}

impl PubSubDeadLetters {
    /// Connects to the topic `projects/P/topics/T`. Sends no request yet.
    pub async fn connect(topic: &str, options: &GoogleOptions) -> Result<Self> {
        Ok(Self { publisher: publisher(topic, options).await?, topic: topic.to_owned() })
    }
}

#[async_trait]
impl DeadLetters for PubSubDeadLetters {
    async fn park(&self, letter: &DeadLetter) -> Result<()> {
        let message = Message::new().set_data(letter.body.clone()).set_attributes(attributes(letter));
        send(&self.publisher, &self.topic, message).await
    }
}

/// Returns the attributes of the reason and the message's own, as far as Pub/Sub accepts them. One invalid
/// attribute would make Pub/Sub refuse the whole message.
fn attributes(letter: &DeadLetter) -> HashMap<String, String> {
    let mut attributes: HashMap<String, String> =
        letter.reason_attributes().into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    for (name, value) in &letter.attributes {
        let is_taken = !name.is_empty() && name.len() <= LONGEST_NAME_BYTES && !name.starts_with(RESERVED);
        if is_taken && attributes.len() < MAX_ATTRIBUTES {
            // A letter that was sent back and failed again still has the reasons of its earlier failure.
            attributes.entry(name.clone()).or_insert_with(|| cut(value).to_owned());
        }
    }
    attributes
}

fn cut(value: &str) -> &str {
    let mut end = value.len().min(LONGEST_VALUE_BYTES);
    while !value.is_char_boundary(end) {
        end -= 1;
    }
    &value[..end]
}

#[cfg(test)]
mod tests {
    use super::*;
    use framepost_ports::Reason;

    #[test]
    fn a_letters_attributes_are_such_as_pubsub_takes() {
        let own = [
            ("objectId".to_owned(), "a b".to_owned()),
            ("googclient_deliveryattempt".to_owned(), "5".to_owned()),
            (String::new(), "x".to_owned()),
            ("n".repeat(257), "x".to_owned()),
            ("ce-subject".to_owned(), "ä".repeat(600) + "x"),
            ("framepost-reason".to_owned(), "of an earlier time".to_owned()),
        ];
        let many = (0..200).map(|n| (format!("own-{n}"), String::new()));
        let letter = DeadLetter {
            id: "1".to_owned(),
            function: "probe",
            reason: Reason::new("not-media", "junk"),
            attributes: own.into_iter().chain(many).collect(),
            body: "{}".into(),
        };
        let attributes = attributes(&letter);
        let get = |name: &str| attributes.get(name).map(String::as_str);
        assert_eq!(attributes.len(), MAX_ATTRIBUTES);
        assert_eq!((get("framepost-function"), get("framepost-reason")), (Some("probe"), Some("not-media")));
        assert_eq!((get("framepost-detail"), get("objectId")), (Some("junk"), Some("a b")));
        assert_eq!(get("ce-subject"), Some("ä".repeat(512).as_str()));
        assert!(attributes.keys().all(|name| !name.is_empty() && name.len() <= 256 && !name.starts_with("goog")));
    }
}
