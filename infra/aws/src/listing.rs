//! Lists the objects of a bucket by their keys.

use crate::connect::{Connection, Session};
use crate::error;
use crate::source::timestamp;
use async_trait::async_trait;
use aws_sdk_s3::types::ObjectVersion;
use framepost_events::ObjectFinalized;
use framepost_events::finalized::Provider;
use framepost_ports::{ObjectListing, Result};

/// The most versions of one request, S3's limit.
const PAGE: usize = 1000;

/// Lists one bucket by `ListObjectVersions`, since the version is part of an object's identity. In a bucket without versions, the
/// object's ETag takes its place: its event has a sequencer, which cannot be asked for afterwards.
#[derive(Debug, Clone)]
pub struct S3Listing {
    connection: Connection,
    bucket: String,
}

impl S3Listing {
    /// Lists the objects of `bucket`. Sends no request yet.
    pub fn new(session: &Session, bucket: impl Into<String>) -> Result<Self> {
        Ok(Self { connection: session.s3()?, bucket: bucket.into() })
    }

    fn event(&self, object: ObjectVersion) -> Option<ObjectFinalized> {
        let is_version = |id: &String| !id.is_empty() && id != "null";
        let read_version = object.version_id.filter(is_version);
        let version = read_version.clone().or_else(|| object.e_tag.map(|tag| tag.trim_matches('"').to_owned()))?;
        Some(ObjectFinalized {
            provider: Provider::S3,
            bucket: self.bucket.clone(),
            key: object.key?,
            version,
            size: object.size.and_then(|size| u64::try_from(size).ok()),
            time: timestamp(object.last_modified.as_ref())?,
            media_link: None,
            region: Some(self.connection.region.clone()),
            read_version,
        })
    }
}

#[async_trait]
impl ObjectListing for S3Listing {
    async fn list(&self, prefix: &str, after: &str, max: usize) -> Result<Vec<ObjectFinalized>> {
        let mut found = Vec::new();
        let mut key_marker = (!after.is_empty()).then(|| after.to_owned());
        let mut version_marker = None;
        while found.len() < max {
            let page = i32::try_from(PAGE.min(max - found.len())).unwrap_or(1000);
            let request = self.connection.client.list_object_versions().bucket(&self.bucket).prefix(prefix);
            let answer = request
                .max_keys(page)
                .set_key_marker(key_marker.take())
                .set_version_id_marker(version_marker.take())
                .send()
                .await
                .map_err(|failure| error::of("s3", "list", prefix, failure))?;
            let latest = answer.versions.unwrap_or_default().into_iter().filter(|one| one.is_latest == Some(true));
            // Every version of the marker's key but those before it comes again where no version is named.
            found.extend(latest.filter_map(|one| self.event(one)).filter(|event| event.key.as_str() > after));
            if answer.is_truncated != Some(true) {
                break;
            }
            key_marker = answer.next_key_marker;
            version_marker = answer.next_version_id_marker;
            if key_marker.is_none() {
                break;
            }
        }
        found.truncate(max);
        Ok(found)
    }
}
