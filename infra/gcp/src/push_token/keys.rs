//! Google's public keys, fetched on demand and cached.
//!
//! The keys change every few days, and Google publishes both old and new ones for a while. Keys older than
//! [`FRESH`] are fetched again; if that fails, they are used until [`USABLE`]. An unknown key id triggers a
//! fetch at most once per [`PAUSE`], so that invented ids do not cause requests to Google. Concurrent callers
//! wait for a fetch that is in progress.

use framepost_ports::{Clock, Error, ErrorKind, Result};
use jsonwebtoken::DecodingKey;
use jsonwebtoken::jwk::{AlgorithmParameters, JwkSet};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;

const FRESH: Duration = Duration::from_hours(1);
const USABLE: Duration = Duration::from_hours(24);
const PAUSE: Duration = Duration::from_secs(30);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const FETCH_TIMEOUT: Duration = Duration::from_secs(10);
/// Google's key set has about 2 KiB.
const LARGEST_SET_BYTES: usize = 256 * 1024;

/// The URL of the key set, and the cached keys.
pub(super) struct Keys {
    url: String,
    http: reqwest::Client,
    clock: Arc<dyn Clock>,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    by_id: HashMap<String, DecodingKey>,
    fetched: Option<Duration>,
    tried: Option<Duration>,
}

impl Keys {
    pub(super) fn new(url: String, clock: Arc<dyn Clock>) -> Result<Self> {
        // Keep the TLS provider of an embedding program.
        drop(rustls::crypto::ring::default_provider().install_default());
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(FETCH_TIMEOUT)
            .build()
            .map_err(|error| Error::new(ErrorKind::Invalid, "connect", &url).because(error))?;
        Ok(Self { url, http, clock, known: Mutex::default() })
    }

    /// Returns the key with this id, or `None` if the key set does not contain it.
    pub(super) async fn find(&self, id: &str) -> Result<Option<DecodingKey>> {
        let mut known = self.known.lock().await;
        let now = self.clock.monotonic();
        let younger_than = |time: Option<Duration>, age| time.is_some_and(|time| now.saturating_sub(time) < age);
        let found = known.by_id.get(id).cloned();
        if found.is_some() && younger_than(known.fetched, FRESH) {
            return Ok(found);
        }
        let usable = younger_than(known.fetched, USABLE);
        if younger_than(known.tried, PAUSE) {
            return if usable { Ok(found) } else { Err(self.unknown("the last try is not long ago")) };
        }
        known.tried = Some(now);
        match self.fetch().await {
            Ok(by_id) => *known = Known { by_id, fetched: Some(now), tried: Some(now) },
            Err(_) if usable && found.is_some() => return Ok(found),
            Err(error) => return Err(error),
        }
        Ok(known.by_id.get(id).cloned())
    }

    async fn fetch(&self) -> Result<HashMap<String, DecodingKey>> {
        let failed = |error: reqwest::Error| self.unknown(error.without_url());
        let response = self.http.get(&self.url).send().await.map_err(failed)?;
        let mut response = response.error_for_status().map_err(failed)?;
        let mut body = Vec::new();
        while let Some(part) = response.chunk().await.map_err(failed)? {
            body.extend_from_slice(&part);
            if body.len() > LARGEST_SET_BYTES {
                return Err(self.unknown("the key set is too large to be one"));
            }
        }
        let set: JwkSet = serde_json::from_slice(&body).map_err(|error| self.unknown(error))?;
        let usable = set.keys.iter().filter_map(|key| {
            let AlgorithmParameters::RSA(_) = key.algorithm else { return None };
            Some((key.common.key_id.clone()?, DecodingKey::from_jwk(key).ok()?))
        });
        Ok(usable.collect())
    }

    fn unknown(&self, why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
        Error::new(ErrorKind::Transport, "fetch", format!("the keys at {}", self.url)).because(why)
    }
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys").field("url", &self.url).finish_non_exhaustive()
    }
}
