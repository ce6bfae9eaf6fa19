//! Requests to a camera and their responses: credentials, redirections, and setting up a session with
//! `DESCRIBE`, a `SETUP` for each stream, and `PLAY`.

use super::allowance::Allowance;
use super::auth::{Authenticator, Credentials};
use super::connection::{Broken, Connection, Part, udp_pair};
use super::demuxer::Announced;
use super::limits::{CHALLENGES_MAX, EARLY_MAX, Excess, REDIRECTIONS_MAX, WORK_A_PACKET, WORK_A_PICTURE};
use super::message::{self, Head, Start};
use super::sdp::{self, Description, Stream};
use super::target::Target;
use super::udp::Udp;
use super::{RtspOptions, Transport, headers};
use framepost_ports::Clock;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// Why no session could be set up.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error(transparent)]
    Broken(#[from] Broken),
    /// The failed request, and the camera's status code.
    #[error("the camera refused to {step} ({status})")]
    Status { step: &'static str, status: u16 },
    #[error("the camera refused the user name or password")]
    Unauthorized,
    #[error("the camera redirects: {0}")]
    Moved(String),
    /// What is wrong with the camera's description, as a sentence.
    #[error("{0}")]
    Offer(String),
    /// Why none of its streams can be recorded, as a sentence.
    #[error("{0}")]
    NoVideo(String),
    #[error("no free UDP port for its packets")]
    Port(#[source] io::Error),
}

impl From<Excess> for Refusal {
    fn from(excess: Excess) -> Self {
        Self::Broken(excess.into())
    }
}

/// How long to wait for a correctly numbered response after one with a wrong number.
const OUT_OF_ORDER: Duration = Duration::from_millis(1500);

/// Whether the camera's responses carry the sequence numbers of the requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Numbering {
    Right,
    Wrong,
}

/// The client side of an RTSP connection.
pub(super) struct Client {
    pub(super) connection: Connection,
    credentials: Option<Credentials>,
    authenticator: Option<Authenticator>,
    session: Option<String>,
    /// Sequence number of the last request.
    sequence: u64,
    numbering: Numbering,
    /// What may come until the session plays; from then on it is the demuxer that counts.
    allowance: Allowance,
    clock: Arc<dyn Clock>,
    /// Packets that arrived before the response to `PLAY`, with their channels; `None` while none are expected.
    early: Option<Vec<(u8, Vec<u8>)>>,
    early_bytes: usize,
}

/// A response with a successful status.
struct Answer {
    head: Head,
    body: Vec<u8>,
}

impl Client {
    async fn open(target: &Target, credentials: Option<&Credentials>, options: &RtspOptions) -> Result<Self, Refusal> {
        let connection = Connection::open(target, options.certificate, options.bytes_a_second()).await?;
        Ok(Self {
            connection,
            credentials: credentials.cloned(),
            authenticator: None,
            session: None,
            sequence: 0,
            numbering: Numbering::Right,
            allowance: Allowance::new(options.clock.monotonic()),
            clock: Arc::clone(&options.clock),
            early: None,
            early_bytes: 0,
        })
    }

    /// Formats a request with the next sequence number, the session and the credentials.
    pub(super) fn request(&mut self, method: &str, uri: &str, more: &[(&str, &str)]) -> Vec<u8> {
        self.sequence += 1;
        let uri = message::uri(uri);
        let sequence = self.sequence.to_string();
        let authorization = match (&mut self.authenticator, &self.credentials) {
            (Some(authenticator), Some(credentials)) => authenticator.answer(credentials, method, &uri),
            _ => None,
        };
        let mut headers = vec![("CSeq", sequence.as_str())];
        headers.extend(authorization.as_deref().map(|value| ("Authorization", value)));
        headers.push(("User-Agent", concat!("framepost/", env!("CARGO_PKG_VERSION"))));
        headers.extend(self.session.as_deref().filter(|session| !session.is_empty()).map(|id| ("Session", id)));
        headers.extend_from_slice(more);
        message::request(method, &uri, &headers)
    }

    /// Takes the challenge from a response, if it was not answered before.
    pub(super) fn challenged(&mut self, head: &Head) -> Result<(), Refusal> {
        let next = Authenticator::new(head.all("www-authenticate")).filter(|_| self.credentials.is_some());
        let next = next.ok_or(Refusal::Unauthorized)?;
        if self.authenticator.as_ref().is_some_and(|before| !before.is_renewed_by(&next)) {
            return Err(Refusal::Unauthorized);
        }
        self.authenticator = Some(next);
        Ok(())
    }

    async fn ask(&mut self, step: Step<'_>, more: &[(&str, &str)]) -> Result<Answer, Refusal> {
        for _ in 0..=CHALLENGES_MAX {
            let request = self.request(step.method, step.uri, more);
            self.connection.send(&request)?;
            let answer = self.answer().await?;
            let Start::Response(status) = answer.head.start else { continue };
            let location = answer.head.get("location");
            match (status, location) {
                (200..=299, _) => return Ok(answer),
                (300..=399, Some(location)) => return Err(Refusal::Moved(location.to_owned())),
                (401, _) => self.challenged(&answer.head)?,
                (403, _) => return Err(Refusal::Unauthorized),
                _ => return Err(Refusal::Status { step: step.name, status }),
            }
        }
        Err(Refusal::Unauthorized)
    }

    /// Waits for the response to the last request.
    ///
    /// A response with the number of an earlier request may only be late. It is accepted if no other response
    /// arrives for [`OUT_OF_ORDER`]; from then on, the camera counts as numbering its responses wrongly.
    async fn answer(&mut self) -> Result<Answer, Refusal> {
        let mut other: Option<Answer> = None;
        loop {
            let part = if let Some(answer) = other.take() {
                let Ok(part) = tokio::time::timeout(OUT_OF_ORDER, self.connection.receive()).await else {
                    self.numbering = Numbering::Wrong;
                    return Ok(answer);
                };
                other = Some(answer);
                part?
            } else {
                self.connection.receive().await?
            };
            let cost = match part {
                Part::Packet { .. } => WORK_A_PACKET,
                Part::Message { .. } => WORK_A_PICTURE,
            };
            let work = self.connection.take_work().saturating_add(cost);
            self.allowance.spend(work, self.clock.monotonic())?;
            let (head, body) = match part {
                Part::Packet { channel, body } => {
                    self.keep_early(channel, body);
                    continue;
                }
                Part::Message { head, body } => (head, body),
            };
            let answer = Answer { body: self.connection.bytes(body).to_vec(), head };
            match answer.head.start {
                Start::Request { .. } => self.asked(&answer.head)?,
                // 100 Continue is not the final response (RFC 2326 §7.1.1).
                Start::Response(100..=199) => {}
                Start::Response(_) => match answer.head.sequence() {
                    Some(number) if number < self.sequence && self.numbering == Numbering::Right => {
                        other = Some(answer);
                    }
                    _ => return Ok(answer),
                },
            }
        }
    }

    fn keep_early(&mut self, channel: u8, body: std::ops::Range<usize>) {
        if let Some(early) = &mut self.early
            && self.early_bytes + body.len() <= EARLY_MAX
        {
            self.early_bytes += body.len();
            early.push((channel, self.connection.bytes(body).to_vec()));
        }
    }

    /// Responds to a request of the camera.
    pub(super) fn asked(&mut self, head: &Head) -> Result<(), Broken> {
        let Start::Request { method } = &head.start else { return Ok(()) };
        let (status, reason) = match method.as_str() {
            "OPTIONS" | "GET_PARAMETER" | "SET_PARAMETER" | "ANNOUNCE" => (200, "OK"),
            // The next connection gets the new address.
            "REDIRECT" | "TEARDOWN" => return Err(Broken::Closed),
            _ => (501, "Not Implemented"),
        };
        self.connection.send(&message::answer(status, reason, head.sequence()))?;
        Ok(())
    }
}

/// One request: its method, its name in messages, and its subject.
struct Step<'a> {
    method: &'static str,
    name: &'static str,
    uri: &'a str,
}

