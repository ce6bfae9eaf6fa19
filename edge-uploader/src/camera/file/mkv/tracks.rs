//! `Info` and `Tracks`: the description of the recorded tracks of a segment.

use super::super::demux::Fault;
use crate::camera::sets;
use crate::media::{AudioParameters, DisplayMatrix, Mirrored, StreamParameters, VideoCodec, VideoParameters};
use bytes::Bytes;
use framepost_media::aac::aac;
use framepost_media::config::{self, VideoConfig};
use framepost_media::ebml::{child, children, float, unsigned};
use jiff::Timestamp;
use std::time::Duration;

/// The contents of `Info`. Missing or damaged values have the defaults of the specification.
#[derive(Debug, Clone)]
pub(super) struct Info {
    /// Nanoseconds per unit of the segment.
    pub(super) scale_ns: u64,
    pub(super) duration: Option<Duration>,
    pub(super) created: Option<Timestamp>,
}

impl Info {
    pub(super) fn read(body: &[u8]) -> Self {
        let scale_ns = child(body, 0x2a_d7b1).and_then(unsigned).filter(|ns| (1..1 << 40).contains(ns));
        let scale_ns = scale_ns.unwrap_or(1_000_000);
        let units = child(body, 0x4489).and_then(float).filter(|units| *units > 0.0);
        let duration = units.and_then(|units| Duration::try_from_secs_f64(units * scale_ns as f64 / 1e9).ok());
        Self { scale_ns, duration, created: child(body, 0x4461).and_then(created) }
    }
}

/// Reads `DateUTC`: nanoseconds since 2001.
fn created(body: &[u8]) -> Option<Timestamp> {
    const SECONDS_TO_2001: i64 = 978_307_200;
    let since_2001_ns = i64::from_be_bytes(body.try_into().ok()?);
    let micros = SECONDS_TO_2001.checked_mul(1_000_000)?.checked_add(since_2001_ns.div_euclid(1000))?;
    Timestamp::from_microsecond(micros).ok().filter(|time| *time > Timestamp::UNIX_EPOCH)
}

/// A track that is recorded.
pub(super) struct Track {
    pub(super) number: u64,
    /// Bytes that header stripping removed from the start of every frame.
    pub(super) stripped: Vec<u8>,
    /// Frame duration in timescale units, if the track has one.
    pub(super) duration: Option<u32>,
}

/// The tracks that are recorded.
pub(super) struct Tracks {
    pub(super) parameters: StreamParameters,
    pub(super) length_bytes: u8,
    pub(super) video: Track,
    pub(super) audio: Option<Track>,
    /// Factor from units of the segment to timescale units.
    pub(super) factor: i64,
}

/// What is read of one `TrackEntry` (RFC 9559 §5.1.4.1).
struct Entry<'a> {
    body: &'a [u8],
    kind: u64,
    codec: &'a str,
}

impl<'a> Entry<'a> {
    fn read(body: &'a [u8]) -> Self {
        let codec = child(body, 0x86).and_then(|body| std::str::from_utf8(body).ok()).unwrap_or_default();
        let kind = child(body, 0x83).and_then(unsigned).unwrap_or(0);
        Self { body, kind, codec: codec.trim_end_matches('\0') }
    }

    fn private(&self) -> Option<&'a [u8]> {
        child(self.body, 0x63a2)
    }
}

/// Returns the track entries in the body of `Tracks`.
fn entries(body: &[u8]) -> impl Iterator<Item = Entry<'_>> {
    children(body).filter(|(id, _)| *id == 0xae).map(|(_, body)| Entry::read(body))
}

/// Returns whether this is the body of a `Tracks` element, and not data that resembles its header.
pub(super) fn is_one(body: &[u8]) -> bool {
    entries(body).any(|entry| !entry.codec.is_empty())
}

