//! Tokens of an OpenID Connect issuer, for people and programs that log in elsewhere.
//!
//! A token says in one of its claims what its holder may see and do. That claim is a list of texts, or one text with spaces
//! between them: `read:*`, `read:SITE`, `read:SITE/CAMERA`, `keep`. What else is in it belongs to others and is passed over, so
//! that it may be the claim `scope`, or roles. A token with none of them is good and sees nothing.

use super::tokens::{Admitted, Right, Scope, sight};
use framepost_jwt::{Algorithm, Expected, KeySet, KeysAt};
use framepost_ports::{Clock, Error};
use serde_json::Value;
use std::path::PathBuf;
use std::sync::Arc;

/// How far the two clocks may differ.
const LEEWAY_S: u64 = 60;
/// The most texts of a claim that are looked at.
const SCOPES_MAX: usize = 1000;
/// The most characters of a subject that get into the log.
const SUBJECT_CHARS_MAX: usize = 128;
const ALGORITHMS: [Algorithm; 2] = [Algorithm::RS256, Algorithm::ES256];

/// The issuer whose tokens are accepted, their audience, and the claim that says what they may see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OidcOptions {
    /// The issuer, exactly as its tokens have it.
    pub issuer: String,
    /// The audience that tokens have to be for.
    pub audience: String,
    /// The claim that says what the holder may: its name, or with a slash in front a JSON pointer (RFC 6901) such as
    /// `/resource_access/framepost/roles`.
    pub claim: String,
    /// The URL of the issuer's keys; without it, the issuer's metadata name it.
    pub keys_url: Option<String>,
    /// The issuer's keys, where the issuer cannot be reached: nothing is fetched then.
    pub jwks: Option<Jwks>,
}

/// A JSON Web Key Set (RFC 7517 §5) that is given, not fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Jwks {
    /// The key set as JSON (RFC 7517 §5), which does not change while the program runs.
    Text(String),
    /// The file that has it, which is read again every hour.
    File(PathBuf),
}

impl Jwks {
    /// `{"keys": …}`, or `file:///path`; `None` for what is neither.
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.starts_with('{') {
            return Some(Self::Text(text.to_owned()));
        }
        let url: url::Url = text.parse().ok()?;
        let path = (url.scheme() == "file").then(|| url.to_file_path().ok())??;
        Some(Self::File(path))
    }
}

impl OidcOptions {
    /// The claim that is looked at where nothing else is said.
    pub const CLAIM: &str = "framepost";

    /// As variables say: `FRAMEPOST_API_OIDC_ISSUER`, `FRAMEPOST_API_OIDC_AUDIENCE`, `FRAMEPOST_API_OIDC_CLAIM` and
    /// `FRAMEPOST_API_OIDC_KEYS` or `FRAMEPOST_API_OIDC_JWKS`. `None` without an issuer; an error names what is missing or cannot be used.
    pub fn of_variables(variable: impl Fn(&str) -> Option<String>) -> Result<Option<Self>, String> {
        let text = |name: &str| variable(name).filter(|value| !value.is_empty());
        let Some(issuer) = text("FRAMEPOST_API_OIDC_ISSUER") else { return Ok(None) };
        let audience = text("FRAMEPOST_API_OIDC_AUDIENCE")
            .ok_or("FRAMEPOST_API_OIDC_AUDIENCE is not set: tokens of the issuer for anybody else would be accepted")?;
        let keys_url = text("FRAMEPOST_API_OIDC_KEYS");
        for (name, url) in
            [("FRAMEPOST_API_OIDC_ISSUER", Some(&issuer)), ("FRAMEPOST_API_OIDC_KEYS", keys_url.as_ref())]
        {
            if url.is_some_and(|url| !is_safe(url)) {
                return Err(format!("{name}: expected a URL with https"));
            }
        }
        let jwks = text("FRAMEPOST_API_OIDC_JWKS")
            .map(|text| {
                Jwks::parse(&text).ok_or("FRAMEPOST_API_OIDC_JWKS: expected a JSON Web Key Set or file:///path")
            })
            .transpose()?;
        if keys_url.is_some() && jwks.is_some() {
            return Err("FRAMEPOST_API_OIDC_KEYS and FRAMEPOST_API_OIDC_JWKS: only one of them can be set".to_owned());
        }
        let claim = text("FRAMEPOST_API_OIDC_CLAIM").unwrap_or_else(|| Self::CLAIM.to_owned());
        Ok(Some(Self { issuer, audience, claim, keys_url, jwks }))
    }
}