/// How a stream's packets are transported.
pub(super) enum Route {
    /// Interleaved in the connection; RTCP uses the next channel.
    Channel(u8),
    /// In UDP datagrams: RTP at an even port, RTCP at the next one (RFC 3550 §11).
    Udp(Box<Udp>),
}

/// A stream that was set up.
pub(super) struct Track {
    pub(super) stream: Stream,
    pub(super) route: Route,
    /// The RTP timestamp of the start of playing, as announced.
    announced: Option<u32>,
    uri: String,
}

impl Track {
    /// Returns the data for depacketizing the stream.
    pub(super) fn announced(&self) -> Announced<'_> {
        Announced { stream: &self.stream, start: self.announced }
    }
}

/// A session that plays.
pub(super) struct Playing {
    pub(super) client: Client,
    pub(super) video: Track,
    pub(super) audio: Option<Track>,
    /// How long the camera keeps a session without a sign of life.
    pub(super) timeout: Duration,
    /// The URI for keep-alives and `TEARDOWN`.
    pub(super) uri: String,
    /// Packets that arrived before the response to `PLAY`.
    pub(super) early: Vec<(u8, Vec<u8>)>,
}

/// The streams of a description to record, by index.
pub(super) struct Choice {
    pub(super) video: usize,
    pub(super) audio: Option<usize>,
}

