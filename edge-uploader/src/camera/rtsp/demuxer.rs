//! The packets of a session's streams into [`CameraEvent`]s. No I/O; time is told.
//!
//! A change of parameters ends a span, and a camera that sends other parameter sets with every picture would make an object
//! of each. So parameters are told again after [`CHANGES_APART`] at the earliest, and each time that they have changed sooner
//! this grows to twice as long, up to [`CHANGES_APART_MAX`]. Until then the sets go with the pictures that need them: decoders
//! take them from there as well as from the decoder configuration record.

use super::known_sets::KnownSets;
use super::limits::{Excess, WORK_A_PACKET, WORK_A_PICTURE, WORK_A_SECOND, WORK_AT_ONCE};
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

/// How long parameters that were told hold at least, at first and at most.
const CHANGES_APART: Duration = Duration::from_secs(10);
const CHANGES_APART_MAX: Duration = Duration::from_mins(10);
/// Sender reports come every few seconds; more often than this they say nothing new.
const REPORTS_APART: Duration = Duration::from_millis(500);

/// One RTP stream.
struct Rtp {
    payload_type: u8,
    seen: bool,
    sequence: Sequence,
    timeline: Timeline,
    /// A packet that may be the first of a new source: it counts if the next one is of it, too.
    strayed: Option<Vec<u8>>,
    reported: Option<Duration>,
}

/// What a packet is to its stream.
enum Taken<'a> {
    /// One to take apart.
    Packet(Packet<'a>, Place),
    /// The same, after the one that strayed before it.
    Restarted(Packet<'a>, Place),
    /// None of this stream, or one that came too late.
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
            // Some descriptions name another type than the camera then sends.
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

    /// The first packet of a source that has shown itself to be one. What came before it may have lost its end.
    fn first(&self, bytes: &[u8]) -> Option<Place> {
        let packet = Packet::parse(bytes)?;
        Some(Place { time: self.timeline.place(packet.timestamp), missing: 1 })
    }
}

/// Work that a camera may make: a bucket that fills up with time.
struct Allowance {
    left: f64,
    at: Duration,
}

impl Allowance {
    fn spend(&mut self, work: u32, now: Duration) -> Result<(), Excess> {
        let passed = now.saturating_sub(self.at).as_secs_f64();
        self.at = now;
        self.left = (self.left + passed * f64::from(WORK_A_SECOND)).min(f64::from(WORK_AT_ONCE)) - f64::from(work);
        if self.left < 0.0 { Err(Excess::Work) } else { Ok(()) }
    }
}

/// The parameters as they were told last, and what follows from them.
struct Told {
    parameters: StreamParameters,
    referencing: Referencing,
    at: Duration,
    /// How long they hold.
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
    /// The RTP time of the start of playing, where that is known.
    pub(super) start: Option<u32>,
}

/// Everything that is known of a session's streams.
pub(super) struct Demuxer {
    source: String,
    video: Video,
    audio: Option<Audio>,
    /// `None` until the video parameters are known; without them nothing can be recorded.
    told: Option<Told>,
    allowance: Allowance,
    events: VecDeque<CameraEvent>,
    /// Video frames that were given on.
    frames: u64,
    /// Frames that came before the parameters.
    dropped: u64,
}

impl Demuxer {
    /// For the streams of a session that plays.
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
        let allowance = Allowance { left: f64::from(WORK_AT_ONCE), at: now };
        let events = VecDeque::new();
        let mut demuxer = Self { source, video, audio, told: None, allowance, events, frames: 0, dropped: 0 };
        // Most cameras describe their parameter sets; the others send them with the first pictures.
        if let Some(parameters) = demuxer.video.sets.parameters().cloned() {
            demuxer.tell(parameters, now);
        }
        demuxer
    }

    /// The next event.
    pub(super) fn next(&mut self) -> Option<CameraEvent> {
        self.events.pop_front()
    }

    /// How many video frames there were.
    pub(super) fn frames(&self) -> u64 {
        self.frames
    }

    /// Whether frames came, and none whose parameter sets are known.
    pub(super) fn lacks_sets(&self) -> bool {
        self.told.is_none() && self.dropped > 0
    }

    /// Whether a payload type is that of a stream of which nothing has come yet.
    pub(super) fn awaits(&self, kind: TrackKind, payload_type: u8) -> bool {
        let rtp = match kind {
            TrackKind::Video => Some(&self.video.rtp),
            TrackKind::Audio => self.audio.as_ref().map(|audio| &audio.rtp),
        };
        rtp.is_some_and(|rtp| !rtp.seen && rtp.payload_type == payload_type)
    }

    /// A message of the camera: it costs as much as a picture.
    pub(super) fn message(&mut self, arrival: Duration) -> Result<(), Excess> {
        self.allowance.spend(WORK_A_PICTURE, arrival)
    }

    /// A packet that is no stream's.
    pub(super) fn stray(&mut self, arrival: Duration) -> Result<(), Excess> {
        self.allowance.spend(WORK_A_PACKET, arrival)
    }

    /// An RTP packet.
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
        if packet.payload.is_empty() {
            self.stray(arrival)?;
        }
        match kind {
            TrackKind::Video => {
                self.video.assembler.push(packet, place, &mut self.video.pictures)?;
                for picture in std::mem::take(&mut self.video.pictures) {
                    self.picture(picture, arrival)?;
                }
            }
            TrackKind::Audio => {
                let Some(audio) = &mut self.audio else { return Ok(()) };
                audio.disassembler.push(packet, place.time, place.missing, &mut audio.sounds);
                for sound in std::mem::take(&mut audio.sounds) {
                    self.sound(sound, arrival)?;
                }
            }
        }
        Ok(())
    }

    fn picture(&mut self, picture: Picture, arrival: Duration) -> Result<(), Excess> {
        let units = u32::try_from(picture.units).unwrap_or(u32::MAX);
        self.allowance.spend(units.saturating_add(WORK_A_PICTURE), arrival)?;
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
                // A stream without any place to start at changes where it does.
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
            data: Bytes::from(data),
        }));
        Ok(())
    }

    fn tell(&mut self, video: VideoParameters, now: Duration) {
        let apart = match &self.told {
            // The first change counts at once: what is told before the first picture is the description's guess.
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

    /// An RTCP packet: it costs as much as a picture, whatever is in it. Those of the sound are not read.
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

#[cfg(test)]
mod tests;
