//! What a camera sends, from memory: for the fuzz target and for tests. No I/O; time is told.
//!
//! The bytes are those of a connection from the answer to `DESCRIBE` on. They go the way that a session's go, but nobody is
//! asked anything: of messages the headers are read, and that is all. The answer to `DESCRIBE` may have the headers of the
//! answers that would follow, `RTP-Info` among them.
//!
//! Each part takes a millisecond. Channels from [`DATAGRAMS`] on are no channels: what comes by them stands for a datagram. Bit 0
//! says that it is one of sound, bit 1 that it came by the port of reports, and bits 2 to 5 how long nothing came before
//! it: 0, or 1 ms to 16 s by powers of two.

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

/// How long each part takes.
const PART: Duration = Duration::from_millis(1);
/// The first channel that is none.
const DATAGRAMS: u8 = 128;

const URL: &str = "rtsp://camera/live";

/// Gives the events of a camera that sends `received`, in pieces of so many bytes, to `take`. An error is what would end the session.
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

/// Reads what a session would read of a message. Whatever it says is right here.
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
        // Where it leads is tried elsewhere.
        let _ = target.redirected(header("location"));
    }
    if let Some(mut authenticator) = Authenticator::new(head.all("www-authenticate")) {
        let credentials = Credentials { username: "user".to_owned(), password: "password".to_owned() };
        authenticator.answer(&credentials, "OPTIONS", URL);
    }
}

/// A session's streams.
struct Playing {
    routes: Vec<(TrackKind, Route)>,
    demuxer: Demuxer,
    /// Of video and of sound.
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
