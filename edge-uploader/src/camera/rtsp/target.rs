//! The target of a connection, and the allowed targets of a redirection.

use super::auth::Credentials;
use url::Url;

/// How the connection is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Scheme {
    /// `rtsp`: plain TCP. The order of the variants is that of protection.
    Rtsp,
    /// `rtsps`: TLS on the same connection (RFC 7826 §4.2).
    Rtsps,
}

impl Scheme {
    /// Returns the default port assigned by IANA.
    fn port(self) -> u16 {
        match self {
            Self::Rtsp => 554,
            Self::Rtsps => 322,
        }
    }
}

/// A camera's address, without credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) scheme: Scheme,
    /// A name or an address, without brackets.
    pub(super) host: String,
    pub(super) port: u16,
    /// The URL for requests, without credentials.
    pub(super) uri: String,
}

impl Target {
    /// Returns the target of a URL, or `None` if it is not an RTSP URL.
    pub(super) fn of(url: &Url) -> Option<Self> {
        let scheme = match url.scheme() {
            "rtsp" => Scheme::Rtsp,
            "rtsps" => Scheme::Rtsps,
            _ => return None,
        };
        let host = url.host_str().filter(|host| !host.is_empty())?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        let mut bare = url.clone();
        // Both calls fail only for URLs without a host.
        let _ = bare.set_username("");
        let _ = bare.set_password(None);
        bare.set_fragment(None);
        Some(Self { scheme, host, port: url.port().unwrap_or(scheme.port()), uri: bare.into() })
    }

    /// Returns the target of a `Location` header. `Err` gives the reason not to follow it.
    ///
    /// Credentials in a `Location` come from somebody else and are ignored.
    pub(super) fn redirected(&self, location: &str) -> Result<Self, &'static str> {
        let location = location.trim().trim_matches(['<', '>']);
        let base = Url::parse(&self.uri).map_err(|_| "its address cannot be parsed")?;
        let to = base.join(location).ok().and_then(|url| Self::of(&url)).ok_or("its address is not an RTSP URL")?;
        if to.scheme < self.scheme {
            return Err("it leads from a connection with TLS to one without");
        }
        Ok(to)
    }

    /// Returns the credentials given for `given` if they may be sent to this target: only to the same host,
    /// and not with less protection.
    pub(super) fn may_see<'a>(&self, given: &Self, credentials: Option<&'a Credentials>) -> Option<&'a Credentials> {
        credentials.filter(|_| self.host == given.host && self.scheme >= given.scheme)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(url: &str) -> Target {
        Target::of(&Url::parse(url).unwrap()).unwrap()
    }

    #[test]
    fn urls_become_targets() {
        for (url, scheme, host, port) in [
            ("rtsp://u:p@Camera.local/live?x=1#y", Scheme::Rtsp, "camera.local", 554),
            ("rtsps://10.0.0.7", Scheme::Rtsps, "10.0.0.7", 322),
            ("rtsp://[fe80::1]:8554/", Scheme::Rtsp, "fe80::1", 8554),
        ] {
            let found = target(url);
            assert_eq!((found.scheme, found.host.as_str(), found.port), (scheme, host, port), "{url}");
            assert!(!found.uri.contains("u:p") && !found.uri.contains('#'), "{}", found.uri);
        }
        assert_eq!(Target::of(&Url::parse("http://10.0.0.7/").unwrap()), None);
    }

    #[test]
    fn redirections_lead_nowhere_unsafe() {
        let plain = target("rtsp://10.0.0.7/live");
        for (location, expected) in [
            ("rtsp://10.0.0.8:8554/other", Some("rtsp://10.0.0.8:8554/other")),
            (" <rtsp://10.0.0.8/> ", Some("rtsp://10.0.0.8/")),
            ("/other", Some("rtsp://10.0.0.7/other")),
            ("rtsps://10.0.0.7/live", Some("rtsps://10.0.0.7/live")),
            ("rtsp://u:p@10.0.0.8/", Some("rtsp://10.0.0.8/")),
            ("http://10.0.0.8/", None),
            ("file:///etc/passwd", None),
            ("rtsp://", None),
        ] {
            assert_eq!(plain.redirected(location).ok().map(|to| to.uri).as_deref(), expected, "{location}");
        }
        let protected = target("rtsps://10.0.0.7/live");
        assert!(protected.redirected("rtsp://10.0.0.7/live").is_err());
        assert!(protected.redirected("/other").is_ok());
    }

    #[test]
    fn credentials_are_for_their_own_host() {
        let credentials = Credentials { username: "viewer".to_owned(), password: "secret".to_owned() };
        let given = target("rtsp://10.0.0.7/live");
        for (to, seen) in [
            ("rtsp://10.0.0.7:8554/other", true),
            ("rtsps://10.0.0.7/other", true),
            ("rtsp://10.0.0.8/live", false),
            ("rtsp://10.0.0.7.example.org/live", false),
        ] {
            assert_eq!(target(to).may_see(&given, Some(&credentials)).is_some(), seen, "{to}");
        }
        let protected = target("rtsps://10.0.0.7/live");
        assert!(target("rtsp://10.0.0.7/live").may_see(&protected, Some(&credentials)).is_none());
    }
}
