//! A Cloud Storage bucket to put objects into.

use crate::api::{Answer, Api, encoded, not_google};
use crate::body::{Sending, Sent, digests};
use crate::connect::{CALL_TIMEOUT, GoogleOptions, STALL_GRACE, limit, within};
use crate::error;
use async_trait::async_trait;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use framepost_events::attributes::Metadata;
use framepost_ports::location::{Location, Place, Role};
use framepost_ports::shown::ShownUrl;
use framepost_ports::{Effect, Error, ErrorKind, NewObject, ObjectSink, Put, Result, Seen};
use google_cloud_gax::error::Error as GoogleError;
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;
use url::Url;

/// The metadata entry that holds the SHA-256 of an object which Framepost put.
const DIGEST: &str = "Sha256";
/// The same where the object's own metadata does not hold it: Cloud Storage only computes CRC-32C and MD5.
/// [`GcsSource`](crate::GcsSource) removes it from what it returns.
pub(crate) const OWN_DIGEST: &str = "framepost-sha256";
/// More than the description of any object: its key of at most 1 KiB, its metadata of at most 8 KiB, its access list.
const DESCRIPTION_LIMIT_BYTES: usize = 64 * 1024;

/// A Cloud Storage bucket.
#[derive(Debug, Clone)]
pub struct GcsBucket {
    api: Api,
    name: String,
}

/// What Cloud Storage says of an object ("Objects: resource representations").
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Described {
    /// An int64, as a string of digits.
    size: Option<String>,
    /// In network byte order, in Base64.
    crc32c: Option<String>,
    metadata: BTreeMap<String, String>,
}

impl Described {
    fn bytes(&self) -> Option<u64> {
        self.size.as_deref()?.parse().ok()
    }

    fn crc32c(&self) -> Option<u32> {
        Some(u32::from_be_bytes(BASE64_STANDARD.decode(self.crc32c.as_deref()?).ok()?.try_into().ok()?))
    }
}

impl GcsBucket {
    /// Connects to the bucket of a `gs://bucket` URL. Sends no request yet.
    ///
    /// Call it in a runtime: credentials are fetched in the background.
    pub fn connect(url: &Url, options: &GoogleOptions) -> Result<Self> {
        let at = Location::parse(url.as_str(), Role::Bucket)
            .map_err(|error| Error::new(ErrorKind::Invalid, "connect", ShownUrl::of(url.as_str())).because(error))?;
        Self::of(&at, options)
    }

    /// Connects to the bucket of a location `gs://bucket`. Asks nothing of it yet.
    pub(crate) fn of(at: &Location, options: &GoogleOptions) -> Result<Self> {
        let invalid = |why: &'static str| Error::new(ErrorKind::Invalid, "connect", at.to_string()).because(why);
        let name = match at.place() {
            Place::Bucket { name, prefix } if at.cloud() == "gcp" && prefix.is_empty() => name.clone(),
            Place::Bucket { .. } if at.cloud() == "gcp" => {
                return Err(invalid(
                    "a bucket has no path: keys begin with the site, and signatures cover the whole key",
                ));
            }
            _ => return Err(invalid("the URL of a Cloud Storage bucket begins with gs://")),
        };
        Ok(Self { api: Api::connect(options)?, name })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// One request ("Objects: insert", `uploadType=multipart`): the description with the checksum, then the bytes.
    async fn send(&self, object: &NewObject, crc32c: u32) -> Result<Put> {
        let sent = Sent::default();
        // No content holds its own digest. RFC 2046, section 5.1.1, allows 70 characters.
        let boundary = object.sha256.to_string();
        // Both parts name the object's type: the emulators believe the second one.
        let content_type =
            Some(&object.content_type).filter(|kind| kind.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
        let media = content_type.map_or_else(String::new, |kind| format!("Content-Type: {kind}\r\n"));
        let before = format!(
            "--{boundary}\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n{}\r\n--{boundary}\r\n{media}\r\n",
            description(object, crc32c)
        );
        let after = format!("\r\n--{boundary}--\r\n");
        let body = Sending::new(before.into(), &*object.content, after.into(), sent.clone());
        let path = format!(
            "/upload/storage/v1/b/{}/o?uploadType=multipart&ifGenerationMatch=0&name={}",
            encoded(&self.name),
            encoded(&object.key)
        );
        let request = self
            .api
            .post(&path)
            .header("content-type", format!("multipart/related; boundary={boundary}"))
            .body(reqwest::Body::wrap(body));
        let answer = tokio::select! {
            answer = self.api.ask("put", &object.key, request, DESCRIPTION_LIMIT_BYTES) => answer,
            () = sent.stalled(STALL_GRACE) => {
                let stalled = format!("no byte moved for {STALL_GRACE:?}");
                return Err(Error::new(ErrorKind::Transport, "put", &object.key).because(stalled));
            }
        };
        // If the content fails, the client only reports a broken connection.
        if let Some(error) = sent.take_failure() {
            return Err(Error::new(ErrorKind::Io, "put", &object.key).because(error));
        }
        match answer? {
            Answer::Success(body) => match serde_json::from_slice(&body) {
                Ok(made) => created(object, crc32c, &made),
                Err(error) => Err(not_google("put", &object.key).because(error)),
            },
            Answer::Refusal(error) if is_there(&error) => Ok(Put::AlreadyExists),
            Answer::Refusal(error) => Err(error::of("put", &object.key, error)),
        }
    }
}

/// The object's resource, as it is to be made.
fn description(object: &NewObject, crc32c: u32) -> serde_json::Value {
    let mut metadata: Metadata = object.metadata.clone();
    if !metadata.iter().any(|(name, _)| name.eq_ignore_ascii_case(DIGEST)) {
        metadata.push((OWN_DIGEST.to_owned(), object.sha256.to_string()));
    }
    json!({
        "name": object.key,
        "contentType": object.content_type,
        "crc32c": BASE64_STANDARD.encode(crc32c.to_be_bytes()),
        "metadata": metadata.into_iter().collect::<BTreeMap<_, _>>(),
    })
}

#[async_trait]
impl ObjectSink for GcsBucket {
    async fn put(&self, object: &NewObject) -> Result<Put> {
        let len = object.content.len_bytes();
        within(limit(len), "put", &object.key, async {
            let crc32c = match object.crc32c {
                Some(crc32c) => crc32c,
                None => checked(object).await?,
            };
            self.send(object, crc32c).await
        })
        .await
    }

    async fn look(&self, key: &str) -> Result<Seen> {
        let path = format!("/storage/v1/b/{}/o/{}?fields=size,crc32c,metadata", encoded(&self.name), encoded(key));
        let asked = self.api.ask("look", key, self.api.get(&path), DESCRIPTION_LIMIT_BYTES);
        let found: Described = match within(CALL_TIMEOUT, "look", key, asked).await? {
            Answer::Success(body) => {
                serde_json::from_slice(&body).map_err(|error| not_google("look", key).because(error))?
            }
            Answer::Refusal(error) => return Err(error::of("look", key, error)),
        };
        let named = |wanted: &str| found.metadata.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted));
        let digest = named(DIGEST).or_else(|| named(OWN_DIGEST));
        Ok(Seen {
            bytes: found.bytes(),
            // The SHA-256 was written by whoever put the object; Cloud Storage computed the CRC-32C.
            sha256: digest.and_then(|(_, digest)| digest.parse().ok()),
            crc32c: found.crc32c(),
        })
    }

