//! A connection to a camera: reads messages and packets, with limits on their size and on bytes per second.
//!
//! Nothing is copied: the result of [`Connection::next_part`] stays in the receive buffer until the next call.

use super::limits::{BUFFER_MAX, Excess, UNSENT_MAX, WORK_A_READ};
use super::message::Head;
use super::target::{Scheme, Target};
use super::tls::{self, Certificate};
use super::wire::{Framer, Step};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Initial size of the receive buffer: the data of a 4 Mb/s camera in an eighth of a second.
const BUFFER: usize = 64 << 10;
/// If less space than this is left at the end of the buffer, its content is moved to the front.
const ROOM_MIN: usize = 4 << 10;
/// Most bytes that may arrive faster than the rate allows, after a network pause or for a large picture.
const BURST: u32 = 16 << 20;
/// How long nothing is read at least, so that not each read is followed by a pause.
const PAUSE: Duration = Duration::from_millis(20);

/// Why a connection has ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    #[error("the connection failed")]
    Io(#[from] io::Error),
    #[error("the camera closed the connection")]
    Closed,
    #[error(transparent)]
    Excess(#[from] Excess),
}

/// A received part. The ranges are valid for [`Connection::bytes`] until the next part is requested.
#[derive(Debug)]
pub(super) enum Part {
    Packet { channel: u8, body: Range<usize> },
    Message { head: Head, body: Range<usize> },
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// A connection to a camera.
pub(super) struct Connection {
    stream: Stream,
    local: IpAddr,
    peer: IpAddr,
    buffer: Box<[u8]>,
    /// The range of the buffer that was received and not consumed yet.
    received: Range<usize>,
    /// How many of these bytes the last part covers.
    given: usize,
    framer: Framer,
    /// Bytes that are still to be sent.
    unsent: Vec<u8>,
    pacer: Pacer,
    /// What reading cost since it was asked for.
    work: u32,
}

impl Connection {
    /// Connects. The caller limits the time.
    pub(super) async fn open(target: &Target, certificate: Certificate, bytes_a_second: u32) -> Result<Self, Broken> {
        let stream = TcpStream::connect((target.host.as_str(), target.port)).await?;
        stream.set_nodelay(true)?;
        let local = stream.local_addr()?.ip();
        let peer = stream.peer_addr()?.ip();
        let stream = match target.scheme {
            Scheme::Rtsp => Stream::Plain(stream),
            Scheme::Rtsps => {
                let name = rustls::pki_types::ServerName::try_from(target.host.clone()).map_err(io::Error::other)?;
                let client = tls::client(certificate).map_err(io::Error::other)?;
                Stream::Tls(Box::new(TlsConnector::from(client).connect(name, stream).await?))
            }
        };
        Ok(Self {
            stream,
            local,
            peer,
            buffer: vec![0; BUFFER].into_boxed_slice(),
            received: 0..0,
            given: 0,
            framer: Framer::default(),
            unsent: Vec::new(),
            pacer: Pacer::new(bytes_a_second),
            work: 0,
        })
    }

    /// What reading cost since the last time that this was asked, beside the parts that were given.
    pub(super) fn take_work(&mut self) -> u32 {
        std::mem::take(&mut self.work)
    }

    /// Returns the gateway's address on this connection.
    pub(super) fn local(&self) -> IpAddr {
        self.local
    }

    /// Returns the camera's address.
    pub(super) fn peer(&self) -> IpAddr {
        self.peer
    }

    /// Returns the bytes of a part.
    pub(super) fn bytes(&self, range: Range<usize>) -> &[u8] {
        self.buffer.get(range).unwrap_or_default()
    }

    /// Returns the next part that was received completely. `None` means
    /// that [`poll_fill`](Self::poll_fill) must read more.
    pub(super) fn next_part(&mut self) -> Result<Option<Part>, Excess> {
        loop {
            self.received.start += std::mem::take(&mut self.given);
            if self.received.is_empty() {
                self.received = 0..0;
            }
            let start = self.received.start;
            let at = |body: Range<usize>| start + body.start..start + body.end;
            match self.framer.step(&self.buffer[self.received.clone()])? {
                Step::Incomplete { needed } => {
                    self.make_room(needed);
                    return Ok(None);
                }
                Step::Skip(count) => {
                    self.given = count;
                    self.work = self.work.saturating_add(WORK_A_READ);
                }
                Step::Packet { channel, body } => {
                    self.given = body.end;
                    return Ok(Some(Part::Packet { channel, body: at(body) }));
                }
                Step::Message { head, body } => {
                    self.given = body.end;
                    return Ok(Some(Part::Message { head, body: at(body) }));
                }
            }
        }
    }

    /// Makes room in the buffer for `needed` bytes, with some space after them.
    fn make_room(&mut self, needed: usize) {
        let needed = needed.min(BUFFER_MAX);
        if self.received.start > 0
            && (self.received.start + needed > self.buffer.len() || self.buffer.len() - self.received.end < ROOM_MIN)
        {
            self.buffer.copy_within(self.received.clone(), 0);
            self.received = 0..self.received.len();
        }
        if needed > self.buffer.len() || self.received.end == self.buffer.len() {
            let mut larger = vec![0; BUFFER_MAX].into_boxed_slice();
            larger[..self.received.end].copy_from_slice(&self.buffer[..self.received.end]);
            self.buffer = larger;
        }
    }

    /// Receives more data, and sends waiting data.
    pub(super) fn poll_fill(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        if let Poll::Ready(Err(error)) = self.poll_send(context) {
            return Poll::Ready(Err(error.into()));
        }
        ready!(self.pacer.poll(context));
        let mut room = ReadBuf::new(&mut self.buffer[self.received.end..]);
        ready!(self.stream.poll_read(context, &mut room))?;
        let count = room.filled().len();
        if count == 0 {
            return Poll::Ready(Err(Broken::Closed));
        }
        self.received.end += count;
        self.pacer.received(count);
        self.work = self.work.saturating_add(WORK_A_READ);
        Poll::Ready(Ok(()))
    }

    /// Waits for the next part. Cancel safe.
    pub(super) async fn receive(&mut self) -> Result<Part, Broken> {
        loop {
            if let Some(part) = self.next_part()? {
                return Ok(part);
            }
            std::future::poll_fn(|context| self.poll_fill(context)).await?;
        }
    }

    /// Appends bytes to those waiting to be sent.
    pub(super) fn send(&mut self, bytes: &[u8]) -> Result<(), Excess> {
        if self.unsent.len() + bytes.len() > UNSENT_MAX {
            return Err(Excess::Unsent);
        }
        self.unsent.extend_from_slice(bytes);
        Ok(())
    }

    /// Sends the waiting bytes.
    pub(super) fn poll_send(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.unsent.is_empty() {
            let count = ready!(self.stream.poll_write(context, &self.unsent))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.unsent.drain(..count);
        }
        self.stream.poll_flush(context)
    }
}

impl Stream {
    fn poll_read(&mut self, context: &mut Context<'_>, room: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(stream) => Pin::new(stream).poll_read(context, room),
            Self::Tls(stream) => Pin::new(stream).poll_read(context, room),
        }
    }

    fn poll_write(&mut self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(stream) => Pin::new(stream).poll_flush(context),
            Self::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }
}

/// Limits a camera's rate. Data above the limit waits in the network buffers.
pub(super) struct Pacer {
    bytes_a_second: u32,
    /// How much of the burst is used up, and when that was determined.
    used: f64,
    at: Instant,
    /// Until when nothing is read.
    rest: Option<Pin<Box<Sleep>>>,
}

impl Pacer {
    pub(super) fn new(bytes_a_second: u32) -> Self {
        Self { bytes_a_second: bytes_a_second.max(1), used: 0.0, at: Instant::now(), rest: None }
    }

    pub(super) fn received(&mut self, bytes: usize) {
        self.used += bytes as f64;
        if self.used < f64::from(BURST) {
            return;
        }
        // The clock is read once for each burst, not for each packet.
        let now = Instant::now();
        let rate = f64::from(self.bytes_a_second);
        self.used = (self.used - now.duration_since(self.at).as_secs_f64() * rate).max(0.0);
        self.at = now;
        let beyond = self.used - f64::from(BURST);
        if beyond > 0.0 {
            let pause = Duration::from_secs_f64(beyond / rate).max(PAUSE);
            self.rest = Some(Box::pin(tokio::time::sleep(pause)));
        }
    }

    /// Nothing is read for a while.
    pub(super) fn pause(&mut self) {
        self.rest = Some(Box::pin(tokio::time::sleep(PAUSE)));
    }

    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if let Some(rest) = &mut self.rest {
            ready!(rest.as_mut().poll(context));
            self.rest = None;
        }
        Poll::Ready(())
    }
}

