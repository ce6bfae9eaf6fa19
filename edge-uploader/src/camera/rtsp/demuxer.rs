//! Converts the packets of a session's streams to [`CameraEvent`]s. Does no I/O; the caller passes the time.
//!
//! A change of parameters ends a span, so a camera that sends new parameter sets with every picture would
//! create an object for each. New parameters are therefore reported at the earliest after
//! [`CHANGES_APART`]. This time doubles each time that the parameters change sooner, up to
//! [`CHANGES_APART_MAX`]. Until then, the sets are stored with the pictures that need them: decoders accept
//! them there as well as in the decoder configuration record.

use super::allowance::Allowance;
use super::held::Held;
use super::known_sets::KnownSets;
use super::limits::{Excess, HELD_MAX, TELLING_PAYLOAD, WORK_A_PACKET, WORK_A_PICTURE};
use super::picture::{Assembler, Picture, Place};
use super::rtp::{Arrival, Packet, SenderReport, Sequence, Timeline};
use super::sdp::Stream;
use super::sound::{Disassembler, Format, Sound};
use crate::camera::CameraEvent;
use crate::camera::nal::Referencing;
use crate::media::{Frame, Reference, StreamParameters, TrackKind, VideoCodec, VideoParameters};
use bytes::Bytes;
use jiff::Timestamp;
use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::time::Duration;

/// Shortest time between reported changes of parameters, initially and at most.
const CHANGES_APART: Duration = Duration::from_secs(10);
const CHANGES_APART_MAX: Duration = Duration::from_mins(10);
/// Sender reports arrive every few seconds. More frequent ones are ignored.
const REPORTS_APART: Duration = Duration::from_millis(500);

/// The state of one RTP stream, video or audio, for as long as its session lasts.
struct Rtp {
    payload_type: u8,
    seen: bool,
    sequence: Sequence,
    timeline: Timeline,
    /// A packet that may be the first of a new source. It counts if the next packet has the same source.
    strayed: Option<Vec<u8>>,
    reported: Option<Duration>,
}

/// The classification of a packet.
enum Taken<'a> {
    /// A packet to depacketize.
    Packet(Packet<'a>, Place),
    /// A packet to depacketize, after the stray packet before it.
    Restarted(Packet<'a>, Place),
    /// A packet of another stream, or one that arrived too late.
    Nothing,
}

impl Rtp {
    fn new(payload_type: u8, rate: u32, announced: Option<u32>) -> Self {
        let rate = NonZeroU32::new(rate).unwrap_or(NonZeroU32::MIN);
        let timeline = Timeline::new(rate, announced);
        Self { payload_type, seen: false, sequence: Sequence::default(), timeline, strayed: None, reported: None }
    }

    fn take<'a>(&mut self, bytes: &'a [u8], arrival: Duration) -> Taken<'a> {
        /// Geovision cameras send packets of this type between the others.
        const STRAY: u8 = 50;
        let Some(packet) = Packet::parse(bytes) else { return Taken::Nothing };
        if packet.payload_type != self.payload_type {
            if self.seen || packet.payload_type == STRAY {
                return Taken::Nothing;
            }
            // Some cameras send another payload type than their description names.
            self.payload_type = packet.payload_type;
        }
        let arrived = self.sequence.next(packet.source, packet.sequence);
        match arrived {
            Arrival::Late => return Taken::Nothing,
            Arrival::Strayed => {
                self.strayed = Some(bytes.to_vec());
                return Taken::Nothing;
            }
            Arrival::Next { .. } => self.strayed = None,
            Arrival::Restarted => self.timeline.restart(packet.timestamp, arrival),
        }
        self.seen = true;
        let time = self.timeline.advance(packet.timestamp, arrival);
        match arrived {
            Arrival::Next { missing } => Taken::Packet(packet, Place { time, missing }),
            _ => Taken::Restarted(packet, Place { time, missing: 0 }),
        }
    }

    /// Returns the place of the first packet of a source that has been confirmed. The data
    /// before it may be incomplete.
    fn first(&self, bytes: &[u8]) -> Option<Place> {
        let packet = Packet::parse(bytes)?;
        Some(Place { time: self.timeline.place(packet.timestamp), missing: 1 })
    }
}

/// The parameters that were reported last, and the state for the next change.
struct Told {
    parameters: StreamParameters,
    referencing: Referencing,
    at: Duration,
    /// How long they remain valid at least.
    apart: Duration,
}

struct Video {
    rtp: Rtp,
    assembler: Assembler,
    sets: KnownSets,
    pictures: Vec<Picture>,
}

struct Audio {
    rtp: Rtp,
    disassembler: Disassembler,
    sounds: Vec<Sound>,
}

/// A stream as the camera announced it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Announced<'a> {
    pub(super) stream: &'a Stream,
    /// The RTP timestamp of the start of playing, if known.
    pub(super) start: Option<u32>,
}

