//! Access tokens, asked for with answers of limited length.
//!
//! google-cloud-auth collects whatever a token endpoint answers, in the background and without a limit of length or time, and
//! asks no more once an answer looks final to it. So the sources that ask somebody over HTTP are ours: the metadata server,
//! the refresh token that `gcloud` stored, and workload identity federation with a token from a file or a URL. A service
//! account's key asks nobody: google-cloud-auth signs its tokens.
//!
//! google-cloud-auth also asks for what is rare: federation from AWS, with an executable or a certificate, of a workforce, in
//! another universe, and an account that impersonates another. There, TLS is the limit: only Google, and what the
//! credential's file names, can answer.
//!
//! A token is fetched when a request needs one. It is renewed before it ends, and used to its end where that fails.

mod federation;
#[cfg(test)]
mod tests;

use crate::bounded::{Body, read};
use crate::error::words;
use bytes::Bytes;
use federation::Federation;
use framepost_ports::{Error, ErrorKind, Result};
use google_cloud_auth::credentials::{self, CacheableResource, Credentials, CredentialsProvider, EntityTag};
use google_cloud_auth::errors::CredentialsError;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::RequestBuilder;
use serde::Deserialize;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// Time limit of a request for a token.
const ASK_TIMEOUT: Duration = Duration::from_secs(10);
/// Longer than any answer of a token endpoint.
pub(crate) const ANSWER_LIMIT_BYTES: usize = 64 * 1024;
/// How long before its end a token is renewed. The metadata server has a new one 4 to 5 minutes before.
const RENEWED_BEFORE: Duration = Duration::from_mins(4);
/// How long a token lives of which its endpoint does not say so.
const LIFE: Duration = Duration::from_mins(10);
/// How long a token is used at most, whatever its endpoint says. Google's live for 12 hours at most.
const LIFE_MAX: Duration = Duration::from_hours(12);
/// Pause after a renewal that failed.
const PAUSE: Duration = Duration::from_secs(10);
/// Where `gcloud`'s credentials are exchanged, if their file does not say.
const GOOGLE_TOKENS: &str = "https://oauth2.googleapis.com/token";
const QUOTA_PROJECT: HeaderName = HeaderName::from_static("x-goog-user-project");

type Asked<T> = std::result::Result<T, CredentialsError>;

/// An access token, and for how long it can be used.
pub(crate) struct Token {
    pub(crate) value: String,
    lives: Duration,
}

#[derive(Deserialize)]
struct Given {
    access_token: String,
    expires_in: Option<u64>,
}

impl Token {
    /// Reads the answer of RFC 6749, section 5.1, which all endpoints but one give.
    pub(crate) fn given(answer: &[u8]) -> Asked<Self> {
        let given: Given =
            serde_json::from_slice(answer).map_err(|error| CredentialsError::from_source(true, error))?;
        let lives = given.expires_in.map_or(LIFE, Duration::from_secs).min(LIFE_MAX);
        Ok(Self { value: given.access_token, lives })
    }
}

/// Whom we ask for tokens.
enum Source {
    /// The metadata server at this host.
    Metadata(String),
    Refresh(Refresh),
    Federation(Federation),
}

/// Credentials that `gcloud auth application-default login` stored.
#[derive(Deserialize)]
struct Refresh {
    client_id: String,
    client_secret: String,
    refresh_token: String,
    token_uri: Option<String>,
}

/// Returns Application Default Credentials: from a source of ours where there is one for their kind, else from Google's library.
pub(crate) fn credentials() -> Result<Credentials> {
    let failed = |kind| Error::new(kind, "connect", "google cloud");
    let stored = stored().map_err(|error| failed(ErrorKind::Io).because(error))?;
    let Some(source) = Source::of(stored.as_ref()) else {
        let found = credentials::Builder::default().build();
        return found.map_err(|error| failed(ErrorKind::Denied).because(error));
    };
    let variable = std::env::var("GOOGLE_CLOUD_QUOTA_PROJECT").ok().filter(|project| !project.is_empty());
    let in_file = || Some(stored.as_ref()?.get("quota_project_id")?.as_str()?.to_owned());
    let tokens = Tokens::new(source, variable.or_else(in_file));
    tokens.map(Credentials::from).map_err(|error| failed(ErrorKind::Invalid).because(error))
}

