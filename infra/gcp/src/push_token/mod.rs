//! Who pushed this message? The OIDC token that Pub/Sub and Eventarc put on a push (`Authorization: Bearer …`).
//!
//! Cloud Run checks it before the request reaches us. This is for those who take pushes elsewhere, where everybody could
//! say that an object is complete.
//!
//! Checked: the signature, RS256 and nothing else, by one of Google's published keys; issuer, audience, expiry; that the token is
//! of the service account that the subscription names, and its address verified. The account is part of the check and
//! not an option of it: anybody with a Google account can have Google sign a token for any audience he likes.
//!
//! google-cloud-auth has a verifier of its own. It is not used here, because it fails a request that asks while another one
//! holds its cache, fetches the keys again for each key id that somebody makes up, and sets no time limit on that.

mod keys;
mod rs256;

use framepost_ports::{Clock, Error, ErrorKind, Result, SystemClock};
use jsonwebtoken::{Algorithm, Validation};
use keys::Keys;
use serde::Deserialize;
use std::sync::Arc;
use url::Url;

const ISSUERS: [&str; 2] = ["https://accounts.google.com", "accounts.google.com"];
/// Google's own, for OIDC tokens.
const KEYS_URL: &str = "https://www.googleapis.com/oauth2/v3/certs";
/// How far two clocks may be apart.
const LEEWAY_S: u64 = 60;
/// Google's are of about 1 KiB.
const LONGEST_TOKEN_BYTES: usize = 8 * 1024;

/// Whose pushes are taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushTokenOptions {
    /// The audience that the subscription's `oidcToken` names; by default that is the push endpoint's URL.
    pub audience: String,
    /// The e-mail address of the service account that it names.
    pub email: String,
    /// Another place than Google's for the keys, as a JSON Web Key Set.
    pub keys_url: Option<Url>,
}

/// Checks tokens. Keeps the keys between requests.
#[derive(Debug)]
pub struct PushTokens {
    validation: Validation,
    email: String,
    keys: Keys,
}

#[derive(Deserialize)]
struct Claims {
    email: Option<String>,
    email_verified: Option<bool>,
}

impl PushTokens {
    /// Nothing is fetched before the first token comes.
    pub fn new(options: PushTokenOptions) -> Result<Self> {
        Self::with_clock(options, Arc::new(SystemClock))
    }

    fn with_clock(options: PushTokenOptions, clock: Arc<dyn Clock>) -> Result<Self> {
        rs256::install();
        let mut validation = Validation::new(Algorithm::RS256);
        validation.leeway = LEEWAY_S;
        validation.set_issuer(&ISSUERS);
        validation.set_audience(&[options.audience]);
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        let url = options.keys_url.map_or_else(|| KEYS_URL.to_owned(), String::from);
        Ok(Self { validation, email: options.email, keys: Keys::new(url, clock)? })
    }

    /// Whether a request with this `Authorization` header comes from the sender that is waited for. An error of the kind
    /// [`ErrorKind::Denied`] says that it does not, any other that this could not be found out.
    pub async fn check(&self, authorization: Option<&str>) -> Result<()> {
        let header = authorization.ok_or_else(|| denied("there is no Authorization header"))?;
        let token = bearer(header).ok_or_else(|| denied("the Authorization header holds no bearer token"))?;
        if token.len() > LONGEST_TOKEN_BYTES {
            return Err(denied("the token is too long to be one"));
        }
        let header = jsonwebtoken::decode_header(token).map_err(denied)?;
        if header.alg != Algorithm::RS256 {
            return Err(denied(format!("signed with {:?}, not RS256", header.alg)));
        }
        let key_id = header.kid.ok_or_else(|| denied("the token does not say which key signed it"))?;
        let key = self.keys.find(&key_id).await?.ok_or_else(|| denied(format!("no key has the id {key_id:?}")))?;
        let claims = jsonwebtoken::decode::<Claims>(token, &key, &self.validation).map_err(denied)?.claims;
        match claims {
            Claims { email: Some(email), .. } if email != self.email => Err(denied(format!("the token is {email}'s"))),
            Claims { email: Some(_), email_verified: Some(true) } => Ok(()),
            Claims { email: Some(_), .. } => Err(denied("its e-mail address is not verified")),
            Claims { email: None, .. } => Err(denied("the token holds no e-mail address")),
        }
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
