//! An issuer's public keys, fetched on demand and cached, or given.
//!
//! Issuers change their keys every few days, and publish both old and new ones for a while. Keys older than
//! [`FRESH`] are fetched again; if that fails, they are used until [`USABLE`]. An unknown key id triggers a
//! fetch at most once per [`PAUSE`], so that invented ids do not cause requests to the issuer. Concurrent callers
//! wait for a fetch that is in progress.

use framepost_ports::{Clock, Error, ErrorKind, Result};
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use std::collections::HashMap;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;

const FRESH: Duration = Duration::from_hours(1);
const USABLE: Duration = Duration::from_hours(24);
const PAUSE: Duration = Duration::from_secs(30);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const FETCH_TIMEOUT: Duration = Duration::from_secs(10);
/// Google's key set has about 2 KiB, and Microsoft's 12.
const LARGEST_SET_BYTES: usize = 256 * 1024;

/// Where an issuer's keys are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeysAt {
    /// The URL of a JSON Web Key Set (RFC 7517 §5).
    Url(String),
    /// What the issuer's metadata name (OpenID Connect Discovery 1.0 §4).
    IssuerSays(String),
    /// A file with a JSON Web Key Set, which is read again as a URL is asked again.
    File(PathBuf),
    /// A JSON Web Key Set itself, which never changes.
    Given(String),
}

impl std::fmt::Display for KeysAt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Url(url) => write!(f, "the keys at {url}"),
            Self::IssuerSays(issuer) => write!(f, "the keys of {issuer}"),
            Self::File(path) => write!(f, "the keys in {}", path.display()),
            Self::Given(_) => f.write_str("the given keys"),
        }
    }
}

/// Where the key set is, and the cached keys.
pub struct KeySet {
    at: KeysAt,
    http: reqwest::Client,
    clock: Arc<dyn Clock>,
    known: Mutex<Known>,
}

/// Keys and what each is for, by their ids.
type ById = HashMap<String, (Algorithm, DecodingKey)>;

#[derive(Default)]
struct Known {
    by_id: ById,
    fetched: Option<Duration>,
    tried: Option<Duration>,
}

/// The part of an issuer's metadata that is used.
#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    jwks_uri: String,
}

impl KeySet {
    /// Keys that are fetched when one is first asked for. Fails with [`ErrorKind::Invalid`] if given ones have none that checks
    /// signatures.
    pub fn new(at: KeysAt, clock: Arc<dyn Clock>) -> Result<Self> {
        // Keep the TLS provider of an embedding program.
        drop(rustls::crypto::ring::default_provider().install_default());
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(FETCH_TIMEOUT)
            .build()
            .map_err(|error| Error::new(ErrorKind::Invalid, "connect", "an issuer").because(error))?;
        if let KeysAt::Given(text) = &at {
            let unusable = || Error::new(ErrorKind::Invalid, "read", at.to_string());
            let keys = usable(text.as_bytes()).map_err(|error| unusable().because(error))?;
            if keys.is_empty() {
                return Err(unusable().because("none of them is named and checks RS256 or ES256"));
            }
        }
        Ok(Self { at, http, clock, known: Mutex::default() })
    }

    /// Returns the key with this id for this algorithm, or `None` if the key set does not contain it. A key is for one algorithm.
    pub async fn find(&self, id: &str, algorithm: Algorithm) -> Result<Option<DecodingKey>> {
        let found = self.with_id(id).await?;
        Ok(found.filter(|(of, _)| *of == algorithm).map(|(_, key)| key))
    }

    async fn with_id(&self, id: &str) -> Result<Option<(Algorithm, DecodingKey)>> {
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

    async fn fetch(&self) -> Result<ById> {
        let set = match &self.at {
            KeysAt::Url(url) => self.get(url).await?,
            KeysAt::File(path) => self.read(path)?,
            KeysAt::Given(text) => text.clone().into_bytes(),
            KeysAt::IssuerSays(issuer) => {
                let url = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
                let metadata: Metadata =
                    serde_json::from_slice(&self.get(&url).await?).map_err(|error| self.unknown(error))?;
                // §4.3: another issuer's metadata are of no use.
                if metadata.issuer != *issuer {
                    return Err(self.unknown("its metadata are another issuer's"));
                }
                self.get(&metadata.jwks_uri).await?
            }
        };
        usable(&set).map_err(|error| self.unknown(error))
    }

    fn read(&self, path: &Path) -> Result<Vec<u8>> {
        let file = File::open(path).map_err(|error| self.unknown(error))?;
        let mut bytes = Vec::new();
        let longer = LARGEST_SET_BYTES as u64 + 1;
        file.take(longer).read_to_end(&mut bytes).map_err(|error| self.unknown(error))?;
        if bytes.len() > LARGEST_SET_BYTES {
            return Err(self.unknown("the key set is too large to be one"));
        }
        Ok(bytes)
    }

    async fn get(&self, url: &str) -> Result<Vec<u8>> {
        let failed = |error: reqwest::Error| self.unknown(error.without_url());
        let response = self.http.get(url).send().await.map_err(failed)?;
        let mut response = response.error_for_status().map_err(failed)?;
        let mut body = Vec::new();
        while let Some(part) = response.chunk().await.map_err(failed)? {
            body.extend_from_slice(&part);
            if body.len() > LARGEST_SET_BYTES {
                return Err(self.unknown("the key set is too large to be one"));
            }
        }
        Ok(body)
    }

    fn unknown(&self, why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
        Error::new(ErrorKind::Transport, "fetch", self.at.to_string()).because(why)
    }
}

/// The keys of a set that check signatures, by their ids. A key without an id is left out: a token names its key.
fn usable(set: &[u8]) -> std::result::Result<ById, serde_json::Error> {
    let set: JwkSet = serde_json::from_slice(set)?;
    let usable = set.keys.iter().filter_map(|key| {
        let algorithm = algorithm(key)?;
        Some((key.common.key_id.clone()?, (algorithm, DecodingKey::from_jwk(key).ok()?)))
    });
    Ok(usable.collect())
}

/// What a key is for, if it is for checking signatures that are accepted.
fn algorithm(key: &Jwk) -> Option<Algorithm> {
    if key.common.public_key_use.as_ref().is_some_and(|of| *of != PublicKeyUse::Signature) {
        return None;
    }
    let (algorithm, name) = match &key.algorithm {
        AlgorithmParameters::RSA(_) => (Algorithm::RS256, KeyAlgorithm::RS256),
        AlgorithmParameters::EllipticCurve(of) if of.curve == EllipticCurve::P256 => {
            (Algorithm::ES256, KeyAlgorithm::ES256)
        }
        _ => return None,
    };
    key.common.key_algorithm.is_none_or(|said| said == name).then_some(algorithm)
}

impl std::fmt::Debug for KeySet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeySet").field("at", &self.at).finish_non_exhaustive()
    }
}
