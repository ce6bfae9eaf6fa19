//! A Lambda function URL with streamed answers (`RESPONSE_STREAM`): HTTP in front of one sandbox.
//!
//! It follows the Developer Guide ("Invoking Lambda function URLs"). A request is an event of payload format 2.0. An answer is
//! JSON with status and headers, eight zero bytes, and the body.

use super::{Function, Sandbox};
use crate::http::{Head, relay};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::{Map, Value, json};
use std::io::{Error, ErrorKind, Result, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// What stands between an answer's head and its body.
const BORDER: [u8; 8] = [0; 8];

/// A function behind its URL, one request at a time. Dropping it ends the function.
#[derive(Debug)]
pub struct FunctionUrl {
    address: SocketAddr,
    sandbox: Arc<Mutex<Sandbox>>,
}

impl FunctionUrl {
    /// Starts the function and answers requests.
    pub fn serve(function: &Function) -> Self {
        let sandbox = Arc::new(Mutex::new(Sandbox::start(function)));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port on loopback");
        let address = listener.local_addr().expect("a bound listener has an address");
        let serving = Arc::downgrade(&sandbox);
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                if serving.strong_count() == 0 {
                    break;
                }
                let serving = Weak::clone(&serving);
                // Whoever asked sees the connection end where there is no whole answer.
                std::thread::spawn(move || answer(&connection, &serving));
            }
        });
        Self { address, sandbox }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// All output of the function.
    pub fn log(&self) -> Vec<String> {
        self.sandbox.lock().unwrap_or_else(PoisonError::into_inner).log()
    }
}

impl Drop for FunctionUrl {
    fn drop(&mut self) {
        // Wakes the thread that listens.
        drop(TcpStream::connect(self.address));
    }
}

/// Answers the request on a connection.
fn answer(mut connection: &TcpStream, sandbox: &Weak<Mutex<Sandbox>>) -> Result<()> {
    let Some(head) = Head::read(&mut connection)? else { return Ok(()) };
    let mut body = Vec::new();
    relay(head.request_body(), &mut connection, &mut body, 64 * 1024, |_| {})?;
    let event = event(&head, &body);
    let Some(sandbox) = sandbox.upgrade() else { return Ok(()) };
    let streamed = sandbox.lock().unwrap_or_else(PoisonError::into_inner).streamed(&event);
    let invalid = |what: &str| Error::new(ErrorKind::InvalidData, what.to_owned());
    let end = streamed.windows(BORDER.len()).position(|bytes| bytes == BORDER).ok_or_else(|| invalid("no border"))?;
    let said: Value = serde_json::from_slice(&streamed[..end])?;
    let body = &streamed[end + BORDER.len()..];
    let status = said["statusCode"].as_u64().ok_or_else(|| invalid("no status"))?;
    write!(connection, "HTTP/1.1 {status} \r\nconnection: close\r\n")?;
    let headers = said["headers"].as_object().cloned().unwrap_or_default();
    for (name, value) in &headers {
        write!(connection, "{name}: {}\r\n", value.as_str().unwrap_or_default())?;
    }
    if !headers.keys().any(|name| name.eq_ignore_ascii_case("content-length")) && !matches!(status, 204 | 304) {
        write!(connection, "content-length: {}\r\n", body.len())?;
    }
    connection.write_all(b"\r\n")?;
    connection.write_all(body)
}

/// A request as an event.
fn event(head: &Head, body: &[u8]) -> Value {
    let target = head.path();
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let headers: Map<String, Value> =
        head.headers().into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value.into())).collect();
    let domain = "abcdefghijklmnopqrstuvwxyz012345.lambda-url.eu-central-1.on.aws";
    json!({
        "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": query, "headers": headers,
        "requestContext": {
            "accountId": "anonymous", "apiId": "abcdefghijklmnopqrstuvwxyz012345", "domainName": domain,
            "domainPrefix": "abcdefghijklmnopqrstuvwxyz012345", "requestId": "00000000-0000-4000-8000-000000000000",
            "http": { "method": head.method(), "path": path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1",
                "userAgent": head.header("user-agent").unwrap_or_default() },
            "routeKey": "$default", "stage": "$default", "time": "20/Nov/2026:12:00:00 +0000", "timeEpoch": 1_795_176_000_000_u64,
        },
        "body": BASE64_STANDARD.encode(body), "isBase64Encoded": true,
    })
}
