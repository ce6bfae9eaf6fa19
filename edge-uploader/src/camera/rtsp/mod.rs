//! RTSP cameras: RFC 2326, RTP by RFC 3550, H.264 by RFC 6184, H.265 by RFC 7798, AAC by RFC 3640.
//!
//! A session is `DESCRIBE`, a `SETUP` for the first H.264 or H.265 stream and, if wanted, for the first AAC
//! stream, then `PLAY`. Other streams are never set up: G.711 and Opus cannot be stored in a chunk. A warning
//! reports once what is left out.
//!
//! ```text
//! connection ─parts─▶ session ─packets─▶ demuxer ─events─▶
//!  (wire, message)      ▲ │               (rtp, picture, sound, known_sets)
//!        udp ─(reorder)─┘ └─▶ keepalive
//! ```
//!
//! Two requirements shape this module. A camera may be hostile, so everything is bounded ([`limits`]), and the
//! bounds are checked before data is stored. And cameras deviate from the standards, so input that other
//! programs accept is accepted, and what cannot be parsed affects only itself. The client of retina 0.4 meets
//! neither: its parser, its depacketizers and its connection cannot be used separately, and have no limits. Of
//! retina, this module uses only the parser for parameter sets.
//!
//! Times: a frame's `pts` is its RTP timestamp, unwrapped, minus the start of its stream. If the response
//! to `PLAY` has the RTP times of all streams, these are the starts, and audio and video are in sync
//! according to the camera. Otherwise each stream starts at the first packet received. Neither is trusted:
//! see [`crate::clock`]. Frames arrive in decoding order. With B-frames, `pts` goes back and forth, and
//! RTP has no other timestamp.
//!
//! Credentials come from the options or from the URL. They never appear in a log, an error or `source()`, and
//! are sent only to the host that they were given for, not to another one that it redirects to.

mod allowance;
mod auth;
mod connection;
mod demuxer;
mod dialogue;
mod headers;
mod held;
mod keepalive;
mod known_sets;
mod limits;
mod message;
mod picture;
mod reorder;
mod replay;
mod rtp;
mod sdp;
mod session;
mod sound;
mod target;
mod tls;
mod udp;
mod url;
mod wire;

#[doc(hidden)]
pub use self::replay::replay;
pub use self::tls::{Certificate, Fingerprint};

use self::connection::Broken;
use self::dialogue::{Choice, Refusal};
use self::sdp::Description;
use self::session::RtspSession;
use self::url::Address;
use super::{Camera, CameraError, Extent, Reading, Session};
use crate::media::VideoCodec;
use async_trait::async_trait;
use framepost_ports::{Clock, SystemClock};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinHandle;

/// Transport of RTP packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// Inside the RTSP connection: no packets are lost, and firewalls let them through.
    #[default]
    Tcp,
    /// In UDP datagrams, for cameras that do not support TCP. Packets may be lost or reordered.
    Udp,
}

/// Whether a camera's audio is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Audio {
    /// Record audio if it is AAC. Audio in another format is not requested.
    #[default]
    Record,
    /// Do not request audio.
    Ignore,
}

/// Options for an RTSP camera.
#[derive(Clone)]
pub struct RtspOptions {
    /// User name; replaces the one in the URL.
    pub username: Option<String>,
    /// Password; replaces the one in the URL.
    pub password: Option<String>,
    /// Transport of RTP packets.
    pub transport: Transport,
    /// Whether audio is recorded.
    pub audio: Audio,
    /// Which certificate to accept for an `rtsps://` URL.
    pub certificate: Certificate,
    /// Limit in bytes per second for reading, after a burst of 16 MiB. Data above it waits,
    /// or is lost with UDP.
    pub bandwidth_per_second: u64,
    /// A camera that sends no video frame for this long counts as lost.
    pub inactivity: Duration,
    /// Time limit from the first packet to the response to `PLAY`.
    pub connect_timeout: Duration,
    /// The clock for arrival times.
    pub clock: Arc<dyn Clock>,
}

/// Bytes per second: twice the rate of 8K cameras.
pub const DEFAULT_BANDWIDTH: u64 = 8_000_000;

impl RtspOptions {
    fn bytes_a_second(&self) -> u32 {
        u32::try_from(self.bandwidth_per_second).unwrap_or(u32::MAX)
    }
}

impl Default for RtspOptions {
    fn default() -> Self {
        Self {
            username: None,
            password: None,
            transport: Transport::Tcp,
            audio: Audio::Record,
            certificate: Certificate::System,
            bandwidth_per_second: DEFAULT_BANDWIDTH,
            inactivity: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(10),
            clock: Arc::new(SystemClock),
        }
    }
}

impl std::fmt::Debug for RtspOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RtspOptions")
            .field("credentials", &self.username.as_ref().map(|_| "…"))
            .field("transport", &self.transport)
            .field("audio", &self.audio)
            .field("certificate", &self.certificate)
            .field("bandwidth_per_second", &self.bandwidth_per_second)
            .field("inactivity", &self.inactivity)
            .field("connect_timeout", &self.connect_timeout)
            .finish_non_exhaustive()
    }
}

/// A camera behind an RTSP URL.
pub struct RtspCamera {
    address: Address,
    options: RtspOptions,
    farewell: Farewell,
}

/// The end of the last session, with which the camera may still be busy.
#[derive(Debug, Clone, Default)]
struct Farewell(Arc<Mutex<Option<JoinHandle<()>>>>);

impl Farewell {
    fn say(&self, task: JoinHandle<()>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(task);
    }

    /// Waits until it is complete.
    async fn said(&self) {
        let task = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task {
            // Ignore the result; the task ends on its own.
            let _ = task.await;
        }
    }
}

