//! Enough of HTTP/1.1 (RFC 9112) to find the end of a message.

use std::io::{BufReader, Error, ErrorKind, Read, Result, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Larger than any head that S3 sends.
const HEAD_LIMIT_BYTES: usize = 64 * 1024;

/// The unchanged head of a request or a response.
#[derive(Debug, Clone)]
pub(crate) struct Head {
    /// All bytes, including the empty line.
    pub(crate) bytes: Vec<u8>,
}

/// How long a message's body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Body {
    Length(u64),
    Chunked,
    /// The body extends to the end of the connection.
    Rest,
}

impl Head {
    /// Reads the next head. Returns `None` if the other side has closed the connection.
    pub(crate) fn read(from: &mut impl Read) -> Result<Option<Self>> {
        let mut bytes = Vec::new();
        let mut one = [0];
        while !bytes.ends_with(b"\r\n\r\n") {
            if from.read(&mut one)? == 0 {
                return if bytes.is_empty() { Ok(None) } else { Err(ErrorKind::UnexpectedEof.into()) };
            }
            bytes.push(one[0]);
            if bytes.len() > HEAD_LIMIT_BYTES {
                return Err(Error::new(ErrorKind::InvalidData, "a head without end"));
            }
        }
        Ok(Some(Self { bytes }))
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    pub(crate) fn header(&self, name: &str) -> Option<String> {
        self.text().lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        })
    }

    /// All headers, as they were sent.
    pub(crate) fn headers(&self) -> Vec<(String, String)> {
        let text = self.text();
        let pairs = text.lines().skip(1).filter_map(|line| line.split_once(':'));
        pairs.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect()
    }

    pub(crate) fn method(&self) -> String {
        self.text().split(' ').next().unwrap_or_default().to_owned()
    }

    /// A request's path, as it was sent.
    pub(crate) fn path(&self) -> String {
        self.text().split(' ').nth(1).unwrap_or_default().to_owned()
    }

    pub(crate) fn status(&self) -> u16 {
        self.text().split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
    }

    /// Returns whether the client waits for a 100 response before it sends the body.
    pub(crate) fn expects_continue(&self) -> bool {
        self.header("expect").is_some_and(|value| value.eq_ignore_ascii_case("100-continue"))
    }

    fn is_chunked(&self) -> bool {
        self.header("transfer-encoding").is_some_and(|value| value.to_ascii_lowercase().contains("chunked"))
    }

    fn length(&self) -> Option<u64> {
        self.header("content-length")?.parse().ok()
    }

    /// The body that follows a request's head.
    pub(crate) fn request_body(&self) -> Body {
        if self.is_chunked() { Body::Chunked } else { Body::Length(self.length().unwrap_or(0)) }
    }

    /// The body that follows an answer's head.
    pub(crate) fn answer_body(&self, method: &str) -> Body {
        match (self.is_chunked(), self.length()) {
            _ if method == "HEAD" || matches!(self.status(), 204 | 304) => Body::Length(0),
            (true, _) => Body::Chunked,
            (false, Some(length)) => Body::Length(length),
            (false, None) => Body::Rest,
        }
    }
}

/// Copies a body in pieces as they arrive. Calls `piece` with the size of each one before it is forwarded.
/// Returns the number of bytes.
pub(crate) fn relay(
    body: Body,
    from: &mut impl Read,
    to: &mut impl Write,
    piece_bytes: usize,
    mut piece: impl FnMut(usize),
) -> Result<u64> {
    let mut exactly = |from: &mut dyn Read, to: &mut dyn Write, bytes: u64| -> Result<u64> {
        let mut buffer = vec![0; piece_bytes];
        let mut left = bytes;
        while left > 0 {
            let most = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            let read = from.read(&mut buffer[..most])?;
            if read == 0 {
                return if bytes == u64::MAX { Ok(bytes - left) } else { Err(ErrorKind::UnexpectedEof.into()) };
            }
            piece(read);
            to.write_all(&buffer[..read])?;
            left -= read as u64;
        }
        Ok(bytes)
    };
    match body {
        Body::Length(bytes) => exactly(from, to, bytes),
        Body::Rest => exactly(from, to, u64::MAX),
        Body::Chunked => {
            let mut moved = 0;
            loop {
                let line = read_line(from)?;
                to.write_all(&line)?;
                let text = String::from_utf8_lossy(&line);
                let digits = text.split([';', '\r']).next().unwrap_or_default();
                let size = u64::from_str_radix(digits.trim(), 16)
                    .map_err(|_| Error::new(ErrorKind::InvalidData, "not a chunk's size"))?;
                moved += line.len() as u64;
                if size > 0 {
                    moved += exactly(from, to, size + 2)?;
                    continue;
                }
                loop {
                    let trailer = read_line(from)?;
                    to.write_all(&trailer)?;
                    moved += trailer.len() as u64;
                    if trailer == b"\r\n" {
                        return Ok(moved);
                    }
                }
            }
        }
    }
}

