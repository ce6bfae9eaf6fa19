//! One playing RTSP session as [`CameraEvent`]s.

use super::super::nal::Referencing;
use super::super::{CameraError, CameraEvent, Session, Timing, config, sets};
use super::RtspOptions;
use crate::media::{AudioParameters, Frame, Reference, StreamParameters, TrackKind};
use async_trait::async_trait;
use bytes::Bytes;
use framepost_ports::Clock;
use futures::StreamExt as _;
use jiff::Timestamp;
use retina::client::Demuxed;
use retina::codec::{AudioFrame, CodecItem, ParametersRef, VideoFrame};
use retina::rtcp::ReceivedCompoundPacket;
use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, Sleep};

/// The parameters as they were told last, and what follows from them.
struct Known {
    parameters: StreamParameters,
    referencing: Referencing,
}

pub(super) struct RtspSession {
    source: String,
    demuxed: Demuxed,
    video: usize,
    audio: Option<usize>,
    clock: Arc<dyn Clock>,
    inactivity: Duration,
    /// When the camera is taken for dead; moved on by every video frame that can be used.
    deadline: Instant,
    /// Wakes at a deadline, often one that has moved on since: setting it anew for each frame would cost more.
    alarm: Pin<Box<Sleep>>,
    /// `None` until the video parameters are known; without them nothing can be recorded.
    known: Option<Known>,
    /// What one packet brought beyond the first event.
    ready: VecDeque<CameraEvent>,
    /// Frames that came before the parameters.
    dropped: u64,
}

impl RtspSession {
    pub(super) fn new(
        source: String,
        demuxed: Demuxed,
        (video, audio): (usize, Option<usize>),
        options: &RtspOptions,
    ) -> Self {
        let deadline = Instant::now() + options.inactivity;
        let mut session = Self {
            source,
            demuxed,
            video,
            audio,
            clock: Arc::clone(&options.clock),
            inactivity: options.inactivity,
            deadline,
            alarm: Box::pin(tokio::time::sleep_until(deadline)),
            known: None,
            ready: VecDeque::new(),
            dropped: 0,
        };
        // Most cameras describe their parameter sets; the others send them before the first random access frame.
        session.refresh_parameters();
        session
    }

    /// Tells the parameters if they are known and new.
    fn refresh_parameters(&mut self) {
        let Some(parameters) = self.parameters() else { return };
        if self.known.as_ref().is_some_and(|known| known.parameters == parameters) {
            return;
        }
        let referencing = Referencing::new(parameters.video.codec, &parameters.video.config);
        self.ready.push_back(CameraEvent::Parameters(parameters.clone()));
        self.known = Some(Known { parameters, referencing });
    }

    fn parameters(&self) -> Option<StreamParameters> {
        let streams = self.demuxed.streams();
        let stream = streams.get(self.video)?;
        let ParametersRef::Video(video) = stream.parameters()? else { return None };
        let video = sets::described(video, stream.clock_rate_hz())?;
        Some(StreamParameters { video, audio: self.audio_parameters() })
    }

    fn audio_parameters(&self) -> Option<AudioParameters> {
        let stream = self.demuxed.streams().get(self.audio?)?;
        let ParametersRef::Audio(audio) = stream.parameters()? else { return None };
        let facts = config::aac(audio.extra_data())?;
        Some(AudioParameters {
            config: Bytes::copy_from_slice(audio.extra_data()),
            rfc6381: facts.rfc6381,
            channels: audio.channels().get(),
            sample_rate: facts.sample_rate,
            timescale: stream.clock_rate_hz(),
        })
    }

    fn take(&mut self, item: CodecItem) {
        match item {
            CodecItem::VideoFrame(frame) if frame.stream_id() == self.video => self.take_video(frame),
            CodecItem::AudioFrame(frame) if Some(frame.stream_id()) == self.audio => self.take_audio(&frame),
            CodecItem::Rtcp(packet) if packet.stream_id() == self.video => self.take_report(&packet),
            _ => {}
        }
    }

