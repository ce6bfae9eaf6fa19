//! RTSP messages (RFC 2326): heads are parsed leniently, requests are written strictly.

use std::fmt::Write as _;

/// The first line of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Start {
    /// A response with its status code. The reason phrase is ignored.
    Response(u16),
    /// A request by the camera.
    Request { method: String },
}

/// A message's first line and headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) start: Start,
    /// Names in lower case with values, in order.
    headers: Vec<(String, String)>,
}

impl Head {
    /// Parses the lines of a head without the empty line that ends it. Returns `None` if the
    /// first line is not RTSP.
    ///
    /// Cameras write header names in any case, with spaces before the colon and none after it. A line that
    /// begins with a space continues the line before (RFC 2326 §4 takes this from HTTP/1.1). A line
    /// without a colon is ignored.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(text);
        let mut lines = text.split('\n').map(|line| line.trim_end_matches('\r'));
        let start = start(lines.next()?)?;
        let mut headers: Vec<(String, String)> = Vec::new();
        for line in lines {
            if line.starts_with([' ', '\t']) {
                if let Some((_, value)) = headers.last_mut() {
                    value.push(' ');
                    value.push_str(line.trim());
                }
            } else if let Some((name, value)) = line.split_once(':') {
                headers.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
            }
        }
        Some(Self { start, headers })
    }

    /// Returns the first header with this name, given in lower case.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// Returns all headers with this name, given in lower case.
    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.headers.iter().filter(move |(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// Returns the announced length of the body; 0 if it is missing or cannot be parsed.
    pub(super) fn body_length(&self) -> u64 {
        self.get("content-length").and_then(leading_number).unwrap_or(0)
    }

    /// Returns the `CSeq` number.
    pub(super) fn sequence(&self) -> Option<u64> {
        self.get("cseq").and_then(leading_number)
    }
}

/// Parses the number at the start of a text.
pub(super) fn leading_number(text: &str) -> Option<u64> {
    let text = text.trim_start();
    let digits = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    text[..digits].parse().ok()
}

fn start(line: &str) -> Option<Start> {
    let mut words = line.split_ascii_whitespace();
    let first = words.next()?;
    if first.starts_with("RTSP/") {
        let status = words.next()?.parse().ok().filter(|status| (100..1000).contains(status))?;
        return Some(Start::Response(status));
    }
    let last = words.next_back()?;
    let is_method = first.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    (is_method && last.starts_with("RTSP/")).then(|| Start::Request { method: first.to_owned() })
}

/// Formats a request. [`header_value`] removes characters that could end a header line.
pub(super) fn request(method: &str, uri: &str, headers: &[(&str, &str)]) -> Vec<u8> {
    let mut text = format!("{method} {uri} RTSP/1.0\r\n");
    for (name, value) in headers {
        // Writing to a `String` cannot fail.
        let _ = write!(text, "{name}: {}\r\n", header_value(value));
    }
    text.push_str("\r\n");
    text.into_bytes()
}

/// Formats a response to a camera's request, without a body.
pub(super) fn answer(status: u16, reason: &str, sequence: Option<u64>) -> Vec<u8> {
    let sequence = sequence.map_or_else(String::new, |sequence| format!("CSeq: {sequence}\r\n"));
    format!("RTSP/1.0 {status} {reason}\r\n{sequence}\r\n").into_bytes()
}

/// Removes control characters from a value, because text from a camera is repeated to it and
/// must not become another request.
fn header_value(value: &str) -> String {
    value.chars().filter(|letter| !letter.is_control()).collect()
}

/// Returns a request URI for text from a description: visible ASCII unchanged, everything else percent-encoded,
/// so that it can neither end the line nor split into words.
pub(super) fn uri(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_graphic() {
            out.push(byte.into());
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_read_as_cameras_write_them() {
        for (text, status) in [
            ("RTSP/1.0 200 OK", Some(200)),
            ("RTSP/1.0 200", Some(200)),
            ("RTSP/1.0  401  Unauthorized", Some(401)),
            ("RTSP/2.0 302 Found", Some(302)),
            ("RTSP/1.0 20 OK", None),
            ("RTSP/1.0 OK", None),
            ("RTSP/1.0", None),
            ("HTTP/1.1 200 OK", None),
            ("", None),
        ] {
            let head = Head::parse(text.as_bytes()).map(|head| head.start);
            assert_eq!(head, status.map(Start::Response), "{text}");
        }
        let head =
            Head::parse(b"RTSP/1.0 200 OK\r\ncseq:7\nContent-length : 12\r\nX: a\r\n  b\r\nno colon\r\nx:c").unwrap();
        assert_eq!((head.sequence(), head.body_length()), (Some(7), 12));
        assert_eq!(head.all("x").collect::<Vec<_>>(), ["a b", "c"]);
        assert_eq!(head.get("y"), None);
        let head = Head::parse(b"GET_PARAMETER rtsp://h/ RTSP/1.0\r\nCSeq: 3 ").unwrap();
        assert_eq!(head.start, Start::Request { method: "GET_PARAMETER".to_owned() });
        assert_eq!(head.sequence(), Some(3));
    }

    #[test]
    fn nothing_that_is_repeated_becomes_another_line() {
        let text = request("SETUP", &uri("rtsp://h/a b\r\nX: y"), &[("Session", "1\r\nEvil: 2")]);
        let text = String::from_utf8(text).unwrap();
        assert_eq!(text, "SETUP rtsp://h/a%20b%0D%0AX:%20y RTSP/1.0\r\nSession: 1Evil: 2\r\n\r\n");
        assert_eq!(answer(501, "Not Implemented", Some(4)), b"RTSP/1.0 501 Not Implemented\r\nCSeq: 4\r\n\r\n");
    }
}