/// Sets up a session, following redirections, and starts playing.
pub(super) async fn play(
    first: &Target,
    credentials: Option<&Credentials>,
    options: &RtspOptions,
    choose: impl Fn(&Description) -> Result<Choice, Refusal>,
) -> Result<Playing, Refusal> {
    let mut target = first.clone();
    for _ in 0..=REDIRECTIONS_MAX {
        let mut client = Client::open(&target, target.may_see(first, credentials), options).await?;
        match set_up(&mut client, &target, options, &choose).await {
            Ok(set) => {
                let early = client.early.take().unwrap_or_default();
                let SetUp { video, audio, timeout, uri } = set;
                return Ok(Playing { client, video, audio, timeout, uri, early });
            }
            Err(Refusal::Moved(location)) => {
                let to = target.redirected(&location);
                target = to.map_err(|why| Refusal::Offer(format!("the camera redirects, and {why}")))?;
                tracing::debug!(host = target.host, port = target.port, "redirected");
            }
            Err(refusal) => return Err(refusal),
        }
    }
    Err(Refusal::Offer(format!("the camera redirects more than {REDIRECTIONS_MAX} times")))
}

struct SetUp {
    video: Track,
    audio: Option<Track>,
    timeout: Duration,
    uri: String,
}

async fn set_up(
    client: &mut Client,
    target: &Target,
    options: &RtspOptions,
    choose: impl Fn(&Description) -> Result<Choice, Refusal>,
) -> Result<SetUp, Refusal> {
    let step = Step { method: "DESCRIBE", name: "describe", uri: &target.uri };
    let described = client.ask(step, &[("Accept", "application/sdp")]).await?;
    // Ignore the content type: cameras answer only with SDP.
    let description = sdp::parse(&described.body);
    let choice = choose(&description)?;
    let said = ["content-base", "content-location"].into_iter().filter_map(|name| described.head.get(name));
    let base = headers::base(&target.uri, said);
    let uri = description
        .control
        .as_deref()
        .map_or_else(|| target.uri.clone(), |control| headers::control(&base, Some(control)));

    let mut timeout = None;
    let mut tracks = Vec::new();
    for place in std::iter::once(choice.video).chain(choice.audio) {
        let Some(stream) = description.streams.get(place) else { continue };
        let about = match stream.control.as_deref() {
            Some(control) => headers::control(&base, Some(control)),
            None => uri.clone(),
        };
        let (track, kept) = set_up_stream(client, stream, about, &tracks, options).await?;
        timeout = timeout.or(kept);
        tracks.push(track);
    }

    client.early = Some(Vec::new());
    let step = Step { method: "PLAY", name: "play", uri: &uri };
    let played = client.ask(step, &[("Range", "npt=0.000-")]).await?;
    announce(&mut tracks, played.head.get("rtp-info").unwrap_or_default(), &base);

    let mut tracks = tracks.into_iter();
    let video = tracks.next().ok_or_else(|| Refusal::Offer("the camera offers no stream".to_owned()))?;
    Ok(SetUp { video, audio: tracks.next(), timeout: timeout.unwrap_or(Duration::from_mins(1)), uri })
}

