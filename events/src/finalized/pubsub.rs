//! Pub/Sub: the push envelope, and the message in it ("Push subscriptions",
//! `PubsubMessage` in the REST reference).
//!
//! Push messages have some fields twice, in camel case and in snake case.

use super::json::typed;
use super::{Notice, Sender, gcs};
use crate::Error;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Message {
    attributes: Option<BTreeMap<String, String>>,
    data: Option<String>,
    // Two fields instead of an alias, because serde reports a field that occurs under
    // both names as a duplicate.
    #[serde(rename = "publishTime")]
    publish_time: Option<Timestamp>,
    #[serde(rename = "publish_time")]
    publish_time_snake: Option<Timestamp>,
}

/// `{"message": {…}, "subscription": "…"}`.
pub(super) fn push(mut envelope: Map<String, Value>) -> Result<Notice, Error> {
    match envelope.remove("message") {
        Some(Value::Object(inner)) => message(inner),
        _ => Err(Sender::PubSubPush.error("there is no message")),
    }
}

/// Parses the message in the envelope.
pub(super) fn message(message: Map<String, Value>) -> Result<Notice, Error> {
    let Message { attributes, data, publish_time, publish_time_snake } =
        typed(message).map_err(|e| Sender::PubSubMessage.error(e))?;
    let attributes = attributes.unwrap_or_default();
    let attributes = gcs::Attributes::read(attributes.iter().map(|(name, value)| (name.as_str(), value.as_str())))?;
    let data = BASE64_STANDARD
        .decode(data.unwrap_or_default())
        .map_err(|e| Sender::PubSubMessage.error(format!("data is not base64: {e}")))?;
    gcs::notification(&attributes, &data, publish_time.or(publish_time_snake))
}