impl Tracks {
    /// Reads the first video track that can be recorded, and the first such audio track.
    pub(super) fn read(body: &[u8], scale_ns: u64) -> Result<Self, Fault> {
        const VIDEO: u64 = 1;
        const AUDIO: u64 = 2;
        // Use whole units per second if the scale allows it, otherwise nanoseconds. Both are exact.
        let (timescale, factor) = match 1_000_000_000 % scale_ns {
            0 => (u32::try_from(1_000_000_000 / scale_ns).unwrap_or(1), 1),
            _ => (1_000_000_000, i64::try_from(scale_ns).unwrap_or(i64::MAX)),
        };
        let mut video = None;
        let mut audio = None;
        let mut problem = None;
        for entry in entries(body) {
            match entry.kind {
                VIDEO if video.is_none() => match video_parameters(&entry, timescale)
                    .and_then(|(parameters, config)| Ok((parameters, config, track(&entry, timescale)?)))
                {
                    Ok(found) => video = Some(found),
                    Err(said) => problem = problem.or(Some(said)),
                },
                AUDIO if audio.is_none() => {
                    audio = audio_parameters(&entry, timescale).zip(track(&entry, timescale).ok());
                    if audio.is_none() {
                        tracing::warn!(codec = entry.codec, "audio track left out");
                    }
                }
                _ => {}
            }
        }
        let Some((video, config, video_track)) = video else {
            return Err(problem.unwrap_or_else(|| Fault::new("it has no video track")));
        };
        let (audio, audio_track) = audio.unzip();
        let parameters = StreamParameters { video, audio };
        Ok(Self { parameters, length_bytes: config.length_bytes, video: video_track, audio: audio_track, factor })
    }
}

fn track(entry: &Entry<'_>, timescale: u32) -> Result<Track, Fault> {
    let number = child(entry.body, 0xd7).and_then(unsigned).ok_or_else(|| Fault::new("a track has no number"))?;
    let frame_ns = child(entry.body, 0x23_e383).and_then(unsigned).filter(|ns| *ns > 0);
    let duration = frame_ns.map(|ns| ns as f64 * f64::from(timescale) / 1e9);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "in range by the filter")]
    let duration = duration.map(f64::round).filter(|d| (1.0..4e9).contains(d)).map(|d| d as u32);
    Ok(Track { number, stripped: stripped(entry)?, duration })
}

fn video_parameters(entry: &Entry<'_>, timescale: u32) -> Result<(VideoParameters, VideoConfig), Fault> {
    let codec = match entry.codec {
        "V_MPEG4/ISO/AVC" => VideoCodec::H264,
        "V_MPEGH/ISO/HEVC" => VideoCodec::H265,
        other => {
            let name: String = other.chars().take(64).collect();
            return Err(Fault::new(format!("its video is {name}; H.264 and H.265 can be recorded")));
        }
    };
    let private = entry.private().ok_or_else(|| {
        Fault::new("its video has no decoder configuration (CodecPrivate); remux it, for example with ffmpeg -c copy")
    })?;
    let config = config::video(codec, private).map_err(Fault::new)?;
    let video = child(entry.body, 0xe0).ok_or_else(|| Fault::new("its video track has no picture size"))?;
    let field = |id| child(video, id).and_then(unsigned);
    let cropped = |pixels, one, other| {
        let pixels = field(pixels)?.checked_sub(field(one).unwrap_or(0))?.checked_sub(field(other).unwrap_or(0))?;
        u16::try_from(pixels).ok()
    };
    let (Some(width @ 1..), Some(height @ 1..)) = (cropped(0xb0, 0x54cc, 0x54dd), cropped(0xba, 0x54bb, 0x54aa)) else {
        return Err(Fault::new("its picture size is impossible"));
    };
    // The display size is in pixels or only a ratio. Both determine the pixel shape. Without it, the parameter
    // sets may have the shape.
    let pixel_aspect = match (field(0x54b2).unwrap_or(0), field(0x54b0), field(0x54ba)) {
        (0 | 3, Some(across @ 1..=0xffff_ffff), Some(down @ 1..=0xffff_ffff)) => {
            reduced(across * u64::from(height), down * u64::from(width)).filter(|(across, down)| across != down)
        }
        (0 | 3, None, None) => sets::told_by(codec, &config.record, timescale).and_then(|sets| sets.pixel_aspect),
        _ => None,
    };
    let parameters = VideoParameters {
        codec,
        config: config.record.clone(),
        rfc6381: config.rfc6381.clone(),
        width,
        height,
        pixel_aspect,
        matrix: matrix(video, width, height),
        timescale,
    };
    Ok((parameters, config))
}

