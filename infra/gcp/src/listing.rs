//! The objects of a bucket, by their keys.
//!
//! The SDK lists over gRPC only. This is one call of the JSON API ("Objects: list"), over the client that also fetches
//! Google's keys.

use crate::connect::{CALL_TIMEOUT, GoogleOptions, within};
use crate::error;
use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use framepost_events::ObjectFinalized;
use framepost_events::finalized::Provider;
use framepost_ports::{Error, ErrorKind, ObjectListing, Result, url_path};
use google_cloud_auth::credentials::{CacheableResource, Credentials};
use google_cloud_gax::error::Error as GoogleError;
use google_cloud_gax::error::rpc::Status;
use jiff::Timestamp;
use reqwest::header::HeaderMap;
use serde::Deserialize;

const GOOGLE: &str = "https://storage.googleapis.com";
/// Objects of one request, Cloud Storage's limit.
const PAGE: usize = 1000;
/// A page of 1000 objects with keys of 1024 bytes and these fields has under 2 MiB.
const LARGEST_PAGE_BYTES: usize = 8 << 20;
const FIELDS: &str = "nextPageToken,items(name,generation,size,timeCreated)";

/// One bucket, listed in the order of its keys, live versions only.
#[derive(Debug, Clone)]
pub struct GcsListing {
    http: reqwest::Client,
    credentials: Credentials,
    endpoint: String,
    bucket: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Page {
    items: Vec<Item>,
    next_page_token: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    name: String,
    /// An int64, as a string of digits.
    generation: String,
    size: Option<String>,
    time_created: Timestamp,
}

impl GcsListing {
    /// Lists `bucket`. Sends no request yet.
    pub fn new(bucket: impl Into<String>, options: &GoogleOptions) -> Result<Self> {
        let bucket = bucket.into();
        let credentials = options.credentials()?;
        let http = reqwest::Client::builder()
            .timeout(CALL_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| Error::new(ErrorKind::Invalid, "connect", &bucket).because(error))?;
        let endpoint = options.endpoint().unwrap_or_else(|| GOOGLE.to_owned());
        Ok(Self { http, credentials, endpoint, bucket })
    }

    async fn page(&self, prefix: &str, after: &str, max: usize, token: Option<&str>) -> Result<Page> {
        let parameter = |value: &str| url_path(value).replace('/', "%2F").replace('+', "%2B").replace('&', "%26");
        let mut url = format!(
            "{}/storage/v1/b/{}/o?fields={}&maxResults={max}&prefix={}&startOffset={}",
            self.endpoint,
            parameter(&self.bucket),
            parameter(FIELDS),
            parameter(prefix),
            parameter(after),
        );
        if let Some(token) = token {
            url.push_str("&pageToken=");
            url.push_str(&parameter(token));
        }
        let transport =
            |error: reqwest::Error| Error::new(ErrorKind::Transport, "list", prefix).because(error.without_url());
        #[expect(clippy::default_trait_access, reason = "no dependency of ours names the type")]
        let headers = self.credentials.headers(Default::default()).await;
        let headers = match headers.map_err(|error| error::of("list", prefix, GoogleError::authentication(error)))? {
            CacheableResource::New { data, .. } => data,
            CacheableResource::NotModified => HeaderMap::default(),
        };
        let mut answer = self.http.get(url).headers(headers).send().await.map_err(transport)?;
        let mut body = BytesMut::new();
        while let Some(part) = answer.chunk().await.map_err(transport)? {
            if body.len() + part.len() > LARGEST_PAGE_BYTES {
                let because = format!("an answer of more than {LARGEST_PAGE_BYTES} bytes");
                return Err(Error::new(ErrorKind::Intercepted, "list", prefix).because(because));
            }
            body.extend_from_slice(&part);
        }
        let body = body.freeze();
        if !answer.status().is_success() {
            return Err(self.refused(prefix, answer.status().as_u16(), body));
        }
        serde_json::from_slice(&body).map_err(|error| Error::new(ErrorKind::Intercepted, "list", prefix).because(error))
    }

    fn refused(&self, prefix: &str, status: u16, body: Bytes) -> Error {
        let error = match Status::try_from(&body) {
            Ok(own) => GoogleError::service_with_http_metadata(own, Some(status), None),
            Err(_) => GoogleError::http(status, HeaderMap::default(), body),
        };
        let what = if prefix.is_empty() { &self.bucket } else { prefix };
        error::of("list", what, error)
    }

    fn event(&self, item: Item) -> ObjectFinalized {
        ObjectFinalized {
            provider: Provider::Gcs,
            bucket: self.bucket.clone(),
            key: item.name,
            // An object is finalized with its first metadata, whatever was changed since.
            version: format!("{}.1", item.generation),
            size: item.size.and_then(|size| size.parse().ok()),
            time: item.time_created,
            media_link: None,
            region: None,
            read_version: Some(item.generation),
        }
    }
}

#[async_trait]
impl ObjectListing for GcsListing {
    async fn list(&self, prefix: &str, after: &str, max: usize) -> Result<Vec<ObjectFinalized>> {
        let mut found = Vec::new();
        let mut token = None;
        while found.len() < max {
            // `startOffset` itself is in the answer.
            let wanted = PAGE.min(max - found.len() + 1);
            let page = within(CALL_TIMEOUT, "list", prefix, self.page(prefix, after, wanted, token.as_deref())).await?;
            let later = page.items.into_iter().filter(|item| item.name.as_str() > after);
            found.extend(later.map(|item| self.event(item)));
            match page.next_page_token.filter(|token| !token.is_empty()) {
                Some(next) => token = Some(next),
                None => break,
            }
        }
        found.truncate(max);
        Ok(found)
    }
}
