//! Cloud Storage's Pub/Sub notifications ("Pub/Sub notifications for Cloud Storage"). The message's attributes
//! say what happened, and its data has the object's resource (JSON API), unless the payload format is `NONE`.
//!
//! The object's name is unencoded in both places. int64 fields are strings of digits, and numbers in some
//! emulators. If one of the two places lacks a value, the other one is used; if both have it, they must agree.

use super::json::{self, Integer, typed};
use super::notice::{IgnoreCode, Notice};
use super::sender::{Sender, is_resource};
use crate::object::{ObjectFinalized, Provider};
use crate::removed::{Cause, Removal};
use crate::{Error, ObjectRemoved};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};

/// The relevant attributes of any message.
#[derive(Debug, Default)]
pub(super) struct Attributes {
    event_type: Option<String>,
    payload_format: Option<String>,
    bucket: Option<String>,
    object: Option<String>,
    generation: Option<Integer>,
    event_time: Option<Timestamp>,
    replaced_by: Option<Integer>,
}

impl Attributes {
    /// Reads the attributes. Names may have any letter case, because a push without
    /// envelope turns them into headers.
    pub(super) fn read<'a, I>(attributes: I) -> Result<Self, Error>
    where
        I: IntoIterator<Item = (&'a str, &'a str)>,
    {
        let mut read = Self::default();
        for (name, value) in attributes {
            let bad = || Sender::Gcs.error(format!("attribute {name}: unexpected value {value:?}"));
            match name.to_ascii_lowercase().as_str() {
                "eventtype" => read.event_type = Some(value.to_owned()),
                "payloadformat" => read.payload_format = Some(value.to_owned()),
                "bucketid" => read.bucket = Some(value.to_owned()),
                "objectid" => read.object = Some(value.to_owned()),
                "objectgeneration" => read.generation = Some(Integer::from_digits(value).ok_or_else(bad)?),
                "overwrittenbygeneration" => read.replaced_by = Some(Integer::from_digits(value).ok_or_else(bad)?),
                "eventtime" => read.event_time = Some(value.parse().map_err(|_| bad())?),
                _ => {}
            }
        }
        Ok(read)
    }
}

/// The relevant part of the object's resource.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Resource {
    bucket: Option<String>,
    name: Option<String>,
    generation: Option<Integer>,
    metageneration: Option<Integer>,
    size: Option<Integer>,
    media_link: Option<String>,
    time_created: Option<Timestamp>,
    time_finalized: Option<Timestamp>,
    time_deleted: Option<Timestamp>,
}

/// Parses a message: its attributes and its data. `published` is when Pub/Sub accepted it.
pub(super) fn notification(
    attributes: &Attributes,
    data: &[u8],
    published: Option<Timestamp>,
) -> Result<Notice, Error> {
    if let Some(event_type) = &attributes.event_type
        && let Some(code) = ignored(event_type)
    {
        return Ok(Notice::ignored(code, event_type));
    }
    let resource = match attributes.payload_format.as_deref() {
        Some("NONE") => None,
        Some("JSON_API_V1") => Some(data),
        None => Some(data).filter(|data| !data.is_empty()),
        Some(other) => return Err(Sender::Gcs.error(format!("unknown payloadFormat {other:?}"))),
    };
    let resource = resource
        .map(|data| {
            let object = json::object(data).map_err(|what| Sender::Gcs.error(format!("data: {what}")))?;
            if attributes.bucket.is_none() && attributes.object.is_none() && !is_resource(&object) {
                return Err(Sender::Gcs.error("neither attributes of Cloud Storage nor an object's resource as data"));
            }
            typed(object).map_err(|e| Sender::Gcs.error(format!("data: {e}")))
        })
        .transpose()?;
    match (attributes.event_type.as_deref(), resource) {
        (Some("OBJECT_DELETE"), resource) => {
            removed(attributes, resource.unwrap_or_default(), published, Removal::Deleted)
        }
        (Some("OBJECT_ARCHIVE"), resource) => {
            removed(attributes, resource.unwrap_or_default(), published, Removal::Hidden)
        }
        (Some(_), resource) => finalized(attributes, resource.unwrap_or_default(), published),
        (None, Some(resource)) => untyped(attributes, resource, published),
        (None, None) => Err(Sender::Gcs.error("there is neither an eventType attribute nor a payload")),
    }
}

/// Parses an object's resource alone, from a push without envelope and attributes.
pub(super) fn resource(object: Map<String, Value>) -> Result<Notice, Error> {
    let resource = typed(object).map_err(|e| Sender::Gcs.error(e))?;
    untyped(&Attributes::default(), resource, None)
}

