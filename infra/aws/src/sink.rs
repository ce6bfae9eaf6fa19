//! A bucket to put into.

use crate::body::{self, KnownDigest};
use crate::connect::{Connection, S3Options, Session, timeouts};
use crate::error;
use crate::source::S3Source;
use async_trait::async_trait;
use aws_sdk_s3::types::ChecksumMode;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use framepost_events::Sha256;
use framepost_ports::shown::ShownUrl;
use framepost_ports::{Error, ErrorKind, NewObject, ObjectSink, Put, Result};
use url::Url;

/// One bucket.
#[derive(Debug, Clone)]
pub struct S3Bucket {
    connection: Connection,
    name: String,
}

impl S3Bucket {
    /// Connects to the bucket of an `s3://bucket` URL. Asks nothing of it yet.
    pub async fn connect(url: &Url, options: S3Options) -> Result<Self> {
        let invalid =
            |why: &'static str| Error::new(ErrorKind::Invalid, "connect", ShownUrl::of(url.as_str())).because(why);
        if url.scheme() != "s3" {
            return Err(invalid("the URL of an S3 bucket begins with s3://"));
        }
        let name = url.host_str().ok_or_else(|| invalid("the URL names no bucket"))?.to_owned();
        if !matches!(url.path(), "" | "/") {
            return Err(invalid("a bucket has no path: keys begin with the site, and signatures cover the whole key"));
        }
        Ok(Self { connection: Session::new(options).await?.s3()?, name })
    }

    /// The bucket's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The reading side, over the same connections.
    pub fn source(&self) -> S3Source {
        S3Source { connection: self.connection.clone() }
    }
}

#[async_trait]
impl ObjectSink for S3Bucket {
    async fn put(&self, object: &NewObject) -> Result<Put> {
        let len = object.content.len_bytes();
        let invalid = || Error::new(ErrorKind::Invalid, "put", &object.key);
        let (body, failure) = body::of(&*object.content)
            .await
            .map_err(|error| Error::new(ErrorKind::Io, "put", &object.key).because(error))?;
        let request = self
            .connection
            .client
            .put_object()
            .bucket(&self.name)
            .key(&object.key)
            .if_none_match("*")
            .content_type(&object.content_type)
            .content_length(i64::try_from(len).map_err(|error| invalid().because(error))?)
            .checksum_sha256(BASE64_STANDARD.encode(object.sha256.0))
            .set_metadata(Some(object.metadata.iter().cloned().collect()))
            .body(body)
            .customize()
            .interceptor(KnownDigest(object.sha256))
            .config_override(aws_sdk_s3::config::Builder::new().timeout_config(timeouts(len)));
        let answer = request.send().await;
        // A broken content shows as a broken connection; whose fault it was is known here.
        if let Some(error) = failure.take() {
            return Err(Error::new(ErrorKind::Io, "put", &object.key).because(error));
        }
        match answer {
            Ok(_) => Ok(Put::Created),
            Err(error) if error.raw_response().is_some_and(|raw| raw.status().as_u16() == 412) => {
                Ok(Put::AlreadyExists)
            }
            Err(error) => Err(error::of("s3", "put", &object.key, error)),
        }
    }

    async fn checksum(&self, key: &str) -> Result<Option<Sha256>> {
        let request = self.connection.client.head_object().bucket(&self.name).key(key);
        let head = request
            .checksum_mode(ChecksumMode::Enabled)
            .send()
            .await
            .map_err(|error| error::of("s3", "checksum", key, error))?;
        // One of a multipart upload ends in `-N` and is no digest of the bytes.
        let digest = head.checksum_sha256().and_then(|text| BASE64_STANDARD.decode(text).ok());
        Ok(digest.and_then(|digest| digest.try_into().ok()).map(Sha256))
    }

    fn url(&self) -> String {
        format!("s3://{}", self.name)
    }
}