/// Whether nobody on the way can put keys of his own in: HTTPS, or this machine.
fn is_safe(url: &str) -> bool {
    let Ok(url) = url.parse::<url::Url>() else { return false };
    let is_here = match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    url.scheme() == "https" || (url.scheme() == "http" && is_here)
}

/// Checks tokens of an issuer.
#[derive(Debug)]
pub struct Oidc {
    options: OidcOptions,
    keys: KeySet,
}

impl Oidc {
    /// Fetches nothing yet: the issuer's keys are fetched when the first token comes. Fails with
    /// [`framepost_ports::ErrorKind::Invalid`] if none of given keys can be used.
    pub fn new(options: OidcOptions, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        let at = match (&options.jwks, &options.keys_url) {
            (Some(Jwks::Text(text)), _) => KeysAt::Given(text.clone()),
            (Some(Jwks::File(path)), _) => KeysAt::File(path.clone()),
            (None, Some(url)) => KeysAt::Url(url.clone()),
            (None, None) => KeysAt::IssuerSays(options.issuer.clone()),
        };
        Ok(Self { keys: KeySet::new(at, clock)?, options })
    }

    /// What the holder of this token may see and do. Fails with [`framepost_ports::ErrorKind::Denied`] if it is not good, and with
    /// another kind if nobody can say.
    pub(crate) async fn admit(&self, token: &str) -> Result<Admitted, Error> {
        let OidcOptions { issuer, audience, claim, .. } = &self.options;
        let issuers = [issuer.as_str()];
        let expected = Expected { issuers: &issuers, audience, leeway_s: LEEWAY_S, algorithms: &ALGORITHMS };
        let claims: Value = framepost_jwt::checked(token, &self.keys, &expected).await?;
        let said = if claim.starts_with('/') { claims.pointer(claim) } else { claims.get(claim) };
        let texts: Vec<&str> = match said {
            Some(Value::String(text)) => text.split(' ').take(SCOPES_MAX).collect(),
            Some(Value::Array(texts)) => texts.iter().filter_map(Value::as_str).take(SCOPES_MAX).collect(),
            _ => vec![],
        };
        let scope = |text: &&str| Scope::try_from(text.strip_prefix("read:")?.to_owned()).ok();
        let reads: Vec<Scope> = texts.iter().filter_map(scope).collect();
        let rights = if texts.contains(&"keep") { vec![Right::Keep] } else { vec![] };
        let subject = claims.get("sub").and_then(Value::as_str).unwrap_or_default();
        let subject: String = subject.chars().filter(|c| !c.is_control()).take(SUBJECT_CHARS_MAX).collect();
        Ok(Admitted { sight: sight(&reads), rights, id: format!("oidc:{subject}") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_needs_an_audience_and_a_safe_way() {
        let of = |issuer: &str, audience: &str, keys: &str| {
            OidcOptions::of_variables(|name| match name {
                "FRAMEPOST_API_OIDC_ISSUER" => Some(issuer.to_owned()),
                "FRAMEPOST_API_OIDC_AUDIENCE" => Some(audience.to_owned()),
                "FRAMEPOST_API_OIDC_KEYS" => Some(keys.to_owned()),
                _ => None,
            })
        };
        assert_eq!(of("", "x", ""), Ok(None));
        let options = of("https://login.example.org/", "video", "").unwrap().unwrap();
        assert_eq!((options.claim.as_str(), options.keys_url), ("framepost", None));
        assert!(of("http://127.0.0.1:8080/realms/x", "video", "").is_ok());
        for (issuer, audience, keys, named) in [
            ("https://login.example.org/", "", "", "AUDIENCE"),
            ("http://login.example.org/", "video", "", "ISSUER"),
            ("login.example.org", "video", "", "ISSUER"),
            ("https://login.example.org/", "video", "http://login.example.org/keys", "KEYS"),
            ("https://login.example.org/", "video", "file:///keys", "KEYS"),
        ] {
            assert!(of(issuer, audience, keys).unwrap_err().contains(named), "{issuer} {audience} {keys}");
        }
    }
}