fn read_line(from: &mut (impl Read + ?Sized)) -> Result<Vec<u8>> {
    let mut line = Vec::new();
    let mut one = [0];
    while !line.ends_with(b"\r\n") {
        if from.read(&mut one)? == 0 || line.len() > HEAD_LIMIT_BYTES {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        line.push(one[0]);
    }
    Ok(line)
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
}

/// Sends a request to an `http://` server on this machine over a new connection.
pub fn request(method: &str, url: &str, headers: &[(&str, &str)], body: &[u8]) -> Result<Answer> {
    let invalid = || Error::new(ErrorKind::InvalidInput, "not an http:// URL");
    let rest = url.strip_prefix("http://").ok_or_else(invalid)?;
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let headers = [&[("connection", "close")], headers].concat();
    Connection::open(host)?.request(method, &format!("/{path}"), &headers, body)
}

/// A connection for several requests, one at a time.
#[derive(Debug)]
pub struct Connection {
    stream: BufReader<TcpStream>,
    host: String,
}

impl Connection {
    pub fn open(host: &str) -> Result<Self> {
        let stream = TcpStream::connect(host)?;
        stream.set_read_timeout(Some(Duration::from_mins(1)))?;
        Ok(Self { stream: BufReader::new(stream), host: host.to_owned() })
    }

    /// Asks, and waits for the answer.
    pub fn request(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Result<Answer> {
        let mut message = format!("{method} {path} HTTP/1.1\r\nhost: {}\r\n", self.host).into_bytes();
        for (name, value) in headers {
            write!(message, "{name}: {value}\r\n")?;
        }
        write!(message, "content-length: {}\r\n\r\n", body.len())?;
        message.extend_from_slice(body);
        self.stream.get_mut().write_all(&message)?;
        let head = Head::read(&mut self.stream)?.ok_or(ErrorKind::UnexpectedEof)?;
        let mut bytes = Vec::new();
        let kind = head.answer_body(method);
        relay(kind, &mut self.stream, &mut bytes, 64 * 1024, |_| {})?;
        let body = if kind == Body::Chunked { unchunked(&bytes)? } else { bytes };
        Ok(Answer { status: head.status(), body })
    }
}

/// The content of a chunked body.
pub(crate) fn unchunked(mut bytes: &[u8]) -> Result<Vec<u8>> {
    let mut content = Vec::new();
    loop {
        let line = read_line(&mut bytes)?;
        let text = String::from_utf8_lossy(&line);
        let digits = text.split([';', '\r']).next().unwrap_or_default();
        let size =
            usize::from_str_radix(digits.trim(), 16).map_err(|error| Error::new(ErrorKind::InvalidData, error))?;
        if size == 0 {
            return Ok(content);
        }
        let (piece, rest) = bytes.split_at_checked(size).ok_or(ErrorKind::UnexpectedEof)?;
        content.extend_from_slice(piece);
        bytes = rest.get(2..).ok_or(ErrorKind::UnexpectedEof)?;
    }
}

/// Encodes a name as one segment of a URL's path, or as a value of its query.
pub(crate) fn escaped(name: &str) -> String {
    framepost_ports::url_path(name).replace('/', "%2F")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(text: &str) -> Head {
        Head::read(&mut text.as_bytes()).unwrap().unwrap()
    }

    #[test]
    fn a_message_ends_where_its_head_says() {
        let put = head("PUT /a HTTP/1.1\r\ncontent-LENGTH: 5\r\nExpect: 100-continue\r\n\r\nhello");
        assert_eq!((put.method().as_str(), put.request_body(), put.expects_continue()), ("PUT", Body::Length(5), true));
        assert_eq!(head("GET / HTTP/1.1\r\n\r\n").request_body(), Body::Length(0));
        assert_eq!(head("PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n").request_body(), Body::Chunked);
        let answer = head("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n");
        assert_eq!(
            (answer.status(), answer.answer_body("GET"), answer.answer_body("HEAD")),
            (200, Body::Length(9), Body::Length(0))
        );
        assert_eq!(head("HTTP/1.1 200 OK\r\n\r\n").answer_body("GET"), Body::Rest);
        assert!(Head::read(&mut &b""[..]).unwrap().is_none());
        assert!(Head::read(&mut &b"GET / HT"[..]).is_err());
    }

    #[test]
    fn bodies_are_moved_whole() {
        for (body, message, moved) in [
            (Body::Length(5), "hello+more", "hello"),
            (Body::Rest, "to the end", "to the end"),
            (Body::Chunked, "5;x=1\r\nhello\r\n0\r\nt: 1\r\n\r\n+more", "5;x=1\r\nhello\r\n0\r\nt: 1\r\n\r\n"),
        ] {
            let mut out = Vec::new();
            let bytes = relay(body, &mut message.as_bytes(), &mut out, 3, |_| {}).unwrap();
            assert_eq!((String::from_utf8(out).unwrap().as_str(), bytes), (moved, moved.len() as u64));
        }
        assert_eq!(unchunked(b"5;x=1\r\nhello\r\n1\r\n!\r\n0\r\n\r\n").unwrap(), b"hello!");
        assert!(unchunked(b"5\r\nhel").is_err());
        assert!(relay(Body::Length(9), &mut &b"short"[..], &mut Vec::new(), 64, |_| {}).is_err());
    }
}
