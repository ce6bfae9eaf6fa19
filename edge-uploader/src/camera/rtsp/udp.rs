//! UDP transport of one stream's packets.

use super::connection::Pacer;
use super::reorder::Reorder;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::task::{Context, Poll, ready};
use tokio::io::ReadBuf;
use tokio::net::UdpSocket;

/// The sockets of a stream, and the state for reordering.
pub(super) struct Udp {
    /// Socket for RTP.
    packets: UdpSocket,
    /// Socket for RTCP.
    reports: UdpSocket,
    /// Packets from other addresses are ignored.
    peer: IpAddr,
    reports_port: Option<u16>,
    buffer: Box<[u8]>,
    pacer: Pacer,
    pub(super) reorder: Reorder,
}

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
            packets,
            reports,
            peer,
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
        let _ = self.packets.send_to(&EMPTY_RTP, SocketAddr::new(self.peer, port)).await;
        self.report();
    }

    /// Sends a receiver report to the camera.
    pub(super) fn report(&self) {
        if let Some(port) = self.reports_port {
            let _ = self.reports.try_send_to(&super::rtp::receiver_report(0), SocketAddr::new(self.peer, port));
        }
    }

    /// Receives the next datagram from the camera.
    pub(super) fn poll_receive(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Datagram>> {
        ready!(self.pacer.poll(context));
        loop {
            let mut room = ReadBuf::new(&mut self.buffer);
            let (from, is_report) = match self.reports.poll_recv_from(context, &mut room) {
                Poll::Ready(from) => (from, true),
                Poll::Pending => (ready!(self.packets.poll_recv_from(context, &mut room)), false),
            };
            let length = room.filled().len();
            match from {
                Ok(from) if from.ip() == self.peer => {
                    self.pacer.received(length);
                    return Poll::Ready(Ok(if is_report { Datagram::Rtcp(length) } else { Datagram::Rtp(length) }));
                }
                Ok(_) => {}
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
