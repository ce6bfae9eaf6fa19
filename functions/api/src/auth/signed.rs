//! Signed paths, for what cannot send a token: `<video>`, a player, a link to save.
//!
//! `path?query&expires=SECONDS&signature=…`, where the signature is an HMAC-SHA256 over exactly that path, that query and that
//! time. It is good for this one request, whoever makes it, until it ends. Whoever signs has checked that the holder may see it.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use ring::hmac;

/// For how long a signed path is good, at least.
const LASTS: SignedDuration = SignedDuration::from_hours(12);
/// Ends are rounded up to this many seconds, so that a path has one signature for a while and can be kept by a browser.
const STEP_S: i64 = 600;

/// Signs paths and knows its own signatures.
#[derive(Debug, Clone)]
pub struct PathSigner {
    key: hmac::Key,
}

/// The signed text. The parts are separated by line feeds, which none of them can have.
fn text(path: &str, query: &str, expires_s: i64) -> String {
    format!("framepost-path-v1\n{path}\n{query}\n{expires_s}")
}

impl PathSigner {
    /// Signs with this secret, of 32 bytes or more.
    pub fn new(secret: &[u8]) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, secret) }
    }

    /// Adds an end and a signature to `path[?query]`. Returns the end, too.
    pub(crate) fn sign(&self, path_and_query: &str, now: Timestamp) -> (String, Timestamp) {
        let (path, query) = path_and_query.split_once('?').unwrap_or((path_and_query, ""));
        let until_s = now.as_second() + LASTS.as_secs();
        let expires_s = (until_s / STEP_S + 1) * STEP_S;
        let signature = hmac::sign(&self.key, text(path, query, expires_s).as_bytes());
        let signature = BASE64_URL_SAFE_NO_PAD.encode(signature);
        let joint = if query.is_empty() { '?' } else { '&' };
        let signed = format!("{path_and_query}{joint}expires={expires_s}&signature={signature}");
        (signed, Timestamp::from_second(expires_s).unwrap_or(now))
    }

    /// The query without its signature, if that is ours and has not ended. `None` for any other query.
    pub(crate) fn check<'q>(&self, path: &str, query: &'q str, now: Timestamp) -> Option<&'q str> {
        // Both stand last, as they were written: nothing can be added behind them.
        let (rest, signature) = query.rsplit_once("&signature=")?;
        let (bare, expires) = match rest.rsplit_once("&expires=") {
            Some(split) => split,
            None => ("", rest.strip_prefix("expires=")?),
        };
        let expires_s: i64 = expires.parse().ok()?;
        let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).ok()?;
        hmac::verify(&self.key, text(path, bare, expires_s).as_bytes(), &signature).ok()?;
        (now.as_second() < expires_s).then_some(bare)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Who asks again before the end has a path that goes on being good.
    #[test]
    fn a_path_is_signed_anew_before_it_ends() {
        let signer = PathSigner::new(&[7; 32]);
        let asked = "/v1/media/a/b.mp4";
        let now: Timestamp = "2026-11-20T15:00:00Z".parse().unwrap();
        let (first, first_end) = signer.sign(asked, now);
        let (soon, soon_end) = signer.sign(asked, now + SignedDuration::from_secs(1));
        assert_eq!((&first, first_end), (&soon, soon_end), "a browser keeps it for a while");
        let (second, second_end) = signer.sign(asked, now + SignedDuration::from_hours(6));
        assert!(second_end >= first_end + SignedDuration::from_hours(6), "{first_end} and {second_end}");
        let is_good = |path: &str, now| signer.check(asked, path.split_once('?').unwrap().1, now).is_some();
        assert!(is_good(&first, first_end - SignedDuration::from_secs(1)) && !is_good(&first, first_end));
        assert!(is_good(&second, first_end) && is_good(&second, second_end - SignedDuration::from_secs(1)));
    }

    #[test]
    fn a_signature_is_good_for_its_path_its_query_and_its_time() {
        let signer = PathSigner::new(&[7; 32]);
        let now: Timestamp = "2026-11-20T15:00:00Z".parse().unwrap();
        for asked in ["/v1/media/a/b.mp4", "/v1/clips/s/c.mp4?from=1&to=2"] {
            let (made, expires) = signer.sign(asked, now);
            let (path, query) = made.split_once('?').unwrap();
            let bare = asked.split_once('?').map_or("", |(_, query)| query);
            assert_eq!(signer.check(path, query, now), Some(bare));
            assert_eq!(signer.check(path, query, expires), None, "it ended");
            assert_eq!(PathSigner::new(&[8; 32]).check(path, query, now), None, "another key");
            assert_eq!(signer.check("/v1/media/a/c.mp4", query, now), None, "another path");
            for altered in [
                query.replace("expires=1", "expires=2"),
                query.replace("from=1", "from=0"),
                format!("{query}&x=1"),
                format!("x=1&{query}"),
                query[..query.len() - 1].to_owned(),
                query.split("&signature=").next().unwrap().to_owned(),
                String::new(),
            ] {
                assert!(altered == query || signer.check(path, &altered, now).is_none(), "{altered}");
            }
        }
    }
}
