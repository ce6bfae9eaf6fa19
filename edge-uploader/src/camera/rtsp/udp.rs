//! UDP transport of one stream's packets.
//!
//! Anybody may send datagrams to an open port. As soon as one has come from the camera, the socket is connected to where it came
//! from, and the kernel throws away what others send; until then others cost a pause now and then.

use super::connection::Pacer;
use super::reorder::Reorder;
use futures::FutureExt as _;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::task::{Context, Poll, ready};
use tokio::io::ReadBuf;
use tokio::net::UdpSocket;

/// The sockets of a stream, and the state for reordering.
pub(super) struct Udp {
    packets: Socket,
    reports: Socket,
    /// Packets from other addresses are ignored.
    peer: IpAddr,
    /// Datagrams of others so far.
    strangers: u32,
    reports_port: Option<u16>,
    buffer: Box<[u8]>,
    pacer: Pacer,
    pub(super) reorder: Reorder,
}

/// A socket, and whether the kernel knows whose datagrams it is for.
struct Socket {
    socket: UdpSocket,
    sender: Sender,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sender {
    Anybody,
    Camera,
}

impl Socket {
    fn new(socket: UdpSocket) -> Self {
        Self { socket, sender: Sender::Anybody }
    }

    /// A datagram of the camera came from there.
    fn came_from(&mut self, from: SocketAddr) {
        if self.sender == Sender::Anybody {
            self.sender = Sender::Camera;
            // Asynchronous for the sake of names only. Where it fails, everybody's datagrams are looked at as before.
            let _ = self.socket.connect(from).now_or_never();
        }
    }
}

/// So many datagrams of others are followed by a pause.
const STRANGERS: u32 = 256;

/// A received datagram: its kind, and its length in the buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Datagram {
    Rtp(usize),
    Rtcp(usize),
}

impl Udp {
    /// Creates the transport for a camera at `peer`.
    pub(super) fn new(packets: UdpSocket, reports: UdpSocket, peer: IpAddr, bytes_a_second: u32) -> Self {
        Self {
            packets: Socket::new(packets),
            reports: Socket::new(reports),
            peer,
            strangers: 0,
            reports_port: None,
            buffer: vec![0; 64 << 10].into_boxed_slice(),
            pacer: Pacer::new(bytes_a_second),
            reorder: Reorder::default(),
        }
    }

    /// Sends a packet to the camera's ports, so that firewalls let its packets through.
    pub(super) async fn open_the_way(&mut self, port: u16) {
        const EMPTY_RTP: [u8; 12] = [0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        self.reports_port = port.checked_add(1);
        // If this is lost, nothing else is needed.
        let _ = self.packets.socket.send_to(&EMPTY_RTP, SocketAddr::new(self.peer, port)).await;
        self.report();
    }

    /// Sends a receiver report to the camera.
    pub(super) fn report(&self) {
        if let Some(port) = self.reports_port {
            let _ = self.reports.socket.try_send_to(&super::rtp::receiver_report(0), SocketAddr::new(self.peer, port));
        }
    }

    /// Receives the next datagram from the camera.
    pub(super) fn poll_receive(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Datagram>> {
        ready!(self.pacer.poll(context));
        loop {
            let mut room = ReadBuf::new(&mut self.buffer);
            let (from, is_report) = match self.reports.socket.poll_recv_from(context, &mut room) {
                Poll::Ready(from) => (from, true),
                Poll::Pending => (ready!(self.packets.socket.poll_recv_from(context, &mut room)), false),
            };
            let length = room.filled().len();
            match from {
                Ok(from) if from.ip() == self.peer => {
                    let socket = if is_report { &mut self.reports } else { &mut self.packets };
                    socket.came_from(from);
                    self.pacer.received(length);
                    return Poll::Ready(Ok(if is_report { Datagram::Rtcp(length) } else { Datagram::Rtp(length) }));
                }
                Ok(_) => {
                    self.strangers = self.strangers.wrapping_add(1);
                    if self.strangers.is_multiple_of(STRANGERS) {
                        self.pacer.pause();
                        ready!(self.pacer.poll(context));
                    }
                }
                // The response to `open_the_way` if nothing listens on the port.
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    /// Returns the first bytes of the buffer, and the state for reordering them.
    pub(super) fn received(&mut self, length: usize) -> (&[u8], &mut Reorder) {
        (self.buffer.get(..length).unwrap_or_default(), &mut self.reorder)
    }
}
