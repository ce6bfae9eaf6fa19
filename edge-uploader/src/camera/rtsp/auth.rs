//! Responses to a camera's challenges: Digest (RFC 7616, and before it RFC 2617 and 2069) and Basic (RFC 7617).
//!
//! Challenges are parsed leniently and passed to `http-auth` in its strict grammar. If a camera offers
//! several, Digest is preferred to Basic, SHA-256 to MD5, and `auth` to `auth-int`. If a camera offers
//! Digest, Basic is never used, even if the Digest algorithm is unknown: an attacker who can rewrite a
//! challenge would otherwise get the password.

use framepost_events::Sha256;
use http_auth::{PasswordClient, PasswordParams};
use std::fmt::Write as _;

/// A user name and a password, which are never logged.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Credentials {
    pub(super) username: String,
    pub(super) password: String,
}

/// A challenge that can be answered.
pub(super) struct Authenticator {
    client: PasswordClient,
    nonce: Option<String>,
    /// The digest of the empty body, used in place of the body if the camera requires `auth-int`.
    body: Option<String>,
}

impl Authenticator {
    /// Chooses the best challenge in the `WWW-Authenticate` headers of one response.
    pub(super) fn new<'a>(headers: impl Iterator<Item = &'a str>) -> Option<Self> {
        let challenges: Vec<Challenge> = headers.flat_map(challenges).collect();
        let digests = challenges.iter().filter(|challenge| challenge.scheme == "digest");
        let mut candidates: Vec<&Challenge> = digests.collect();
        candidates.sort_by_key(|challenge| challenge.strength());
        if candidates.is_empty() {
            candidates.extend(challenges.iter().filter(|challenge| challenge.scheme == "basic"));
        }
        candidates.iter().rev().find_map(|challenge| challenge.authenticator())
    }

    /// Returns the value of `Authorization` for a request without a body.
    pub(super) fn answer(&mut self, credentials: &Credentials, method: &str, uri: &str) -> Option<String> {
        let Credentials { username, password } = credentials;
        let body = self.body.as_deref().map(str::as_bytes);
        self.client.respond(&PasswordParams { username, password, uri, method, body }).ok()
    }

    /// Returns whether `next` has a new nonce, so that another attempt makes sense after a refusal.
    pub(super) fn is_renewed_by(&self, next: &Self) -> bool {
        self.nonce != next.nonce
    }
}

/// One challenge of a header: `Digest realm="cam", nonce="…"`.
#[derive(Debug, PartialEq, Eq)]
struct Challenge {
    /// The scheme in lower case.
    scheme: String,
    /// The parameters: names in lower case, values without quotes.
    parameters: Vec<(String, String)>,
}