impl RtspCamera {
    /// Creates a camera for an `rtsp://` or `rtsps://` URL, which may contain a user name and a password.
    pub fn new(url: &str, options: RtspOptions) -> Result<Self, CameraError> {
        let address = Address::parse(url, &options)?;
        Ok(Self { address, options, farewell: Farewell::default() })
    }

    async fn start(&self) -> Result<RtspSession, CameraError> {
        let Address { target, credentials, source } = &self.address;
        let playing = dialogue::play(target, credentials.as_ref(), &self.options, |description| {
            choose(source, self.options.audio, description)
        })
        .await
        .map_err(|refusal| refused(source, refusal))?;
        let codec = codec(&playing.video.stream.encoding).unwrap_or(VideoCodec::H264);
        RtspSession::new(source.clone(), codec, playing, &self.options, self.farewell.clone())
            .map_err(|excess| over(source, excess.into()))
    }
}

/// Chooses the video stream and the audio stream to set up.
fn choose(source: &str, wanted: Audio, description: &Description) -> Result<Choice, Refusal> {
    let mut video = None;
    let mut audio = None;
    for (place, stream) in description.streams.iter().enumerate() {
        let reason = match (stream.media.as_str(), stream.encoding.as_str()) {
            ("video", encoding) if video.is_none() && codec(encoding).is_some() => {
                video = Some(place);
                continue;
            }
            ("audio", _) if wanted == Audio::Ignore => continue,
            ("audio", "mpeg4-generic") if audio.is_none() => match sound::Format::new(stream) {
                Some(_) => {
                    audio = Some(place);
                    continue;
                }
                None => "its configuration cannot be read",
            },
            ("audio" | "video", _) => "it cannot be recorded, or another one is recorded already",
            _ => continue,
        };
        let media = &stream.media;
        let encoding = &stream.encoding;
        tracing::warn!(source, media, encoding = ?encoding, reason, "stream left out");
    }
    let video = video.ok_or_else(|| {
        let names = description.streams.iter().map(|stream| format!("{}/{}", stream.media, stream.encoding));
        let offered: Vec<String> = names.collect();
        let advice = "choose one of them in the camera's settings";
        Refusal::NoVideo(format!("the camera offers no H.264 or H.265 video, only {offered:?}; {advice}"))
    })?;
    Ok(Choice { video, audio })
}

fn codec(encoding: &str) -> Option<VideoCodec> {
    match encoding {
        "h264" => Some(VideoCodec::H264),
        "h265" => Some(VideoCodec::H265),
        _ => None,
    }
}

#[async_trait]
impl Camera for RtspCamera {
    async fn connect(&mut self) -> Result<Box<dyn Session>, CameraError> {
        // Cameras with few sessions refuse the next one until the last one has ended.
        self.farewell.said().await;
        match tokio::time::timeout(self.options.connect_timeout, self.start()).await {
            Ok(session) => Ok(Box::new(session?)),
            Err(_) => {
                Err(lost(&self.address.source, format!("no complete answer within {:?}", self.options.connect_timeout)))
            }
        }
    }

    fn source(&self) -> String {
        self.address.source.clone()
    }

    fn extent(&self) -> Extent {
        Extent::Live
    }

    fn silence_max(&self) -> Option<Duration> {
        Some(self.options.inactivity)
    }

    fn reading(&self) -> Reading {
        match self.options.transport {
            Transport::Tcp => Reading::Relaxed,
            // Datagrams that do not fit into a full socket buffer are lost.
            Transport::Udp => Reading::Prompt,
        }
    }
}

fn lost(what: &str, problem: impl Into<String>) -> CameraError {
    CameraError::Lost { what: what.to_owned(), problem: problem.into(), source: None }
}

/// Converts the end of a connection to an error for the operator.
fn over(what: &str, broken: Broken) -> CameraError {
    match broken {
        // A live camera has no end, so a closed connection counts as lost.
        Broken::Closed => lost(what, "the camera closed the connection"),
        Broken::Io(error) => CameraError::Lost {
            what: what.to_owned(),
            problem: "the connection failed".to_owned(),
            source: Some(Box::new(error)),
        },
        Broken::Excess(excess) => {
            CameraError::Excessive { what: what.to_owned(), problem: format!("it sent {excess}") }
        }
    }
}

/// Converts a failed request to an error for the operator.
fn refused(what: &str, refusal: Refusal) -> CameraError {
    let problem = match refusal {
        Refusal::Broken(broken) => return over(what, broken),
        Refusal::Unauthorized => return CameraError::Unauthorized(what.to_owned()),
        Refusal::Moved(_) => "the camera redirects".to_owned(),
        Refusal::Offer(problem) => problem,
        Refusal::NoVideo(problem) => {
            return CameraError::Unusable { what: what.to_owned(), problem, source: None };
        }
        Refusal::Port(error) => {
            let problem = "no free UDP port for the camera's packets".to_owned();
            return CameraError::Lost { what: what.to_owned(), problem, source: Some(Box::new(error)) };
        }
        Refusal::Status { step, status } => match status {
            404 => "the camera knows no stream of this name (404); check the path of the URL".to_owned(),
            453 => "the camera has no bandwidth left (453); too many clients may be connected".to_owned(),
            454 => "the camera forgot the session (454)".to_owned(),
            461 => "the camera does not offer this transport (461); try the other one, TCP or UDP".to_owned(),
            503 => "the camera is busy or has no signal (503)".to_owned(),
            _ => format!("the camera refused to {step} ({status})"),
        },
    };
    lost(what, problem)
}
