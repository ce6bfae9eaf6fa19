//! A Lambda function URL with streamed answers (`RESPONSE_STREAM`): HTTP in front of sandboxes.
//!
//! It follows the Developer Guide ("Invoking Lambda function URLs"). A request is an event of payload format 2.0. An answer is
//! JSON with status and headers, eight zero bytes, and the body. A sandbox has one request at a time, and another one is started
//! where all are busy, up to the function's reserved concurrency; beyond that the answer is 429. An invocation goes on when its caller
//! is gone. What the URL says of a connection itself comes under other names (`x-amzn-Remapped-…`). The simulation has the whole
//! answer before it passes any of it on.

use super::{Function, Sandbox};
use crate::http::{Head, relay};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::{Map, Value, json};
use std::io::{Error, ErrorKind, Result, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// What stands between an answer's head and its body.
const BORDER: [u8; 8] = [0; 8];

/// Headers of an answer that come under another name.
const REMAPPED: [&str; 5] = ["connection", "content-length", "date", "server", "www-authenticate"];

/// A function behind its URL. Dropping it ends the function.
#[derive(Debug)]
pub struct FunctionUrl {
    address: SocketAddr,
    sandboxes: Arc<Sandboxes>,
}

/// The sandboxes of a function.
#[derive(Debug)]
struct Sandboxes {
    function: Function,
    concurrency: usize,
    all: Mutex<All>,
}

#[derive(Debug, Default)]
struct All {
    idle: Vec<Sandbox>,
    busy: usize,
}

impl Sandboxes {
    fn lock(&self) -> MutexGuard<'_, All> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the event to a sandbox that is idle, or to a new one. Returns the answer's bytes, or `None` where there may be no more.
    fn streamed(&self, event: &Value) -> Option<Vec<u8>> {
        let idle = {
            let mut all = self.lock();
            if all.busy >= self.concurrency {
                return None;
            }
            all.busy += 1;
            all.idle.pop()
        };
        let mut sandbox = idle.unwrap_or_else(|| Sandbox::start(&self.function));
        let streamed = sandbox.streamed(event);
        let mut all = self.lock();
        all.busy -= 1;
        all.idle.push(sandbox);
        Some(streamed)
    }
}

impl FunctionUrl {
    /// Starts the function and answers requests, as many at a time as Terraform reserved for it.
    pub fn serve(function: &Function) -> Self {
        Self::of_at_most(function, function.reserved_concurrency.unwrap_or(1000))
    }

    /// Starts the function and answers up to `concurrency` requests at a time.
    pub fn of_at_most(function: &Function, concurrency: usize) -> Self {
        let all = Mutex::new(All { idle: vec![Sandbox::start(function)], ..All::default() });
        let sandboxes = Arc::new(Sandboxes { function: function.clone(), concurrency, all });
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port on loopback");
        let address = listener.local_addr().expect("a bound listener has an address");
        let serving = Arc::downgrade(&sandboxes);
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
        Self { address, sandboxes }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// All output of the function's sandboxes, but for those that are busy.
    pub fn log(&self) -> Vec<String> {
        self.sandboxes.lock().idle.iter().flat_map(Sandbox::log).collect()
    }
}

impl Drop for FunctionUrl {
    fn drop(&mut self) {
        // Wakes the thread that listens.
        drop(TcpStream::connect(self.address));
    }
}

/// Answers the request on a connection.
fn answer(mut connection: &TcpStream, sandboxes: &Weak<Sandboxes>) -> Result<()> {
    let Some(head) = Head::read(&mut connection)? else { return Ok(()) };
    let mut body = Vec::new();
    relay(head.request_body(), &mut connection, &mut body, 64 * 1024, |_| {})?;
    let event = event(&head, &body);
    let Some(sandboxes) = sandboxes.upgrade() else { return Ok(()) };
    let Some(streamed) = sandboxes.streamed(&event) else {
        let throttled =
            json!({ "Reason": "ReservedFunctionConcurrentInvocationLimitExceeded", "Type": "User" }).to_string();
        let head = "HTTP/1.1 429 \r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length";
        return write!(connection, "{head}: {}\r\n\r\n{throttled}", throttled.len());
    };
    let invalid = |what: &str| Error::new(ErrorKind::InvalidData, what.to_owned());
    let end = streamed.windows(BORDER.len()).position(|bytes| bytes == BORDER).ok_or_else(|| invalid("no border"))?;
    let said: Value = serde_json::from_slice(&streamed[..end])?;
    let body = &streamed[end + BORDER.len()..];
    let status = said["statusCode"].as_u64().ok_or_else(|| invalid("no status"))?;
    // Nobody knows the length of what is streamed, so the end of the connection is that of the body.
    write!(connection, "HTTP/1.1 {status} \r\nconnection: close\r\n")?;
    for (name, value) in said["headers"].as_object().into_iter().flatten() {
        let remapped = if REMAPPED.contains(&&*name.to_ascii_lowercase()) { "x-amzn-Remapped-" } else { "" };
        write!(connection, "{remapped}{name}: {}\r\n", value.as_str().unwrap_or_default())?;
    }
    for cookie in said["cookies"].as_array().into_iter().flatten() {
        write!(connection, "set-cookie: {}\r\n", cookie.as_str().unwrap_or_default())?;
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
