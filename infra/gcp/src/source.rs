//! Reads objects of any bucket that the credential may read.

use crate::api::GOOGLE;
use crate::connect::{CALL_TIMEOUT, GoogleOptions, limit, within};
use crate::error;
use crate::signing;
use crate::sink::OWN_DIGEST;
use crate::storage;
use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use framepost_events::attributes::Metadata;
use framepost_events::finalized::Provider;
use framepost_ports::{
    ByteRange, Error, ErrorKind, ObjectHead, ObjectRead, ObjectSource, PresignedGet, Result, url_path,
};
use google_cloud_auth::signer::Signer;
use google_cloud_gax::error::Error as GoogleError;
use google_cloud_storage::builder::storage::ReadObject;
use google_cloud_storage::client::Storage;
use google_cloud_storage::model_ext::{ObjectHighlights, ReadRange};
use google_cloud_storage::read_object::ReadObjectResponse;
use jiff::Timestamp;
use std::sync::{Arc, OnceLock};

/// The buckets of one endpoint.
#[derive(Debug, Clone)]
pub struct GcsSource {
    client: Storage,
    endpoint: String,
    options: GoogleOptions,
    /// Who signs URLs, found out when the first one is made.
    signer: Arc<OnceLock<Option<Signer>>>,
}

impl GcsSource {
    /// Connects. Sends no request yet.
    pub async fn connect(options: &GoogleOptions) -> Result<Self> {
        let endpoint = options.endpoint().unwrap_or_else(|| GOOGLE.to_owned());
        let client = storage::connect(options).await?;
        Ok(Self { client, endpoint, options: options.clone(), signer: Arc::default() })
    }

    fn signer(&self) -> Result<Option<&Signer>> {
        if let Some(known) = self.signer.get() {
            return Ok(known.as_ref());
        }
        let found = signing::signer(&self.options)?;
        Ok(self.signer.get_or_init(|| found).as_ref())
    }

    fn request(&self, bucket: &str, key: &str, version: Option<i64>) -> ReadObject {
        let request = self.client.read_object(storage::resource(bucket), key).compute_crc32c(false);
        match version {
            Some(generation) => request.set_generation(generation),
            None => request,
        }
    }

    /// Starts a GET and returns what arrives before the first byte, without waiting for the bytes.
    async fn look(&self, bucket: &str, key: &str, version: Option<i64>) -> Result<ObjectHighlights> {
        within(CALL_TIMEOUT, "get", key, async {
            let request = self.request(bucket, key, version);
            let answer = Box::pin(request.send()).await.map_err(|error| error::of("get", key, error))?;
            Ok(answer.object())
        })
        .await
    }
}

#[async_trait]
impl ObjectSource for GcsSource {
    async fn read(&self, bucket: &str, key: &str, version: Option<&str>, range: ByteRange) -> Result<ObjectRead> {
        let version = version.map(|version| generation(key, version)).transpose()?;
        // The response to a range without bytes has no metadata.
        let without_bytes =
            async || Ok(ObjectRead { head: head(self.look(bucket, key, version).await?), bytes: Bytes::new() });
        // The client sends both ends of a range as `i64`, and no object is longer.
        if range.len == 0 || range.start >= i64::MAX as u64 {
            return without_bytes().await;
        }
        let len = range.len.min(i64::MAX as u64 - range.start);
        let request = self.request(bucket, key, version).set_read_range(ReadRange::segment(range.start, len));
        let read = within(limit(range.len), "get", key, async {
            let mut answer = match Box::pin(request.send()).await {
                Err(error) if error.http_status_code() == Some(416) => return Ok(None),
                other => other.map_err(|error| error::of("get", key, error))?,
            };
            let bytes = collect(key, &mut answer, len).await?;
            Ok(Some(ObjectRead { head: head(answer.object()), bytes }))
        })
        .await?;
        match read {
            Some(read) => Ok(read),
            None => without_bytes().await,
        }
    }

    fn provider(&self) -> Provider {
        Provider::Gcs
    }

    fn media_link(&self, bucket: &str, key: &str, version: Option<&str>) -> String {
        media_link(&self.endpoint, bucket, key, version)
    }

    /// Asks IAM for the signature, unless the credential is a service account's key.
    async fn presigned(&self, get: PresignedGet<'_>) -> Result<Option<String>> {
        let Some(signer) = self.signer()? else { return Ok(None) };
        signing::presigned(signer, get, self.options.endpoint()).await.map(Some)
    }
}

fn generation(key: &str, version: &str) -> Result<i64> {
    version.parse().map_err(|error| {
        let error: std::num::ParseIntError = error;
        Error::new(ErrorKind::Invalid, "get", key).because(error)
    })
}

fn head(object: ObjectHighlights) -> ObjectHead {
    let mut metadata: Metadata = object.metadata.into_iter().collect();
    metadata.retain(|(name, _)| !name.eq_ignore_ascii_case(OWN_DIGEST));
    metadata.sort();
    ObjectHead {
        size: u64::try_from(object.size).unwrap_or(0),
        content_type: object.content_type,
        metadata,
        modified: created(object.generation),
    }
}

/// Returns when an object was created. A generation is that time in microseconds, which saves the request that
/// the API would need. Returns `None` for a generation that is not a time within the life of the service.
fn created(generation: i64) -> Option<Timestamp> {
    let created = Timestamp::from_microsecond(generation).ok()?;
    let service = Timestamp::constant(1_262_304_000, 0)..Timestamp::constant(4_102_444_800, 0);
    service.contains(&created).then_some(created)
}

async fn collect(key: &str, answer: &mut ReadObjectResponse, len: u64) -> Result<Bytes> {
    let len = usize::try_from(len).unwrap_or(usize::MAX);
    let mut bytes = BytesMut::new();
    while bytes.len() < len {
        match answer.next().await {
            None => break,
            Some(piece) => {
                let piece: Bytes = piece.map_err(|error: GoogleError| error::of("get", key, error))?;
                bytes.extend_from_slice(&piece[..piece.len().min(len - bytes.len())]);
            }
        }
    }
    Ok(bytes.freeze())
}

/// Returns the link that the bucket itself gives for an object.
fn media_link(endpoint: &str, bucket: &str, key: &str, version: Option<&str>) -> String {
    let key = url_path(key).replace('/', "%2F");
    let mut link = format!("{endpoint}/download/storage/v1/b/{bucket}/o/{key}?alt=media");
    if let Some(generation) = version {
        link.push_str("&generation=");
        link.push_str(&url_path(generation));
    }
    link
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_name_the_exact_object() {
        for (endpoint, version, expected) in [
            (GOOGLE, Some("1795258837158597"), "k%2Fk%20k?alt=media&generation=1795258837158597"),
            (GOOGLE, None, "k%2Fk%20k?alt=media"),
            ("http://127.0.0.1:4443", None, "k%2Fk%20k?alt=media"),
        ] {
            let expected = format!("{endpoint}/download/storage/v1/b/footage/o/{expected}");
            assert_eq!(media_link(endpoint, "footage", "k/k k", version), expected);
        }
    }

    #[test]
    fn a_generation_is_a_moment_where_it_can_be_one() {
        assert_eq!(
            created(1_795_258_837_158_597).map(|time| time.to_string()).as_deref(),
            Some("2026-11-21T11:00:37.158597Z")
        );
        assert_eq!(created(1), None);
        assert_eq!(created(i64::MAX), None);
    }
}
