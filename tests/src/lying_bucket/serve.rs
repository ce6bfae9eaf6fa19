//! One connection: a loop over requests, each with its lie.

use super::{Echo, Heard, Inside, Keeps, Kept, Look};
use crate::http::{Body, Head, relay};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use framepost_events::Sha256;
use std::fmt::Write as _;
use std::io::{BufReader, Read as _, Result, Write as _};
use std::net::TcpStream;
use std::time::Duration;

const PIECE_BYTES: usize = 64 * 1024;
const ELSEWHERE: &str = "/elsewhere/";

/// How a connection goes on after a request.
enum Next {
    Request,
    Close,
    Reset,
}

pub(super) fn connection(inside: &Inside, stream: &TcpStream) {
    let _ = stream.set_nodelay(true);
    let mut reader = BufReader::new(stream);
    loop {
        match request(inside, stream, &mut reader) {
            Ok(Next::Request) => {}
            Ok(Next::Reset) => {
                let _ = socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO));
                return;
            }
            Ok(Next::Close) | Err(_) => return,
        }
    }
}

fn request(inside: &Inside, stream: &TcpStream, reader: &mut BufReader<&TcpStream>) -> Result<Next> {
    let Some(head) = Head::read(reader)? else { return Ok(Next::Close) };
    let path = head.path();
    let path = path.split('?').next().unwrap_or_default();
    if path.starts_with(ELSEWHERE) {
        inside.state().strayed.push(String::from_utf8_lossy(&head.bytes).into_owned());
        answer(stream, &head, 200, &[], b"")?;
        return Ok(Next::Close);
    }
    let key = path.trim_start_matches('/').split_once('/').map_or("", |(_, key)| key);
    let key = percent_encoding::percent_decode_str(key).decode_utf8_lossy().into_owned();
    match head.method().as_str() {
        "PUT" => put(inside, stream, reader, &head, &key),
        "HEAD" => {
            let look = inside.state().look;
            match (look, inside.head(&key)) {
                (Look::Denied, _) => answer(stream, &head, 403, &[], b"")?,
                (Look::Allowed, None) => answer(stream, &head, 404, &[], b"")?,
                (Look::Allowed, Some((size, digest))) => {
                    let mut headers = vec![("ETag", "\"x\"".to_owned()), ("Content-Length", size.to_string())];
                    if inside.echo == Echo::Checksum {
                        headers.push(("x-amz-checksum-sha256", BASE64_STANDARD.encode(digest.0)));
                    }
                    answer(stream, &head, 200, &headers, b"")?;
                }
            }
            Ok(Next::Request)
        }
        _ => {
            error(stream, &head, 403, "AccessDenied")?;
            Ok(Next::Close)
        }
    }
}

