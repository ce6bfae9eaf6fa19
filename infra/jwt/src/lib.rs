//! JSON Web Tokens of an issuer: its keys, cached, and the algorithms that are accepted.
//!
//! Only RS256 and ES256 (RFC 7518 §3.1) are accepted, and a key of the set is for one of them. So a token cannot choose: not `none`,
//! and not an HMAC whose secret is a public key.

mod keys;
mod provider;

pub use keys::{KeySet, KeysAt};

use framepost_ports::{Error, ErrorKind, Result};
pub use jsonwebtoken::Algorithm;

use jsonwebtoken::Validation;
use serde::de::DeserializeOwned;

/// Longer than any token that is one: those with many groups have 4 KiB.
const LONGEST_TOKEN_BYTES: usize = 16 * 1024;

/// What a token has to say.
#[derive(Debug, Clone)]
pub struct Expected<'a> {
    /// Its issuer is one of these.
    pub issuers: &'a [&'a str],
    /// It is for this audience.
    pub audience: &'a str,
    /// How far the two clocks may differ, in seconds.
    pub leeway_s: u64,
    /// The algorithms that are accepted, of RS256 and ES256.
    pub algorithms: &'a [Algorithm],
}

/// The claims of a token whose signature, issuer, audience and times are right. Fails with [`ErrorKind::Denied`] if they are not,
/// and with another kind if the check itself failed.
pub async fn checked<T: DeserializeOwned>(token: &str, keys: &KeySet, expected: &Expected<'_>) -> Result<T> {
    provider::install();
    if token.len() > LONGEST_TOKEN_BYTES {
        return Err(denied("the token is too long to be one"));
    }
    let header = jsonwebtoken::decode_header(token).map_err(denied)?;
    if !expected.algorithms.contains(&header.alg) {
        return Err(denied(format!("signed with {:?}, which is not accepted", header.alg)));
    }
    let key_id = header.kid.ok_or_else(|| denied("the token does not say which key signed it"))?;
    let key = keys.find(&key_id, header.alg).await?.ok_or_else(|| denied(format!("no key has the id {key_id:?}")))?;
    let mut validation = Validation::new(header.alg);
    validation.leeway = expected.leeway_s;
    validation.validate_nbf = true;
    validation.set_issuer(expected.issuers);
    validation.set_audience(&[expected.audience]);
    validation.set_required_spec_claims(&["exp", "iss", "aud"]);
    Ok(jsonwebtoken::decode::<T>(token, &key, &validation).map_err(denied)?.claims)
}

fn denied(why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(ErrorKind::Denied, "check", "a token").because(why)
}
