//! Checks that chunks are correct.
//!
//! The judge shares no code with the code under test, except the contract crate's keys and attributes. Packets
//! and decoding are judged with ffmpeg, durations and key frames with ffprobe, and boxes with [`boxes`]. It
//! collects all faults, so that one run shows everything.

pub mod boxes;
pub mod packets;
pub mod recording;
pub mod spans;

use framepost_events::attributes::{Attributes, ChunkStart};
use framepost_events::{KeyKind, ObjectKey, Sha256};
use std::path::Path;
use std::process::Command;

/// Claims about a chunk, to be compared with the file.
#[derive(Debug, Clone, Default)]
pub struct Claims<'a> {
    /// The object's key, as text.
    pub key: Option<&'a str>,
    /// The length in seconds that the record claims in `duration.seconds`.
    pub seconds: Option<f64>,
    pub attributes: Option<&'a Attributes>,
    /// How far durations may differ: the duration of the longest frame.
    pub frame_seconds: f64,
}

impl Claims<'_> {
    /// Returns how the chunk starts according to its metadata; without metadata it must start
    /// with a random access frame.
    fn start(&self) -> ChunkStart {
        self.attributes.map(|attributes| attributes.start).unwrap_or_default()
    }
}

/// Returns all faults of a chunk; empty if it is correct.
pub fn judge_chunk(file: &Path, claims: &Claims<'_>) -> Vec<String> {
    let mut faults = Vec::new();
    let mut note = |outcome: Result<(), String>| {
        if let Err(fault) = outcome {
            faults.push(format!("{}: {fault}", file.display()));
        }
    };
    let bytes = match std::fs::read(file) {
        Ok(bytes) => bytes,
        Err(error) => return vec![format!("{}: {error}", file.display())],
    };
    note(judge_boxes(&bytes));
    let probed = probe(file);
    match &probed {
        Ok(probed) => {
            note(probed.starts_as_said(claims.start()));
            if let Some(seconds) = claims.seconds {
                note(probed.lasts("the record", seconds, claims.frame_seconds));
            }
            if let Some(attributes) = claims.attributes {
                note(judge_attributes(&bytes, probed, attributes, claims.frame_seconds));
            }
        }
        Err(fault) => note(Err(fault.clone())),
    }
    // A chunk that continues another one cannot be decoded without errors on its own.
    if claims.start() == ChunkStart::RandomAccess {
        // The same holds for a recovery point of H.264, although its pictures do appear.
        let sequence = boxes::top_level(&bytes).is_ok_and(|found| boxes::begins_a_sequence(&bytes, &found));
        note(if sequence { decodes(file) } else { packets::pictures(file).map(drop) });
    }
    if let Some(key) = claims.key {
        note(judge_key(key, claims.attributes));
    }
    faults
}

fn judge_boxes(bytes: &[u8]) -> Result<(), String> {
    let found = boxes::top_level(bytes)?;
    boxes::check_order(&found)?;
    let times = boxes::first_decode_times(bytes, &found)?;
    if times.iter().all(|time| *time != 0) {
        return Err(format!("the first fragment's decode times are {times:?}; one has to be 0"));
    }
    if boxes::in_moov(bytes, &found, &["mvex", "mehd"]).is_none() {
        return Err("there is no mehd".to_owned());
    }
    Ok(())
}

fn judge_key(key: &str, attributes: Option<&Attributes>) -> Result<(), String> {
    let parsed: ObjectKey = key.parse().map_err(|error| format!("{error}"))?;
    if parsed.to_string() != key {
        return Err(format!("the key {key} would be written as {parsed}"));
    }
    if parsed.kind != KeyKind::Chunk || parsed.site.is_none() || parsed.camera.is_none() {
        return Err(format!("{key} is not the key of a camera's chunk"));
    }
    match attributes.map(|attributes| attributes.from) {
        Some(from) if from != Some(parsed.start) => Err(format!("From is {from:?}, the key says {}", parsed.start)),
        _ => Ok(()),
    }
}

fn judge_attributes(bytes: &[u8], probed: &Probed, a: &Attributes, frame_seconds: f64) -> Result<(), String> {
    if a.sha256 != Some(Sha256::of(bytes)) {
        return Err("Sha256 is not that of the bytes".to_owned());
    }
    a.to_metadata().map_err(|error| error.to_string())?;
    let duration = a.duration.ok_or("there is no Duration")?.as_secs_f64();
    probed.lasts("Duration", duration, frame_seconds)?;
    let from = a.from.ok_or("there is no From")?;
    let to = a.to.ok_or("there is no To")?;
    let wall = to.duration_since(from).as_secs_f64();
    // The clock is adjusted by at most 500 ppm.
    if (wall - duration).abs() > duration * 0.000_5 + 0.000_01 {
        return Err(format!("From and To are {wall} s apart, Duration is {duration} s"));
    }
    let video = a.video.as_ref().ok_or("there is no VideoWidth")?;
    if (u64::from(video.width), u64::from(video.height)) != (probed.width, probed.height) {
        return Err(format!("{}x{} is said, it is {}x{}", video.width, video.height, probed.width, probed.height));
    }
    if a.audio.is_some() != probed.has_audio {
        return Err("the metadata and the file differ in whether there is sound".to_owned());
    }
    let content_type = a.full_content_type.as_deref().unwrap_or_default();
    if !content_type.starts_with("video/mp4; codecs=\"") {
        return Err(format!("FullContentType is {content_type:?}"));
    }
    // A chunk without a random access frame has no seek table.
    if !(a.seek_table.is_none() && a.start == ChunkStart::Between)
        && a.seek_table.as_ref().is_none_or(|table| table.get(4..8) != Some(b"mfra"))
    {
        return Err("SeekTable is not an mfra".to_owned());
    }
    Ok(())
}

