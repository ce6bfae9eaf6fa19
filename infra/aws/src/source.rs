//! Reads objects of any bucket that the credential may read.

use crate::connect::{Connection, S3Options, Session};
use crate::error::{self, Document};
use async_trait::async_trait;
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::{ByteStream, DateTime};
use bytes::{Bytes, BytesMut};
use framepost_events::attributes::Metadata;
use framepost_events::finalized::Provider;
use framepost_ports::{
    ByteRange, Error, ErrorKind, ObjectHead, ObjectRead, ObjectSource, PresignedGet, Result, url_path,
};
use jiff::Timestamp;
use std::collections::HashMap;

/// The buckets of one endpoint and one region.
#[derive(Debug, Clone)]
pub struct S3Source {
    pub(crate) connection: Connection,
}

impl S3Source {
    /// Connects. Sends no request yet.
    pub async fn connect(options: S3Options) -> Result<Self> {
        Ok(Self { connection: Session::new(options).await?.s3()? })
    }

    /// Gets an object's head with a HEAD request. Needed for ranges without bytes, which S3 answers with
    /// 416 and without metadata.
    async fn head(&self, bucket: &str, key: &str, version: Option<&str>) -> Result<ObjectHead> {
        let request = self.connection.client.head_object().bucket(bucket).key(key);
        let answer = request
            .set_version_id(version.map(str::to_owned))
            .send()
            .await
            .map_err(|error| error::of("s3", "head", key, error))?;
        Ok(ObjectHead {
            size: answer.content_length().and_then(|len| u64::try_from(len).ok()).unwrap_or(0),
            content_type: answer.content_type().unwrap_or_default().to_owned(),
            metadata: metadata(answer.metadata()),
            modified: timestamp(answer.last_modified()),
        })
    }
}

#[async_trait]
impl ObjectSource for S3Source {
    async fn read(&self, bucket: &str, key: &str, version: Option<&str>, range: ByteRange) -> Result<ObjectRead> {
        if range.len == 0 {
            return Ok(ObjectRead { head: self.head(bucket, key, version).await?, bytes: Bytes::new() });
        }
        // Some servers refuse positions above `i64::MAX`, and no object is that long.
        let last = range.start.saturating_add(range.len - 1).min(i64::MAX as u64);
        let request = self.connection.client.get_object().bucket(bucket).key(key);
        let answer = request
            .set_version_id(version.map(str::to_owned))
            .range(format!("bytes={}-{last}", range.start))
            .send()
            .await;
        let answer = match answer {
            Err(error) if error.raw_response().is_some_and(|raw| raw.status().as_u16() == 416) => {
                return Ok(ObjectRead { head: self.head(bucket, key, version).await?, bytes: Bytes::new() });
            }
            other => other.map_err(|error| error::of_answer("s3", "get", key, Document::Expected, error))?,
        };
        let whole = answer.content_range().and_then(|range| range.rsplit_once('/')?.1.parse().ok());
        let len = answer.content_length().and_then(|len| u64::try_from(len).ok()).unwrap_or(0);
        let head = ObjectHead {
            size: whole.unwrap_or(len),
            content_type: answer.content_type().unwrap_or_default().to_owned(),
            metadata: metadata(answer.metadata()),
            modified: timestamp(answer.last_modified()),
        };
        // A server without support for ranges sends the whole object.
        let skip = if whole.is_some() { 0 } else { range.start };
        let bytes = collect(key, answer.body, skip, range.len).await?;
        Ok(ObjectRead { head, bytes })
    }

    fn provider(&self) -> Provider {
        Provider::S3
    }

    fn media_link(&self, bucket: &str, key: &str, version: Option<&str>) -> String {
        let Connection { endpoint, region, .. } = &self.connection;
        media_link(endpoint.as_deref(), region, bucket, key, version)
    }

    /// Signs here: no request is sent, except one for credentials where those have to be renewed. The URL also ends with the
    /// credentials that signed it.
    async fn presigned(&self, get: PresignedGet<'_>) -> Result<Option<String>> {
        let PresignedGet { bucket, key, content_type, lasts } = get;
        let lasts = PresigningConfig::expires_in(lasts)
            .map_err(|error| Error::new(ErrorKind::Invalid, "presign", key).because(error))?;
        let request = self.connection.client.get_object().bucket(bucket).key(key);
        let request = request.response_content_type(content_type).response_content_disposition("attachment");
        let signed = request.presigned(lasts).await.map_err(|error| error::of("s3", "presign", key, error))?;
        Ok(Some(signed.uri().to_owned()))
    }
}

fn media_link(endpoint: Option<&str>, region: &str, bucket: &str, key: &str, version: Option<&str>) -> String {
    let key = url_path(key);
    let domain = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    let mut link = match endpoint {
        Some(endpoint) => format!("{}/{bucket}/{key}", endpoint.trim_end_matches('/')),
        // Amazon's wildcard certificate covers only one label, so it does not match bucket names with dots.
        None if bucket.contains('.') => format!("https://s3.{region}.{domain}/{bucket}/{key}"),
        None => format!("https://{bucket}.s3.{region}.{domain}/{key}"),
    };
    if let Some(version) = version {
        link.push_str("?versionId=");
        link.push_str(&url_path(version));
    }
    link
}

async fn collect(key: &str, mut body: ByteStream, mut skip: u64, len: u64) -> Result<Bytes> {
    let mut bytes = BytesMut::new();
    while let Some(piece) = body.next().await {
        let mut piece = piece.map_err(|error| Error::new(ErrorKind::Transport, "get", key).because(error))?;
        let skipped = piece.split_to(usize::try_from(skip).unwrap_or(usize::MAX).min(piece.len()));
        skip -= skipped.len() as u64;
        let left = usize::try_from(len).unwrap_or(usize::MAX) - bytes.len();
        bytes.extend_from_slice(&piece[..piece.len().min(left)]);
        if piece.len() >= left {
            // Ignore any further bytes.
            break;
        }
    }
    Ok(bytes.freeze())
}

fn metadata(metadata: Option<&HashMap<String, String>>) -> Metadata {
    let mut metadata: Metadata =
        metadata.into_iter().flatten().map(|(name, value)| (name.clone(), value.clone())).collect();
    metadata.sort();
    metadata
}

pub(crate) fn timestamp(time: Option<&DateTime>) -> Option<Timestamp> {
    time.and_then(|time| Timestamp::new(time.secs(), i32::try_from(time.subsec_nanos()).ok()?).ok())
}

#[cfg(test)]
mod tests {
    use super::media_link;

    #[test]
    fn links_name_the_exact_object() {
        for (endpoint, region, bucket, version, expected) in [
            (
                None,
                "eu-central-1",
                "footage",
                Some("a+b"),
                "https://footage.s3.eu-central-1.amazonaws.com/k%20k?versionId=a%2Bb",
            ),
            (None, "us-east-1", "my.footage", None, "https://s3.us-east-1.amazonaws.com/my.footage/k%20k"),
            (None, "cn-north-1", "footage", None, "https://footage.s3.cn-north-1.amazonaws.com.cn/k%20k"),
            (Some("http://127.0.0.1:9000/"), "us-east-1", "footage", None, "http://127.0.0.1:9000/footage/k%20k"),
        ] {
            assert_eq!(media_link(endpoint, region, bucket, "k k", version), expected);
        }
    }
}