impl Challenge {
    fn get(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    fn strength(&self) -> u8 {
        let algorithm = self.get("algorithm").unwrap_or_default().to_ascii_uppercase();
        match algorithm.trim_end_matches("-SESS") {
            "SHA-512-256" => 2,
            "SHA-256" => 1,
            _ => 0,
        }
    }

    fn authenticator(&self) -> Option<Authenticator> {
        let offered = |qop: &str| self.get("qop").is_some_and(|list| list.split(',').any(|one| one.trim() == qop));
        let mut text = self.scheme.clone();
        let nameless = [("realm".to_owned(), String::new())];
        let missing = if self.get("realm").is_none() { &nameless[..] } else { &[] };
        for (n, (name, value)) in missing.iter().chain(&self.parameters).enumerate() {
            let value = match (name.as_str(), value.as_str()) {
                // Some cameras send this without a meaning.
                ("qop", "") => continue,
                ("qop", _) if offered("auth") => "auth",
                (_, value) => value,
            };
            // `http-auth` accepts the names of algorithms in one case only.
            let value = match name.as_str() {
                "algorithm" => value.to_ascii_uppercase().replace("-SESS", "-sess"),
                _ => value.to_owned(),
            };
            let value = value.replace('\\', "\\\\").replace('"', "\\\"");
            let separator = if n == 0 { " " } else { ", " };
            // Writing to a `String` cannot fail.
            let _ = write!(text, "{separator}{name}=\"{value}\"");
        }
        let client = PasswordClient::try_from(text.as_str()).ok()?;
        let nonce = self.get("nonce").map(str::to_owned);
        let body = (offered("auth-int") && !offered("auth")).then(|| self.digest_of_nothing()).flatten();
        if offered("auth-int") && !offered("auth") && body.is_none() {
            return None;
        }
        Some(Authenticator { client, nonce, body })
    }

    /// Returns the digest of the empty body. With `auth-int`, A2 consists of the method, the URI and
    /// the *digest* of the body (RFC 7616 §3.4.3). `http-auth` 0.1.10 uses the body itself, so it
    /// gets the digest as body.
    fn digest_of_nothing(&self) -> Option<String> {
        const MD5_OF_NOTHING: &str = "d41d8cd98f00b204e9800998ecf8427e";
        match self.strength() {
            0 => Some(MD5_OF_NOTHING.to_owned()),
            1 => Some(Sha256::of(b"").to_string()),
            _ => None,
        }
    }
}

/// Parses the challenges of one header. Stops at text that does not match the grammar.
fn challenges(header: &str) -> Vec<Challenge> {
    let mut found: Vec<Challenge> = Vec::new();
    let mut rest = header.trim();
    while !rest.is_empty() {
        rest = rest.trim_start_matches([',', ' ', '\t']);
        let end = rest.find([' ', '\t', ',', '=']).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        let spaced = after.trim_start();
        if word.is_empty() {
            break;
        }
        if let Some(value) = spaced.strip_prefix('=') {
            let (value, after) = parameter_value(value.trim_start());
            let name = word.to_ascii_lowercase();
            let Some(challenge) = found.last_mut() else { break };
            if challenge.get(&name).is_none() {
                challenge.parameters.push((name, value));
            }
            rest = after;
        } else {
            found.push(Challenge { scheme: word.to_ascii_lowercase(), parameters: Vec::new() });
            rest = spaced;
        }
    }
    found
}

/// Parses a value and returns what follows it. A quoted value ends at its quote, whatever comes next.
fn parameter_value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(',').unwrap_or(text.len());
        let (value, after) = text.split_at(end);
        return (value.trim_end().to_owned(), after);
    };
    let mut value = String::new();
    let mut letters = quoted.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\\' => value.extend(letters.next().map(|(_, escaped)| escaped)),
            '"' => return (value, &quoted[at + 1..]),
            _ => value.push(letter),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn answer(headers: &[&str]) -> Option<String> {
        let credentials = Credentials { username: "viewer".to_owned(), password: "secret".to_owned() };
        Authenticator::new(headers.iter().copied())?.answer(&credentials, "DESCRIBE", "rtsp://h/live")
    }

    fn parameter(answer: &str, name: &str) -> Option<String> {
        challenges(answer).first()?.get(name).map(str::to_owned)
    }

    /// The RFC 2617 §3.2.2.1 response without `qop` has no random input.
    #[test]
    fn digests_are_those_of_the_specification() {
        // md5(md5("viewer:cam:secret") + ":abc:" + md5("DESCRIBE:rtsp://h/live")), computed with openssl.
        let expected = "4bee720fc31938a053bd3b1519058981";
        for header in [
            "Digest realm=\"cam\", nonce=\"abc\"",
            "Digest realm=\"cam\",nonce=\"abc\",stale=FALSE",
            "digest  realm = \"cam\" , nonce = abc , algorithm = \"MD5\"",
            "Digest realm=cam, nonce=abc, algorithm=md5, opaque=\"\"",
            "Digest realm=\"cam\", nonce=\"abc\", qop=\"\"",
        ] {
            let answer = answer(&[header]).unwrap_or_else(|| panic!("{header}"));
            assert_eq!(parameter(&answer, "response").as_deref(), Some(expected), "{header}: {answer}");
            assert_eq!(parameter(&answer, "username").as_deref(), Some("viewer"));
        }
    }

    #[test]
    fn quality_of_protection_is_answered_as_offered() {
        use framepost_events::Sha256;
        let h = |text: &str| Sha256::of(text.as_bytes()).to_string();
        for (qop, expected) in
            [("auth", "auth"), ("auth-int", "auth-int"), ("auth-int, auth", "auth"), ("auth,auth-int", "auth")]
        {
            let header = format!("Digest realm=\"cam\", nonce=\"abc\", algorithm=SHA-256, qop=\"{qop}\"");
            let answer = answer(&[&header]).unwrap();
            let of = |name: &str| parameter(&answer, name).unwrap_or_else(|| panic!("{name} in {answer}"));
            assert_eq!(of("qop"), expected);
            let a2 = match expected {
                "auth" => h("DESCRIBE:rtsp://h/live"),
                _ => h(&format!("DESCRIBE:rtsp://h/live:{}", h(""))),
            };
            let a1 = h("viewer:cam:secret");
            assert_eq!(of("response"), h(&format!("{a1}:abc:{}:{}:{expected}:{a2}", of("nc"), of("cnonce"))), "{qop}");
        }
    }

    #[test]
    fn the_strongest_offer_is_answered_and_never_a_weaker_scheme() {
        let md5 = "Digest realm=\"cam\", nonce=\"1\"";
        let sha256 = "Digest realm=\"cam\", nonce=\"2\", algorithm=SHA-256, qop=auth";
        let basic = "Basic realm=\"cam\"";
        let unknown = "Digest realm=\"cam\", nonce=\"3\", algorithm=WAT";
        for (headers, scheme, nonce) in [
            (vec![md5, sha256, basic], "digest", Some("2")),
            (vec![sha256, md5], "digest", Some("2")),
            (vec![basic, md5], "digest", Some("1")),
            (vec!["Basic realm=\"cam\", Digest realm=\"cam\", nonce=\"1\""], "digest", Some("1")),
            (vec![basic], "basic", None),
            (vec!["Basic"], "basic", None),
            (vec![unknown, md5], "digest", Some("1")),
            (vec![unknown, basic], "", None),
            (vec!["Bearer x"], "", None),
            (vec![""], "", None),
            (vec![], "", None),
        ] {
            let answer = answer(&headers);
            let scheme_found = answer.as_deref().map_or(String::new(), |answer| challenges(answer)[0].scheme.clone());
            assert_eq!(scheme_found, scheme, "{headers:?}");
            assert_eq!(answer.and_then(|answer| parameter(&answer, "nonce")).as_deref(), nonce, "{headers:?}");
        }
    }

    #[test]
    fn a_realm_may_have_quotes_and_commas() {
        let found = challenges("Digest realm=\"the \\\"gate\\\", east\", nonce=\"a=b,c\" junk");
        assert_eq!(found[0].get("realm"), Some("the \"gate\", east"));
        assert_eq!(found[0].get("nonce"), Some("a=b,c"));
        let answer = answer(&["Digest realm=\"the \\\"gate\\\", east\", nonce=\"a=b,c\""]).unwrap();
        assert!(answer.contains("realm=\"the \\\"gate\\\", east\""), "{answer}");
    }

    #[test]
    fn only_a_new_nonce_is_worth_another_try() {
        let of =
            |nonce: &str| Authenticator::new([format!("Digest realm=\"c\", nonce=\"{nonce}\"").as_str()].into_iter());
        let first = of("1").unwrap();
        let same = of("1").unwrap();
        let other = of("2").unwrap();
        assert!(!first.is_renewed_by(&same) && first.is_renewed_by(&other));
        let basic = || Authenticator::new(["Basic realm=\"c\""].into_iter()).unwrap();
        assert!(!basic().is_renewed_by(&basic()));
    }

    proptest! {
        #[test]
        fn anything_is_read_without_a_panic(text in "\\PC{0,80}", parts in "[a-z=\", \\\\]{0,60}") {
            let _ = answer(&[&text]);
            let _ = answer(&[&format!("Digest {parts}")]);
        }
    }
}