async fn set_up_stream(
    client: &mut Client,
    stream: &Stream,
    uri: String,
    others: &[Track],
    options: &RtspOptions,
) -> Result<(Track, Option<Duration>), Refusal> {
    let channel = u8::try_from(2 * others.len()).unwrap_or(0);
    let sockets = match options.transport {
        Transport::Tcp => None,
        Transport::Udp => Some(udp_pair(client.connection.local()).map_err(Refusal::Port)?),
    };
    let wanted = match &sockets {
        None => format!("RTP/AVP/TCP;unicast;interleaved={channel}-{}", channel + 1),
        Some((packets, _)) => {
            let port = packets.local_addr().map_err(Refusal::Port)?.port();
            format!("RTP/AVP/UDP;unicast;client_port={port}-{}", port + 1)
        }
    };
    let step = Step { method: "SETUP", name: "set up", uri: &uri };
    let answer = client.ask(step, &[("Transport", &wanted)]).await?;
    let mut timeout = None;
    if let Some(value) = answer.head.get("session") {
        let (id, kept) = headers::session(value);
        timeout = Some(kept);
        client.session.get_or_insert(id);
    }
    let said = headers::transport(answer.head.get("transport").unwrap_or_default());
    let taken = |channel: u8| others.iter().any(|other| matches!(other.route, Route::Channel(one) if one == channel));
    let route = match (sockets, said.channel) {
        (Some((packets, reports)), None) => {
            let peer = said.source.unwrap_or(client.connection.peer());
            let mut udp = Udp::new(packets, reports, peer, options.bytes_a_second());
            if let Some(port) = said.server_port {
                udp.open_the_way(port).await;
            }
            Route::Udp(Box::new(udp))
        }
        (_, Some(said)) if !taken(said) => Route::Channel(said),
        _ => Route::Channel(channel),
    };
    Ok((Track { stream: stream.clone(), route, announced: None, uri }, timeout))
}

/// Takes the start times from the response to `PLAY`, if it has one for each stream. A single one would put
/// audio and video out of sync.
fn announce(tracks: &mut [Track], rtp_info: &str, base: &str) {
    let infos = headers::rtp_info(rtp_info);
    let times: Vec<Option<u32>> = tracks
        .iter()
        .map(|track| {
            let own = infos.iter().find(|info| headers::control(base, Some(&info.url)) == track.uri);
            // With a single stream, a wrong URL does not matter (RFC 2326 §14.3).
            own.or(infos.first().filter(|_| tracks.len() == 1)).and_then(|info| info.time)
        })
        .collect();
    // A single stream needs no synchronisation. Cameras that do not know the time send 0 for all.
    let known = tracks.len() > 1 && times.iter().all(Option::is_some) && times.iter().any(|time| *time != Some(0));
    for (track, time) in tracks.iter_mut().zip(times) {
        track.announced = time.filter(|_| known);
    }
}
