//! Matroska and WebM (RFC 9559, codec mappings of RFC 9559's companion draft), read as a stream.
//!
//! Matroska has presentation times only, mostly in whole milliseconds; they are kept as they are. Blocks lie in
//! decoding order, which is given as found. `DefaultDuration` or a block's own duration is the frame's.

mod reader;

use self::reader::{Reader, second_recording};
use super::demux::{Demux, Fault, Item, another, duration_of, undescribed};
use crate::camera::config::{self, VideoConfig};
use crate::camera::nal;
use crate::camera::sets::{InForce, Undescribed};
use crate::media::{AudioParameters, Frame, Reference, StreamParameters, TrackKind, VideoCodec, VideoParameters};
use bytes::Bytes;
use jiff::Timestamp;
use matroska_demuxer::{
    ContentCompAlgo, ContentEncodingValue, DisplayUnit, Frame as Block, MatroskaFile, TrackEntry, TrackType,
};
use std::collections::VecDeque;
use std::fs::File;
use std::io::Seek as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Blocks before the first video frame, at most.
const LEAD_LIMIT: usize = 1024;

/// A track that is recorded.
struct Track {
    number: u64,
    /// What header stripping took from the beginning of every frame.
    stripped: Vec<u8>,
    /// In units of the file, where the track says it.
    duration: Option<u32>,
}

/// An open Matroska file.
pub(super) struct Matroska {
    file: MatroskaFile<Reader>,
    size: u64,
    /// Whether the end that the demuxer saw was none.
    broken: Arc<AtomicBool>,
    /// Where another recording begins, which is not read.
    second: Option<u64>,
    parameters: StreamParameters,
    length_bytes: u8,
    in_force: InForce,
    video: Track,
    audio: Option<Track>,
    /// Units of the file to units of `timescale`.
    factor: i64,
    /// The time of the first video frame.
    zero: i64,
    /// The latest time so far, from `zero`: times go back with B-frames, decoding does not.
    latest: i64,
    /// The last audio block's time in the file, and the time its latest frame was given.
    last_audio: Option<(u64, i64)>,
    frames: u64,
    ready: VecDeque<Item>,
}