    fn take_video(&mut self, frame: VideoFrame) {
        let first = self.known.is_none();
        if frame.loss() > 0 && !first {
            self.ready.push_back(CameraEvent::PacketsLost(frame.loss().into()));
        }
        if first || frame.has_new_parameters() {
            self.refresh_parameters();
        }
        let pts = frame.timestamp().elapsed();
        let arrival = self.clock.monotonic();
        let data = Bytes::from(frame.into_data());
        let Some(known) = &self.known else { return self.drop_early() };
        let reference = known.referencing.of(&data);
        self.deadline = Instant::now() + self.inactivity;
        let frame = Frame { track: TrackKind::Video, pts, duration: None, reference, arrival, data };
        self.ready.push_back(CameraEvent::Frame(frame));
    }

    fn drop_early(&mut self) {
        if self.dropped == 0 {
            tracing::info!(source = self.source, "waiting for the parameter sets");
        }
        self.dropped += 1;
    }

    fn take_audio(&mut self, frame: &AudioFrame) {
        if self.known.as_ref().is_none_or(|known| known.parameters.audio.is_none()) {
            return;
        }
        if frame.loss() > 0 {
            tracing::debug!(source = self.source, packets = frame.loss(), "audio packets lost");
        }
        self.ready.push_back(CameraEvent::Frame(Frame {
            track: TrackKind::Audio,
            pts: frame.timestamp().elapsed(),
            duration: Some(frame.frame_length().get()),
            reference: Reference::RandomAccess,
            arrival: self.clock.monotonic(),
            data: Bytes::copy_from_slice(frame.data()),
        }));
    }

    fn take_report(&mut self, packet: &ReceivedCompoundPacket) {
        let Some(pts) = packet.rtp_timestamp().map(|time| time.elapsed()) else { return };
        let report = packet.pkts().find_map(|packet| packet.as_sender_report().ok().flatten());
        let ntp = report.and_then(|report| utc(report.ntp_timestamp().0));
        self.ready.extend(ntp.map(|ntp| CameraEvent::SenderReport { pts, ntp }));
    }
}

/// An NTP timestamp (RFC 5905) as UTC; `None` where the camera says that it has no clock (0).
///
/// NTP's seconds wrap in 2036. The first half of an era is taken for the one that begins then, so that the times from
/// 1968 to 2104 are right.
fn utc(ntp: u64) -> Option<Timestamp> {
    const UNIX_EPOCH_S: i64 = 2_208_988_800;
    if ntp == 0 {
        return None;
    }
    let seconds = i64::from(u32::try_from(ntp >> 32).ok()?);
    let era = if seconds < 1 << 31 { 1_i64 << 32 } else { 0 };
    let nanoseconds = i32::try_from(((ntp & 0xffff_ffff) * 1_000_000_000) >> 32).ok()?;
    Timestamp::new(seconds + era - UNIX_EPOCH_S, nanoseconds).ok()
}

#[async_trait]
impl Session for RtspSession {
    async fn next(&mut self) -> Result<Option<CameraEvent>, CameraError> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Ok(Some(event));
            }
            // The one await: what it yields is taken in without another, so nothing is lost when it is dropped.
            let item = tokio::select! {
                biased;
                item = self.demuxed.next() => item,
                () = &mut self.alarm => {
                    if Instant::now() < self.deadline {
                        self.alarm.as_mut().reset(self.deadline);
                        continue;
                    }
                    return Err(CameraError::Silent { what: self.source.clone(), silence: self.inactivity });
                }
            };
            let (problem, source) = match item {
                Some(Ok(item)) => {
                    self.take(item);
                    continue;
                }
                Some(Err(error)) => ("the stream broke", Some(error.into())),
                // A live camera has no end; a server that dies is seen like one that says goodbye.
                None => ("the camera closed the connection", None),
            };
            return Err(CameraError::Lost { what: self.source.clone(), problem: problem.to_owned(), source });
        }
    }

    fn timing(&self) -> Timing {
        Timing::Arrival
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ntp_is_read_in_both_eras() {
        for (ntp, expected) in [
            (0, None),
            (2_208_988_800 << 32, Some("1970-01-01T00:00:00Z")),
            ((3_973_190_400 << 32) | (1 << 31), Some("2025-11-27T00:00:00.5Z")),
            (1 << 32, Some("2036-02-07T06:28:17Z")),
        ] {
            assert_eq!(utc(ntp), expected.map(|text| text.parse().unwrap()), "{ntp}");
        }
    }
}