/// Who Application Default Credentials stand for, as far as it can sign.
#[cfg(feature = "functions")]
pub(crate) enum Identity {
    /// The service account that the metadata server knows.
    OfMachine,
    /// A service account, with its key.
    Key(Value),
    /// Somebody without a key, and without the name of a service account.
    Other,
}

/// Finds out who Application Default Credentials stand for. Sends no request.
#[cfg(feature = "functions")]
pub(crate) fn identity() -> Result<Identity> {
    let stored = stored().map_err(|error| Error::new(ErrorKind::Io, "connect", "google cloud").because(error))?;
    Ok(match stored {
        None => Identity::OfMachine,
        Some(stored) if stored.get("type").is_some_and(|kind| kind == "service_account") => Identity::Key(stored),
        Some(_) => Identity::Other,
    })
}

/// Reads the file of Application Default Credentials. `None` if there is none.
fn stored() -> std::io::Result<Option<Value>> {
    let named = std::env::var_os("GOOGLE_APPLICATION_CREDENTIALS").map(PathBuf::from);
    let usual =
        || Some(PathBuf::from(std::env::var_os("HOME")?).join(".config/gcloud/application_default_credentials.json"));
    let is_named = named.is_some();
    let Some(path) = named.or_else(usual) else { return Ok(None) };
    match std::fs::read(&path) {
        Ok(text) => Ok(Some(serde_json::from_slice(&text).map_err(std::io::Error::other)?)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !is_named => Ok(None),
        Err(error) => Err(std::io::Error::new(error.kind(), format!("{}: {error}", path.display()))),
    }
}

impl Source {
    /// The source that a file of credentials describes, or the metadata server without one. `None` for what is left to
    /// google-cloud-auth.
    fn of(stored: Option<&Value>) -> Option<Self> {
        let Some(stored) = stored else { return Some(Self::Metadata(metadata_host())) };
        if stored.get("universe_domain").is_some_and(|universe| universe != "googleapis.com") {
            return None;
        }
        match stored.get("type")?.as_str()? {
            "authorized_user" => Refresh::deserialize(stored).ok().map(Self::Refresh),
            "external_account" => Federation::of(stored).map(Self::Federation),
            _ => None,
        }
    }

    async fn token(&self, client: &reqwest::Client) -> Asked<Token> {
        match self {
            Self::Metadata(host) => {
                let request = token_request(client, host);
                Token::given(&ask("ask the metadata server for a token", request).await?)
            }
            Self::Refresh(stored) => {
                let Refresh { client_id, client_secret, refresh_token, token_uri } = stored;
                let body = json!({
                    "grant_type": "refresh_token",
                    "client_id": client_id,
                    "client_secret": client_secret,
                    "refresh_token": refresh_token,
                });
                let url = token_uri.as_deref().unwrap_or(GOOGLE_TOKENS);
                let request = client.post(url).header(CONTENT_TYPE, "application/json").body(body.to_string());
                Token::given(&ask("exchange the refresh token", request).await?)
            }
            Self::Federation(federation) => federation.token(client).await,
        }
    }
}

/// The metadata server's host, and its port where it is not 80.
pub(crate) fn metadata_host() -> String {
    let host = std::env::var("GCE_METADATA_HOST").ok().filter(|host| !host.is_empty());
    host.unwrap_or_else(|| "metadata.google.internal".to_owned())
}

/// Asks the metadata server for a token of the service account that the machine runs as.
pub(crate) fn token_request(client: &reqwest::Client, host: &str) -> RequestBuilder {
    let url = format!("http://{host}/computeMetadata/v1/instance/service-accounts/default/token");
    client.get(url).header("metadata-flavor", "Google")
}

/// Sends a request of a token endpoint. Returns the body of a success.
async fn ask(what: &'static str, request: RequestBuilder) -> Asked<Bytes> {
    let failed = |error: reqwest::Error| CredentialsError::new(true, what, error.without_url());
    let asked = async {
        let answer = request.send().await.map_err(failed)?;
        let status = answer.status();
        Ok((status, read(answer, ANSWER_LIMIT_BYTES).await.map_err(failed)?))
    };
    let late = |_| CredentialsError::from_msg(true, format!("{what}: no whole answer within {ASK_TIMEOUT:?}"));
    match tokio::time::timeout(ASK_TIMEOUT, asked).await.map_err(late)?? {
        (status, Body::Whole(body)) if status.is_success() => Ok(body),
        (status, Body::Cut(_)) if status.is_success() => {
            Err(CredentialsError::from_msg(true, format!("{what}: an answer of more than {ANSWER_LIMIT_BYTES} bytes")))
        }
        (status, Body::Whole(body) | Body::Cut(body)) => {
            // RFC 6749, section 5.2; Google's APIs say it likewise.
            let own = serde_json::from_slice::<Value>(&body).is_ok_and(|body| body.get("error").is_some());
            let is_final = own && status.is_client_error() && !matches!(status.as_u16(), 408 | 429);
            let said = words(&String::from_utf8_lossy(&body));
            Err(CredentialsError::from_msg(!is_final, format!("{what}: {status}: {said}")))
        }
    }
}

/// Tokens of one source, the last of which is kept.
struct Tokens {
    client: reqwest::Client,
    source: Source,
    quota_project: Option<HeaderValue>,
    /// Locked while one is fetched.
    last: Mutex<Option<Held>>,
}

struct Held {
    headers: HeaderMap,
    tag: EntityTag,
    renewed: Instant,
    ends: Instant,
}

impl Tokens {
    fn new(source: Source, quota_project: Option<String>) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
        let quota_project = quota_project.map(|project| HeaderValue::from_str(&project)).transpose()?;
        Ok(Self { client, source, quota_project, last: Mutex::default() })
    }

    async fn fetch(&self) -> Asked<Held> {
        let now = Instant::now();
        let token = self.source.token(&self.client).await?;
        let mut bearer = HeaderValue::from_str(&format!("Bearer {}", token.value))
            .map_err(|error| CredentialsError::from_source(true, error))?;
        bearer.set_sensitive(true);
        let mut headers = HeaderMap::from_iter([(AUTHORIZATION, bearer)]);
        headers.extend(self.quota_project.clone().map(|project| (QUOTA_PROJECT, project)));
        let renewed = now + token.lives.saturating_sub(RENEWED_BEFORE);
        Ok(Held { headers, tag: EntityTag::new(), renewed, ends: now + token.lives })
    }
}

impl CredentialsProvider for Tokens {
    async fn headers(&self, _extensions: http::Extensions) -> Asked<CacheableResource<HeaderMap>> {
        let mut last = self.last.lock().await;
        if last.as_ref().is_none_or(|held| held.renewed <= Instant::now()) {
            match (self.fetch().await, last.as_mut()) {
                (Ok(held), _) => *last = Some(held),
                (Err(_), Some(held)) if Instant::now() < held.ends => held.renewed = Instant::now() + PAUSE,
                (Err(error), _) => return Err(error),
            }
        }
        let held = last.as_ref().ok_or_else(|| CredentialsError::from_msg(true, "no token"))?;
        Ok(CacheableResource::New { entity_tag: held.tag.clone(), data: held.headers.clone() })
    }

    async fn universe_domain(&self) -> Option<String> {
        None
    }
}

impl std::fmt::Debug for Tokens {
    /// Writes the type's name alone: what it holds is secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tokens")
    }
}
