//! Extracts a [`Record`] from the message that carries it: the CloudEvent itself, an EventBridge event with the
//! CloudEvent as its `detail`, an SNS notification, a Pub/Sub push envelope, an HTTP request in binary mode.
//!
//! As in [`finalized`](crate::finalized), invalid input is an [`Error`], a valid message without a known record
//! is [`Carried::Ignored`], unknown fields are ignored, and no input causes a panic.

use crate::Error;
use crate::finalized::{IgnoreCode, json};
use crate::pubsub::PubSubMessage;
use crate::record::{self, Record};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The contents of a message.
#[derive(Debug, Clone, PartialEq)]
pub enum Carried {
    /// The message carries a record.
    Record(Box<Record>),
    /// The message is valid and requires no action: acknowledge it.
    Ignored {
        /// The reason, for counters.
        code: IgnoreCode,
        /// The reason, for people.
        detail: String,
    },
}

/// Most nested wrappers. EventBridge to SNS to Pub/Sub is already more than anybody configures.
const MAX_WRAPPERS: u8 = 4;

/// Parses a message whose body contains the whole event.
pub fn parse(body: &[u8]) -> Result<Carried, Error> {
    unwrap(json::object(body).map_err(Error::Event)?, MAX_WRAPPERS)
}

/// Parses an HTTP request: a CloudEvent in binary mode (`ce-…` headers), or one whose body contains the whole
/// event. Header names may have any letter case.
pub fn parse_http<'a, I>(headers: I, body: &[u8]) -> Result<Carried, Error>
where
    I: IntoIterator<Item = (&'a str, &'a str)>,
{
    let headers: BTreeMap<String, &str> =
        headers.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect();
    let structured = headers.get("content-type").is_some_and(|value| value.starts_with("application/cloudevents"));
    if structured || !headers.contains_key("ce-specversion") {
        return parse(body);
    }
    let attributes = headers.iter().filter_map(|(name, value)| {
        // The HTTP binding percent-encodes characters that a header cannot contain.
        let value = percent_decode_str(value).decode_utf8_lossy().into_owned();
        Some((name.strip_prefix("ce-")?.to_owned(), Value::String(value)))
    });
    let mut event: Map<String, Value> = attributes.collect();
    let content_type = headers.get("content-type").copied().unwrap_or("application/json");
    event.insert("datacontenttype".to_owned(), content_type.into());
    event.insert("data".to_owned(), Value::Object(json::object(body).map_err(Error::Event)?));
    cloudevent(event)
}

fn unwrap(mut message: Map<String, Value>, wrappers: u8) -> Result<Carried, Error> {
    if message.contains_key("specversion") {
        return cloudevent(message);
    }
    let Some(wrappers) = wrappers.checked_sub(1) else {
        return Err(Error::Event("too many envelopes in each other".to_owned()));
    };
    let inner = |bytes: &[u8]| unwrap(json::object(bytes).map_err(Error::Event)?, wrappers);
    if message.contains_key("detail-type") {
        return match message.remove("detail") {
            Some(Value::Object(detail)) => unwrap(detail, wrappers),
            _ => Err(Error::Event("EventBridge event: there is no detail".to_owned())),
        };
    }
    if message.contains_key("TopicArn") {
        return match (message.get("Type").and_then(Value::as_str), message.get("Message").and_then(Value::as_str)) {
            (Some("Notification"), Some(text)) => inner(text.as_bytes()),
            (Some(kind @ ("SubscriptionConfirmation" | "UnsubscribeConfirmation")), _) => {
                Ok(Carried::Ignored { code: IgnoreCode::SubscriptionConfirmation, detail: kind.to_owned() })
            }
            _ => Err(Error::Event("SNS message: there is no Message".to_owned())),
        };
    }
    if let Some(Value::Object(inside)) = message.remove("message") {
        let message = PubSubMessage::read(inside).map_err(|error| Error::Event(format!("Pub/Sub message: {error}")))?;
        return inner(&message.data);
    }
    let names: Vec<String> = message.keys().take(8).map(|name| name.chars().take(40).collect()).collect();
    Err(Error::Event(format!("not a record, and no known envelope has the fields [{}]", names.join(", "))))
}

