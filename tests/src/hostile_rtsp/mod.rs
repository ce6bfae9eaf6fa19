//! RTSP cameras that attack whoever records them, on loopback.
//!
//! Each does one thing as fast as its rate allows: some before the session plays (`conversation`), some inside it (`stream`,
//! `noise`), some beside it (`datagrams`).

mod conversation;
mod datagrams;
mod noise;
mod stream;

use crate::camera_side::CameraSide;
use crate::edge::Transport;
use std::net::TcpListener;

/// What the hostile camera does. Where no rate is given, it sends as fast as the test lets it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attack {
    /// An access unit that never ends.
    EndlessUnit,
    /// The same, in fragments of one byte.
    TinyFragments,
    /// An access unit of countless slices.
    Slices,
    /// Access units of thousands of slices, each of which lacks its end.
    BrokenSlices,
    /// An access unit of countless messages (SEI).
    Messages,
    /// Tiny pictures without a pause, each a random access picture.
    Pictures,
    /// The same, all of one time.
    OneTime,
    /// Whole pictures of 5 MB.
    LargePictures,
    /// Whole pictures just below the limit of 16 MiB.
    LargestPictures,
    /// Other parameter sets with each of 25 pictures a second.
    Parameters,
    /// Other parameter sets with each picture, without a pause.
    FastParameters,
    /// Parameter sets of random bytes with each of 25 pictures a second.
    BrokenParameters,
    /// 25 pictures a second, whose time stands still.
    StandingTime,
    /// 25 pictures a second, each of a random time.
    RandomTime,
    /// A sound packet of countless frames, again and again.
    Sounds,
    /// RTCP sender reports without a pause (RFC 3550 §6.4.1).
    Reports,
    /// RTCP goodbyes without a pause (RFC 3550 §6.6).
    Goodbyes,
    /// Packets of a new source each.
    Sources,
    /// Packets by a channel that is nobody's.
    Strangers,
    /// The beginnings of packets without packets, as much of it as is let through at a time.
    Dollars,
    /// A large packet, one byte a segment.
    TinySegments,
    /// A line that never ends, in the middle of the stream.
    Line,
    /// A head that never ends, in the middle of the stream.
    Head,
    /// An answer of 4 GB, in the middle of the stream.
    Body,
    /// Answers to keep-alives that nobody sent.
    Answers,
    /// Requests of the camera's own, in the middle of the stream.
    Requests,
    /// A description without an end.
    Description,
    /// A description of a thousand streams.
    ManyStreams,
    /// A head without an end instead of the description.
    DescribeHead,
    /// The description's answer, one byte a second.
    Slowly,
    /// Instead of the description, empty packets.
    EarlyPackets,
    /// Instead of the description, questions.
    EarlyRequests,
    /// Instead of the description, the word that it will come.
    Continues,
    /// Another nonce for each answer.
    Unauthorized,
    /// Answers with a redirection to the URL that was asked for, again and again.
    Ring,
    /// Hangs up after two seconds of pictures, each time.
    HangsUp,
    /// Plays, and sends nothing.
    Silent,
    /// Takes the connection and answers no request.
    Mute,
    /// Accepts a TLS connection and never answers.
    StalledHandshake,
    /// Answers a TLS handshake with bytes without an end.
    EndlessHandshake,
    /// By UDP: packets of one byte of a picture.
    TinyDatagrams,
    /// By UDP: one picture a second from the camera, and tiny datagrams from another address.
    ForeignDatagrams,
}

impl Attack {
    /// All variants, in their order.
    pub const ALL: [Self; 42] = [
        Self::EndlessUnit,
        Self::TinyFragments,
        Self::Slices,
        Self::BrokenSlices,
        Self::Messages,
        Self::Pictures,
        Self::OneTime,
        Self::LargePictures,
        Self::LargestPictures,
        Self::Parameters,
        Self::FastParameters,
        Self::BrokenParameters,
        Self::StandingTime,
        Self::RandomTime,
        Self::Sounds,
        Self::Reports,
        Self::Goodbyes,
        Self::Sources,
        Self::Strangers,
        Self::Dollars,
        Self::TinySegments,
        Self::Line,
        Self::Head,
        Self::Body,
        Self::Answers,
        Self::Requests,
        Self::Description,
        Self::ManyStreams,
        Self::DescribeHead,
        Self::Slowly,
        Self::EarlyPackets,
        Self::EarlyRequests,
        Self::Continues,
        Self::Unauthorized,
        Self::Ring,
        Self::HangsUp,
        Self::Silent,
        Self::Mute,
        Self::StalledHandshake,
        Self::EndlessHandshake,
        Self::TinyDatagrams,
        Self::ForeignDatagrams,
    ];

    /// A name for a camera.
    pub fn name(self) -> String {
        format!("{self:?}").to_lowercase()
    }

    /// How its packets are to be asked for.
    pub fn transport(self) -> Transport {
        match self {
            Self::TinyDatagrams | Self::ForeignDatagrams => Transport::Udp,
            _ => Transport::Tcp,
        }
    }

    fn scheme(self) -> &'static str {
        match self {
            Self::StalledHandshake | Self::EndlessHandshake => "rtsps",
            _ => "rtsp",
        }
    }
}

/// A camera that attacks; it does so until the test's process ends.
#[derive(Debug, Clone, Copy)]
pub struct HostileCamera {
    attack: Attack,
    port: u16,
}

impl HostileCamera {
    /// Listens on a port of its own, and sends at most so many bytes a second to each that connects.
    pub fn start(attack: Attack, bytes_a_second: u32) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port on loopback");
        let port = listener.local_addr().expect("an address").port();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                std::thread::spawn(move || {
                    // That the victim hangs up is what is hoped for.
                    let _ = CameraSide::new(stream, Some(bytes_a_second))
                        .and_then(|side| conversation::attack(side, attack, bytes_a_second));
                });
            }
        });
        Self { attack, port }
    }

    /// Returns the URL to record from; its scheme depends on the attack.
    pub fn url(self) -> String {
        format!("{}://127.0.0.1:{}/live", self.attack.scheme(), self.port)
    }
}
