//! What in a request is the message.
//!
//! | sender | how it is known | message |
//! |---|---|---|
//! | Pub/Sub push | the body is an object with the object `message` | its attributes, its data |
//! | Pub/Sub push without envelope | `x-goog-pubsub-message-id`, or the attributes of Cloud Storage as headers | those headers, the body |
//! | Eventarc, any CloudEvent | `ce-specversion`, or the content type | the `ce-` headers, the body |
//! | any other | – | the body, which has to say everything |
//!
//! Of the headers only those are kept that are a message's: it may end in the dead letters, and a token must not.

use crate::event::{Carrier, Message};
use axum::http::HeaderMap;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::Bytes;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Cloud Storage's attributes, as headers.
const NOTIFICATION: [&str; 9] = [
    "notificationconfig",
    "eventtype",
    "payloadformat",
    "bucketid",
    "objectid",
    "objectgeneration",
    "eventtime",
    "overwrotegeneration",
    "overwrittenbygeneration",
];
/// Of Pub/Sub itself, with a push without envelope.
const PUBSUB_MESSAGE_ID: &str = "x-goog-pubsub-message-id";

/// What was sent.
#[derive(Debug)]
pub(super) enum Sent {
    /// A message of somebody who keeps it until it is answered well.
    Message(Message),
    /// Something that may be an event by what its body says.
    Bare(Message),
}

#[derive(Deserialize)]
struct Push {
    message: PushMessage,
}

#[derive(Deserialize)]
struct PushMessage {
    #[serde(default)]
    attributes: Option<BTreeMap<String, String>>,
    #[serde(default)]
    data: Option<String>,
    // Pub/Sub writes both, emulators one of them.
    #[serde(rename = "messageId")]
    message_id: Option<String>,
    #[serde(rename = "message_id")]
    message_id_snake: Option<String>,
}

/// Reads a request. An error says why its envelope is none.
pub(super) fn read(headers: &HeaderMap, body: Bytes) -> Result<Sent, String> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let id = |name: &str| header(name).unwrap_or_default().to_owned();
    let message = |id, body| Message { id, carrier: Carrier::Http, attributes: kept(headers), body, trace_id: None };
    let content_type = header("content-type").unwrap_or_default().to_ascii_lowercase();
    if header("ce-specversion").is_some() {
        return Ok(Sent::Message(message(id("ce-id"), body)));
    }
    if content_type.starts_with("application/cloudevents") {
        return Ok(Sent::Message(message(String::new(), body)));
    }
    if header(PUBSUB_MESSAGE_ID).is_some() || (header("eventtype").is_some() && header("bucketid").is_some()) {
        return Ok(Sent::Message(message(id(PUBSUB_MESSAGE_ID), body)));
    }
    if is_push(&body) {
        let Push { message } = serde_json::from_slice(&body).map_err(|error| format!("Pub/Sub push envelope: {error}"))?;
        let data = BASE64_STANDARD
            .decode(message.data.unwrap_or_default())
            .map_err(|error| format!("Pub/Sub push envelope: data is not base64: {error}"))?;
        return Ok(Sent::Message(Message {
            id: message.message_id.or(message.message_id_snake).unwrap_or_default(),
            carrier: Carrier::PubSub,
            attributes: message.attributes.unwrap_or_default().into_iter().collect(),
            body: data.into(),
            trace_id: None,
        }));
    }
    Ok(Sent::Bare(message(String::new(), body)))
}

/// Whether a body is an object whose `message` is an object. Nothing is kept of the rest.
fn is_push(body: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Shape {
        message: serde_json::Map<String, serde_json::Value>,
    }
    serde_json::from_slice::<Shape>(body).is_ok_and(|shape| !shape.message.is_empty())
}

fn kept(headers: &HeaderMap) -> Vec<(String, String)> {
    let is_kept = |name: &str| {
        name == "content-type"
            || name.starts_with("ce-")
            || name.starts_with("x-goog-pubsub-")
            || NOTIFICATION.contains(&name)
    };
    let text = |(name, value): (&axum::http::HeaderName, &axum::http::HeaderValue)| {
        // A header can be of any bytes; text is what everybody sends.
        is_kept(name.as_str()).then(|| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
    };
    headers.iter().filter_map(text).collect()
}
