//! `stsd`: the first sample entry, its decoder configuration, and whether it is encrypted.

use super::boxes::{BoxAt, name};
use crate::headers::Picture;
use crate::shown::Shown;
use crate::window::{Rejection, Stop, Window};
use framepost_events::record::{Audio, RejectReason};
use framepost_media::aac;
use framepost_media::be::{u16_at, u32_at};
use framepost_media::mpeg4::{self, Esds};
use framepost_media::rfc6381::{self, Coded};

/// Offset of the boxes in a VisualSampleEntry (ISO/IEC 14496-12 §12.1.3).
const VISUAL_BYTES: u64 = 78;

fn first_entry(window: &Window, stsd: BoxAt) -> Result<Option<BoxAt>, Stop> {
    stsd.children(window, 8).next()
}

/// Returns the picture of a video track's first sample entry, or why it is refused.
pub(super) fn video(window: &Window, stsd: BoxAt) -> Result<Result<Picture, Rejection>, Stop> {
    let Some(entry) = first_entry(window, stsd)? else { return Err(stsd.malformed("no sample entry")) };
    let refused = |reason, detail: String| Ok(Err(Rejection::new(reason, detail)));
    if &entry.kind == b"encv" {
        return refused(RejectReason::Encrypted, "the sample entry is encv".to_owned());
    }
    let fields = entry.prefix(window, VISUAL_BYTES)?;
    let (Some(width), Some(height)) = (u16_at(fields, 24), u16_at(fields, 26)) else {
        return Err(entry.malformed("too short"));
    };
    let Some(config_kind) = config_kind(entry.kind) else {
        return refused(RejectReason::UnsupportedCodec, format!("the sample entry is {}", name(entry.kind)));
    };
    let mut config = None;
    let mut shown = Shown::default();
    let mut boxes = entry.children(window, VISUAL_BYTES);
    while let Some(next) = boxes.next()? {
        if &next.kind == b"sinf" {
            return refused(RejectReason::Encrypted, format!("{} with sinf", name(entry.kind)));
        }
        if Some(&next.kind) == config_kind && config.is_none() {
            config = Some(next.bytes(window)?);
        }
        if &next.kind == b"pasp" {
            let body = next.prefix(window, 8)?;
            shown = u32_at(body, 0).zip(u32_at(body, 4)).map_or(shown, |(h, v)| shown.with_pixels(h, v));
        }
    }
    match coded(entry.kind, config) {
        Some(Coded { codec, channels }) => {
            Ok(Ok(Picture { codec, width: width.into(), height: height.into(), channels, shown }))
        }
        None => refused(RejectReason::Malformed, format!("{} without a valid configuration", name(entry.kind))),
    }
}

/// Returns which box configures the decoder: `Some(None)` for a known codec without one,
/// `None` for an unknown codec.
#[allow(clippy::option_option)]
fn config_kind(entry: [u8; 4]) -> Option<Option<&'static [u8; 4]>> {
    Some(match &entry {
        // Dolby Vision's own types for H.264 and H.265.
        b"avc1" | b"avc3" | b"dva1" | b"dvav" => Some(b"avcC"),
        b"hvc1" | b"hev1" | b"dvh1" | b"dvhe" => Some(b"hvcC"),
        b"av01" => Some(b"av1C"),
        b"vp08" | b"vp09" => Some(b"vpcC"),
        b"mp4v" => Some(b"esds"),
        b"s263" | b"h263" | b"H263" | b"mjpg" | b"jpeg" | b"mjpa" | b"mjpb" => None,
        _ => return None,
    })
}

fn coded(entry: [u8; 4], config: Option<&[u8]>) -> Option<Coded> {
    let text = std::str::from_utf8(&entry).ok()?;
    match &entry {
        b"avc1" | b"avc3" => rfc6381::avc(text, config?),
        b"hvc1" | b"hev1" => rfc6381::hevc(text, config?),
        // The names of what a player without Dolby Vision sees in them.
        b"dva1" => rfc6381::avc("avc1", config?),
        b"dvav" => rfc6381::avc("avc3", config?),
        b"dvh1" => rfc6381::hevc("hvc1", config?),
        b"dvhe" => rfc6381::hevc("hev1", config?),
        b"av01" => rfc6381::av1(config?),
        b"vp08" | b"vp09" => rfc6381::vpx(text, config?.get(4..)?),
        b"mp4v" => {
            let esds = Esds::parse(config?.get(4..)?)?;
            match esds.object_type {
                0x20 => Some(mpeg4::mpeg4_visual(esds.specific)),
                other => Some(Coded::colour(format!("mp4v.{other:02x}"))),
            }
        }
        _ => Some(Coded::colour(text)),
    }
}

/// Returns the audio of a track's first sample entry (AudioSampleEntry, ISO/IEC 14496-12 §12.2.3). Encrypted audio has the
/// codec `enca`.
pub(super) fn audio(window: &Window, stsd: BoxAt) -> Result<Option<Audio>, Stop> {
    let Some(entry) = first_entry(window, stsd)? else { return Ok(None) };
    let fields = entry.prefix(window, 28)?;
    let (Some(version), Some(channels), Some(rate)) = (u16_at(fields, 8), u16_at(fields, 16), u32_at(fields, 24))
    else {
        return Err(entry.malformed("too short"));
    };
    // QuickTime's later versions are longer. In other files, the field is 0 or 1 and has no meaning.
    let skip = match version {
        1 if &entry.kind == b"mp4a" && !has_boxes_at(window, entry, 28) => 44,
        2 => 64,
        _ => 28,
    };
    let mut channels = channels;
    let codec = match &entry.kind {
        b"mp4a" => {
            let esds = elementary_stream(window, entry, skip)?;
            channels = esds.and_then(|esds| aac::channels(esds.specific?)).unwrap_or(channels);
            esds.map_or_else(|| "mp4a".to_owned(), mpeg4::mpeg_audio)
        }
        b"Opus" => "opus".to_owned(),
        b"fLaC" => "flac".to_owned(),
        kind => name(*kind),
    };
    Ok(Some(Audio { codec, channels, sample_rate: rate >> 16 }))
}

fn has_boxes_at(window: &Window, entry: BoxAt, skip: u64) -> bool {
    matches!(entry.children(window, skip).next(), Ok(Some(first)) if first.kind.iter().all(u8::is_ascii_graphic))
}

fn elementary_stream(window: &Window, entry: BoxAt, skip: u64) -> Result<Option<Esds<'_>>, Stop> {
    let mut boxes = entry.children(window, skip);
    loop {
        let next = match boxes.next() {
            Ok(Some(next)) => next,
            // A missing detail of the audio is no reason for a rejection.
            Ok(None) | Err(Stop::Reject(_)) => return Ok(None),
            Err(stop) => return Err(stop),
        };
        if &next.kind == b"esds" {
            return Ok(next.bytes(window)?.get(4..).and_then(Esds::parse));
        }
    }
}
