//! A Cloud Storage bucket to put objects into.

use crate::body::{Sending, Sent, digests};
use crate::connect::{GoogleOptions, STALL_GRACE, limit, within};
use crate::error;
use crate::source::{self, GcsSource, OWN_DIGEST};
use async_trait::async_trait;
use framepost_ports::location::{Location, Place, Role};
use framepost_ports::shown::ShownUrl;
use framepost_ports::{Effect, Error, ErrorKind, NewObject, ObjectSink, Put, Result, Seen};
use google_cloud_gax::error::Error as GoogleError;
use google_cloud_storage::client::Storage;
use url::Url;

/// The metadata entry that holds the SHA-256 of an object which Framepost put.
const DIGEST: &str = "Sha256";

/// A Cloud Storage bucket.
#[derive(Debug, Clone)]
pub struct GcsBucket {
    source: GcsSource,
    name: String,
}

impl GcsBucket {
    /// Connects to the bucket of a `gs://bucket` URL. Sends no request yet.
    pub async fn connect(url: &Url, options: &GoogleOptions) -> Result<Self> {
        let at = Location::parse(url.as_str(), Role::Bucket)
            .map_err(|error| Error::new(ErrorKind::Invalid, "connect", ShownUrl::of(url.as_str())).because(error))?;
        Self::of(&at, options).await
    }

    /// Connects to the bucket of a location `gs://bucket`. Asks nothing of it yet.
    pub(crate) async fn of(at: &Location, options: &GoogleOptions) -> Result<Self> {
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
        Ok(Self { source: GcsSource::connect(options).await?, name })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns a source that reads over the same connections.
    pub fn source(&self) -> GcsSource {
        self.source.clone()
    }

    fn client(&self) -> &Storage {
        self.source.client()
    }

    async fn send(&self, object: &NewObject, crc32c: u32) -> Result<Put> {
        let sent = Sent::default();
        let mut metadata = object.metadata.clone();
        if !metadata.iter().any(|(name, _)| name.eq_ignore_ascii_case(DIGEST)) {
            metadata.push((OWN_DIGEST.to_owned(), object.sha256.to_string()));
        }
        let request = self
            .client()
            .write_object(source::resource(&self.name), &object.key, Sending::new(object.content.clone(), sent.clone()))
            .set_if_generation_match(0)
            .set_content_type(&object.content_type)
            .set_metadata(metadata)
            .with_known_crc32c(crc32c)
            .send_unbuffered();
        let answer = tokio::select! {
            answer = Box::pin(request) => answer,
            () = sent.stalled(STALL_GRACE) => {
                let stalled = format!("no byte moved for {STALL_GRACE:?}");
                return Err(Error::new(ErrorKind::Transport, "put", &object.key).because(stalled));
            }
        };
        // If the content fails, the client only reports a broken connection.
        if let Some(error) = sent.take_failure() {
            return Err(Error::new(ErrorKind::Io, "put", &object.key).because(error));
        }
        match answer {
            Ok(made) => created(object, crc32c, made.size, made.checksums.and_then(|checksums| checksums.crc32c)),
            Err(error) if is_there(&error) => Ok(Put::AlreadyExists),
            Err(error) => Err(error::of("put", &object.key, error)),
        }
    }
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
        let found = self.source.look("look", &self.name, key, None).await?;
        let named = |wanted: &str| found.metadata.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted));
        let digest = named(DIGEST).or_else(|| named(OWN_DIGEST));
        Ok(Seen {
            bytes: u64::try_from(found.size).ok(),
            // The SHA-256 was written by whoever put the object; Cloud Storage computed the CRC-32C.
            sha256: digest.and_then(|(_, digest)| digest.parse().ok()),
            crc32c: found.checksums.and_then(|checksums| checksums.crc32c),
        })
    }

    fn url(&self) -> String {
        format!("gs://{}", self.name)
    }
}

/// Judges a success: Cloud Storage returns the size and the CRC-32C of the stored object.
fn created(object: &NewObject, crc32c: u32, size: i64, there: Option<u32>) -> Result<Put> {
    let failed = |kind| Error::new(kind, "put", &object.key).with_effect(Effect::None);
    match there {
        Some(there) if there == crc32c && u64::try_from(size) == Ok(object.content.len_bytes()) => Ok(Put::Created),
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
    use google_cloud_storage::http::HeaderMap;

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
