//! Pub/Sub's message as JSON: `PubsubMessage` of its REST reference, which push subscriptions wrap in
//! `{"message": {…}, "subscription": "…"}`.

use crate::finalized::json::typed;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// A message with its data decoded, from a push envelope or from a pull.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PubSubMessage {
    /// The id that Pub/Sub gave it; empty if the sender left it out.
    pub id: String,
    /// Its attributes, empty if there are none.
    pub attributes: BTreeMap<String, String>,
    /// Its data, decoded from base64; empty if there are none.
    pub data: Vec<u8>,
    /// When Pub/Sub took it. `None` if that is absent or no time.
    pub published: Option<Timestamp>,
}

#[derive(Deserialize)]
struct Fields {
    attributes: Option<BTreeMap<String, String>>,
    data: Option<String>,
    // Push messages have these fields in camel case and in snake case, emulators only one of them. Two fields instead
    // of an alias, because serde reports a field that occurs under both names as a duplicate.
    #[serde(rename = "messageId")]
    id: Option<String>,
    #[serde(rename = "message_id")]
    id_snake: Option<String>,
    #[serde(rename = "publishTime")]
    published: Option<String>,
    #[serde(rename = "publish_time")]
    published_snake: Option<String>,
}

impl PubSubMessage {
    /// Reads a message: the object `message` of a push envelope, or one that was pulled. The error says which field is
    /// invalid.
    pub fn read(message: Map<String, Value>) -> Result<Self, String> {
        let fields: Fields = typed(message).map_err(|error| error.to_string())?;
        let data = BASE64_STANDARD
            .decode(fields.data.unwrap_or_default())
            .map_err(|error| format!("data is not base64: {error}"))?;
        let published = fields.published.or(fields.published_snake);
        Ok(Self {
            id: fields.id.or(fields.id_snake).unwrap_or_default(),
            attributes: fields.attributes.unwrap_or_default(),
            data,
            published: published.and_then(|time| time.parse().ok()),
        })
    }
}

/// Returns the message in a push envelope, or `None` if `body` is no such envelope: a JSON object whose member `message`
/// is an object that is not empty.
#[must_use]
pub fn pushed(body: &[u8]) -> Option<Map<String, Value>> {
    #[derive(Deserialize)]
    struct Envelope {
        message: Map<String, Value>,
    }
    let Envelope { message } = serde_json::from_slice(body).ok()?;
    (!message.is_empty()).then_some(message)
}
