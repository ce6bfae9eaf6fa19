//! Sample descriptions: converts the entries of `stsd` (ISO/IEC 14496-12 §8.5.2) to parameters.

use super::boxes::{Box4, boxes, name};
use crate::camera::sets;
use crate::media::{AudioParameters, DisplayMatrix, VideoCodec, VideoParameters};
use bytes::Bytes;
use framepost_media::aac::aac;
use framepost_media::config;
use framepost_media::mpeg4::Esds;

/// A sample entry of a video track.
#[derive(Debug, Clone)]
pub(super) struct VideoEntry {
    pub(super) parameters: VideoParameters,
    /// Size in bytes of the lengths before the NAL units.
    pub(super) length_bytes: u8,
    /// How its decoder configuration was found.
    pub(super) configuration: Configuration,
}

/// How a decoder configuration was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Configuration {
    /// In its own box.
    Told,
    /// By searching the sample entry, whose boxes are damaged.
    Found,
    /// Not at all: the parameter sets must come with the frames.
    Lost,
}

/// Offset of the boxes in a visual sample entry (ISO/IEC 14496-12 §12.1.3).
pub(super) const VISUAL_BYTES: usize = 78;

/// Returns the entries of a sample description box.
pub(super) fn entries(stsd: Box4<'_>) -> impl Iterator<Item = Box4<'_>> {
    boxes(stsd.body().get(8..).unwrap_or_default())
}

/// Reads a visual sample entry. The error says what cannot be recorded.
pub(super) fn video(entry: Box4<'_>, matrix: DisplayMatrix, timescale: u32) -> Result<VideoEntry, String> {
    let (codec, config_kind) = match &entry.kind {
        // Dolby Vision's own types describe the same H.264 or H.265 to players without Dolby Vision.
        b"avc1" | b"avc3" | b"dva1" | b"dvav" => (VideoCodec::H264, b"avcC"),
        b"hvc1" | b"hev1" | b"dvh1" | b"dvhe" => (VideoCodec::H265, b"hvcC"),
        b"encv" => return Err("its video is encrypted".to_owned()),
        other => return Err(format!("its video is {}; H.264 and H.265 can be recorded", name(*other))),
    };
    let body = entry.body();
    let (Some([w0, w1, h0, h1]), Some(children)) = (body.get(24..28), body.get(VISUAL_BYTES..)) else {
        return Err("its video sample entry is cut short".to_owned());
    };
    let child = |kind: &[u8; 4]| boxes(children).find(|b| b.kind == *kind).map(Box4::body);
    let told = child(config_kind).and_then(|record| config::video(codec, record).ok());
    let found = || config::find(codec, children).and_then(|record| config::video(codec, record).ok());
    let (config, configuration) = match told {
        Some(config) => (config, Configuration::Told),
        None => match found() {
            Some(config) => (config, Configuration::Found),
            None => (config::bare(codec), Configuration::Lost),
        },
    };
    let by_sets = sets::told_by(codec, &config.record, timescale);
    let pixel_aspect = match child(b"pasp").and_then(pixel_aspect) {
        Some((across, down)) => Some((across, down)).filter(|(across, down)| across != down),
        None => by_sets.as_ref().and_then(|sets| sets.pixel_aspect),
    };
    let mut width = u16::from_be_bytes([*w0, *w1]);
    let mut height = u16::from_be_bytes([*h0, *h1]);
    if let Some(sets) = by_sets.filter(|_| width == 0 || height == 0) {
        width = sets.width;
        height = sets.height;
    }
    let parameters = VideoParameters {
        codec,
        config: config.record,
        rfc6381: config.rfc6381,
        width,
        height,
        pixel_aspect,
        matrix,
        timescale,
    };
    Ok(VideoEntry { parameters, length_bytes: config.length_bytes, configuration })
}

/// Reads the pixel shape from the body of a `pasp` box (ISO/IEC 14496-12 §12.1.4): horizontal and vertical
/// spacing. Returns `None` if one of them is zero.
fn pixel_aspect(body: &[u8]) -> Option<(u32, u32)> {
    let (across, rest) = body.split_first_chunk::<4>()?;
    let across = u32::from_be_bytes(*across);
    let down = u32::from_be_bytes(*rest.first_chunk::<4>()?);
    (across > 0 && down > 0).then_some((across, down))
}

/// Reads an audio sample entry. The error says what cannot be recorded.
pub(super) fn audio(entry: Box4<'_>, timescale: u32) -> Result<AudioParameters, String> {
    if &entry.kind != b"mp4a" {
        return Err(format!("audio is {}", name(entry.kind)));
    }
    let body = entry.body();
    // QuickTime's versions 1 and 2 of the entry are longer.
    let fixed_bytes = match body.get(8..10) {
        Some([0, 1]) => 28 + 16,
        Some([0, 2]) => 28 + 36,
        _ => 28,
    };
    let children = body.get(fixed_bytes..).unwrap_or_default();
    let esds = boxes(children).find_map(|b| match &b.kind {
        b"esds" => Some(b),
        b"wave" => b.child(*b"esds"),
        _ => None,
    });
    let config =
        esds.and_then(|b| Esds::parse(b.body().get(4..)?)?.aac_config()).ok_or("audio is mp4a, but not AAC")?;
    let facts = aac(config).ok_or("audio is AAC with a configuration that cannot be read")?;
    let in_entry = body.get(16..18).map_or(0, |c| u16::from_be_bytes([c[0], c[1]]));
    Ok(AudioParameters {
        config: Bytes::copy_from_slice(config),
        rfc6381: facts.rfc6381,
        channels: if facts.channels == 0 { in_entry } else { facts.channels },
        sample_rate: facts.sample_rate,
        timescale,
    })
}
