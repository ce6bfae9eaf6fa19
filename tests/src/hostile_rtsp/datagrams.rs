//! What a camera, or somebody else, may send beside the connection.

use super::Attack;
use crate::camera_side::Request;
use std::io::Result;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

/// A camera's socket, and who receives.
pub(super) struct Datagrams {
    socket: UdpSocket,
    to: SocketAddr,
}

impl Datagrams {
    /// For the ports that a SETUP names; none without them.
    pub(super) fn asked(request: &Request) -> Option<Self> {
        let ports = request.header("transport")?.split(';').find_map(|part| part.strip_prefix("client_port="))?;
        let port: u16 = ports.split('-').next()?.parse().ok()?;
        let socket = UdpSocket::bind(("127.0.0.1", 0)).ok()?;
        Some(Self { socket, to: SocketAddr::from(([127, 0, 0, 1], port)) })
    }

    /// The answer to that SETUP.
    pub(super) fn answer(&self, request: &Request) -> String {
        let port = self.socket.local_addr().map_or(0, |address| address.port());
        let transport = request.header("transport").unwrap_or_default();
        let head = request.head();
        format!(
            "{head}Session: 1;timeout=60\r\nTransport: {transport};server_port={port}-{}\r\n\r\n",
            port.wrapping_add(1)
        )
    }

    /// Sends until nobody receives any more.
    pub(super) fn attack(&self, attack: Attack, bytes_a_second: u32) -> Result<()> {
        let start = Instant::now();
        // What a datagram takes on the wire, beside its content: Ethernet, IPv4 and UDP.
        const AROUND: f64 = 66.0;
        let foreign = UdpSocket::bind(("127.0.0.2", 0))?;
        let mut sent = 0.0;
        let mut sequence = 0_u16;
        let mut pictures = 0_u32;
        loop {
            let behind = start.elapsed().as_secs_f64() * f64::from(bytes_a_second) - sent;
            if behind < 0.0 {
                std::thread::sleep(Duration::from_millis(1));
                continue;
            }
            if start.elapsed().as_secs() >= u64::from(pictures) {
                pictures += 1;
                sequence = sequence.wrapping_add(1);
                self.socket
                    .send_to(&rtp(sequence, pictures.wrapping_mul(90_000), true, &[0x65, 0x88, 0x84]), self.to)?;
            }
            let (from, payload) = match attack {
                Attack::TinyDatagrams => {
                    sequence = sequence.wrapping_add(1);
                    (&self.socket, rtp(sequence, pictures.wrapping_mul(90_000), false, &[0x7c, 0x05, 0x55]))
                }
                _ => (&foreign, vec![0x80]),
            };
            // A full socket is the receiver's; that nobody is there is told by the next one.
            from.send_to(&payload, self.to)?;
            sent += payload.len() as f64 + AROUND;
        }
    }
}

fn rtp(sequence: u16, time: u32, marker: bool, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x80, 0x60 | (u8::from(marker) << 7)];
    packet.extend_from_slice(&sequence.to_be_bytes());
    packet.extend_from_slice(&time.to_be_bytes());
    packet.extend_from_slice(&7_u32.to_be_bytes());
    packet.extend_from_slice(payload);
    packet
}
