//! Filters for text from outside before it goes into logs, messages, metadata and records.
//!
//! URLs are filtered by an allow-list, because secrets can be anywhere in them. Only the scheme, host, port and
//! path are shown, and the path only as far as its segments cannot be parameters: some cameras use
//! `rtsp://host/user=admin&password=secret&channel=1` or `rtsp://host/0/admin:secret/main`. In other text,
//! characters that control a terminal are escaped.

use std::borrow::Cow;
use std::fmt::{self, Write as _};
use std::io;

/// Replaces the parts that are not shown.
const HIDDEN: &str = "***";

/// A URL without secrets: `scheme://host[:port]/path`.
///
/// It has no user name, password, query or fragment. The path is cut at the first segment
/// that could contain a parameter. The host is hidden if it may be part of a password
/// that was not percent-encoded (`rtsp://admin:p@ss/word@host/`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ShownUrl(String);

impl ShownUrl {
    /// Filters a URL, or text that was meant to be one. The result shows no secret for any input.
    pub fn of(url: &str) -> Self {
        let Some((scheme, rest)) = url.split_once("://").filter(|(scheme, _)| is_scheme(scheme)) else {
            return Self(HIDDEN.to_owned());
        };
        let scheme = scheme.to_ascii_lowercase();
        if scheme == "file" {
            // A local path contains no secret.
            let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
            let host = if is_host(host) { host } else { HIDDEN };
            return Self(format!("file://{host}{}", path.split(['?', '#']).next().unwrap_or_default()));
        }
        // The URL Standard treats a backslash like a slash.
        let (authority, tail) = rest.split_at(rest.find(['/', '\\', '?', '#']).unwrap_or(rest.len()));
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        if decoded(tail).contains('@') || !is_host(host) {
            return Self(format!("{scheme}://{HIDDEN}"));
        }
        let path = tail.split(['?', '#']).next().unwrap_or_default();
        let mut shown = format!("{scheme}://{host}");
        for segment in path.split(['/', '\\']).skip(1) {
            shown.push('/');
            if !is_plain(segment) {
                shown.push_str(HIDDEN);
                break;
            }
            shown.push_str(segment);
        }
        Self(shown)
    }

    /// Also cuts the path before a segment that contains the known `password`.
    #[must_use]
    pub fn without(self, password: &str) -> Self {
        let Some((scheme, rest)) = self.0.split_once("://").filter(|_| !password.is_empty()) else { return self };
        let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        match path.split('/').position(|segment| decoded(segment).contains(password)) {
            Some(n) => {
                let kept = path.split('/').take(n).collect::<Vec<_>>().join("/");
                Self(format!("{scheme}://{host}{kept}/{HIDDEN}"))
            }
            None => self,
        }
    }

    /// Returns the filtered URL as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ShownUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<ShownUrl> for String {
    fn from(shown: ShownUrl) -> Self {
        shown.0
    }
}

/// Implements the grammar of RFC 3986 §3.1.
fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
}

/// Returns whether `text` is a name or an address, with or without a port. Anything else may
/// be part of a password.
fn is_host(text: &str) -> bool {
    if text == HIDDEN || text.is_empty() {
        return true;
    }
    let (host, port) = match text.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
        Some((host, after))
            if host.contains(':') && host.chars().all(|c| c.is_ascii_alphanumeric() || ":.%".contains(c)) =>
        {
            (host, after.strip_prefix(':').or(after.is_empty().then_some("")))
        }
        Some(_) => return false,
        None => match text.rsplit_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, Some("")),
        },
    };
    let port = port.is_some_and(|port| port.len() <= 5 && port.bytes().all(|b| b.is_ascii_digit()));
    port && (text.starts_with('[') || host.chars().all(|c| c.is_alphanumeric() || "._-".contains(c)))
}

/// Returns whether a path segment cannot be a parameter. Percent-encoded characters are decoded first.
fn is_plain(segment: &str) -> bool {
    decoded(segment).chars().all(|c| c.is_alphanumeric() || " ._-~+,!()*'$".contains(c))
}

