//! What the segmenter promises, tried on made-up frames and on files that ffmpeg made.

mod layout;

use crate::media::{AudioParameters, Frame, Reference, StreamParameters, TrackKind, VideoCodec, VideoParameters};
use bytes::Bytes;
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

/// A frame whose data is its own and its time's.
fn frame(track: TrackKind, pts: i64, reference: Reference) -> Frame {
    let data = Bytes::from(format!("{track:?} {pts} {reference:?}"));
    Frame { track, pts, duration: None, reference, arrival: Duration::ZERO, data }
}
