//! Buckets that callers read media from by themselves, with URLs that are good for some minutes.
//!
//! The answer is a redirect (302, RFC 9110 §15.4.3) to a presigned URL. It needs no token. A browser, and any client that keeps to
//! the Fetch standard, leaves `Authorization` out of a request for another origin, and so do curl and the usual libraries.

use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, HeaderValue, LOCATION};
use axum::response::{IntoResponse as _, Response};
use std::time::Duration;
use url::Url;

/// How long a presigned URL is good.
pub(crate) const LASTS: Duration = Duration::from_mins(15);
/// A redirect is kept for less than what it leads to is good, so that a range that is asked for later is still there.
const KEPT: &str = "private, max-age=600";

/// The origins of these buckets. Media that are anywhere else are sent by the API itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MediaOrigins(Vec<String>);

/// A text that names no origins.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is not an origin, like https://footage.s3.eu-central-1.amazonaws.com")]
pub struct NotAnOrigin(String);

impl MediaOrigins {
    /// Reads origins that are separated by commas or spaces.
    ///
    /// # Errors
    ///
    /// One of them is not `https://host` or `http://host`, with or without a port.
    pub fn parse_list(text: &str) -> Result<Self, NotAnOrigin> {
        let texts = text.split([',', ' ']).filter(|text| !text.is_empty());
        texts.map(|text| origin(text).ok_or_else(|| NotAnOrigin(text.to_owned()))).collect::<Result<_, _>>().map(Self)
    }

    /// Returns whether nothing is read from a bucket directly.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Sends the caller to this URL. `None` if it is not in one of the buckets.
    pub(crate) fn redirect(&self, url: &str) -> Option<Response> {
        let parsed = url.parse::<Url>().ok()?.origin().ascii_serialization();
        let location = self.0.contains(&parsed).then(|| HeaderValue::try_from(url).ok())??;
        let headers = [(LOCATION, location), (CACHE_CONTROL, HeaderValue::from_static(KEPT))];
        Some((StatusCode::FOUND, headers).into_response())
    }

    /// What a browser may load for a page of this server: nothing from elsewhere, but media from these buckets.
    pub(crate) fn policy(&self) -> HeaderValue {
        let media: String = self.0.iter().flat_map(|origin| [" ", origin]).collect();
        let policy = format!(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; \
             media-src 'self' blob:{media}; connect-src 'self'{media}; worker-src 'self'; manifest-src 'self'; \
             base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
        );
        // An origin has no character that a header cannot have.
        HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
    }
}

/// The origin as a browser writes it, if this is one and nothing else. A policy would take more for one: `https://*.example` for
/// each host, and a semicolon for its own.
fn origin(text: &str) -> Option<String> {
    let url: Url = text.parse().ok()?;
    let host = url.host_str()?;
    let is_plain = host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.[]:".contains(&byte));
    let is_web = ["https", "http"].contains(&url.scheme());
    let is_bare = url.username().is_empty() && url.password().is_none() && url.path() == "/";
    let ends_there = url.query().is_none() && url.fragment().is_none();
    (is_plain && is_web && is_bare && ends_there).then(|| url.origin().ascii_serialization())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_hosts_alone() {
        let origins =
            MediaOrigins::parse_list("https://a.example, HTTP://127.0.0.1:5000/ https://b.example:443").unwrap();
        assert_eq!(origins.0, ["https://a.example", "http://127.0.0.1:5000", "https://b.example"]);
        assert!(MediaOrigins::parse_list(" ,").unwrap().is_empty());
        for bad in [
            "footage",
            "s3://footage",
            "https://a.example/footage",
            "https://a.example?x",
            "https://a.example#x",
            "https://user@a.example",
            "https://*.example",
            "https://a;script-src",
            "https://a'unsafe-inline'",
            "*",
        ] {
            assert!(MediaOrigins::parse_list(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn only_what_is_in_one_of_them_is_redirected_to() {
        let origins = MediaOrigins::parse_list("https://footage.example").unwrap();
        let to = |url: &str| origins.redirect(url).map(|response| response.headers()[LOCATION].clone());
        assert_eq!(to("https://footage.example/k?X-Sig=1").unwrap(), "https://footage.example/k?X-Sig=1");
        for other in [
            "http://footage.example/k",
            "https://footage.example:444/k",
            "https://footage.example.evil/k",
            "https://footage.example@evil/k",
            "/k",
        ] {
            assert_eq!(to(other), None, "{other}");
        }
    }

    #[test]
    fn a_policy_allows_what_is_read_from_a_bucket_and_nothing_more() {
        let of = |list: &str| MediaOrigins::parse_list(list).unwrap().policy().to_str().unwrap().to_owned();
        let alone = of("");
        assert!(alone.contains("media-src 'self' blob:; connect-src 'self'; worker-src"), "{alone}");
        let with = of("https://a.example,https://b.example");
        let both = "https://a.example https://b.example";
        assert!(
            with.contains(&format!("media-src 'self' blob: {both}; connect-src 'self' {both}; worker-src")),
            "{with}"
        );
        assert_eq!(with.matches("example").count(), 4, "{with}");
    }

    #[test]
    fn a_redirect_ends_before_what_it_leads_to() {
        let kept: u64 = KEPT.rsplit('=').next().unwrap().parse().unwrap();
        assert!(kept + 60 <= LASTS.as_secs());
    }
}
