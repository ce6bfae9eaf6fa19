//! What a camera sends over its RTSP connection, and by UDP: messages, a session description, RTP and RTCP, up to access units.
//!
//! The first byte is how many bytes come at once, 0 for all: how a stream is cut up must make no difference. What the rest is, see
//! `edge-uploader/src/camera/rtsp/replay.rs`.

#![no_main]

use edge_uploader::camera::CameraEvent;
use edge_uploader::camera::nal;
use edge_uploader::camera::rtsp::replay;
use edge_uploader::media::TrackKind;
use libfuzzer_sys::fuzz_target;
use std::num::NonZeroUsize;

/// The events of a camera, and how its session ends.
fn outcome(received: &[u8], piece: NonZeroUsize) -> (Vec<CameraEvent>, Option<String>) {
    let mut events = Vec::new();
    let end = replay(received, piece, |event| events.push(event));
    (events, end.err().map(|error| error.to_string()))
}

fuzz_target!(|data: &[u8]| {
    let Some((piece, received)) = data.split_first() else { return };
    let (events, end) = outcome(received, NonZeroUsize::MAX);
    let mut described = false;
    for event in &events {
        match event {
            CameraEvent::Parameters(_) => described = true,
            CameraEvent::Frame(frame) => {
                assert!(described, "a frame without parameters");
                assert!(!frame.data.is_empty(), "a frame without data");
                if frame.track == TrackKind::Video {
                    let covered: usize = nal::units(&frame.data).map(|unit| unit.len() + 4).sum();
                    assert_eq!(covered, frame.data.len(), "a frame of something else than NAL units");
                }
            }
            CameraEvent::Undescribed { .. } => assert!(!described, "a frame whose parameters are known"),
            CameraEvent::PacketsLost(lost) => assert!(*lost > 0, "no packets were lost"),
            CameraEvent::SenderReport { .. } => {}
        }
    }
    if let Some(piece) = NonZeroUsize::new((*piece).into()) {
        assert_eq!(outcome(received, piece), (events, end), "cut up differently");
    }
});
