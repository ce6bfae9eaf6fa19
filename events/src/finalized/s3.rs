//! S3 event notifications, structure 2.x ("Event message structure" in the S3 User Guide), from S3 and from
//! stores with its protocol (`minio:s3`, `ceph:s3`).
//!
//! Keys are form-encoded: `+` is a space, `%2B` a plus. A minor version only adds fields. Another major version
//! is refused, as the guide demands.

use super::json::{self, FormEncoded, Integer};
use super::notice::{IgnoreCode, Notice};
use super::sender::Sender;
use crate::object::{ObjectFinalized, Provider};
use crate::removed::{Cause, Removal};
use crate::{Error, ObjectRemoved};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};

/// The length of a stored sequencer. S3's own have 16 to 18 digits.
const SEQUENCER_DIGITS: usize = 32;

#[derive(Deserialize)]
struct Head {
    #[serde(rename = "eventVersion")]
    version: String,
    #[serde(rename = "eventName")]
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    event_time: Timestamp,
    aws_region: Option<String>,
    s3: Entity,
}

#[derive(Deserialize)]
struct Entity {
    bucket: Bucket,
    object: Object,
}

#[derive(Deserialize)]
struct Bucket {
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Object {
    key: FormEncoded,
    size: Option<Integer>,
    version_id: Option<String>,
    sequencer: Option<String>,
}

/// Returns the notices of a message's `Records` in order.
pub(super) fn records(mut message: Map<String, Value>) -> Result<Vec<Notice>, Error> {
    let records = match message.remove("Records") {
        Some(Value::Array(records)) if !records.is_empty() => records,
        Some(Value::Array(_)) => return Err(Sender::S3.error("Records is empty")),
        other => {
            let found = other.as_ref().map_or("nothing", json::kind);
            return Err(Sender::S3.error(format!("Records should be an array, found {found}")));
        }
    };
    records.iter().enumerate().map(|(n, value)| record(n, value)).collect()
}

/// Recognises the message with which S3 tests a configuration.
pub(super) fn test_event(message: &Map<String, Value>) -> Result<Notice, Error> {
    let text = |name: &str| message.get(name).and_then(Value::as_str).unwrap_or_default();
    match text("Event") {
        "s3:TestEvent" => {
            let bucket = text("Bucket");
            Ok(Notice::ignored(IgnoreCode::TestEvent, format!("s3:TestEvent of bucket {bucket}")))
        }
        other => Err(Sender::S3Test.error(format!("Event should be s3:TestEvent, found {other:?}"))),
    }
}

fn record(n: usize, value: &Value) -> Result<Notice, Error> {
    let error = |what: &dyn std::fmt::Display| Sender::S3.error(format!("Records[{n}]: {what}"));
    // Check this first, so that the error for a batch of another service (`aws:sqs`), whose records the host
    // must split, names that service.
    let source = value.get("eventSource").and_then(Value::as_str).unwrap_or_default();
    if !source.ends_with(":s3") {
        return Err(error(&format!("eventSource should be aws:s3, found {source:?}")));
    }
    let Head { version: major_minor, name } = Head::deserialize(value).map_err(|e| error(&e))?;
    if major_minor.split('.').next() != Some("2") {
        return Err(error(&format!("eventVersion should be 2.x, found {major_minor:?}")));
    }
    let happened = match happened(&name) {
        Happened::Other(code) => return Ok(Notice::ignored(code, name)),
        told => told,
    };
    let Record { event_time, aws_region, s3 } = Record::deserialize(value).map_err(|e| error(&e))?;
    let Object { key, size, version_id, sequencer } = s3.object;
    if let Happened::Removed(removal, cause) = happened {
        return removed(s3.bucket.name, key.0, (version_id, sequencer.as_deref()), (removal, Some(cause)), event_time)
            .map_err(|what| error(&what))?
            .checked(Sender::S3);
    }
    let (version, read_version) = version(version_id, sequencer.as_deref()).map_err(|what| error(&what))?;
    ObjectFinalized {
        provider: Provider::S3,
        bucket: s3.bucket.name,
        key: key.0,
        version,
        size: size.map(|size| size.0),
        time: event_time,
        media_link: None,
        region: aws_region.filter(|region| !region.is_empty()),
        read_version,
    }
    .checked(Sender::S3)
}

/// What an event's name says.
enum Happened {
    Created,
    Removed(Removal, Cause),
    Other(IgnoreCode),
}

fn happened(name: &str) -> Happened {
    // Other stores write the name as it is configured, with the service before it.
    let name = name.strip_prefix("s3:").unwrap_or(name);
    match name.split_once(':').unwrap_or((name, "")) {
        ("ObjectCreated", "Put" | "Post" | "Copy" | "CompleteMultipartUpload") => Happened::Created,
        ("ObjectRemoved", "Delete") => Happened::Removed(Removal::Deleted, Cause::Request),
        ("ObjectRemoved", "DeleteMarkerCreated") => Happened::Removed(Removal::Hidden, Cause::Request),
        ("LifecycleExpiration", "Delete") => Happened::Removed(Removal::Deleted, Cause::Lifecycle),
        ("LifecycleExpiration", "DeleteMarkerCreated") => Happened::Removed(Removal::Hidden, Cause::Lifecycle),
        ("ObjectRemoved" | "LifecycleExpiration", _) => Happened::Other(IgnoreCode::Deleted),
        ("ObjectTagging" | "ObjectAcl", _) => Happened::Other(IgnoreCode::MetadataUpdate),
        ("TestEvent", _) => Happened::Other(IgnoreCode::TestEvent),
        _ => Happened::Other(IgnoreCode::OtherEvent),
    }
}

/// A removal, from its version id and sequencer. The version id of a delete marker is the marker's own and no object's; without
/// versioning there is none.
pub(super) fn removed(
    bucket: String,
    key: String,
    (version_id, sequencer): (Option<String>, Option<&str>),
    (removal, cause): (Removal, Option<Cause>),
    time: Timestamp,
) -> Result<ObjectRemoved, &'static str> {
    let version_id = version_id.filter(|id| !id.is_empty() && id != "null");
    let sequence = match (sequencer, &version_id) {
        (Some(sequencer), _) => version(None, Some(sequencer))?.0,
        (None, Some(id)) => id.clone(),
        // Lifecycle events of stores that count neither: one time is one removal.
        (None, None) => time.to_string(),
    };
    let version = version_id.filter(|_| removal == Removal::Deleted);
    Ok(ObjectRemoved { provider: Provider::S3, bucket, key, version, sequence, removal, cause, time })
}