/// The result of ffprobe for a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Probed {
    pub container_seconds: f64,
    /// From the first presentation time to the end of the last video packet.
    pub video_seconds: f64,
    /// In pixels, after cropping, as players show it.
    pub width: u64,
    /// In pixels, after cropping, as players show it.
    pub height: u64,
    /// Whether the first video packet is a key frame.
    pub keyframe_first: bool,
    /// How many video packets.
    pub video_packets: usize,
    /// Whether there is an audio stream.
    pub has_audio: bool,
}

impl Probed {
    fn starts_as_said(&self, start: ChunkStart) -> Result<(), String> {
        match (start, self.keyframe_first) {
            (ChunkStart::RandomAccess, false) => Err("it does not start with a random access frame".to_owned()),
            (ChunkStart::Between, true) => {
                Err("it starts with a random access frame, and says that it does not".to_owned())
            }
            _ => Ok(()),
        }
    }

    fn lasts(&self, who: &str, seconds: f64, frame_seconds: f64) -> Result<(), String> {
        // Audio ends at its own frame boundaries: at the end of a recording, up to some
        // frames after the last picture.
        let sound = if self.has_audio { 0.1 } else { 0.0 };
        for (what, found, more) in
            [("the container", self.container_seconds, sound), ("the video", self.video_seconds, 0.0)]
        {
            let off = found - seconds;
            if off < -frame_seconds - 0.001 || off > frame_seconds + 0.001 + more {
                return Err(format!("{who} says {seconds} s, {what} lasts {found} s"));
            }
        }
        Ok(())
    }
}

/// Runs ffprobe. Any output on standard error is a fault.
pub fn probe(file: &Path) -> Result<Probed, String> {
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-show_streams", "-show_format", "-show_packets", "-of", "json"])
        .arg(file)
        .output()
        .map_err(|error| format!("ffprobe cannot be started: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() || !said.trim().is_empty() {
        return Err(format!("ffprobe: {}", said.trim()));
    }
    let said: serde_json::Value =
        serde_json::from_slice(&output.stdout).map_err(|error| format!("ffprobe: {error}"))?;
    let list = |name: &str| said[name].as_array().cloned().unwrap_or_default();
    let number = |value: &serde_json::Value| value.as_str().and_then(|text| text.parse::<f64>().ok());
    let streams = list("streams");
    let video = streams.iter().find(|stream| stream["codec_type"] == "video").ok_or("there is no video stream")?;
    let packets: Vec<_> = list("packets").into_iter().filter(|packet| packet["codec_type"] == "video").collect();
    let mut first = f64::INFINITY;
    let mut end = f64::NEG_INFINITY;
    for packet in &packets {
        let pts = number(&packet["pts_time"]).ok_or("a packet without a presentation time")?;
        first = first.min(pts);
        end = end.max(pts + number(&packet["duration_time"]).unwrap_or(0.0));
    }
    Ok(Probed {
        container_seconds: number(&said["format"]["duration"]).ok_or("the container has no duration")?,
        video_seconds: end - first,
        width: video["width"].as_u64().unwrap_or(0),
        height: video["height"].as_u64().unwrap_or(0),
        keyframe_first: packets.first().is_some_and(|p| p["flags"].as_str().is_some_and(|flags| flags.contains('K'))),
        video_packets: packets.len(),
        has_audio: streams.iter().any(|stream| stream["codec_type"] == "audio"),
    })
}

/// Checks that ffmpeg decodes every stream of the file without output on standard error.
pub fn decodes(file: &Path) -> Result<(), String> {
    let output = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-xerror", "-threads", "1", "-i"])
        .arg(file)
        .args(["-f", "null", "-"])
        .output()
        .map_err(|error| format!("ffmpeg cannot be started: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() && said.trim().is_empty() {
        return Ok(());
    }
    Err(format!("it does not decode cleanly: {}", said.trim().lines().take(3).collect::<Vec<_>>().join(" / ")))
}

/// Panics with all the faults, if there are any.
pub fn assert_faultless(faults: &[String]) {
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

#[cfg(test)]
mod tests;