/// Sends the waiting bytes, as far as the camera accepts them, and closes the connection.
pub(super) async fn hang_up(mut connection: Connection) {
    const PATIENCE: Duration = Duration::from_secs(1);
    let farewell = async {
        std::future::poll_fn(|context| connection.poll_send(context)).await?;
        // Wait for the response or the end, because some cameras count a session until they have closed it.
        while let Part::Packet { .. } = connection.receive().await? {}
        Ok::<(), Broken>(())
    };
    // This is only a courtesy, so ignore the result.
    let _ = tokio::time::timeout(PATIENCE, farewell).await;
}

/// Binds two adjacent ports at the gateway's address, the first one even (RFC 3550 §11).
pub(super) fn udp_pair(local: IpAddr) -> io::Result<(tokio::net::UdpSocket, tokio::net::UdpSocket)> {
    const TRIES: usize = 100;
    let bind = |port| std::net::UdpSocket::bind(SocketAddr::new(local, port));
    let mut last = io::Error::from(io::ErrorKind::AddrInUse);
    for _ in 0..TRIES {
        let first = bind(0)?;
        let port = first.local_addr()?.port();
        if port % 2 != 0 {
            continue;
        }
        match bind(port + 1) {
            Ok(second) => {
                first.set_nonblocking(true)?;
                second.set_nonblocking(true)?;
                return Ok((tokio::net::UdpSocket::from_std(first)?, tokio::net::UdpSocket::from_std(second)?));
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}
