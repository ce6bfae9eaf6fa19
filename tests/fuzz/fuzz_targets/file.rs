//! Video files of any kind through the file cameras' demuxers to the end, and what comes out through the segmenter, as
//! a backfill does it.
//!
//! The demuxers run on threads that keep a panic to themselves; here it is reported all the same.

#![no_main]

use edge_uploader::camera::file::{FileCamera, FileOptions};
use edge_uploader::camera::{Camera as _, CameraError, CameraEvent, Session};
use edge_uploader::clock::{Anchor, Placed, SessionClock, Synchronized, TrustedClock};
use edge_uploader::media::{Frame, StreamParameters};
use edge_uploader::segment::{Error, Segmenter, SegmentSettings};
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::LazyLock;
use tokio::runtime::{Builder, Runtime};

/// A file that gives so many frames will give the rest.
const FRAMES_MAX: usize = 2000;

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().build().expect("a runtime of one thread"));

/// Where files cost nothing, if there is such a place.
static DIRECTORY: LazyLock<PathBuf> = LazyLock::new(|| {
    let memory = PathBuf::from("/dev/shm");
    if memory.is_dir() { memory } else { std::env::temp_dir() }
});

/// The recording of one stream, as the gateway makes it.
struct Recording {
    parameters: StreamParameters,
    clock: SessionClock,
    segmenter: Option<Segmenter>,
}

impl Recording {
    fn begin(session: &dyn Session, parameters: StreamParameters) -> Self {
        let anchor = Anchor::new(0, Timestamp::UNIX_EPOCH);
        let clock = SessionClock::new(session.timing(), TrustedClock::Gateway, &parameters, &anchor, Synchronized::Yes);
        Self { parameters, clock, segmenter: None }
    }

    fn take(&mut self, frame: Frame) {
        let anchor = Anchor::new(0, Timestamp::UNIX_EPOCH);
        for Placed { frame, wall, origin, .. } in self.clock.push(&anchor, frame) {
            let info = self.clock.info();
            let new = || Segmenter::new(SegmentSettings::default(), self.parameters.clone(), info);
            let segmenter = self.segmenter.get_or_insert_with(new);
            if let Err(Error::Discontinuity { .. }) = segmenter.push_timed(frame, wall, origin) {
                self.end();
            }
        }
    }

    fn end(&mut self) {
        if let Some(segmenter) = self.segmenter.take() {
            let _ = segmenter.finish();
        }
    }
}

async fn play(mut camera: FileCamera, size: u64) -> Result<(), CameraError> {
    let mut session = camera.connect().await?;
    let mut recording: Option<Recording> = None;
    let mut frames = 0;
    let mut faults = 0;
    let ended = loop {
        match session.next().await {
            Ok(Some(CameraEvent::Parameters(parameters))) => {
                recording.as_mut().map(Recording::end);
                recording = Some(Recording::begin(session.as_ref(), parameters));
            }
            Ok(Some(CameraEvent::Frame(frame))) => {
                assert!(!frame.data.is_empty(), "a frame without data");
                recording.as_mut().expect("parameters come first").take(frame);
                frames += 1;
                if frames == FRAMES_MAX {
                    break Ok(());
                }
            }
            Ok(Some(CameraEvent::Fault(fault))) => {
                assert!(fault.bytes.is_none_or(|bytes| bytes.start <= bytes.end && bytes.end <= size), "{fault:?}");
                faults += 1;
                assert!(faults <= size, "more faults than bytes");
            }
            Ok(Some(other)) => panic!("files have no {other:?}"),
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    recording.as_mut().map(Recording::end);
    ended
}

fuzz_target!(|data: &[u8]| {
    let mut file = tempfile::NamedTempFile::new_in(&*DIRECTORY).expect("a temporary file");
    file.write_all(data).expect("room for it");
    // Most are damaged; that each has an end is what is tested.
    let _ = RUNTIME.block_on(play(FileCamera::new(file.path(), FileOptions::default()), data.len() as u64));
});
