//! Cloud Storage's notifications in messages of Pub/Sub, in the push envelope or pulled.

use super::gcs;
use super::notice::Notice;
use super::sender::Sender;
use crate::Error;
use crate::pubsub::PubSubMessage;
use serde_json::{Map, Value};

/// `{"message": {…}, "subscription": "…"}`.
pub(super) fn push(mut envelope: Map<String, Value>) -> Result<Notice, Error> {
    match envelope.remove("message") {
        Some(Value::Object(inner)) => message(inner),
        _ => Err(Sender::PubSubPush.error("there is no message")),
    }
}

/// Parses the message in the envelope.
pub(super) fn message(message: Map<String, Value>) -> Result<Notice, Error> {
    let message = PubSubMessage::read(message).map_err(|error| Sender::PubSubMessage.error(error))?;
    let attributes =
        gcs::Attributes::read(message.attributes.iter().map(|(name, value)| (name.as_str(), value.as_str())))?;
    gcs::notification(&attributes, &message.data, message.published)
}