/// The state of a session's streams.
pub(super) struct Demuxer {
    source: String,
    video: Video,
    audio: Option<Audio>,
    /// `None` until the video parameters are known. Nothing can be recorded without them.
    told: Option<Told>,
    allowance: Allowance,
    held: Held,
    events: VecDeque<CameraEvent>,
    /// Number of video frames that were passed on.
    frames: u64,
    /// Number of frames that arrived before the parameters.
    dropped: u64,
}

impl Demuxer {
    /// Creates a demuxer for the streams of a playing session.
    pub(super) fn new(
        source: String,
        codec: VideoCodec,
        video: Announced<'_>,
        audio: Option<Announced<'_>>,
        now: Duration,
    ) -> Self {
        let Announced { stream, start } = video;
        let rate = if stream.clock_rate == 0 { 90_000 } else { stream.clock_rate };
        let video = Video {
            rtp: Rtp::new(stream.payload_type, rate, start),
            assembler: Assembler::new(codec),
            sets: KnownSets::described(codec, rate, stream),
            pictures: Vec::new(),
        };
        let audio = audio.and_then(|Announced { stream, start }| {
            let format = Format::new(stream)?;
            let rtp = Rtp::new(stream.payload_type, format.parameters.timescale, start);
            Some(Audio { rtp, disassembler: Disassembler::new(format), sounds: Vec::new() })
        });
        let allowance = Allowance::new(now);
        let events = VecDeque::new();
        let held = Held::default();
        let mut demuxer = Self { source, video, audio, told: None, allowance, held, events, frames: 0, dropped: 0 };
        // Most cameras describe their parameter sets; the others send them with the first pictures.
        if let Some(parameters) = demuxer.video.sets.parameters().cloned() {
            demuxer.tell(parameters, now);
        }
        demuxer
    }

    /// Takes the oldest event that is ready; `None` until more packets have arrived.
    pub(super) fn next(&mut self) -> Option<CameraEvent> {
        self.events.pop_front()
    }

    /// Returns the number of video frames so far.
    pub(super) fn frames(&self) -> u64 {
        self.frames
    }

    /// Returns whether frames have arrived but no parameter sets are known.
    pub(super) fn lacks_sets(&self) -> bool {
        self.told.is_none() && self.dropped > 0
    }

    /// Returns whether a payload type belongs to a stream of which nothing has arrived yet.
    pub(super) fn awaits(&self, kind: TrackKind, payload_type: u8) -> bool {
        let rtp = match kind {
            TrackKind::Video => Some(&self.video.rtp),
            TrackKind::Audio => self.audio.as_ref().map(|audio| &audio.rtp),
        };
        rtp.is_some_and(|rtp| !rtp.seen && rtp.payload_type == payload_type)
    }

    /// Accounts for an RTSP message, which costs as much as a picture.
    pub(super) fn message(&mut self, arrival: Duration) -> Result<(), Excess> {
        self.allowance.spend(WORK_A_PICTURE, arrival)
    }

    /// What reading from the connection cost.
    pub(super) fn read(&mut self, work: u32, arrival: Duration) -> Result<(), Excess> {
        self.allowance.spend(work, arrival)
    }

    /// Accounts for a packet that belongs to no stream.
    pub(super) fn stray(&mut self, arrival: Duration) -> Result<(), Excess> {
        self.allowance.spend(WORK_A_PACKET, arrival)
    }

    /// Handles an RTP packet.
    pub(super) fn packet(&mut self, kind: TrackKind, bytes: &[u8], arrival: Duration) -> Result<(), Excess> {
        let rtp = match (kind, &mut self.audio) {
            (TrackKind::Video, _) => &mut self.video.rtp,
            (TrackKind::Audio, Some(audio)) => &mut audio.rtp,
            (TrackKind::Audio, None) => return self.stray(arrival),
        };
        match rtp.take(bytes, arrival) {
            Taken::Nothing => self.stray(arrival),
            Taken::Packet(packet, place) => self.placed(kind, &packet, place, arrival),
            Taken::Restarted(packet, place) => {
                let strayed = rtp.strayed.take().unwrap_or_default();
                let first = rtp.first(&strayed);
                if let (Some(first), Some(strayed)) = (first, Packet::parse(&strayed)) {
                    self.placed(kind, &strayed, first, arrival)?;
                }
                self.placed(kind, &packet, place, arrival)
            }
        }
    }

    fn placed(&mut self, kind: TrackKind, packet: &Packet<'_>, place: Place, arrival: Duration) -> Result<(), Excess> {
        let least = if packet.payload.len() < TELLING_PAYLOAD { WORK_A_PACKET } else { 0 };
        match kind {
            TrackKind::Video => {
                self.video.assembler.push(packet, place, &mut self.video.pictures)?;
                if self.video.assembler.bytes() + self.held.bytes() > HELD_MAX {
                    return Err(Excess::Held);
                }
                self.allowance.spend(self.video.assembler.take_units().max(least), arrival)?;
                for picture in std::mem::take(&mut self.video.pictures) {
                    self.picture(picture, arrival)?;
                }
            }
            TrackKind::Audio => {
                let Some(audio) = &mut self.audio else { return Ok(()) };
                audio.disassembler.push(packet, place.time, place.missing, &mut audio.sounds);
                if audio.sounds.is_empty() {
                    self.allowance.spend(least, arrival)?;
                }
                for sound in std::mem::take(&mut audio.sounds) {
                    self.sound(sound, arrival)?;
                }
            }
        }
        Ok(())
    }