/// Converts `Projection` (RFC 9559 §5.1.4.1.28.41) to a display matrix. Its roll is counter-clockwise, and a
/// yaw of half a turn mirrors.
fn matrix(video: &[u8], width: u16, height: u16) -> DisplayMatrix {
    let projection = child(video, 0x7670).unwrap_or_default();
    let pose = |id| child(projection, id).and_then(float).unwrap_or(0.0);
    let mirrored = if (pose(0x7673).abs() - 180.0).abs() < 0.5 { Mirrored::Yes } else { Mirrored::No };
    let roll = pose(0x7675);
    if roll.rem_euclid(360.0) < 0.01 && mirrored == Mirrored::No {
        return DisplayMatrix::IDENTITY;
    }
    DisplayMatrix::turned(-roll, mirrored, width, height)
}

/// Reduces a fraction to lowest terms.
fn reduced(numerator: u64, denominator: u64) -> Option<(u32, u32)> {
    let mut a = numerator;
    let mut b = denominator;
    while b > 0 {
        (a, b) = (b, a % b);
    }
    Some((u32::try_from(numerator.checked_div(a)?).ok()?, u32::try_from(denominator / a).ok()?))
}

fn audio_parameters(entry: &Entry<'_>, timescale: u32) -> Option<AudioParameters> {
    // Old writers append version and profile: A_AAC/MPEG4/LC.
    if entry.codec != "A_AAC" && !entry.codec.starts_with("A_AAC/") {
        return None;
    }
    let private = entry.private()?;
    let facts = aac(private)?;
    let in_track = child(entry.body, 0xe1).and_then(|audio| child(audio, 0x9f)).and_then(unsigned).unwrap_or(1);
    Some(AudioParameters {
        config: Bytes::copy_from_slice(private),
        rfc6381: facts.rfc6381,
        channels: if facts.channels == 0 { u16::try_from(in_track).ok()? } else { facts.channels },
        sample_rate: facts.sample_rate,
        timescale,
    })
}

/// Returns the bytes at the start of every frame that the file omits (mkvmerge's header removal).
fn stripped(entry: &Entry<'_>) -> Result<Vec<u8>, Fault> {
    let encodings: Vec<&[u8]> = child(entry.body, 0x6d80)
        .map(|encodings| children(encodings).filter(|(id, _)| *id == 0x6240).map(|(_, body)| body).collect())
        .unwrap_or_default();
    match encodings[..] {
        [] => Ok(Vec::new()),
        [only] => match child(only, 0x5034) {
            Some(compression) if child(compression, 0x4254).and_then(unsigned) == Some(3) => {
                Ok(child(compression, 0x4255).unwrap_or_default().to_vec())
            }
            Some(_) => Err(Fault::new("its video track uses content compression; remux it")),
            None => Err(Fault::new("its video is encrypted")),
        },
        _ => Err(Fault::new("its video track has several content encodings; remux it")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn projections_turn_and_mirror() {
        let element =
            |id: u16, body: &[u8]| [&id.to_be_bytes()[..], &[0x80 | u8::try_from(body.len()).unwrap()], body].concat();
        let video = |roll: f64, yaw: f64| {
            let pose = [element(0x7675, &roll.to_be_bytes()), element(0x7673, &yaw.to_be_bytes())].concat();
            element(0x7670, &pose)
        };
        for (roll, yaw, expected) in [
            (0.0, 0.0, DisplayMatrix::IDENTITY),
            (360.0, 0.0, DisplayMatrix::IDENTITY),
            (90.0, 0.0, DisplayMatrix::turned(270.0, Mirrored::No, 320, 240)),
            (-90.0, 0.0, DisplayMatrix::turned(90.0, Mirrored::No, 320, 240)),
            (180.0, 0.0, DisplayMatrix::turned(180.0, Mirrored::No, 320, 240)),
            (0.0, 180.0, DisplayMatrix::turned(0.0, Mirrored::Yes, 320, 240)),
        ] {
            assert_eq!(matrix(&video(roll, yaw), 320, 240), expected, "{roll} {yaw}");
        }
        assert_eq!(matrix(&[], 320, 240), DisplayMatrix::IDENTITY);
    }
}
