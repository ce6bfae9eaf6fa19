//! Verifies the OIDC token that Pub/Sub and Eventarc add to a push (`Authorization: Bearer …`).
//!
//! Cloud Run checks the token before a request reaches the program. This module is for programs that receive
//! pushes elsewhere, where anybody could claim that an object is complete.
//!
//! It checks the signature, RS256 only, against Google's published keys, and issuer, audience and expiry, with
//! `framepost_jwt`; and that the token belongs to the service account that the subscription names, with a verified address. The check of
//! the account is not optional: anybody with a Google account can get a token from Google for any audience.
//!
//! google-cloud-auth has a verifier of its own. It is not used because it fails a request while another one
//! holds its cache, fetches the keys again for each unknown key id, and has no time limit for the fetch.

use async_trait::async_trait;
use framepost_jwt::{Algorithm, Expected, KeySet, KeysAt};
use framepost_ports::{Clock, Error, ErrorKind, Result, SenderCheck, SystemClock};
use serde::Deserialize;
use std::sync::Arc;
use url::Url;

const ISSUERS: [&str; 2] = ["https://accounts.google.com", "accounts.google.com"];
/// Google's key set for OIDC tokens.
const KEYS_URL: &str = "https://www.googleapis.com/oauth2/v3/certs";
/// How far the two clocks may differ.
const LEEWAY_S: u64 = 60;
/// Google's tokens have about 1 KiB.
const LONGEST_TOKEN_BYTES: usize = 8 * 1024;

/// The sender whose pushes are accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushTokenOptions {
    /// The audience in the subscription's `oidcToken`; Pub/Sub's default is the push endpoint's URL.
    pub audience: String,
    /// The e-mail address of the service account in the subscription's `oidcToken`.
    pub email: String,
    /// A URL other than Google's for the keys, as a JSON Web Key Set.
    pub keys_url: Option<Url>,
}

/// Checks tokens, and caches the keys between requests.
#[derive(Debug)]
pub struct PushTokens {
    audience: String,
    email: String,
    keys: KeySet,
}

#[derive(Deserialize)]
struct Claims {
    email: Option<String>,
    email_verified: Option<bool>,
}

impl PushTokens {
    /// Creates a checker. It fetches the keys when the first token arrives.
    pub fn new(options: PushTokenOptions) -> Result<Self> {
        Self::with_clock(options, Arc::new(SystemClock))
    }

    fn with_clock(options: PushTokenOptions, clock: Arc<dyn Clock>) -> Result<Self> {
        let url = options.keys_url.map_or_else(|| KEYS_URL.to_owned(), String::from);
        let keys = KeySet::new(KeysAt::Url(url), clock)?;
        Ok(Self { audience: options.audience, email: options.email, keys })
    }

    /// Checks that a request with this `Authorization` header comes from the expected sender. Fails with
    /// [`ErrorKind::Denied`] if it does not, and with another kind if the check itself failed.
    pub async fn check(&self, authorization: Option<&str>) -> Result<()> {
        let header = authorization.ok_or_else(|| denied("there is no Authorization header"))?;
        let token = bearer(header).ok_or_else(|| denied("the Authorization header holds no bearer token"))?;
        if token.len() > LONGEST_TOKEN_BYTES {
            return Err(denied("the token is too long to be one"));
        }
        let expected = Expected {
            issuers: &ISSUERS,
            audience: &self.audience,
            leeway_s: LEEWAY_S,
            algorithms: &[Algorithm::RS256],
        };
        match framepost_jwt::checked(token, &self.keys, &expected).await? {
            Claims { email: Some(email), .. } if email != self.email => Err(denied(format!("the token is {email}'s"))),
            Claims { email: Some(_), email_verified: Some(true) } => Ok(()),
            Claims { email: Some(_), .. } => Err(denied("its e-mail address is not verified")),
            Claims { email: None, .. } => Err(denied("the token holds no e-mail address")),
        }
    }
}

#[async_trait]
impl SenderCheck for PushTokens {
    async fn check(&self, authorization: Option<&str>) -> Result<()> {
        Self::check(self, authorization).await
    }
}

fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn denied(why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(ErrorKind::Denied, "check", "push token").because(why)
}

#[cfg(test)]
mod tests;