/// Decodes percent encoding, also if it was applied two or three times.
fn decoded(text: &str) -> String {
    let mut text = text.to_owned();
    for _ in 0..3 {
        let mut out = Vec::with_capacity(text.len());
        let mut rest = text.as_bytes();
        while let [first, after @ ..] = rest {
            let byte = match after {
                [high, low, ..] if *first == b'%' => std::str::from_utf8(&[*high, *low])
                    .ok()
                    .filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))
                    .and_then(|digits| u8::from_str_radix(digits, 16).ok()),
                _ => None,
            };
            out.push(byte.unwrap_or(*first));
            rest = if byte.is_some() { &after[2..] } else { after };
        }
        let next = String::from_utf8_lossy(&out).into_owned();
        if next == text {
            break;
        }
        text = next;
    }
    text
}

/// Returns text from a library or a peer with each URL in it replaced by its [`ShownUrl`].
pub fn without_secrets(text: &str) -> Cow<'_, str> {
    if !text.contains("://") {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let scheme_bytes =
            rest[..at].bytes().rev().take_while(|b| b.is_ascii_alphanumeric() || b"+-.".contains(b)).count();
        let (before, url) = rest.split_at(at - scheme_bytes);
        let ends = |c: char| c.is_whitespace() || c.is_control() || "\"'<>`|".contains(c);
        // Within JSON, a backslash precedes a quote in a string.
        let end = url.find(ends).unwrap_or(url.len());
        let (url, after) = url.split_at(end);
        let escapes = url.len() - url.trim_end_matches('\\').len();
        let (url, punctuation) =
            url.split_at(url[..url.len() - escapes].trim_end_matches([':', ',', '.', ';', ')', ']', '}']).len());
        out.push_str(before);
        out.push_str(ShownUrl::of(url).as_str());
        out.push_str(punctuation);
        rest = after;
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// Returns text on one line without characters that control a terminal or reverse the reading order. Such
/// characters are escaped as in JSON, `\u001b`.
pub fn escaped(text: &str) -> Cow<'_, str> {
    if !text.contains(obeyed) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if obeyed(c) => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    // Writing to a `String` cannot fail.
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// Returns whether a terminal may act on `c`: control characters (C0, DEL, C1), line and paragraph separators,
/// directional marks and overrides (UAX #9), zero-width characters, tags.
fn obeyed(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Applies [`without_secrets`] and then [`escaped`].
pub fn line(text: &str) -> String {
    escaped(&without_secrets(text)).into_owned()
}

/// A writer for log lines. Each write must be one line including its end, as `tracing_subscriber::fmt` writes
/// it. It is filtered by [`line`] and forwarded in one piece.
#[derive(Debug)]
pub struct Lines<W>(pub W);

impl<W: io::Write> io::Write for Lines<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        let mut out = line(text.strip_suffix('\n').unwrap_or(&text));
        out.push('\n');
        self.0.write_all(out.as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    #[test]
    fn only_scheme_host_and_path_are_shown() {
        for (url, shown) in [
            ("rtsp://10.0.0.7/live", "rtsp://10.0.0.7/live"),
            (
                "RTSP://u:secret@10.0.0.7:8554/Streaming/Channels/101?secret=1#secret",
                "rtsp://10.0.0.7:8554/Streaming/Channels/101",
            ),
            ("rtsp://[fe80::1%25eth0]:554/a", "rtsp://[fe80::1%25eth0]:554/a"),
            ("rtsp://kamera.büro.example/h264Preview_01_main", "rtsp://kamera.büro.example/h264Preview_01_main"),
            // These cameras expect credentials in the path.
            ("rtsp://H/user=admin&password=secret&channel=1&stream=0.sdp?", "rtsp://H/***"),
            ("rtsp://H/user=admin_password=secret_channel=1", "rtsp://H/***"),
            ("rtsp://H/user%3Dadmin%26password%3Dsecret", "rtsp://H/***"),
            ("rtsp://H/user%253Dadmin%2526password%253Dsecret", "rtsp://H/***"),
            ("rtsp://H/0/admin:secret/main", "rtsp://H/0/***"),
            ("rtsp://H/live;password,secret/main", "rtsp://H/***"),
            ("rtsp://H\\user=secret", "rtsp://H/***"),
            ("rtsp://H/pass=sec/ret", "rtsp://H/***"),
            ("rtsp://H?psw=secret", "rtsp://H"),
            ("rtsp://H?a/secret", "rtsp://H"),
            // A password that was not percent-encoded.
            ("rtsp://admin:p@secret/word@10.0.0.7/live", "rtsp://***"),
            ("rtsp://admin:1234#secret@10.0.0.7/live", "rtsp://***"),
            ("rtsp://admin:1234?secret@10.0.0.7/live", "rtsp://***"),
            ("rtsp://admin:1234/secret%40h/live", "rtsp://***"),
            ("rtsp://admin:secret/10.0.0.7/live", "rtsp://***"),
            ("rtsp://admin secret/live", "rtsp://***"),
            ("rtsp://[secret]/live", "rtsp://***"),
            ("rtsp:secret", "***"),
            ("secret://", "secret://"),
            ("secret", "***"),
            ("s3://footage", "s3://footage"),
            ("file:///srv/a=b@c/d?secret", "file:///srv/a=b@c/d"),
            ("file://u:secret@h/share", "file://h/share"),
        ] {
            let found = ShownUrl::of(url);
            assert_eq!(found.as_str(), shown, "{url}");
            assert_eq!(
                ShownUrl::of(found.as_str()).as_str(),
                if shown == HIDDEN { HIDDEN } else { shown },
                "shown twice"
            );
        }
        assert_eq!(ShownUrl::of("rtsp://H/live/secret/1").without("secret").as_str(), "rtsp://H/live/***");
        assert_eq!(ShownUrl::of("rtsp://secret/live").without("secret").as_str(), "rtsp://secret/live");
        assert_eq!(ShownUrl::of("rtsp://H/live").without("").as_str(), "rtsp://H/live");
    }

    #[test]
    fn urls_within_text_are_shown_as_such() {
        for (text, shown) in [
            ("cannot open rtsp://u:p@H/a?b: refused", "cannot open rtsp://H/a: refused"),
            ("{\"url\":\"rtsp://u:p@H/a?b\",\"n\":1}", "{\"url\":\"rtsp://H/a\",\"n\":1}"),
            (r#"{"error":"base \"rtsp://u:p@H/a=b\" is bad"}"#, r#"{"error":"base \"rtsp://H/***\" is bad"}"#),
            ("(http://h/p?q), then rtsp://u:p@H/x=1;", "(http://h/p), then rtsp://H/***;"),
            ("nothing here", "nothing here"),
            ("a :// b", "a *** b"),
        ] {
            assert_eq!(without_secrets(text), shown, "{text}");
        }
    }

    #[test]
    fn nothing_reaches_a_terminal_that_it_would_obey() {
        for (text, shown) in [
            ("\x1b]0;owned\x07", "\\u001b]0;owned\\u0007"),
            ("a\nb\r\tc\x7f", "a\\nb\\r\\tc\\u007f"),
            ("\u{9b}2J", "\\u009b2J"),
            ("gate\u{202e}4pm.exe", "gate\\u202e4pm.exe"),
            ("\u{2066}x\u{2069}\u{200f}\u{feff}", "\\u2066x\\u2069\\u200f\\ufeff"),
            ("\u{e0041}", "\\udb40\\udc41"),
            ("Tür 门 🚪", "Tür 门 🚪"),
        ] {
            assert_eq!(escaped(text), shown);
        }
        let every: String = (0..=0x10_ffff_u32).filter_map(char::from_u32).collect();
        assert!(!escaped(&every).contains(obeyed));
    }

    #[test]
    fn a_line_stays_one_line_and_json_stays_json() {
        let text = serde_json::json!({ "error": "\x1b[2J\u{9b}\u{202e}\n\"rtsp://u:secret@h/\"" });
        let mut whole = Vec::new();
        Lines(&mut whole).write_all(format!("{text}\n").as_bytes()).unwrap();
        let line = String::from_utf8(whole).unwrap();
        assert_eq!(line.matches('\n').count(), 1);
        let parsed: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(parsed["error"], "\x1b[2J\u{9b}\u{202e}\n\"rtsp://h/\"");
        assert!(!line.trim_end().contains(obeyed), "{line}");
    }
}
