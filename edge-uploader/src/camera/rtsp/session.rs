//! A playing session: packets from the connection and from UDP, keep-alives, and the silence after which a
//! camera counts as lost. Only frames end a silence; other bytes do not.

use super::super::{CameraError, CameraEvent, Session};
use super::connection::{Broken, Part, hang_up};
use super::demuxer::Demuxer;
use super::dialogue::{Client, Playing, Route, Track};
use super::keepalive::{Keepalive, Sign};
use super::limits::Excess;
use super::message::{Head, Start};
use super::rtp::{self, Packet};
use super::udp::Datagram;
use super::{Farewell, RtspOptions, over};
use crate::media::{Timing, TrackKind, VideoCodec};
use async_trait::async_trait;
use framepost_ports::Clock;
use std::future::Future as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep};

pub(super) struct RtspSession {
    source: String,
    /// `None` after the connection is broken, so that no `TEARDOWN` is sent.
    client: Option<Client>,
    routes: Vec<(TrackKind, Route)>,
    demuxer: Demuxer,
    /// The URI of requests.
    uri: String,
    clock: Arc<dyn Clock>,
    /// Arrival of the bytes being handled.
    arrival: Duration,
    inactivity: Duration,
    /// When the camera counts as lost. Video frames postpone it.
    deadline: Instant,
    frames: u64,
    keepalive: Keepalive,
    /// When the next keep-alive is due.
    sign_due: Instant,
    last_sign: LastSign,
    /// Timer for one of these times. It is often early, because resetting it for each
    /// frame would be more expensive.
    alarm: Pin<Box<Sleep>>,
    farewell: Farewell,
}

/// State of the last keep-alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LastSign {
    Sent,
    /// The camera required other credentials, and the request was sent again with them.
    SentAgain,
}

/// An event that the session must handle.
enum Woken {
    /// Bytes arrived on the connection.
    Bytes,
    /// A datagram arrived on the route with this index.
    Datagram(usize, Datagram),
    /// The alarm went off: a waiting packet, a keep-alive or the end of the session is due.
    Time,
}

/// Whether the receive buffer contained a complete part.
enum Step {
    Taken,
    Empty,
}

impl RtspSession {
    pub(super) fn new(
        source: String,
        codec: VideoCodec,
        playing: Playing,
        options: &RtspOptions,
        farewell: Farewell,
    ) -> Result<Self, Excess> {
        let clock = Arc::clone(&options.clock);
        let arrival = clock.monotonic();
        let audio = playing.audio.as_ref().map(Track::announced);
        let mut demuxer = Demuxer::new(source.clone(), codec, playing.video.announced(), audio, arrival);
        let mut routes = vec![(TrackKind::Video, playing.video.route)];
        routes.extend(playing.audio.map(|audio| (TrackKind::Audio, audio.route)));
        for (channel, bytes) in playing.early {
            interleaved(&mut routes, &mut demuxer, channel, &bytes, arrival)?;
        }
        let now = Instant::now();
        let keepalive = Keepalive::new(playing.timeout);
        let mut session = Self {
            source,
            client: Some(playing.client),
            routes,
            demuxer,
            uri: playing.uri,
            clock,
            arrival,
            inactivity: options.inactivity,
            deadline: now + options.inactivity,
            frames: 0,
            sign_due: now + keepalive.interval(),
            keepalive,
            last_sign: LastSign::Sent,
            alarm: Box::pin(tokio::time::sleep_until(now)),
            farewell,
        };
        session.set_alarm(now);
        Ok(session)
    }

    /// Handles the next part in the receive buffer.
    fn step(&mut self) -> Result<Step, Broken> {
        let client = self.client.as_mut().ok_or(Broken::Closed)?;
        match client.connection.next_part()? {
            None => {
                let work = client.connection.take_work();
                self.demuxer.read(work, self.arrival)?;
                return Ok(Step::Empty);
            }
            Some(Part::Packet { channel, body }) => {
                let bytes = client.connection.bytes(body);
                interleaved(&mut self.routes, &mut self.demuxer, channel, bytes, self.arrival)?;
            }
            Some(Part::Message { head, .. }) => {
                self.demuxer.message(self.arrival)?;
                self.message(&head)?;
            }
        }
        Ok(Step::Taken)
    }