impl Matroska {
    pub(super) fn open(mut file: File, size: u64) -> Result<Self, Fault> {
        let failed = |error| Fault::because("cannot be read", error);
        let second = second_recording(&mut file, size).map_err(failed)?;
        file.rewind().map_err(failed)?;
        let (file, broken) = demuxer(file, size)?;
        let scale_ns = file.info().timestamp_scale().get();
        // Whole units a second where the scale allows, else nanoseconds: exact either way.
        let (timescale, factor) = match 1_000_000_000 % scale_ns {
            0 => (u32::try_from(1_000_000_000 / scale_ns).unwrap_or(1), 1),
            _ => (1_000_000_000, i64::try_from(scale_ns).map_err(|_| Fault::new("its time scale is impossible"))?),
        };
        let of_type = |kind: TrackType| file.tracks().iter().filter(move |track| track.track_type() == kind);
        let mut entry = None;
        let mut problem = None;
        for found in of_type(TrackType::Video) {
            match video_parameters(found, timescale) {
                Ok(parameters) if entry.is_none() => entry = Some((found, parameters)),
                Ok(_) => {}
                Err(said) => problem = problem.or(Some(said)),
            }
        }
        let Some((entry, (video, config))) = entry else {
            return Err(problem.unwrap_or_else(|| Fault::new("there is no video in it")));
        };
        let track = |entry: &TrackEntry| {
            let duration = entry.default_duration().map(|ns| ns.get() as f64 * f64::from(timescale) / 1e9);
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "in range by the filter")]
            let duration = duration.map(f64::round).filter(|d| (1.0..4e9).contains(d)).map(|d| d as u32);
            Ok::<_, Fault>(Track { number: entry.track_number().get(), stripped: stripped(entry)?, duration })
        };
        let video_track = track(entry)?;
        let mut audio = None;
        for entry in of_type(TrackType::Audio) {
            let found = audio_parameters(entry, timescale).and_then(|p| Some((p, track(entry).ok()?)));
            if audio.is_none() && found.is_some() {
                audio = found;
            } else {
                tracing::warn!(codec = entry.codec_id(), "audio track left out");
            }
        }
        let (audio, audio_track) = audio.unzip();
        let mut matroska = Self {
            in_force: InForce::new(video.clone()),
            length_bytes: config.length_bytes,
            parameters: StreamParameters { video, audio },
            file,
            size,
            broken,
            second,
            video: video_track,
            audio: audio_track,
            factor,
            zero: 0,
            latest: 0,
            last_audio: None,
            frames: 0,
            ready: VecDeque::new(),
        };
        matroska.begin()?;
        Ok(matroska)
    }

    /// Finds the first video frame, which is the session's 0; sound that comes before it waits.
    fn begin(&mut self) -> Result<(), Fault> {
        let mut lead = Vec::new();
        while let Some(block) = self.block()? {
            let is_video = block.track == self.video.number;
            lead.push(block);
            if is_video {
                break;
            }
            if lead.len() > LEAD_LIMIT {
                return Err(Fault::new("no video frame among its first blocks"));
            }
        }
        let first = lead.last().filter(|block| block.track == self.video.number);
        self.zero = first.map_or(0, |block| self.time(block.timestamp));
        for block in lead {
            let (item, _) = self.item(block)?;
            self.ready.push_back(item);
        }
        // The sound that comes before the first frame has its parameters.
        self.ready.push_front(Item::Parameters(self.parameters.clone()));
        Ok(())
    }

    /// The next block of a recorded track.
    fn block(&mut self) -> Result<Option<Block>, Fault> {
        loop {
            let mut block = Block::default();
            let cut = || format!("damaged or cut short after frame {} (the file has {} bytes)", self.frames, self.size);
            if !self.file.next_frame(&mut block).map_err(|error| Fault::because(cut(), error))? {
                return match self.second {
                    _ if self.broken.load(Ordering::Relaxed) => Err(Fault::new(cut())),
                    Some(at) => Err(another(at)),
                    None => Ok(None),
                };
            }
            let wanted =
                block.track == self.video.number || self.audio.as_ref().is_some_and(|a| a.number == block.track);
            if wanted && !block.data.is_empty() {
                return Ok(Some(block));
            }
        }
    }

    fn time(&self, units: u64) -> i64 {
        i64::try_from(units).unwrap_or(i64::MAX / 4).saturating_mul(self.factor).clamp(0, i64::MAX / 4)
    }

    /// A block as a frame, and whether the parameters are others from it on.
    fn item(&mut self, block: Block) -> Result<(Item, Option<StreamParameters>), Fault> {
        let timescale = self.parameters.video.timescale;
        let mut pts = self.time(block.timestamp) - self.zero;
        let kind = if block.track == self.video.number { TrackKind::Video } else { TrackKind::Audio };
        let track = self.audio.as_ref().filter(|_| kind == TrackKind::Audio).unwrap_or(&self.video);
        let own = block.duration.and_then(|units| u32::try_from(self.time(units)).ok()).filter(|units| *units > 0);
        let duration = own.or(track.duration);
        let data = if track.stripped.is_empty() { block.data } else { [&track.stripped[..], &block.data].concat() };
        let (reference, changed, data) = match kind {
            TrackKind::Video => self.video_frame(data)?,
            TrackKind::Audio => {
                // Frames laced into one block share its time; each but the first follows the one before it.
                pts = match self.last_audio {
                    Some((time, last)) if time == block.timestamp => last + i64::from(self.audio_duration(duration)),
                    _ => pts,
                };
                self.last_audio = Some((block.timestamp, pts));
                (Reference::RandomAccess, None, data)
            }
        };
        self.latest = self.latest.max(pts);
        let frame = Frame { track: kind, pts, duration, reference, arrival: Duration::ZERO, data: Bytes::from(data) };
        Ok((Item::Frame { frame, at: duration_of(self.latest, timescale) }, changed))
    }

    /// An AAC frame's length in units of the file: 1024 samples.
    fn audio_duration(&self, duration: Option<u32>) -> u32 {
        let samples = |a: &AudioParameters| 1024 * u64::from(a.timescale) / u64::from(a.sample_rate.max(1));
        let own = self.parameters.audio.as_ref().map(samples).and_then(|units| u32::try_from(units).ok());
        duration.or(own).unwrap_or(1)
    }

    fn video_frame(&mut self, data: Vec<u8>) -> Result<(Reference, Option<StreamParameters>, Vec<u8>), Fault> {
        let data = if self.length_bytes == 4 {
            data
        } else {
            nal::with_four_byte_lengths(&data, self.length_bytes)
                .ok_or_else(|| Fault::new(format!("the NAL units of frame {} are damaged", self.frames)))?
        };
        let (reference, changed) = self.in_force.see(&data).map_err(|Undescribed| undescribed(self.frames))?;
        self.frames += 1;
        let Some(video) = changed else { return Ok((reference, None, data)) };
        self.parameters.video = video.clone();
        Ok((reference, Some(self.parameters.clone()), data))
    }
}

impl Demux for Matroska {
    fn next(&mut self) -> Result<Option<Item>, Fault> {
        if let Some(item) = self.ready.pop_front() {
            return Ok(Some(item));
        }
        let Some(block) = self.block()? else { return Ok(None) };
        let (item, changed) = self.item(block)?;
        let Some(parameters) = changed else { return Ok(Some(item)) };
        self.ready.push_back(item);
        Ok(Some(Item::Parameters(parameters)))
    }

    fn created(&self) -> Option<Timestamp> {
        const SECONDS_TO_2001: i64 = 978_307_200;
        let since_2001_ns = self.file.info().date_utc()?;
        let micros = SECONDS_TO_2001.checked_mul(1_000_000)?.checked_add(since_2001_ns.div_euclid(1000))?;
        Timestamp::from_microsecond(micros).ok().filter(|time| *time > Timestamp::UNIX_EPOCH)
    }

    fn duration(&self) -> Option<Duration> {
        let info = self.file.info();
        let seconds = info.duration()? * info.timestamp_scale().get() as f64 / 1e9;
        Duration::try_from_secs_f64(seconds).ok()
    }

