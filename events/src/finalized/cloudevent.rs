//! CloudEvents 1.0 in structured mode (the JSON is the event) and in binary mode (attributes are `ce-…`
//! headers, the body is the data): those of Eventarc, direct or with a Pub/Sub message inside, and our own.

use super::notice::{IgnoreCode, Notice};
use super::sender::Sender;
use super::{gcs, json, local, pubsub};
use crate::Error;
use crate::removed::{self, Removal};
use cloudevents::{AttributesReader as _, Data, Event, EventBuilder as _, EventBuilderV10};
use jiff::Timestamp;
use percent_encoding::percent_decode_str;
use serde::Deserialize as _;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The prefix of Cloud Storage's direct events.
const STORAGE: &str = "google.cloud.storage.object.v1.";
/// The type of an event with a Pub/Sub message.
const PUBSUB: &str = "google.cloud.pubsub.topic.v1.messagePublished";
/// The type of an event with an audit log entry.
const AUDIT_LOG: &str = "google.cloud.audit.log.v1.written";

/// Parses an event in structured mode.
pub(super) fn structured(event: Map<String, Value>) -> Result<Notice, Error> {
    notice(&Event::deserialize(Value::Object(event)).map_err(|e| Sender::CloudEvent.error(e))?)
}

/// Parses an event in binary mode. Header names must be in lower case.
pub(super) fn binary(headers: &BTreeMap<String, &str>, body: &[u8]) -> Result<Notice, Error> {
    // The HTTP binding percent-encodes characters that a header cannot contain.
    let attribute =
        |name: &str| headers.get(name).map(|value| percent_decode_str(value).decode_utf8_lossy().into_owned());
    match attribute("ce-specversion").as_deref() {
        Some("1.0") => {}
        other => {
            let other = other.unwrap_or_default();
            return Err(Sender::CloudEvent.error(format!("specversion should be 1.0, found {other:?}")));
        }
    }
    let mut builder = EventBuilderV10::new();
    if let Some(id) = attribute("ce-id") {
        builder = builder.id(id);
    }
    if let Some(source) = attribute("ce-source") {
        builder = builder.source(source);
    }
    if let Some(ty) = attribute("ce-type") {
        builder = builder.ty(ty);
    }
    if let Some(subject) = attribute("ce-subject") {
        builder = builder.subject(subject);
    }
    if let Some(time) = attribute("ce-time") {
        builder = builder.time(time);
    }
    if !body.is_empty() {
        let content_type = headers.get("content-type").copied().unwrap_or("application/json");
        builder = builder.data(content_type, body.to_vec());
    }
    notice(&builder.build().map_err(|e| Sender::CloudEvent.error(e))?)
}

fn notice(event: &Event) -> Result<Notice, Error> {
    let ty = event.ty();
    if let Some(happened) = ty.strip_prefix(STORAGE) {
        let code = match happened {
            "finalized" => return gcs::finalized_resource(data(event)?, time(event)),
            "deleted" => return gcs::removed_resource(data(event)?, time(event), Removal::Deleted),
            "archived" => return gcs::removed_resource(data(event)?, time(event), Removal::Hidden),
            "metadataUpdated" => IgnoreCode::MetadataUpdate,
            _ => IgnoreCode::OtherEvent,
        };
        return Ok(Notice::ignored(code, ty));
    }
    match ty {
        PUBSUB => pubsub::push(data(event)?),
        AUDIT_LOG => Ok(Notice::ignored(IgnoreCode::AuditLog, ty)),
        local::EVENT_TYPE => local::finalized(data(event)?),
        removed::EVENT_TYPE => local::removed(data(event)?),
        // One of our records: a subscriber that hears the whole bus hears them too.
        _ if ty.starts_with("io.framepost.") => Ok(Notice::ignored(IgnoreCode::OtherEvent, ty)),
        _ => Err(Sender::CloudEvent.error(format!("unknown type {ty:?}"))),
    }
}

fn data(event: &Event) -> Result<Map<String, Value>, Error> {
    let error = |what: String| Sender::CloudEvent.error(format!("{}: data: {what}", event.ty()));
    match event.data() {
        Some(Data::Json(Value::Object(object))) => Ok(object.clone()),
        Some(Data::Json(other)) => Err(error(format!("expected a JSON object, found {}", json::kind(other)))),
        Some(Data::Binary(bytes)) => {
            let content_type = event.datacontenttype().unwrap_or("application/json");
            if !content_type.contains("json") {
                return Err(error(format!("expected JSON, found {content_type:?}")));
            }
            json::object(bytes).map_err(error)
        }
        Some(Data::String(text)) => json::object(text.as_bytes()).map_err(error),
        None => Err(error("there is none".to_owned())),
    }
}

fn time(event: &Event) -> Option<Timestamp> {
    let time = event.time()?;
    Timestamp::new(time.timestamp(), i32::try_from(time.timestamp_subsec_nanos()).ok()?).ok()
}
