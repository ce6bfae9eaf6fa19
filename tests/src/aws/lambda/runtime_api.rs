//! The server side of Lambda's Runtime API (2018-06-01) for one sandbox.
//!
//! The function requests `invocation/next` and waits for an event. It answers at `invocation/ID/response` or
//! `…/error`. The first `next` ends its cold start.

use crate::http::{Body, Head, relay, unchunked};
use serde_json::Value;
use std::io::{Result, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// What the function answered to an invocation.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Said {
    Response(Vec<u8>),
    /// An error, either of the invocation or of its start.
    Error(Value),
}

#[derive(Debug)]
struct Invocation {
    id: String,
    function_arn: String,
    deadline_ms: u128,
    event: Vec<u8>,
}

#[derive(Debug, Default)]
struct State {
    pending: Option<Invocation>,
    running: Option<String>,
    said: Option<Said>,
    waits: bool,
    ended: bool,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }

    /// Waits until `found` returns a value, `still` returns false, or `until` is reached.
    fn wait<T>(
        &self,
        until: Instant,
        mut still: impl FnMut() -> bool,
        mut found: impl FnMut(&mut State) -> Option<T>,
    ) -> Option<T> {
        let mut state = self.lock();
        loop {
            if let Some(value) = found(&mut state) {
                return Some(value);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || !still() {
                return None;
            }
            // The function may die without an answer, so check at intervals.
            let pause = left.min(Duration::from_millis(20));
            state = self.changed.wait_timeout(state, pause).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// A running server. Dropping it releases its function.
#[derive(Debug)]
pub(super) struct RuntimeApi {
    address: SocketAddr,
    shared: Arc<Shared>,
    invocations: u64,
}

impl RuntimeApi {
    pub(super) fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port on loopback");
        let address = listener.local_addr().expect("a bound listener has an address");
        let shared = Arc::new(Shared::default());
        let serving = Arc::clone(&shared);
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                if serving.lock().ended {
                    break;
                }
                let shared = Arc::clone(&serving);
                std::thread::spawn(move || {
                    while matches!(answer(&connection, &shared), Ok(true)) {}
                    let _ = connection.shutdown(Shutdown::Both);
                });
            }
        });
        Self { address, shared, invocations: 0 }
    }

    /// Returns the value for `AWS_LAMBDA_RUNTIME_API`.
    pub(super) fn address(&self) -> String {
        self.address.to_string()
    }

    /// Waits until the function asks for work. Returns false if `still` becomes false, the time is
    /// up, or the start failed.
    pub(super) fn wait_until_ready(&self, within: Duration, still: impl FnMut() -> bool) -> bool {
        let found = |state: &mut State| (state.waits || state.said.is_some()).then_some(state.waits);
        self.shared.wait(Instant::now() + within, still, found).unwrap_or(false)
    }

    /// Gives the function one event and returns its answer. Returns `None` if it does not answer
    /// before `timeout` or has ended.
    pub(super) fn invoke(
        &mut self,
        function_arn: &str,
        event: &Value,
        timeout: Duration,
        still: impl FnMut() -> bool,
    ) -> Option<Said> {
        self.invocations += 1;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
        let invocation = Invocation {
            id: format!("00000000-0000-4000-8000-{:012}", self.invocations),
            function_arn: function_arn.to_owned(),
            deadline_ms: (now + timeout).as_millis(),
            event: event.to_string().into_bytes(),
        };
        let until = Instant::now() + timeout;
        self.shared.change(|state| (state.said, state.pending) = (None, Some(invocation)));
        self.shared.wait(until, still, |state| state.said.take())
    }
}

impl Drop for RuntimeApi {
    fn drop(&mut self) {
        self.shared.change(|state| state.ended = true);
        drop(TcpStream::connect(self.address));
    }
}

/// Answers one request. Returns whether another one may follow.
fn answer(mut connection: &TcpStream, shared: &Shared) -> Result<bool> {
    let Some(head) = Head::read(&mut connection)? else { return Ok(false) };
    let mut body = Vec::new();
    relay(head.request_body(), &mut connection, &mut body, 64 * 1024, |_| {})?;
    // Of an answer that is streamed nobody knows the length before its end.
    let body = if head.request_body() == Body::Chunked { unchunked(&body)? } else { body };
    let path = head.path();
    let Some(rest) = path.strip_prefix("/2018-06-01/runtime/") else {
        connection.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")?;
        return Ok(true);
    };
    if rest == "invocation/next" {
        shared.change(|state| state.waits = true);
        let far = Instant::now() + Duration::from_hours(1);
        let next = shared.wait(
            far,
            || true,
            |state| match state.pending.take() {
                Some(next) => Some(Some(next)),
                None => state.ended.then_some(None),
            },
        );
        let Some(Some(next)) = next else { return Ok(false) };
        shared.change(|state| (state.running, state.waits) = (Some(next.id.clone()), false));
        let text = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
             Lambda-Runtime-Aws-Request-Id: {}\r\nLambda-Runtime-Deadline-Ms: {}\r\n\
             Lambda-Runtime-Invoked-Function-Arn: {}\r\n\
             Lambda-Runtime-Trace-Id: Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=0\r\n\r\n",
            next.event.len(),
            next.id,
            next.deadline_ms,
            next.function_arn
        );
        connection.write_all(&[text.into_bytes(), next.event].concat())?;
        return Ok(true);
    }
    shared.change(|state| {
        let of_this = state.running.as_deref().is_some_and(|id| rest.starts_with(&format!("invocation/{id}/")));
        if of_this && rest.ends_with("/response") {
            state.said = Some(Said::Response(body));
        } else if (of_this && rest.ends_with("/error")) || rest == "init/error" {
            state.said = Some(Said::Error(serde_json::from_slice(&body).unwrap_or(Value::Null)));
        }
    });
    connection.write_all(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")?;
    Ok(true)
}
