//! An S3 bucket to put objects into.

use crate::answer::{Answered, Body, error_code};
use crate::body::{self, KnownDigest};
use crate::connect::{Connection, Echo, S3Options, Session, timeouts};
use crate::error::{self, Document};
use crate::source::S3Source;
use async_trait::async_trait;
use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::operation::put_object::{PutObjectError, PutObjectOutput};
use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumMode};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use framepost_events::Sha256;
use framepost_ports::location::{Location, Place, Role};
use framepost_ports::shown::ShownUrl;
use framepost_ports::{Effect, Error, ErrorKind, NewObject, ObjectSink, Put, Result, Seen};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use url::Url;

/// A bucket of S3, or of a server that speaks its protocol, into which objects are put.
#[derive(Debug, Clone)]
pub struct S3Bucket {
    connection: Connection,
    name: String,
    echo: Echo,
    /// Whether the endpoint has returned a checksum before. From then on, one is required.
    echoed: Arc<AtomicBool>,
}

impl S3Bucket {
    /// Connects to the bucket of an `s3://bucket` URL. Sends no request yet.
    pub async fn connect(url: &Url, options: S3Options) -> Result<Self> {
        let at = Location::parse(url.as_str(), Role::Bucket)
            .map_err(|error| Error::new(ErrorKind::Invalid, "connect", ShownUrl::of(url.as_str())).because(error))?;
        let asked = options.echo;
        Self::of(&Session::new(options).await?, &at, asked)
    }

    /// Uses the bucket of a location `s3://bucket`, over the connections of `session`. Sends no request yet.
    pub(crate) fn of(session: &Session, at: &Location, asked: Echo) -> Result<Self> {
        let invalid = |why: &'static str| Error::new(ErrorKind::Invalid, "connect", at.to_string()).because(why);
        let name = match at.place() {
            Place::Bucket { name, prefix } if at.cloud() == "aws" && prefix.is_empty() => name.clone(),
            Place::Bucket { .. } if at.cloud() == "aws" => {
                return Err(invalid(
                    "a bucket has no path: keys begin with the site, and signatures cover the whole key",
                ));
            }
            _ => return Err(invalid("the URL of an S3 bucket begins with s3://")),
        };
        let connection = session.s3()?;
        let echo = match (&connection.endpoint, asked) {
            // Amazon's own responses always include the checksum that the put carried.
            (None, Echo::Detected) => Echo::Required,
            (_, echo) => echo,
        };
        Ok(Self { connection, name, echo, echoed: Arc::default() })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Judges a success: it must include the checksum of the stored object, and the checksum
    /// must be the object's.
    fn created(&self, object: &NewObject, answer: &PutObjectOutput, body: Option<Body>) -> Result<Put> {
        let digest = answer.checksum_sha256().and_then(decoded).map(Sha256);
        let crc32c = answer.checksum_crc32_c().and_then(decoded).map(u32::from_be_bytes).zip(object.crc32c);
        let said = answer.checksum_sha256().is_some() || answer.checksum_crc32_c().is_some();
        let is_ours = match (digest, crc32c) {
            (Some(digest), _) => Some(digest == object.sha256),
            (None, Some((there, ours))) => Some(there == ours),
            // A checksum that cannot be decoded, or of another algorithm.
            (None, None) => None,
        };
        let failed = |kind| Error::new(kind, "put", &object.key);
        match is_ours {
            Some(true) => {
                self.echoed.store(true, Ordering::Relaxed);
                Ok(Put::Created)
            }
            // The bucket does not hold this object under the key.
            Some(false) => Err(failed(ErrorKind::Corrupt)
                .with_effect(Effect::None)
                .because("the answer has the checksum of other bytes")),
            None if said => Err(failed(ErrorKind::Intercepted).because("the answer's checksum cannot be compared")),
            None if self.echo == Echo::Required || self.echoed.load(Ordering::Relaxed) => {
                Err(failed(ErrorKind::Intercepted)
                    .with_effect(Effect::None)
                    .because("the answer has no checksum, so it is not the bucket's"))
            }
            None if answer.e_tag().is_none() || body != Some(Body::Empty) => Err(failed(ErrorKind::Intercepted)
                .with_effect(Effect::None)
                .because("the answer has no ETag or is a page, so it is not the bucket's")),
            None if self.echo == Echo::Absent => Ok(Put::Created),
            None => Ok(Put::Unproven),
        }
    }

    /// Returns a source that reads over the same connections.
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
        let answered = Answered::default();
        let request = self
            .connection
            .client
            .put_object()
            .bucket(&self.name)
            .key(&object.key)
            .if_none_match("*")
            .content_type(&object.content_type)
            .content_length(i64::try_from(len).map_err(|error| invalid().because(error))?)
            // Some servers return a checksum only if the request names the algorithm.
            .checksum_algorithm(ChecksumAlgorithm::Sha256)
            .checksum_sha256(BASE64_STANDARD.encode(object.sha256.0))
            .set_metadata(Some(object.metadata.iter().cloned().collect()))
            .body(body)
            .customize()
            .interceptor(KnownDigest(object.sha256))
            .interceptor(answered.clone())
            .config_override(aws_sdk_s3::config::Builder::new().timeout_config(timeouts(len)));
        let answer = request.send().await;
        // If the content fails, the SDK only reports a broken connection.
        if let Some(error) = failure.take() {
            return Err(Error::new(ErrorKind::Io, "put", &object.key).because(error));
        }
        match answer {
            Ok(answer) => self.created(object, &answer, answered.body()),
            Err(error) if is_there(&error) => Ok(Put::AlreadyExists),
            Err(error) => Err(error::of_answer("s3", "put", &object.key, Document::Expected, error)),
        }
    }

    async fn look(&self, key: &str) -> Result<Seen> {
        let request = self.connection.client.head_object().bucket(&self.name).key(key);
        let head = request
            .checksum_mode(ChecksumMode::Enabled)
            .send()
            .await
            .map_err(|error| error::of("s3", "look", key, error))?;
        Ok(Seen {
            bytes: head.content_length().and_then(|bytes| u64::try_from(bytes).ok()),
            // The checksum of a multipart upload ends in `-N` and does not cover the bytes directly.
            sha256: head.checksum_sha256().and_then(decoded).map(Sha256),
            crc32c: head.checksum_crc32_c().and_then(decoded).map(u32::from_be_bytes),
        })
    }

    fn url(&self) -> String {
        format!("s3://{}", self.name)
    }
}

/// Decodes a checksum in S3's form, Base64.
fn decoded<const N: usize>(text: &str) -> Option<[u8; N]> {
    BASE64_STANDARD.decode(text).ok()?.try_into().ok()
}

/// Returns whether S3 itself reports that the key already exists.
fn is_there(error: &SdkError<PutObjectError, HttpResponse>) -> bool {
    error.raw_response().is_some_and(|raw| {
        raw.status().as_u16() == 412 && raw.body().bytes().is_some_and(|body| error_code(body).is_some())
    })
}