fn cloudevent(event: Map<String, Value>) -> Result<Carried, Error> {
    let event_type = event.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
    if record::TYPES.contains(&event_type.as_str()) {
        let record = json::typed(event).map_err(|error| Error::Event(format!("{event_type}: {error}")))?;
        return Ok(Carried::Record(Box::new(record)));
    }
    if event_type.starts_with("io.framepost.") {
        // A record type of a newer Framepost, or an object's own event. A subscriber to the
        // whole bus receives these too.
        return Ok(Carried::Ignored { code: IgnoreCode::OtherEvent, detail: event_type });
    }
    Err(Error::Event(format!("CloudEvent: unknown type {event_type:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{ObjectRejected, RejectReason};
    use crate::{ObjectFinalized, finalized::Provider};
    use base64::prelude::{BASE64_STANDARD, Engine as _};
    use serde_json::json;

    fn event() -> ObjectFinalized {
        ObjectFinalized {
            provider: Provider::S3,
            bucket: "footage".to_owned(),
            key: "in/a b.mp4".to_owned(),
            version: "1".to_owned(),
            size: Some(4),
            time: "2026-11-20T15:08:27Z".parse().unwrap(),
            media_link: None,
            region: None,
            read_version: None,
        }
    }

    fn record() -> Record {
        let data = ObjectRejected::new(RejectReason::NotMedia, "junk", &event());
        Record::about(&(&event()).into(), event().time, data)
    }

    #[test]
    fn every_envelope_gives_the_same_record() {
        let record = record();
        let plain = serde_json::to_value(&record).unwrap();
        let bridge = json!({ "version": "0", "id": "x", "detail-type": record.event_type, "source": "framepost.probe",
            "account": "1", "time": "2026-11-20T15:08:28Z", "region": "eu-central-1", "resources": [], "detail": plain });
        let sns = json!({ "Type": "Notification", "TopicArn": "arn:aws:sns:eu-central-1:1:t", "Message": bridge.to_string() });
        let push = json!({ "message": { "data": BASE64_STANDARD.encode(plain.to_string()), "messageId": "1",
            "attributes": { "ce-type": record.event_type } }, "subscription": "projects/p/subscriptions/s" });
        for body in [&plain, &bridge, &sns, &push] {
            let carried = parse(body.to_string().as_bytes()).unwrap();
            assert_eq!(carried, Carried::Record(Box::new(record.clone())), "{body}");
        }
        let headers = [
            ("Ce-Specversion", "1.0"),
            ("ce-id", record.id.as_str()),
            ("ce-source", "framepost/probe"),
            ("ce-type", record.event_type.as_str()),
            ("ce-subject", "in/a%20b.mp4"),
            ("ce-time", "2026-11-20T15:08:27Z"),
            ("content-type", "application/json"),
        ];
        let carried = parse_http(headers, plain["data"].to_string().as_bytes()).unwrap();
        assert_eq!(carried, Carried::Record(Box::new(record.clone())));
        let headers = [("content-type", "application/cloudevents+json; charset=utf-8")];
        let carried = parse_http(headers, plain.to_string().as_bytes()).unwrap();
        assert_eq!(carried, Carried::Record(Box::new(record)));
    }

    #[test]
    fn what_is_no_record_is_ignored_or_an_error() {
        let ignored = json!({ "specversion": "1.0", "type": "io.framepost.chunk.inferred.v7", "id": "1" }).to_string();
        let own = event().to_json();
        for body in [ignored.as_bytes(), &own] {
            assert!(matches!(parse(body).unwrap(), Carried::Ignored { code: IgnoreCode::OtherEvent, .. }));
        }
        let mut matryoshka = json!({});
        for _ in 0..100 {
            matryoshka = json!({ "detail-type": "x", "detail": matryoshka });
        }
        let broken = json!({ "specversion": "1.0", "type": record::CHUNK_PROBED, "id": "1" });
        let foreign = json!({ "specversion": "1.0", "type": "com.example.other", "id": "1" });
        for body in [json!({}), json!({ "detail-type": "x" }), broken, foreign, matryoshka] {
            assert!(matches!(parse(body.to_string().as_bytes()), Err(Error::Event(_))), "{body}");
        }
        for bytes in ["", "[]", "{", r#"{"message":{"data":"%"}}"#] {
            assert!(parse(bytes.as_bytes()).is_err(), "{bytes}");
        }
    }
}
