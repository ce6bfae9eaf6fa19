//! Replays a camera's data from memory, for the fuzz target and for tests. Does no I/O;
//! the caller passes the time.
//!
//! The bytes are those of a connection, starting with the response to `DESCRIBE`. They are handled as in a
//! session, but nothing is sent: of messages, only the headers are parsed. The response to `DESCRIBE` may have
//! the headers of the responses that would follow, such as `RTP-Info`.
//!
//! Each part takes a millisecond. Channels from [`DATAGRAMS`] on stand for datagrams. Bit 0 means
//! audio, bit 1 means the RTCP port, and bits 2 to 5 give the silence before the datagram: 0, or 1 ms
//! to 16 s in powers of two.

use super::auth::{Authenticator, Credentials};
use super::connection::Broken;
use super::demuxer::{Announced, Demuxer};
use super::dialogue::Route;
use super::limits::Excess;
use super::message::Head;
use super::reorder::Reorder;
use super::rtp::Packet;
use super::session::interleaved;
use super::target::Target;
use super::wire::{Framer, Step};
use super::{Audio, CameraError, choose, codec, headers, over, refused, sdp};
use crate::camera::CameraEvent;
use crate::media::{TrackKind, VideoCodec};
use std::num::NonZeroUsize;
use std::time::Duration;
use url::Url;

/// The time of each part.
const PART: Duration = Duration::from_millis(1);
/// The first channel that stands for a datagram.
const DATAGRAMS: u8 = 128;

const URL: &str = "rtsp://camera/live";

/// Passes the events of a camera that sends `received`, in pieces of `piece` bytes, to `take`. Returns the
/// error that would end the session.
pub fn replay(received: &[u8], piece: NonZeroUsize, mut take: impl FnMut(CameraEvent)) -> Result<(), CameraError> {
    let broken = |excess| over(URL, Broken::Excess(excess));
    let mut framer = Framer::default();
    let mut arrival = Duration::ZERO;
    let mut playing: Option<Playing> = None;
    let mut rest = 0..0;
    loop {
        let bytes = &received[rest.clone()];
        match framer.step(bytes).map_err(broken)? {
            Step::Incomplete { .. } if rest.end == received.len() => break,
            Step::Incomplete { .. } => rest.end = received.len().min(rest.end.saturating_add(piece.get())),
            Step::Skip(count) => rest.start += count,
            Step::Packet { channel, body } => {
                rest.start += body.end;
                if let Some(playing) = &mut playing {
                    arrival += PART;
                    playing.packet(channel, &bytes[body], &mut arrival).map_err(broken)?;
                }
            }
            Step::Message { head, body } => {
                rest.start += body.end;
                arrival += PART;
                read(&head);
                match &mut playing {
                    Some(playing) => playing.demuxer.message(arrival).map_err(broken)?,
                    None => playing = Some(Playing::described(&head, &bytes[body], arrival)?),
                }
            }
        }
        while let Some(event) = playing.as_mut().and_then(|playing| playing.demuxer.next()) {
            take(event);
        }
    }
    Ok(())
}

/// Parses the headers that a session would parse. Any result is accepted.
fn read(head: &Head) {
    let header = |name| head.get(name).unwrap_or_default();
    headers::session(header("session"));
    headers::transport(header("transport"));
    headers::offers(header("public"), "GET_PARAMETER");
    let base = headers::base(URL, head.get("content-base"));
    for info in headers::rtp_info(header("rtp-info")) {
        headers::control(&base, Some(&info.url));
    }
    if let Some(target) = Url::parse(URL).ok().as_ref().and_then(Target::of) {
        // The redirection's target is tested elsewhere.
        let _ = target.redirected(header("location"));
    }
    if let Some(mut authenticator) = Authenticator::new(head.all("www-authenticate")) {
        let credentials = Credentials { username: "user".to_owned(), password: "password".to_owned() };
        authenticator.answer(&credentials, "OPTIONS", URL);
    }
}

/// The streams of a session.
struct Playing {
    routes: Vec<(TrackKind, Route)>,
    demuxer: Demuxer,
    /// The order of video and audio datagrams.
    orders: [Reorder; 2],
}

impl Playing {
    fn described(head: &Head, body: &[u8], now: Duration) -> Result<Self, CameraError> {
        let description = sdp::parse(body);
        let choice = choose(URL, Audio::Record, &description).map_err(|refusal| refused(URL, refusal))?;
        let infos = headers::rtp_info(head.get("rtp-info").unwrap_or_default());
        let announced = |(nth, place): (usize, usize)| {
            let stream = description.streams.get(place)?;
            Some(Announced { stream, start: infos.get(nth).and_then(|info| info.time) })
        };
        let audio = choice.audio.and_then(|place| announced((1, place)));
        let video = announced((0, choice.video)).ok_or_else(|| over(URL, Broken::Closed))?;
        let codec = codec(&video.stream.encoding).unwrap_or(VideoCodec::H264);
        let mut routes = vec![(TrackKind::Video, Route::Channel(0))];
        routes.extend(audio.map(|_| (TrackKind::Audio, Route::Channel(2))));
        let demuxer = Demuxer::new(URL.to_owned(), codec, video, audio, now);
        Ok(Self { routes, demuxer, orders: Default::default() })
    }

    fn packet(&mut self, channel: u8, bytes: &[u8], arrival: &mut Duration) -> Result<(), Excess> {
        let Some(about) = channel.checked_sub(DATAGRAMS) else {
            return interleaved(&mut self.routes, &mut self.demuxer, channel, bytes, *arrival);
        };
        *arrival += Duration::from_millis((1 << ((about >> 2) & 0x0f)) >> 1);
        for (kind, order) in [TrackKind::Video, TrackKind::Audio].into_iter().zip(&mut self.orders) {
            let mut result = Ok(());
            let mut give = |packet: &[u8]| {
                if result.is_ok() {
                    result = self.demuxer.packet(kind, packet, *arrival);
                }
            };
            order.expire(*arrival, &mut give);
            let is_its_own = (about & 1 != 0) == (kind == TrackKind::Audio);
            match Packet::parse(bytes).filter(|_| is_its_own && about & 2 == 0) {
                Some(packet) => order.push(packet.sequence, bytes, *arrival, give),
                None if is_its_own && about & 2 != 0 => result = self.demuxer.report(kind, bytes, *arrival),
                None => {}
            }
            result?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
