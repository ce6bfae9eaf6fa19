//! Events of S3 through EventBridge ("Mapping Amazon S3 event message structure" in the S3 User Guide).
//!
//! Unlike in a notification, the key is not URL-encoded, and names are in kebab case.

use super::json::Integer;
use super::notice::{IgnoreCode, Notice};
use super::s3;
use super::sender::Sender;
use crate::Error;
use crate::object::{ObjectFinalized, Provider};
use crate::removed::{Cause, Removal};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Head {
    source: String,
    detail_type: String,
}

#[derive(Deserialize)]
struct Event {
    time: Timestamp,
    region: Option<String>,
    detail: Detail,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Detail {
    bucket: Bucket,
    object: Object,
    reason: Option<String>,
    deletion_type: Option<String>,
}

#[derive(Deserialize)]
struct Bucket {
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Object {
    key: String,
    size: Option<Integer>,
    version_id: Option<String>,
    sequencer: Option<String>,
}

pub(super) fn event(event: Map<String, Value>) -> Result<Notice, Error> {
    let error = |what: &dyn std::fmt::Display| Sender::EventBridge.error(what);
    let event = Value::Object(event);
    let Head { source, detail_type } = Head::deserialize(&event).map_err(|e| error(&e))?;
    if source != "aws.s3" {
        return Err(error(&format!("source should be aws.s3, found {source:?}")));
    }
    let ignored = match detail_type.as_str() {
        "Object Created" | "Object Deleted" => None,
        "Object Tags Added" | "Object Tags Deleted" | "Object ACL Updated" => Some(IgnoreCode::MetadataUpdate),
        "AWS API Call via CloudTrail" => Some(IgnoreCode::AuditLog),
        _ => Some(IgnoreCode::OtherEvent),
    };
    if let Some(code) = ignored {
        return Ok(Notice::ignored(code, detail_type));
    }
    let Event { time, region, detail } = Event::deserialize(&event).map_err(|e| error(&e))?;
    let Object { key, size, version_id, sequencer } = detail.object;
    if detail_type == "Object Deleted" {
        let removal = match detail.deletion_type.as_deref() {
            Some("Permanently Deleted") => Removal::Deleted,
            Some("Delete Marker Created") => Removal::Hidden,
            _ => return Ok(Notice::ignored(IgnoreCode::Deleted, detail_type)),
        };
        let cause = match detail.reason.as_deref() {
            Some("DeleteObject") => Some(Cause::Request),
            Some("Lifecycle Expiration") => Some(Cause::Lifecycle),
            _ => None,
        };
        return s3::removed(detail.bucket.name, key, (version_id, sequencer.as_deref()), (removal, cause), time)
            .map_err(|what| error(&what))?
            .checked(Sender::EventBridge);
    }
    let (version, read_version) = s3::version(version_id, sequencer.as_deref()).map_err(|what| error(&what))?;
    ObjectFinalized {
        provider: Provider::S3,
        bucket: detail.bucket.name,
        key,
        version,
        size: size.map(|size| size.0),
        time,
        media_link: None,
        region: region.filter(|region| !region.is_empty()),
        read_version,
    }
    .checked(Sender::EventBridge)
}
