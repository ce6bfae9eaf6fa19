//! Workload identity federation: a token of another issuer for one of Google's (AIP-4117).

use super::{ANSWER_LIMIT_BYTES, Asked, Token, ask};
use google_cloud_auth::errors::CredentialsError;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;
use tokio::io::AsyncReadExt as _;

const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";
/// How long a token of an impersonated account is asked for.
const IMPERSONATED: Duration = Duration::from_hours(1);

/// A file of credentials of the type `external_account`.
#[derive(Deserialize)]
pub(super) struct Federation {
    audience: String,
    subject_token_type: String,
    token_url: String,
    credential_source: Subject,
    service_account_impersonation_url: Option<String>,
}

/// Where the token of the other issuer is.
#[derive(Deserialize)]
struct Subject {
    file: Option<PathBuf>,
    url: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    format: Option<Format>,
}

#[derive(Deserialize)]
struct Format {
    #[serde(rename = "type")]
    kind: String,
    subject_token_field_name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Impersonated {
    access_token: String,
}

impl Federation {
    /// `None` for a file with more than is known here, which google-cloud-auth understands.
    pub(super) fn of(stored: &Value) -> Option<Self> {
        let others = ["client_id", "client_secret", "workforce_pool_user_project"];
        let other_sources = ["environment_id", "executable", "certificate"];
        let source = stored.get("credential_source")?;
        if others.iter().any(|name| stored.get(name).is_some())
            || other_sources.iter().any(|name| source.get(name).is_some())
        {
            return None;
        }
        let federation = Self::deserialize(stored).ok()?;
        let Subject { file, url, .. } = &federation.credential_source;
        (file.is_some() != url.is_some()).then_some(federation)
    }

    pub(super) async fn token(&self, client: &reqwest::Client) -> Asked<Token> {
        let subject = self.credential_source.token(client).await?;
        // RFC 8693, section 2.1.
        let form = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange")
            .append_pair("requested_token_type", "urn:ietf:params:oauth:token-type:access_token")
            .append_pair("audience", &self.audience)
            .append_pair("scope", SCOPE)
            .append_pair("subject_token_type", &self.subject_token_type)
            .append_pair("subject_token", &subject)
            .finish();
        let request = client.post(&self.token_url).header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(form);
        let own = Token::given(&ask("exchange the token of another issuer", request).await?)?;
        let Some(url) = &self.service_account_impersonation_url else { return Ok(own) };
        let body = json!({ "scope": [SCOPE], "lifetime": format!("{}s", IMPERSONATED.as_secs()) });
        let request = client
            .post(url)
            .header(CONTENT_TYPE, "application/json")
            .header(AUTHORIZATION, format!("Bearer {}", own.value))
            .body(body.to_string());
        let answer = ask("impersonate a service account", request).await?;
        let given: Impersonated =
            serde_json::from_slice(&answer).map_err(|error| CredentialsError::from_source(true, error))?;
        Ok(Token { value: given.access_token, lives: IMPERSONATED })
    }
}

impl Subject {
    async fn token(&self, client: &reqwest::Client) -> Asked<String> {
        let text = if let Some(file) = &self.file {
            let unreadable = |error| CredentialsError::new(true, "read the token of another issuer", error);
            let mut text = String::new();
            let file = tokio::fs::File::open(file).await.map_err(unreadable)?;
            file.take(ANSWER_LIMIT_BYTES as u64).read_to_string(&mut text).await.map_err(unreadable)?;
            text
        } else {
            let mut request = client.get(self.url.as_deref().unwrap_or_default());
            for (name, value) in &self.headers {
                request = request.header(name, value);
            }
            let answer = ask("ask another issuer for a token", request).await?;
            String::from_utf8_lossy(&answer).into_owned()
        };
        let Some(Format { kind, subject_token_field_name }) = &self.format else { return Ok(text.trim().to_owned()) };
        if kind != "json" {
            return Ok(text.trim().to_owned());
        }
        let json: Value = serde_json::from_str(&text).map_err(|error| CredentialsError::from_source(true, error))?;
        let named = subject_token_field_name.as_deref().and_then(|name| json.get(name)?.as_str());
        let missing =
            || CredentialsError::from_msg(true, "the answer of another issuer has no token in the named field");
        named.map(str::to_owned).ok_or_else(missing)
    }
}