    fn picture(&mut self, picture: Picture, arrival: Duration) -> Result<(), Excess> {
        self.allowance.spend(WORK_A_PICTURE, arrival)?;
        if picture.lost > 0 && self.told.is_some() {
            self.events.push_back(CameraEvent::PacketsLost(picture.lost));
        }
        self.video.sets.take(picture.sets, &picture.data);
        let Some(parameters) = self.video.sets.parameters() else {
            if self.dropped == 0 {
                tracing::info!(source = self.source, "waiting for the parameter sets");
            }
            self.dropped += 1;
            self.events.push_back(CameraEvent::Undescribed { arrival });
            return Ok(());
        };
        let mut data = picture.data;
        let reference = match &self.told {
            Some(told) if told.parameters.video == *parameters => told.referencing.of(&data),
            Some(told) => {
                let reference = told.referencing.of(&data);
                let passed = arrival.saturating_sub(told.at);
                let starts = reference.is_random_access();
                // A stream without random access points changes its parameters at any picture.
                if passed >= told.apart && (starts || passed >= told.apart + CHANGES_APART) {
                    let parameters = parameters.clone();
                    self.tell(parameters, arrival);
                } else if starts {
                    let mut whole = self.video.sets.beyond(&told.parameters.video.config);
                    whole.extend_from_slice(&data);
                    data = whole;
                }
                reference
            }
            None => {
                let parameters = parameters.clone();
                let reference = Referencing::new(parameters.codec, &parameters.config).of(&data);
                self.tell(parameters, arrival);
                reference
            }
        };
        self.frames += 1;
        self.events.push_back(CameraEvent::Frame(Frame {
            track: TrackKind::Video,
            pts: picture.time,
            duration: None,
            reference,
            arrival,
            data: self.held.count(data),
        }));
        Ok(())
    }

    fn tell(&mut self, video: VideoParameters, now: Duration) {
        let apart = match &self.told {
            // The first change takes effect immediately, because the description's sets before the first
            // picture are only a hint.
            None => Duration::ZERO,
            Some(told) if told.apart.is_zero() || now.saturating_sub(told.at) > 2 * told.apart => CHANGES_APART,
            Some(told) => (2 * told.apart).min(CHANGES_APART_MAX),
        };
        let referencing = Referencing::new(video.codec, &video.config);
        let audio = self.audio.as_ref().map(|audio| audio.disassembler.format().parameters.clone());
        let parameters = StreamParameters { video, audio };
        self.events.push_back(CameraEvent::Parameters(parameters.clone()));
        self.told = Some(Told { parameters, referencing, at: now, apart });
    }

    fn sound(&mut self, sound: Sound, arrival: Duration) -> Result<(), Excess> {
        self.allowance.spend(WORK_A_PICTURE, arrival)?;
        let Some(audio) = self.audio.as_ref().filter(|_| self.told.is_some()) else { return Ok(()) };
        self.events.push_back(CameraEvent::Frame(Frame {
            track: TrackKind::Audio,
            pts: sound.time,
            duration: Some(audio.disassembler.format().samples),
            reference: Reference::RandomAccess,
            arrival,
            data: Bytes::from(sound.data),
        }));
        Ok(())
    }

    /// Handles an RTCP packet. It costs as much as a picture, whatever it contains. Those of
    /// the audio stream are ignored.
    pub(super) fn report(&mut self, kind: TrackKind, bytes: &[u8], arrival: Duration) -> Result<(), Excess> {
        self.allowance.spend(WORK_A_PICTURE, arrival)?;
        if kind == TrackKind::Video {
            self.video_report(bytes, arrival);
        }
        Ok(())
    }

    fn video_report(&mut self, bytes: &[u8], arrival: Duration) {
        let rtp = &mut self.video.rtp;
        if !rtp.seen || rtp.reported.is_some_and(|before| arrival.saturating_sub(before) < REPORTS_APART) {
            return;
        }
        let Some(report) = SenderReport::parse(bytes).filter(|report| rtp.sequence.is_from(report.source)) else {
            return;
        };
        let Some(ntp) = utc(report.ntp) else { return };
        rtp.reported = Some(arrival);
        self.events.push_back(CameraEvent::SenderReport { pts: rtp.timeline.place(report.timestamp), ntp });
    }
}

/// Converts an NTP timestamp (RFC 5905) to UTC. Returns `None` if the camera has no clock (0).
///
/// NTP's seconds wrap in 2036. Values in the first half of an era count as the era that begins then, which is
/// correct from 1968 to 2104.
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

#[cfg(test)]
mod tests;
