//! Extracts the message from a request.
//!
//! | sender | recognised by | message |
//! |---|---|---|
//! | Pub/Sub push | the body is an object with the object `message` | its attributes, its data |
//! | Pub/Sub push without envelope | `x-goog-pubsub-message-id`, or the attributes of Cloud Storage as headers | those headers, the body |
//! | Eventarc, any CloudEvent | `ce-specversion`, or the content type | the `ce-` headers, the body |
//! | any other | – | the body, which must contain the whole event |
//!
//! Only headers that belong to the message are kept: it may end in the dead letters, and a token must not.

use axum::http::HeaderMap;
use bytes::Bytes;
use framepost_events::pubsub::{self, PubSubMessage};
use framepost_ports::{Carrier, Message};
use jiff::Timestamp;
use serde::Deserialize;

/// Cloud Storage's attributes as headers.
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
/// Pub/Sub's own header in a push without envelope.
const MESSAGE_ID: &str = "x-goog-pubsub-message-id";
const PUBLISH_TIME: &str = "x-goog-pubsub-publish-time";

/// What a request contains.
#[derive(Debug)]
pub(super) enum Sent {
    /// A message of a sender that keeps it until it is acknowledged.
    Message(Message),
    /// A body that may be an event.
    Bare(Message),
}

/// The fields of a structured CloudEvent that the log needs before it is parsed.
#[derive(Default, Deserialize)]
struct Named {
    id: Option<String>,
    time: Option<String>,
}

/// Reads a request. The error says why its envelope is invalid.
pub(super) fn read(headers: &HeaderMap, body: Bytes) -> Result<Sent, String> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let has = |name: &str| headers.contains_key(name);
    let whole = |id: Option<String>, published: Option<String>, body| Message {
        attributes: kept(headers),
        published: published.and_then(|time| time.parse::<Timestamp>().ok()),
        ..Message::new(id.unwrap_or_default(), Carrier::Http, body)
    };
    if has("ce-specversion") {
        return Ok(Sent::Message(whole(header("ce-id"), header("ce-time"), body)));
    }
    if header("content-type").is_some_and(|value| value.to_ascii_lowercase().starts_with("application/cloudevents")) {
        let Named { id, time } = serde_json::from_slice(&body).unwrap_or_default();
        return Ok(Sent::Message(whole(id, time, body)));
    }
    if has(MESSAGE_ID) || (has("eventtype") && has("bucketid")) {
        return Ok(Sent::Message(whole(header(MESSAGE_ID), header(PUBLISH_TIME), body)));
    }
    let Some(pushed) = pubsub::pushed(&body) else {
        return Ok(Sent::Bare(whole(None, None, body)));
    };
    let pushed = PubSubMessage::read(pushed).map_err(|error| format!("Pub/Sub push envelope: {error}"))?;
    Ok(Sent::Message(Message {
        attributes: pushed.attributes.into_iter().collect(),
        published: pushed.published,
        ..Message::new(pushed.id, Carrier::PubSub, pushed.data)
    }))
}

fn kept(headers: &HeaderMap) -> Vec<(String, String)> {
    let is_kept = |name: &str| {
        name == "content-type"
            || name.starts_with("ce-")
            || name.starts_with("x-goog-pubsub-")
            || name == framepost_events::due::TIME_HEADER
            || NOTIFICATION.contains(&name)
    };
    let kept = headers.iter().filter(|(name, _)| is_kept(name.as_str()));
    // A header may contain any bytes, but all senders use text.
    kept.map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect()
}