    fn frames_total(&self) -> Option<u64> {
        None
    }
}

/// Opens the structure, if need be without its seek head: that of a truncated file names what is no longer there.
fn demuxer(file: File, size: u64) -> Result<(MatroskaFile<Reader>, Arc<AtomicBool>), Fault> {
    let again = file.try_clone().map_err(|error| Fault::because("cannot be opened twice", error))?;
    let open = |reader: Reader| {
        let broken = reader.broken();
        let file = MatroskaFile::open(reader)?;
        // What was missing on the way (an index behind the end, say) does not matter any more.
        broken.store(false, Ordering::Relaxed);
        Ok((file, broken))
    };
    open(Reader::new(file, size)).or_else(|error: matroska_demuxer::DemuxError| {
        let retried = Reader::without_seek_head(again, size).ok().and_then(|reader| open(reader).ok());
        retried.ok_or_else(|| Fault::because("the Matroska structure is damaged", error))
    })
}

fn video_parameters(entry: &TrackEntry, timescale: u32) -> Result<(VideoParameters, VideoConfig), Fault> {
    let codec = match entry.codec_id() {
        "V_MPEG4/ISO/AVC" => VideoCodec::H264,
        "V_MPEGH/ISO/HEVC" => VideoCodec::H265,
        other => return Err(Fault::new(format!("its video is {other}; H.264 and H.265 can be recorded"))),
    };
    let private = entry.codec_private().ok_or_else(|| {
        Fault::new("its video has no decoder configuration (CodecPrivate); remux it, for example with ffmpeg -c copy")
    })?;
    let config = config::video(codec, private).map_err(Fault::new)?;
    let video = entry.video().ok_or_else(|| Fault::new("its video track has no picture size"))?;
    let cropped = |pixels: u64, one: Option<u64>, other: Option<u64>| {
        pixels
            .checked_sub(one.unwrap_or(0))?
            .checked_sub(other.unwrap_or(0))
            .and_then(|pixels| u16::try_from(pixels).ok())
    };
    let width = cropped(video.pixel_width().get(), video.pixel_crop_left(), video.pixel_crop_right());
    let height = cropped(video.pixel_height().get(), video.pixel_crop_top(), video.pixel_crop_bottom());
    let (Some(width @ 1..), Some(height @ 1..)) = (width, height) else {
        return Err(Fault::new("its picture size is impossible"));
    };
    // The display size is in pixels, or only a proportion; either gives the shape of a pixel.
    let shape = match (video.display_unit(), video.display_width(), video.display_height()) {
        (None | Some(DisplayUnit::Pixels | DisplayUnit::DisplayAspectRatio), Some(across), Some(down)) => {
            u32::try_from(across.get()).ok().zip(u32::try_from(down.get()).ok())
        }
        _ => None,
    };
    let pixel_aspect = shape.and_then(|(across, down)| {
        reduced(u64::from(across) * u64::from(height), u64::from(down) * u64::from(width)).filter(|(a, d)| a != d)
    });
    let parameters = VideoParameters {
        codec,
        config: config.record.clone(),
        rfc6381: config.rfc6381.clone(),
        width,
        height,
        pixel_aspect,
        timescale,
    };
    Ok((parameters, config))
}

/// A fraction in its lowest terms.
fn reduced(numerator: u64, denominator: u64) -> Option<(u32, u32)> {
    let (mut a, mut b) = (numerator, denominator);
    while b > 0 {
        (a, b) = (b, a % b);
    }
    Some((u32::try_from(numerator.checked_div(a)?).ok()?, u32::try_from(denominator / a).ok()?))
}

fn audio_parameters(entry: &TrackEntry, timescale: u32) -> Option<AudioParameters> {
    // Old writers add the version and the profile: A_AAC/MPEG4/LC.
    if entry.codec_id() != "A_AAC" && !entry.codec_id().starts_with("A_AAC/") {
        return None;
    }
    let private = entry.codec_private()?;
    let facts = config::aac(private)?;
    let in_track = entry.audio().and_then(|audio| u16::try_from(audio.channels().get()).ok());
    Some(AudioParameters {
        config: Bytes::copy_from_slice(private),
        rfc6381: facts.rfc6381,
        channels: if facts.channels == 0 { in_track? } else { facts.channels },
        sample_rate: facts.sample_rate,
        timescale,
    })
}

/// What every frame of the track begins with and the file left out (mkvmerge's header removal).
fn stripped(entry: &TrackEntry) -> Result<Vec<u8>, Fault> {
    match entry.content_encodings() {
        None | Some([]) => Ok(Vec::new()),
        Some([only]) => match only.encoding() {
            ContentEncodingValue::Compression(compression) if compression.algo() == ContentCompAlgo::Stripping => {
                Ok(compression.settings().unwrap_or_default().to_vec())
            }
            ContentEncodingValue::Compression(_) => Err(Fault::new("its video is compressed once more; remux it")),
            _ => Err(Fault::new("its video is encrypted")),
        },
        Some(_) => Err(Fault::new("its video is encoded in several layers; remux it")),
    }
}
