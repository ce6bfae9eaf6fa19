//! RTSP cameras, by retina (RFC 2326, RTP by RFC 3550, H.264 by RFC 6184, H.265 by RFC 7798, AAC by RFC 3640).
//!
//! One session is `DESCRIBE`, a `SETUP` of the first H.264 or H.265 stream and, if wanted, of the first AAC stream,
//! then `PLAY`. Nothing else is ever set up: retina fails a whole session over one stream that it cannot take apart
//! (Opus), and G.711 cannot be put into a chunk. What is left out is said once, as a warning.
//!
//! Times: a frame's `pts` is its RTP timestamp, unwrapped, minus the start of its stream. Where the camera's answer to
//! `PLAY` names the RTP times of all streams, these are the starts, and video and audio are in step by the camera's own
//! word; otherwise each stream starts at the first packet received from it, and they are in step as far as these two
//! packets were. Frames come in decoding order; with B-frames `pts` goes back and forth, and RTP has no other time.
//!
//! Credentials come from the options or from the URL and never get into a log, an error or `source()`.

mod session;
mod url;

use self::session::RtspSession;
use self::url::Address;
use super::{Camera, CameraError, Extent, Reading, Session};
use async_trait::async_trait;
use framepost_ports::{Clock, SystemClock};
use retina::client::{
    Described, InitialTimestampPolicy, PlayOptions, SessionGroup, SessionIdPolicy, SessionOptions, SetupOptions,
    TeardownPolicy, UnassignedChannelDataPolicy, UnknownRtcpSsrcPolicy,
};
use retina::codec::{FrameFormat, ParametersRef};
use std::sync::Arc;
use std::time::Duration;

/// How packets travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// Inside the RTSP connection: nothing is lost, and every firewall lets it through.
    #[default]
    Tcp,
    /// Beside it; for cameras that can do nothing else. Packets may be lost or come in the wrong order.
    Udp,
}

/// What becomes of a camera's sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Audio {
    /// It is recorded where it is AAC.
    #[default]
    Record,
    /// It is not asked for.
    Ignore,
}

/// How to talk to a camera.
#[derive(Clone)]
pub struct RtspOptions {
    /// Instead of the one in the URL.
    pub username: Option<String>,
    /// Instead of the one in the URL.
    pub password: Option<String>,
    /// How packets travel.
    pub transport: Transport,
    /// What becomes of the sound.
    pub audio: Audio,
    /// A camera that sends no video frame for this long is taken for dead.
    pub inactivity: Duration,
    /// How long a camera may take from the first packet to its answer to `PLAY`.
    pub connect_timeout: Duration,
    /// The clock that stamps arrivals.
    pub clock: Arc<dyn Clock>,
}

impl Default for RtspOptions {
    fn default() -> Self {
        Self {
            username: None,
            password: None,
            transport: Transport::Tcp,
            audio: Audio::Record,
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
            .field("inactivity", &self.inactivity)
            .field("connect_timeout", &self.connect_timeout)
            .finish_non_exhaustive()
    }
}

/// A camera behind an RTSP URL.
pub struct RtspCamera {
    address: Address,
    options: RtspOptions,
    /// Sessions which the camera may still think are playing.
    sessions: Arc<SessionGroup>,
}

impl RtspCamera {
    /// A camera at an `rtsp://` URL, which may hold a user name and a password.
    pub fn new(url: &str, options: RtspOptions) -> Result<Self, CameraError> {
        let address = Address::parse(url, &options)?;
        Ok(Self { address, options, sessions: Arc::new(SessionGroup::default()) })
    }

    async fn start(&self) -> Result<RtspSession, CameraError> {
        let source = &self.address.source;
        let options = SessionOptions::default()
            .creds(self.address.credentials.clone())
            .user_agent(concat!("framepost/", env!("CARGO_PKG_VERSION")).to_owned())
            .session_group(Arc::clone(&self.sessions))
            .session_id(SessionIdPolicy::UseFirst)
            .unassigned_channel_data(UnassignedChannelDataPolicy::Auto)
            .teardown(TeardownPolicy::Auto);
        let mut session = retina::client::Session::describe(self.address.url.clone(), options)
            .await
            .map_err(|error| failed(source, "describe", error))?;
        let (video, audio) = self.choose(&session)?;
        for stream in std::iter::once(video).chain(audio) {
            let options = SetupOptions::default().transport(self.transport()).frame_format(FrameFormat::MP4);
            session.setup(stream, options).await.map_err(|error| failed(source, "set up", error))?;
        }
        let options = PlayOptions::default()
            .initial_timestamp(InitialTimestampPolicy::Permissive)
            .unknown_rtcp_ssrc(UnknownRtcpSsrcPolicy::DropPackets);
        let playing = session.play(options).await.map_err(|error| failed(source, "play", error))?;
        let demuxed = playing.demuxed().map_err(|error| failed(source, "demux", error))?;
        Ok(RtspSession::new(source.clone(), demuxed, (video, audio), &self.options))
    }