/// The version of an S3 object, and the part of it by which the object can be read again.
///
/// Without versioning there is only the sequencer, which is hexadecimal and has a variable length. S3 defines
/// how to compare two of them: as text, after padding the shorter one with zeros on its *right*. Padded and in
/// one letter case, sequencers can be compared directly.
pub(super) fn version(
    version_id: Option<String>,
    sequencer: Option<&str>,
) -> Result<(String, Option<String>), &'static str> {
    // Objects without a version have the version "null".
    if let Some(id) = version_id.filter(|id| !id.is_empty() && id != "null") {
        return Ok((id.clone(), Some(id)));
    }
    let sequencer = sequencer.ok_or("there is neither a version id nor a sequencer")?;
    if sequencer.is_empty() || !sequencer.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err("the sequencer is not hexadecimal");
    }
    Ok((format!("{:0<SEQUENCER_DIGITS$}", sequencer.to_ascii_uppercase()), None))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequencers_compare_as_s3_says() {
        let of = |text: &str| version(None, Some(text)).map(|(version, _)| version);
        assert_eq!(of("0055aed6dcd90281e5").unwrap(), "0055AED6DCD90281E500000000000000");
        assert_eq!(of("0055AED6DCD90281E5"), of("0055aed6dcd90281e5"));
        assert!(of("0055AED6DC").unwrap() < of("0055AED6DCD90281E5").unwrap());
        assert!(of("0055AED6DD").unwrap() > of("0055AED6DCD90281E5").unwrap());
        assert!(of("").is_err());
        assert!(of("0x55").is_err());
        assert_eq!(of(&"A".repeat(40)).unwrap(), "A".repeat(40));
    }

    #[test]
    fn a_version_id_goes_before_the_sequencer() {
        let id = "L4kqtJlcpXroDTDmpUMLUo".to_owned();
        assert_eq!(version(Some(id.clone()), Some("00")).unwrap(), (id.clone(), Some(id)));
        for none in [None, Some("null".to_owned()), Some(String::new())] {
            assert_eq!(version(none.clone(), Some("0A")).unwrap().1, None);
            assert!(version(none, None).is_err());
        }
    }
}
