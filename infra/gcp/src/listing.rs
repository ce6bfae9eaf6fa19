//! The objects of a bucket, by their keys.
//!
//! The SDK lists over gRPC only. This is one call of the JSON API ("Objects: list").

use crate::api::{Answer, Api, encoded};
use crate::connect::{CALL_TIMEOUT, GoogleOptions, within};
use crate::error;
use async_trait::async_trait;
use framepost_events::ObjectFinalized;
use framepost_events::finalized::Provider;
use framepost_ports::{Error, ErrorKind, ObjectListing, Result};
use jiff::Timestamp;
use serde::Deserialize;

/// Objects of one request, Cloud Storage's limit.
const PAGE: usize = 1000;
/// A page of 1000 objects with keys of 1024 bytes and these fields has under 2 MiB.
const LARGEST_PAGE_BYTES: usize = 8 << 20;
const FIELDS: &str = "nextPageToken,items(name,generation,size,timeCreated)";

/// One bucket, listed in the order of its keys, live versions only.
#[derive(Debug, Clone)]
pub struct GcsListing {
    api: Api,
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
        Ok(Self { api: Api::connect(options)?, bucket: bucket.into() })
    }

    async fn page(&self, prefix: &str, after: &str, max: usize, token: Option<&str>) -> Result<Page> {
        let mut path = format!(
            "/storage/v1/b/{}/o?fields={}&maxResults={max}&prefix={}&startOffset={}",
            encoded(&self.bucket),
            encoded(FIELDS),
            encoded(prefix),
            encoded(after),
        );
        if let Some(token) = token {
            path.push_str("&pageToken=");
            path.push_str(&encoded(token));
        }
        match self.api.ask("list", prefix, self.api.get(&path), LARGEST_PAGE_BYTES).await? {
            Answer::Success(body) => serde_json::from_slice(&body)
                .map_err(|error| Error::new(ErrorKind::Intercepted, "list", prefix).because(error)),
            Answer::Refusal(error) => {
                let what = if prefix.is_empty() { &self.bucket } else { prefix };
                Err(error::of("list", what, error))
            }
        }
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
