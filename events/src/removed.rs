//! The event that an object was removed, in one form for all senders. [`finalized`](crate::finalized) reads the senders' messages.
//!
//! | sender | [`Removal::Deleted`] | [`Removal::Hidden`] |
//! |---|---|---|
//! | S3 | `ObjectRemoved:Delete`, `LifecycleExpiration:Delete` | `…:DeleteMarkerCreated` of both |
//! | EventBridge | `Object Deleted`, `Permanently Deleted` | `Object Deleted`, `Delete Marker Created` |
//! | Cloud Storage | `OBJECT_DELETE`, `…object.v1.deleted` | `OBJECT_ARCHIVE`, `…object.v1.archived` |
//! | Framepost on one machine | a CloudEvent around [`ObjectRemoved`] | the same |
//!
//! Delivery is at least once and unordered: the event of an object's removal may arrive before that of its completion.

use crate::Sha256;
use crate::object::Provider;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// The `type` of the CloudEvent around an [`ObjectRemoved`].
pub const EVENT_TYPE: &str = "io.framepost.object.removed.v1";

/// An object, or one version of it, that can no longer be read by its key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ObjectRemoved {
    /// The cloud that stores the bucket.
    pub provider: Provider,
    /// The bucket's name, without `s3://` or `gs://`; on one machine, the name of its directory.
    pub bucket: String,
    /// The object's key, decoded.
    pub key: String,
    /// The version that was removed, as in [`ObjectFinalized::version`](crate::ObjectFinalized::version). Absent if the sender only
    /// says that the key leads nowhere now (S3 without versions, or a delete marker). Then it means every version that became
    /// complete before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Distinguishes this removal from others of the same key: S3's sequencer, else its versionId; GCS: the generation; local: the
    /// id of the put that wrote the object.
    pub sequence: String,
    /// Whether the bytes are deleted.
    pub removal: Removal,
    /// Why it was removed, if the sender says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// When the object was removed.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub time: Timestamp,
}

/// What happened to the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Removal {
    /// The bytes are deleted: this version cannot be read any more.
    Deleted,
    /// They are kept as a version that is no longer the live one: behind a delete marker, or noncurrent.
    Hidden,
}

/// Why an object was removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// Somebody asked for it.
    Request,
    /// The bucket's lifecycle rules.
    Lifecycle,
    /// Another object was written under the same key.
    Replaced,
}

impl ObjectRemoved {
    /// Returns the identity of the work that this event asks for, which is the same for every redelivery.
    pub fn identity(&self) -> String {
        let removal = match self.removal {
            Removal::Deleted => "deleted",
            Removal::Hidden => "hidden",
        };
        format!("{}/{}/{}@{}:{removal}", self.provider, self.bucket, self.key, self.sequence)
    }

    /// Whether it removes the version of this object that became complete at `finalized`.
    ///
    /// A cloud gives a version once. On one machine the version says which bytes it is, so the same bytes that were put again
    /// have the version of those that were removed: of these, what became complete before is meant.
    pub fn removes(&self, version: &str, finalized: Timestamp) -> bool {
        let is_before = finalized <= self.time;
        match (&self.version, self.provider) {
            (None, _) => is_before,
            (Some(removed), Provider::Local) => removed == version && is_before,
            (Some(removed), Provider::S3 | Provider::Gcs) => removed == version,
        }
    }

    /// Returns the event as [`finalized::parse`](crate::finalized::parse) reads it: a CloudEvent in structured mode. Its id is that
    /// of the work, so copies of one event have one id.
    pub fn to_json(&self) -> Vec<u8> {
        let id = Sha256::of(self.identity().as_bytes()).to_string();
        json!({
            "specversion": "1.0",
            "id": &id[..32],
            "source": format!("framepost/{}/{}", self.provider, self.bucket),
            "type": EVENT_TYPE,
            "subject": self.key,
            "time": self.time,
            "datacontenttype": "application/json",
            "data": self,
        })
        .to_string()
        .into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_removal_says_which_versions_it_means() {
        let at = |time: &str| time.parse::<Timestamp>().unwrap();
        let removed = ObjectRemoved {
            provider: Provider::S3,
            bucket: "footage".to_owned(),
            key: "a.mp4".to_owned(),
            version: None,
            sequence: "0A".to_owned(),
            removal: Removal::Hidden,
            cause: None,
            time: at("2026-11-20T15:08:27Z"),
        };
        assert!(removed.removes("1", at("2026-11-20T15:08:27Z")));
        assert!(!removed.removes("2", at("2026-11-20T15:08:28Z")), "an object that was written afterwards");
        let of_one = ObjectRemoved { version: Some("1".to_owned()), ..removed.clone() };
        assert!(of_one.removes("1", at("2026-11-20T15:08:28Z")) && !of_one.removes("2", at("2026-11-20T15:08:26Z")));
        let of_local = ObjectRemoved { provider: Provider::Local, ..of_one.clone() };
        assert!(of_local.removes("1", at("2026-11-20T15:08:27Z")));
        assert!(!of_local.removes("1", at("2026-11-20T15:08:28Z")), "the same bytes, put again");
        assert!(!of_local.removes("2", at("2026-11-20T15:08:26Z")));
        let later = ObjectRemoved { removal: Removal::Deleted, ..removed.clone() };
        assert_ne!(removed.identity(), later.identity());
    }
}