/// Parses the data of an event whose type says that the object is finalized.
pub(super) fn finalized_resource(object: Map<String, Value>, time: Option<Timestamp>) -> Result<Notice, Error> {
    let resource = typed(object).map_err(|e| Sender::Gcs.error(format!("data: {e}")))?;
    finalized(&Attributes::default(), resource, time)
}

/// The data of an event that says by itself that the object is gone.
pub(super) fn removed_resource(
    object: Map<String, Value>,
    time: Option<Timestamp>,
    removal: Removal,
) -> Result<Notice, Error> {
    let resource = typed(object).map_err(|e| Sender::Gcs.error(format!("data: {e}")))?;
    removed(&Attributes { event_time: time, ..Attributes::default() }, resource, None, removal)
}

/// Without a word on what happened the resource has to tell: a new object has metageneration 1 and no deletion time.
fn untyped(attributes: &Attributes, resource: Resource, published: Option<Timestamp>) -> Result<Notice, Error> {
    // It may be deleted or only archived.
    if resource.time_deleted.is_some() {
        return Ok(Notice::ignored(IgnoreCode::Deleted, "a resource with timeDeleted"));
    }
    match resource.metageneration {
        Some(Integer(1)) => finalized(attributes, resource, published),
        Some(Integer(n)) => {
            Ok(Notice::ignored(IgnoreCode::MetadataUpdate, format!("a resource of metageneration {n}")))
        }
        None => Err(Sender::Gcs.error("there is neither an eventType attribute nor a metageneration")),
    }
}

/// Why an event of this type asks for nothing; `None` when an object is new or gone.
fn ignored(event_type: &str) -> Option<IgnoreCode> {
    match event_type {
        "OBJECT_FINALIZE" | "OBJECT_DELETE" | "OBJECT_ARCHIVE" => None,
        "OBJECT_METADATA_UPDATE" => Some(IgnoreCode::MetadataUpdate),
        _ => Some(IgnoreCode::OtherEvent),
    }
}

fn finalized(attributes: &Attributes, resource: Resource, published: Option<Timestamp>) -> Result<Notice, Error> {
    let Resource { size, media_link, .. } = resource;
    let generation = agreed("generation", attributes.generation, resource.generation)?.0;
    // An object is finalized with its first metadata. Without a payload, nothing else has the metageneration.
    let metageneration = resource.metageneration.map_or(1, |n| n.0);
    let time = [resource.time_finalized, resource.time_created, attributes.event_time, published];
    ObjectFinalized {
        provider: Provider::Gcs,
        bucket: agreed("bucket", attributes.bucket.clone(), resource.bucket)?,
        key: agreed("object name", attributes.object.clone(), resource.name)?,
        version: format!("{generation}.{metageneration}"),
        size: size.map(|size| size.0),
        time: time.into_iter().flatten().next().ok_or_else(|| Sender::Gcs.error("there is no time"))?,
        media_link: media_link.filter(|link| !link.is_empty()),
        region: None,
        read_version: Some(generation.to_string()),
    }
    .checked(Sender::Gcs)
}

fn removed(
    attributes: &Attributes,
    resource: Resource,
    published: Option<Timestamp>,
    removal: Removal,
) -> Result<Notice, Error> {
    let generation = agreed("generation", attributes.generation, resource.generation)?.0;
    let time = [attributes.event_time, resource.time_deleted, published];
    ObjectRemoved {
        provider: Provider::Gcs,
        bucket: agreed("bucket", attributes.bucket.clone(), resource.bucket)?,
        key: agreed("object name", attributes.object.clone(), resource.name)?,
        // The metageneration has grown where its metadata was changed; the object was finalized with the first.
        version: Some(format!("{generation}.1")),
        sequence: generation.to_string(),
        removal,
        cause: attributes.replaced_by.map(|_| Cause::Replaced),
        time: time.into_iter().flatten().next().ok_or_else(|| Sender::Gcs.error("there is no time"))?,
    }
    .checked(Sender::Gcs)
}

/// What the attributes and the payload say, which has to be the same where both say it.
fn agreed<T: PartialEq + std::fmt::Debug>(what: &str, attribute: Option<T>, payload: Option<T>) -> Result<T, Error> {
    match (attribute, payload) {
        (Some(a), Some(p)) if a != p => {
            Err(Sender::Gcs.error(format!("the attributes' {what} {a:?} is not the payload's, {p:?}")))
        }
        (Some(value), _) | (None, Some(value)) => Ok(value),
        (None, None) => Err(Sender::Gcs.error(format!("there is no {what}"))),
    }
}
