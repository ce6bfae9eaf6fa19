//! One connection of the proxy: a loop over requests, each with its fault.

use super::link::{PACKET_BYTES, Passage};
use super::{Fault, Shared, Upload};
use crate::http::{Body, Head, relay};
use std::io::{Read as _, Result, Write as _};
use std::net::TcpStream;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

const PIECE_BYTES: usize = 16 * 1024;

/// How a connection goes on after a request.
enum Next {
    Request,
    Close,
    Reset,
}

/// Serves a connection that has been there since `since`.
pub(super) fn connection(shared: &Shared, client: TcpStream, since: Instant) {
    let _ = client.set_nodelay(true);
    if shared.next_fault(|fault| fault == Fault::ResetAtAccept).is_some() {
        return reset(client);
    }
    loop {
        match request(shared, &client, since) {
            Ok(Next::Request) if !shared.ended.load(Ordering::Relaxed) => {}
            Ok(Next::Reset) => return reset(client),
            Ok(_) | Err(_) => return,
        }
    }
}

/// Ends a connection with RST, so that the other side sees an error and not an end of stream.
fn reset(connection: TcpStream) {
    let _ = socket2::SockRef::from(&connection).set_linger(Some(Duration::ZERO));
    drop(connection);
}

fn request(shared: &Shared, client: &TcpStream, since: Instant) -> Result<Next> {
    let Some(head) = Head::read(&mut &*client)? else { return Ok(Next::Close) };
    let method = head.method();
    if shared.link().is_some_and(|link| link.has_lost(since)) {
        return Ok(silence(shared));
    }
    shared.note(|seen| {
        seen.requests += 1;
        *seen.methods.entry(method.clone()).or_default() += 1;
    });
    // On a reused connection, a reset at accept becomes a reset at the request.
    let fault = shared.next_fault(|_| true).unwrap_or(Fault::None);
    if fault == Fault::ResetAtAccept {
        return Ok(Next::Reset);
    }
    if let Fault::Stall(time) = fault {
        stall(shared, time);
    }
    if head.expects_continue() {
        (&*client).write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    if let Fault::SlowDown { retry_after_s } = fault {
        relay(head.request_body(), &mut &*client, &mut std::io::sink(), PIECE_BYTES, |_| {})?;
        return slow_down(shared, client, retry_after_s);
    }

    let upstream = TcpStream::connect(shared.upstream)?;
    upstream.set_nodelay(true)?;
    (&upstream).write_all(&head.bytes)?;
    shared.note(|seen| seen.bytes_up += head.bytes.len() as u64);
    let body = match (fault, head.request_body()) {
        (Fault::ResetInRequest, Body::Length(bytes)) => Body::Length(bytes / 2),
        (Fault::ResetInRequest, _) => Body::Length(0),
        (_, body) => body,
    };
    let watched = (body != Body::Length(0)).then(|| Watched::new(shared, head.path()));
    let link = shared.link();
    let piece_bytes = if link.is_some() { PACKET_BYTES } else { PIECE_BYTES };
    let moved = relay(body, &mut &*client, &mut &upstream, piece_bytes, |bytes| {
        let passage = link.as_ref().map_or(Passage::Through, |link| link.pass(bytes, since));
        if let Some(watched) = &watched {
            watched.update(|upload| match passage {
                Passage::Through => upload.bytes += bytes as u64,
                Passage::Lost => upload.ended = Some(Instant::now()),
            });
        }
        if passage == Passage::Lost {
            silence(shared);
        }
    })?;
    shared.note(|seen| seen.bytes_up += moved);
    if fault == Fault::ResetInRequest {
        reset(upstream);
        return Ok(Next::Reset);
    }
    answer(shared, client, &upstream, &method, fault, watched)
}

/// Takes note of a body on its way through.
struct Watched<'a> {
    shared: &'a Shared,
    place: usize,
}

impl<'a> Watched<'a> {
    fn new(shared: &'a Shared, path: String) -> Self {
        let mut conduct = shared.lock();
        conduct.uploads.push(Upload { path, bytes: 0, ended: None, status: None });
        Self { shared, place: conduct.uploads.len() - 1 }
    }

    fn update(&self, change: impl FnOnce(&mut Upload)) {
        if let Some(upload) = self.shared.lock().uploads.get_mut(self.place) {
            change(upload);
        }
    }
}

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        self.update(|upload| upload.ended = upload.ended.or_else(|| Some(Instant::now())));
    }
}

/// Says nothing more, and reads nothing, until the proxy ends.
fn silence(shared: &Shared) -> Next {
    while !shared.ended.load(Ordering::Relaxed) {
        std::thread::park_timeout(Duration::from_secs(1));
    }
    Next::Close
}

fn answer(
    shared: &Shared,
    client: &TcpStream,
    upstream: &TcpStream,
    method: &str,
    fault: Fault,
    watched: Option<Watched<'_>>,
) -> Result<Next> {
    let head = loop {
        let Some(head) = Head::read(&mut &*upstream)? else { return Ok(Next::Close) };
        // The proxy has already sent the 100 response if the client asked for it.
        if !(100..200).contains(&head.status()) {
            break head;
        }
    };
    let body = head.answer_body(method);
    if let Some(watched) = watched {
        watched.update(|upload| upload.status = Some(head.status()));
    }
    match fault {
        Fault::LoseAnswer => {
            relay(body, &mut &*upstream, &mut std::io::sink(), PIECE_BYTES, |_| {})?;
            return Ok(Next::Reset);
        }
        Fault::TruncateAnswer => {
            let mut whole = head.bytes.clone();
            relay(body, &mut &*upstream, &mut whole, PIECE_BYTES, |_| {})?;
            let half = &whole[..whole.len() / 2];
            (&*client).write_all(half)?;
            shared.note(|seen| seen.bytes_down += half.len() as u64);
            wait_until_read(client);
            return Ok(Next::Reset);
        }
        Fault::Latency(time) => stall(shared, time),
        _ => {}
    }
    (&*client).write_all(&head.bytes)?;
    let moved = relay(body, &mut &*upstream, &mut &*client, PIECE_BYTES, |_| {})?;
    shared.note(|seen| {
        seen.bytes_down += head.bytes.len() as u64 + moved;
        *seen.answers.entry(head.status()).or_default() += 1;
    });
    Ok(if body == Body::Rest { Next::Close } else { Next::Request })
}

fn slow_down(shared: &Shared, client: &TcpStream, retry_after_s: u32) -> Result<Next> {
    let body = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>SlowDown</Code>\
                <Message>Please reduce your request rate.</Message></Error>";
    let answer = format!(
        "HTTP/1.1 503 Slow Down\r\nContent-Type: application/xml\r\nRetry-After: {retry_after_s}\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    (&*client).write_all(answer.as_bytes())?;
    shared.note(|seen| {
        seen.bytes_down += answer.len() as u64;
        *seen.answers.entry(503).or_default() += 1;
    });
    Ok(Next::Request)
}

/// Waits for `time`, or until the proxy ends.
fn stall(shared: &Shared, time: Duration) {
    let deadline = Instant::now() + time;
    while !shared.ended.load(Ordering::Relaxed) {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        std::thread::sleep(left.min(Duration::from_millis(50)));
    }
}

/// A reset discards bytes that the other side has not read yet, so give it time to read them.
fn wait_until_read(client: &TcpStream) {
    let _ = client.set_read_timeout(Some(Duration::from_millis(100)));
    let _ = (&*client).read(&mut [0]);
}