    fn message(&mut self, head: &Head) -> Result<(), Broken> {
        let client = self.client.as_mut().ok_or(Broken::Closed)?;
        match head.start {
            Start::Request { .. } => client.asked(head),
            Start::Response(401) if self.last_sign == LastSign::Sent && client.challenged(head).is_ok() => {
                self.send_sign()?;
                self.last_sign = LastSign::SentAgain;
                Ok(())
            }
            Start::Response(status) => {
                self.keepalive.answered(status, head.get("public"));
                Ok(())
            }
        }
    }

    fn send_sign(&mut self) -> Result<(), Broken> {
        let sign = self.keepalive.due();
        self.last_sign = LastSign::Sent;
        let client = self.client.as_mut().ok_or(Broken::Closed)?;
        if let Some(method) = sign.method() {
            let request = client.request(method, &self.uri, &[]);
            client.connection.send(&request)?;
        }
        for (_, route) in &self.routes {
            match route {
                Route::Udp(udp) => udp.report(),
                // A camera that accepts requests needs no receiver reports.
                Route::Channel(channel) if sign == Sign::Report => {
                    let report = rtp::receiver_report(0);
                    let length = u8::try_from(report.len()).unwrap_or(0);
                    let framed = [&[b'$', channel.wrapping_add(1), 0, length], &report[..]].concat();
                    client.connection.send(&framed)?;
                }
                Route::Channel(_) => {}
            }
        }
        Ok(())
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<Woken, Broken>> {
        // Check the timer first, because a camera may send without pause.
        if self.alarm.as_mut().poll(context).is_ready() {
            return Poll::Ready(Ok(Woken::Time));
        }
        for (place, (_, route)) in self.routes.iter_mut().enumerate() {
            if let Route::Udp(udp) = route
                && let Poll::Ready(datagram) = udp.poll_receive(context)
            {
                return Poll::Ready(datagram.map(|datagram| Woken::Datagram(place, datagram)).map_err(Broken::from));
            }
        }
        let Some(client) = &mut self.client else { return Poll::Ready(Err(Broken::Closed)) };
        client.connection.poll_fill(context).map_ok(|()| Woken::Bytes)
    }

    fn datagram(&mut self, place: usize, datagram: Datagram) -> Result<(), Excess> {
        let Some((kind, Route::Udp(udp))) = self.routes.get_mut(place) else { return Ok(()) };
        match datagram {
            Datagram::Rtcp(length) => self.demuxer.report(*kind, udp.received(length).0, self.arrival),
            Datagram::Rtp(length) => {
                let (bytes, reorder) = udp.received(length);
                let Some(packet) = Packet::parse(bytes) else { return self.demuxer.stray(self.arrival) };
                let mut result = Ok(());
                reorder.push(packet.sequence, bytes, self.arrival, |packet| {
                    if result.is_ok() {
                        result = self.demuxer.packet(*kind, packet, self.arrival);
                    }
                });
                let due = self.reorder_due(Instant::now());
                if due.is_some_and(|due| due < self.alarm.deadline()) {
                    self.set_alarm(Instant::now());
                }
                result
            }
        }
    }

    /// Returns when packets that arrived out of order have waited long enough.
    fn reorder_due(&self, now: Instant) -> Option<Instant> {
        let deadlines = self.routes.iter().filter_map(|(_, route)| match route {
            Route::Udp(udp) => udp.reorder.deadline(),
            Route::Channel(_) => None,
        });
        deadlines.min().map(|deadline| now + deadline.saturating_sub(self.clock.monotonic()))
    }

    fn set_alarm(&mut self, now: Instant) {
        let next = self.deadline.min(self.sign_due);
        let next = self.reorder_due(now).map_or(next, |due| due.min(next));
        self.alarm.as_mut().reset(next);
    }

    /// Does what is due. Returns `false` if the camera has been silent for too long.
    fn look_at_the_clock(&mut self) -> Result<bool, Broken> {
        let now = Instant::now();
        let mut result = Ok(());
        for (kind, route) in &mut self.routes {
            if let Route::Udp(udp) = route {
                udp.reorder.expire(self.arrival, |packet| {
                    if result.is_ok() {
                        result = self.demuxer.packet(*kind, packet, self.arrival);
                    }
                });
            }
        }
        result?;
        self.note_frames();
        if now >= self.deadline {
            return Ok(false);
        }
        if now >= self.sign_due {
            self.send_sign()?;
            self.sign_due = now + self.keepalive.interval();
        }
        self.set_alarm(now);
        Ok(true)
    }

    /// Postpones the deadline if frames have arrived since the last call.
    fn note_frames(&mut self) {
        if self.demuxer.frames() != self.frames {
            self.frames = self.demuxer.frames();
            self.deadline = Instant::now() + self.inactivity;
        }
    }

    async fn next_event(&mut self) -> Result<Option<CameraEvent>, Broken> {
        loop {
            if let Some(event) = self.demuxer.next() {
                return Ok(Some(event));
            }
            if let Step::Taken = self.step()? {
                continue;
            }
            self.note_frames();
            // This is the only await, and its result is handled without another one, so
            // dropping the future loses nothing.
            let woken = std::future::poll_fn(|context| self.poll(context)).await?;
            self.arrival = self.clock.monotonic();
            match woken {
                Woken::Bytes => {}
                Woken::Datagram(place, datagram) => self.datagram(place, datagram)?,
                Woken::Time => {
                    if !self.look_at_the_clock()? {
                        return Ok(None);
                    }
                }
            }
        }
    }
}

/// Handles a packet from an interleaved channel.
///
/// Some cameras use other channels than announced. A packet on an unknown channel is assigned to the
/// stream with its payload type, if nothing has arrived for that stream yet. From then on, the
/// channel belongs to the stream.
pub(super) fn interleaved(
    routes: &mut [(TrackKind, Route)],
    demuxer: &mut Demuxer,
    channel: u8,
    bytes: &[u8],
    arrival: Duration,
) -> Result<(), Excess> {
    let is_rtcp = rtp::is_rtcp(bytes);
    for (kind, route) in routes.iter() {
        let Route::Channel(own) = route else { continue };
        if channel == *own && !is_rtcp {
            return demuxer.packet(*kind, bytes, arrival);
        }
        if is_rtcp && (channel == *own || Some(channel) == own.checked_add(1)) {
            return demuxer.report(*kind, bytes, arrival);
        }
    }
    let Some(packet) = Packet::parse(bytes).filter(|_| !is_rtcp) else { return demuxer.stray(arrival) };
    for (kind, route) in routes {
        if let Route::Channel(own) = route
            && demuxer.awaits(*kind, packet.payload_type)
        {
            *own = channel;
            return demuxer.packet(*kind, bytes, arrival);
        }
    }
    demuxer.stray(arrival)
}

#[async_trait]
impl Session for RtspSession {
    async fn next(&mut self) -> Result<Option<CameraEvent>, CameraError> {
        match self.next_event().await {
            Ok(Some(event)) => Ok(Some(event)),
            Ok(None) if self.demuxer.lacks_sets() => {
                let problem = "its frames come without parameter sets (SPS, PPS), and its description has none";
                Err(CameraError::Lost { what: self.source.clone(), problem: problem.to_owned(), source: None })
            }
            Ok(None) => Err(CameraError::Silent { what: self.source.clone(), silence: self.inactivity }),
            Err(broken) => {
                self.client = None;
                Err(over(&self.source, broken))
            }
        }
    }

    fn timing(&self) -> Timing {
        Timing::Arrival
    }
}

/// Without a `TEARDOWN`, a camera keeps the session, and may refuse the next one.
impl Drop for RtspSession {
    fn drop(&mut self) {
        let Some(mut client) = self.client.take() else { return };
        let request = client.request("TEARDOWN", &self.uri, &[]);
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let mut connection = client.connection;
            if connection.send(&request).is_ok() {
                // Send as much as possible immediately, because the runtime may be about to end.
                let mut context = Context::from_waker(std::task::Waker::noop());
                let _ = connection.poll_send(&mut context);
                self.farewell.say(runtime.spawn(hang_up(connection)));
            }
        }
    }
}
