//! What the segmenter promises, tried on made-up frames and on files that ffmpeg made.

mod activity;
mod ffmpeg;
mod layout;
mod properties;

use super::Output;
use crate::media::{
    AudioParameters, DisplayMatrix, Frame, Reference, StreamParameters, TrackKind, VideoCodec, VideoParameters,
};
use bytes::Bytes;
use framepost_events::attributes::{Attributes, ClockInfo, ClockSource};
use jiff::Timestamp;
use mp4_atom::{Decode as _, Moof};
use std::time::Duration;

/// Streams with these timescales, for tests that decode nothing.
pub(super) fn parameters(video_timescale: u32, audio_timescale: Option<u32>) -> StreamParameters {
    StreamParameters {
        video: VideoParameters {
            codec: VideoCodec::H264,
            config: Bytes::from_static(&[1, 100, 0, 31, 0xff, 0xe0, 0]),
            rfc6381: "avc1.64001F".to_owned(),
            width: 640,
            height: 360,
            pixel_aspect: None,
            matrix: DisplayMatrix::IDENTITY,
            timescale: video_timescale,
        },
        audio: audio_timescale.map(|timescale| AudioParameters {
            config: Bytes::from_static(&[0x11, 0x90]),
            rfc6381: "mp4a.40.2".to_owned(),
            channels: 2,
            sample_rate: 48_000,
            timescale,
        }),
    }
}

const CLOCK: ClockInfo =
    ClockInfo { source: ClockSource::Given, offset_us: None, uncertainty_us: None, replaced: None, rate_ppm: None };

/// The wall clock of presentation time 0.
fn epoch() -> Timestamp {
    "2026-11-20T15:08:23.547Z".parse().unwrap()
}

/// A frame whose data is its own and its time's.
fn frame(track: TrackKind, pts: i64, reference: Reference) -> Frame {
    let data = Bytes::from(format!("{track:?} {pts} {reference:?}"));
    Frame { track, pts, duration: None, reference, arrival: Duration::ZERO, data }
}

/// What the spool would have made of the outputs.
struct File {
    start: Timestamp,
    counter: u64,
    draft: Attributes,
    /// As on disk before the end was written.
    part: Vec<u8>,
    /// As on disk once it is closed; empty until then.
    bytes: Vec<u8>,
    attributes: Attributes,
}

/// Writes the outputs of one span to memory; checks that they come in the promised order.
fn files(outputs: Vec<Output>) -> (Vec<File>, Option<(Timestamp, u64)>) {
    let mut files: Vec<File> = Vec::new();
    let mut open = false;
    let mut end = None;
    for output in outputs {
        assert_eq!(end, None, "something after the end of the span");
        match output {
            Output::Begin { start, counter, init, draft } => {
                assert!(!open, "a chunk in a chunk");
                open = true;
                let part = init.to_vec();
                let attributes = Attributes::default();
                files.push(File { start, counter, draft, part, bytes: Vec::new(), attributes });
            }
            Output::Fragment(fragment) => {
                assert!(open, "a fragment of no chunk");
                fragment.write_to(&mut files.last_mut().unwrap().part).unwrap();
            }
            Output::Finish { init, tail, attributes } => {
                assert!(open, "the end of no chunk");
                open = false;
                let file = files.last_mut().unwrap();
                file.bytes.clone_from(&file.part);
                file.bytes[..init.len()].copy_from_slice(&init);
                file.bytes.extend_from_slice(&tail);
                file.attributes = attributes;
            }
            Output::SpanEnd { end: time, counter } => {
                assert!(!open, "the span ends in a chunk");
                end = Some((time, counter));
            }
        }
    }
    (files, end)
}

/// A sample as mp4-atom reads it back.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Read {
    track: u32,
    dts: i64,
    pts: i64,
    duration: u32,
    flags: u32,
    data: Vec<u8>,
}

/// The top-level boxes: kind, offset, size.
fn top_level(bytes: &[u8]) -> Vec<(String, usize, usize)> {
    let mut at = 0;
    let mut boxes = Vec::new();
    while at < bytes.len() {
        let size = u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
        boxes.push((String::from_utf8(bytes[at + 4..at + 8].to_vec()).unwrap(), at, size));
        at += size;
    }
    assert_eq!(at, bytes.len());
    boxes
}

/// All samples, in the order of the file.
fn samples(bytes: &[u8]) -> Vec<Read> {
    let mut samples = Vec::new();
    for (_, at, size) in top_level(bytes).into_iter().filter(|(kind, ..)| kind == "moof") {
        let moof = Moof::decode(&mut &bytes[at..at + size]).unwrap();
        for traf in moof.traf {
            let mut dts = traf.tfdt.unwrap().base_media_decode_time.cast_signed();
            let trun = &traf.trun[0];
            let mut offset = at + usize::try_from(trun.data_offset.unwrap()).unwrap();
            for entry in &trun.samples {
                let duration = entry.duration.unwrap();
                let length = entry.size.unwrap() as usize;
                let data = bytes[offset..offset + length].to_vec();
                let pts = dts + entry.cts.unwrap_or(0);
                let flags = entry.flags.unwrap();
                samples.push(Read { track: traf.tfhd.track_id, dts, pts, duration, flags, data });
                dts += i64::from(duration);
                offset += length;
            }
        }
    }
    samples
}