    fn transport(&self) -> retina::client::Transport {
        match self.options.transport {
            Transport::Tcp => retina::client::Transport::Tcp(retina::client::TcpTransportOptions::default()),
            Transport::Udp => retina::client::Transport::Udp(retina::client::UdpTransportOptions::default()),
        }
    }

    /// The video stream and the audio stream to set up, by their places in the description.
    fn choose(&self, session: &retina::client::Session<Described>) -> Result<(usize, Option<usize>), CameraError> {
        let (mut video, mut audio) = (None, None);
        for (i, stream) in session.streams().iter().enumerate() {
            let (media, encoding) = (stream.media(), stream.encoding_name());
            let wanted = match (media, encoding) {
                ("video", "h264" | "h265") if video.is_none() => {
                    video = Some(i);
                    continue;
                }
                ("audio", _) if self.options.audio == Audio::Ignore => continue,
                ("audio", "mpeg4-generic") if audio.is_none() => match stream.parameters() {
                    Some(ParametersRef::Audio(parameters)) if super::config::aac(parameters.extra_data()).is_some() => {
                        audio = Some(i);
                        continue;
                    }
                    _ => "its configuration cannot be read",
                },
                ("audio" | "video", _) => "it cannot be recorded, or another one is recorded already",
                _ => {
                    tracing::debug!(source = self.address.source, media, encoding, "stream left out");
                    continue;
                }
            };
            tracing::warn!(source = self.address.source, media, encoding, reason = wanted, "stream left out");
        }
        let offered =
            || session.streams().iter().map(|s| format!("{}/{}", s.media(), s.encoding_name())).collect::<Vec<_>>();
        let video = video.ok_or_else(|| CameraError::Unusable {
            what: self.address.source.clone(),
            problem: format!(
                "the camera offers no H.264 or H.265 video, only {:?}; choose one of them in the camera's settings",
                offered()
            ),
            source: None,
        })?;
        Ok((video, audio))
    }
}

#[async_trait]
impl Camera for RtspCamera {
    async fn connect(&mut self) -> Result<Box<dyn Session>, CameraError> {
        // A session that was dropped is being torn down in the background; cameras with few slots refuse the next one
        // until that is through. It is a courtesy, not a condition.
        let _ = tokio::time::timeout(self.options.connect_timeout / 5, self.sessions.await_teardown()).await;
        match tokio::time::timeout(self.options.connect_timeout, self.start()).await {
            Ok(session) => Ok(Box::new(session?)),
            Err(_) => Err(CameraError::Lost {
                what: self.address.source.clone(),
                problem: format!("no complete answer within {:?}", self.options.connect_timeout),
                source: None,
            }),
        }
    }

    fn source(&self) -> String {
        self.address.source.clone()
    }

    fn extent(&self) -> Extent {
        Extent::Live
    }

    fn reading(&self) -> Reading {
        match self.options.transport {
            Transport::Tcp => Reading::Relaxed,
            // What a full socket has no room for is lost.
            Transport::Udp => Reading::Prompt,
        }
    }
}

/// What a failed step means to the operator.
fn failed(what: &str, step: &str, error: retina::Error) -> CameraError {
    let problem = match error.status_code() {
        Some(401 | 403) => return CameraError::Unauthorized(what.to_owned()),
        Some(404) => "the camera knows no stream of this name (404); check the path of the URL".to_owned(),
        Some(453) => "the camera has no bandwidth left (453); too many clients may be connected".to_owned(),
        Some(454) => "the camera forgot the session (454)".to_owned(),
        Some(461) => "the camera does not offer this transport (461); try the other one, TCP or UDP".to_owned(),
        Some(503) => "the camera is busy or has no signal (503)".to_owned(),
        Some(status) if status >= 300 => format!("the camera refused to {step} ({status})"),
        _ => format!("could not {step}"),
    };
    CameraError::Lost { what: what.to_owned(), problem, source: Some(Box::new(error)) }
}
