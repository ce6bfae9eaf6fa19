//! A camera that does what a script says, with real H.264 and H.265 that ffmpeg made.

use async_trait::async_trait;
use edge_uploader::camera::file::{FileCamera, FileOptions};
use edge_uploader::camera::{Camera, CameraError, CameraEvent, Extent, Session};
use edge_uploader::media::Timing;
use edge_uploader::media::{Frame, StreamParameters};
use framepost_events::attributes::ClockSource;
use jiff::Timestamp;
use std::collections::VecDeque;
use std::process::Command;
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use tokio::sync::Notify;

/// Frames of a clip: 25 a second, a random access frame every 12, no B-frames, 6 s of them.
pub(crate) struct Clip {
    pub(crate) parameters: StreamParameters,
    frames: Vec<Frame>,
}

/// Of a group of pictures, and of a frame.
pub(crate) const GROUP: usize = 12;
pub(crate) const FRAME: Duration = Duration::from_millis(40);

const H264: [&str; 4] = ["-c:v", "libx264", "-x264-params", "keyint=12:min-keyint=12:scenecut=0:bframes=0:log=-1"];
const H265: [&str; 4] =
    ["-c:v", "libx265", "-x265-params", "keyint=12:min-keyint=12:scenecut=0:bframes=0:log-level=none"];

impl Clip {
    fn make(size: &str, encoder: [&str; 4]) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("clip.mp4");
        let picture = format!("testsrc2=size={size}:rate=25:duration=5.76");
        let status = Command::new("ffmpeg")
            .args(["-v", "error", "-nostdin", "-f", "lavfi", "-i", &picture])
            .args(["-preset", "ultrafast", "-pix_fmt", "yuv420p"])
            .args(encoder)
            .arg(&path)
            .status()
            .expect("ffmpeg is installed");
        assert!(status.success());
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            let mut session = FileCamera::new(path, FileOptions::default()).connect().await.expect("a readable clip");
            let mut parameters = None;
            let mut frames = Vec::new();
            while let Some(event) = session.next().await.expect("a readable clip") {
                match event {
                    CameraEvent::Parameters(new) => parameters = Some(new),
                    CameraEvent::Frame(frame) => frames.push(frame),
                    other => panic!("{other:?}"),
                }
            }
            assert_eq!(frames.len(), 144);
            Self { parameters: parameters.expect("parameters come first"), frames }
        })
    }

    /// The parameters, as an event.
    pub(crate) fn parameters(&self) -> Step {
        Step::Event(CameraEvent::Parameters(self.parameters.clone()))
    }

    /// A time in units of the clip's `pts`.
    pub(crate) fn ticks(&self, time: Duration) -> i64 {
        i64::try_from(time.as_micros()).unwrap() * i64::from(self.parameters.video.timescale) / 1_000_000
    }

    /// Frame `n` of the clip played again and again, as it would come at `pts` and `arrival`.
    pub(crate) fn frame(&self, n: usize, pts: i64, arrival: Duration) -> Step {
        let frame = self.frames[n % self.frames.len()].clone();
        Step::Event(CameraEvent::Frame(Frame { pts, arrival, ..frame }))
    }

    /// `count` frames in real time: the first at `pts` and `arrival`.
    pub(crate) fn frames(&self, count: usize, pts: i64, arrival: Duration) -> Vec<Step> {
        let later = |n| FRAME * u32::try_from(n).unwrap();
        (0..count).map(|n| self.frame(n, pts + self.ticks(later(n)), arrival + later(n))).collect()
    }
}

/// Made when they are first asked for, on a thread that has no runtime.
fn made(size: &'static str, encoder: [&'static str; 4]) -> Clip {
    std::thread::spawn(move || Clip::make(size, encoder)).join().expect("the clip is made")
}

pub(crate) static CLIP: LazyLock<Clip> = LazyLock::new(|| made("192x108", H264));
pub(crate) static LARGER: LazyLock<Clip> = LazyLock::new(|| made("256x144", H264));
pub(crate) static HEVC: LazyLock<Clip> = LazyLock::new(|| made("192x108", H265));

/// What a session does next.
pub(crate) enum Step {
    Event(CameraEvent),
    /// The session ends with [`CameraError::Lost`], whose problem this is.
    Lose(&'static str),
    /// The session's code is broken.
    Panic,
    /// Goes on when the test says so.
    Wait(Arc<Notify>),
}

/// A camera that plays one list of steps a session. After its last step a live session is silent for ever, and a finite one
/// is at its end; a live camera without a further script cannot be reached.
pub(crate) struct Scripted {
    sessions: VecDeque<Vec<Step>>,
    extent: Extent,
    timing: Timing,
    silence_max: Option<Duration>,
    /// What a camera without a further script does.
    rest: Rest,
}

#[derive(Clone, Copy)]
pub(crate) enum Rest {
    NoAnswer,
    Refuses,
}

impl Scripted {
    pub(crate) fn live(sessions: impl IntoIterator<Item = Vec<Step>>) -> Self {
        let sessions = sessions.into_iter().collect();
        Self { sessions, extent: Extent::Live, timing: Timing::Arrival, silence_max: None, rest: Rest::NoAnswer }
    }

    /// The same, and it may show nothing new for so long.
    pub(crate) fn silent_up_to(self, silence: Duration) -> Self {
        Self { silence_max: Some(silence), ..self }
    }

    pub(crate) fn refusing() -> Self {
        Self { rest: Rest::Refuses, ..Self::live([]) }
    }

    pub(crate) fn finite(start: Timestamp, steps: Vec<Step>) -> Self {
        let timing = Timing::Media { start, source: ClockSource::Given };
        let sessions = VecDeque::from([steps]);
        Self { sessions, extent: Extent::Finite, timing, silence_max: None, rest: Rest::NoAnswer }
    }
}

fn lost(problem: &str) -> CameraError {
    CameraError::Lost { what: "scripted".to_owned(), problem: problem.to_owned(), source: None }
}

#[async_trait]
impl Camera for Scripted {
    async fn connect(&mut self) -> Result<Box<dyn Session>, CameraError> {
        let Some(steps) = self.sessions.pop_front() else {
            return match self.rest {
                Rest::NoAnswer => std::future::pending().await,
                Rest::Refuses => Err(lost("refused")),
            };
        };
        Ok(Box::new(Playing { steps: steps.into(), extent: self.extent, timing: self.timing }))
    }

    fn source(&self) -> String {
        "scripted://camera".to_owned()
    }

    fn extent(&self) -> Extent {
        self.extent
    }

    fn silence_max(&self) -> Option<Duration> {
        self.silence_max
    }
}

struct Playing {
    steps: VecDeque<Step>,
    extent: Extent,
    timing: Timing,
}

#[async_trait]
impl Session for Playing {
    async fn next(&mut self) -> Result<Option<CameraEvent>, CameraError> {
        loop {
            match self.steps.pop_front() {
                Some(Step::Event(event)) => return Ok(Some(event)),
                Some(Step::Lose(problem)) => return Err(lost(problem)),
                Some(Step::Panic) => panic!("a session with a defect"),
                Some(Step::Wait(gate)) => gate.notified().await,
                None if self.extent == Extent::Finite => return Ok(None),
                None => std::future::pending().await,
            }
        }
    }

    fn timing(&self) -> Timing {
        self.timing
    }
}
