//! The names under which a loopback listener may be asked.
//!
//! A web page can ask this machine anything under a host name that its owner points to 127.0.0.1 (DNS rebinding). The header
//! `Host` still has that name, so only requests for this machine's own names are answered.

use axum::http::header::HOST;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Uri};
use std::net::{IpAddr, SocketAddr};

/// This machine's own names: loopback addresses, the listener's own address, and `localhost`.
#[derive(Debug, Clone, Copy)]
pub struct OwnHosts {
    listen: IpAddr,
}

impl OwnHosts {
    /// The names of a listener at this address.
    pub fn of(listen: SocketAddr) -> Self {
        Self { listen: listen.ip() }
    }

    /// Whether the request is for one of the names. There must be exactly one `Host`, and in absolute form the request line
    /// counts (RFC 9112 §3.2).
    pub fn are_asked(self, headers: &HeaderMap, uri: &Uri) -> bool {
        let mut hosts = headers.get_all(HOST).iter();
        let host = hosts.next().and_then(|host| host.to_str().ok());
        let another = hosts.next();
        let in_line = uri.authority().map(Authority::as_str);
        another.is_none() && host.is_some_and(|host| self.has(host)) && in_line.is_none_or(|line| self.has(line))
    }

    /// Whether `host[:port]` is this machine.
    ///
    /// The port is not compared, because forwarded ports differ. A host name that an attacker points to this machine differs
    /// from these names on any port.
    pub fn has(self, authority: &str) -> bool {
        let (host, is_sound) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, port.parse::<u16>().is_ok()),
            _ => (authority, true),
        };
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let address = bare.parse::<IpAddr>().ok();
        let named = host.eq_ignore_ascii_case("localhost");
        let here = address.is_some_and(|address| address.is_loopback() || address == self.listen);
        is_sound && (named || here)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_requests_for_this_machine_are_answered() {
        let hosts = OwnHosts::of(([127, 0, 0, 1], 9000).into());
        for (authority, ours) in [
            ("127.0.0.1:9000", true),
            ("localhost:9000", true),
            ("LOCALHOST:9000", true),
            ("[::1]:9000", true),
            ("127.0.0.1", true),
            ("127.0.0.1:9001", true),
            ("rebound.example", false),
            ("rebound.example:9000", false),
            ("localhost.rebound.example:9000", false),
            ("127.0.0.1.nip.io:9000", false),
            ("footage.localhost:9000", false),
            ("10.0.0.7:9000", false),
            ("localhost:9000x", false),
            ("@localhost:9000", false),
            ("", false),
        ] {
            assert_eq!(hosts.has(authority), ours, "{authority}");
        }
    }
}