    fn url(&self) -> String {
        format!("gs://{}", self.name)
    }
}

/// Judges a success: Cloud Storage returns the size and the CRC-32C of the stored object.
fn created(object: &NewObject, crc32c: u32, made: &Described) -> Result<Put> {
    let failed = |kind| Error::new(kind, "put", &object.key).with_effect(Effect::None);
    match made.crc32c() {
        Some(there) if there == crc32c && made.bytes() == Some(object.content.len_bytes()) => Ok(Put::Created),
        Some(_) => Err(failed(ErrorKind::Corrupt).because("the answer has the checksum of other bytes")),
        None => Err(failed(ErrorKind::Intercepted).because("the answer has no checksum, so it is not the bucket's")),
    }
}

/// Computes the CRC-32C of an object for which the caller has none. Since this reads all bytes, it also checks
/// them against their SHA-256, which Cloud Storage does not do.
async fn checked(object: &NewObject) -> Result<u32> {
    let (crc32c, sha256) = digests(&*object.content)
        .await
        .map_err(|error| Error::new(ErrorKind::Io, "put", &object.key).because(error))?;
    if sha256 != object.sha256 {
        let found = format!("the content's digest is {sha256}, not {}", object.sha256);
        return Err(Error::new(ErrorKind::Corrupt, "put", &object.key).because(found));
    }
    Ok(crc32c)
}

/// Returns whether the response means that the key already exists. A credential that may only create objects
/// gets 403 instead of 412, because replacing the object would need the right to delete it.
fn is_there(error: &GoogleError) -> bool {
    match error::failure(error) {
        Some((_, failure)) if failure.code == "412" => true,
        Some((_, failure)) => failure.code == "403" && failure.message.contains("storage.objects.delete"),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use google_cloud_gax::error::rpc::Status;
    use reqwest::header::HeaderMap;

    #[test]
    fn a_credential_that_may_only_create_is_told_in_other_words_that_an_object_is_there() {
        let gateway = "gateway@example-project.iam.gserviceaccount.com does not have";
        for (status, message, there) in [
            (412, "At least one of the pre-conditions you specified did not hold.".to_owned(), true),
            (403, format!("{gateway} storage.objects.delete access to the Google Cloud Storage object."), true),
            (403, format!("{gateway} storage.objects.create access to the Google Cloud Storage object."), false),
            (404, "The specified bucket does not exist.".to_owned(), false),
        ] {
            let payload = serde_json::json!({ "error": { "code": status, "message": message } }).to_string();
            let own = Status::try_from(&Bytes::from(payload)).unwrap();
            let error = GoogleError::service_with_http_metadata(own, Some(status), None);
            assert_eq!(is_there(&error), there, "{status} {message}");
            // The same text in a page that is not Google's.
            let page = format!("<html>{message}</html>");
            assert!(!is_there(&GoogleError::http(status, HeaderMap::new(), page.into())), "{status}");
        }
    }
}