fn put(
    inside: &Inside,
    mut stream: &TcpStream,
    reader: &mut BufReader<&TcpStream>,
    head: &Head,
    key: &str,
) -> Result<Next> {
    let (place, lie) = inside.put_begins(key);
    let Body::Length(length) = head.request_body() else {
        error(stream, head, 411, "MissingContentLength")?;
        return Ok(Next::Close);
    };
    match lie.heard {
        Heard::EarlyReset => return Ok(Next::Reset),
        Heard::SlowReading(pause) => {
            for _ in 0..length {
                reader.read_exact(&mut [0])?;
                std::thread::sleep(pause);
            }
            return Ok(Next::Close);
        }
        _ => {}
    }
    if head.expects_continue() {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    let mut body = Vec::new();
    relay(Body::Length(length), reader, &mut body, PIECE_BYTES, |_| {})?;
    let digest = Sha256::of(&body);
    let told = head.header("x-amz-checksum-sha256");
    // The shipped policy allows a gateway to create, not to replace.
    let conditional = head.header("if-none-match").is_some_and(|value| value == "*");
    let fits = told.is_none_or(|text| BASE64_STANDARD.decode(text).is_ok_and(|told| told == digest.0));
    let kept = if lie.keeps == Keeps::AsAsked && conditional && fits { inside.store(key, body) } else { Kept::No };
    inside.put_ends(place, kept);
    let created = |checksum: Option<Sha256>| {
        let mut headers = vec![("ETag", "\"x\"".to_owned())];
        if let Some(checksum) = checksum.filter(|_| inside.echo == Echo::Checksum) {
            headers.push(("x-amz-checksum-sha256", BASE64_STANDARD.encode(checksum.0)));
        }
        headers
    };
    match lie.heard {
        Heard::Truth if !conditional => error(stream, head, 403, "AccessDenied")?,
        Heard::Truth if !fits => error(stream, head, 400, "BadDigest")?,
        Heard::Truth => match kept {
            Kept::Stored | Kept::No => answer(stream, head, 200, &created(Some(digest)), b"")?,
            Kept::SameThere | Kept::OtherThere => error(stream, head, 412, "PreconditionFailed")?,
        },
        Heard::Error(status, code) => error(stream, head, status, code)?,
        Heard::TruncatedError(status, code) => {
            let document = document(code);
            answer(stream, head, status, &[xml()], &document.as_bytes()[..document.len() - 20])?;
        }
        Heard::Page(status) => {
            let html = [("Content-Type", "text/html".to_owned())];
            answer(stream, head, status, &html, b"<html><body><h1>Welcome to the hotel's network</h1></body></html>")?;
        }
        Heard::Redirect(status) => {
            let host = head.header("host").unwrap_or_default();
            answer(stream, head, status, &[("Location", format!("http://{host}{ELSEWHERE}{key}"))], b"")?;
        }
        Heard::BareSuccess => answer(stream, head, 200, &created(None), b"")?,
        Heard::WrongChecksum => answer(stream, head, 200, &created(Some(Sha256([0; 32]))), b"")?,
        Heard::ErrorAsSuccess => answer(stream, head, 200, &[xml()], document("InternalError").as_bytes())?,
        Heard::Reset | Heard::EarlyReset => return Ok(Next::Reset),
        Heard::SlowReading(_) => return Ok(Next::Close),
        Heard::CutHead => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nConte")?;
            return Ok(Next::Close);
        }
        Heard::Garbage => {
            stream.write_all(&[0xa5; 4096])?;
            return Ok(Next::Close);
        }
        Heard::HugeError(status, bytes) => {
            write!(stream, "HTTP/1.1 {status} Oops\r\nContent-Length: {bytes}\r\n\r\n")?;
            let mut left = bytes;
            let piece = vec![b'x'; PIECE_BYTES];
            while left > 0 {
                let now = piece.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                stream.write_all(&piece[..now])?;
                left -= now as u64;
            }
            return Ok(Next::Close);
        }
        Heard::EndlessHead => {
            stream.write_all(b"HTTP/1.1 200 OK\r\n")?;
            loop {
                stream
                    .write_all(b"x-filler: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n")?;
            }
        }
        Heard::SlowHead(pause) => {
            for byte in b"HTTP/1.1 200 OK\r\nx-filler: ".iter().chain(std::iter::repeat_n(&b'x', 3600)) {
                stream.write_all(&[*byte])?;
                std::thread::sleep(pause);
            }
            return Ok(Next::Close);
        }
        Heard::Silence(time) => {
            std::thread::sleep(time);
            return Ok(Next::Close);
        }
    }
    Ok(Next::Request)
}

fn xml() -> (&'static str, String) {
    ("Content-Type", "application/xml".to_owned())
}

fn document(code: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>no</Message>\
         <RequestId>LYING</RequestId></Error>"
    )
}

fn error(stream: &TcpStream, head: &Head, status: u16, code: &str) -> Result<()> {
    answer(stream, head, status, &[xml()], document(code).as_bytes())
}

fn answer(mut stream: &TcpStream, head: &Head, status: u16, headers: &[(&str, String)], body: &[u8]) -> Result<()> {
    let mut text = format!("HTTP/1.1 {status} Whatever\r\nx-amz-request-id: LYING\r\n");
    for (name, value) in headers {
        let _ = write!(text, "{name}: {value}\r\n");
    }
    if !headers.iter().any(|(name, _)| *name == "Content-Length") {
        let _ = write!(text, "Content-Length: {}\r\n", body.len());
    }
    text.push_str("\r\n");
    stream.write_all(text.as_bytes())?;
    if head.method() != "HEAD" {
        stream.write_all(body)?;
    }
    Ok(())
}
