//! Files as cameras: MP4 and fragmented MP4 with re_mp4's box readers, Matroska with our own walk.
//!
//! Memory use does not depend on the file's size. For an MP4, only the sample tables are kept (about 4 bytes
//! per frame), for a fragmented one only those of the current fragment, for Matroska nothing. Samples are read
//! one at a time. A separate thread reads from the disk, a few frames ahead.
//!
//! Times: `pts` is on the presentation time line (edit lists applied, audio and video in sync), shifted so that
//! the first video frame shown is at 0. Frames are in decoding order, audio and video merged by decoding time.
//!
//! The wall-clock time of `pts` 0 must not change, so that a repeated backfill gives the same keys. It is:
//!
//! 1. [`FileOptions::start`];
//! 2. otherwise the file's own creation time (`mvhd`, Matroska's `DateUTC`) if it is plausible: clocks that
//!    were not set start at 1904, 1970 or 2000, and no recording is from the day after tomorrow;
//! 3. otherwise the time of the file's last write, if plausible, minus its duration, because a recorder writes
//!    the last byte when it stops. The duration is measured from the frames if the header lacks it. This time
//!    is wrong for a copy that did not keep it, so set `start` if it matters;
//! 4. otherwise the file is not played.
//!
//! The end of a file that is still being written, or was truncated, is not the end
//! of the recording: see [`Ends`].
//!
//! Damage costs only what it covers: reading continues after it, and a [`CameraEvent::Fault`] says what was
//! lost and where. [`CameraError::Unusable`] is returned if nothing more can be read before the expected end of
//! the file. Recordings that were concatenated byte by byte are read one after the other. The second one is
//! dated by its own creation time if that is plausible, otherwise as if it followed immediately.

mod began;
mod bytes;
mod demux;
mod ending;
mod mkv;
mod mp4;
mod pump;
mod survey;

pub use self::began::{Began, Witness};
pub use self::ending::Ends;
pub use self::survey::{Identity, Picture, Survey};

use self::demux::{Demux, Fault, Item};
use super::{Camera, CameraError, CameraEvent, Extent, Session};
use crate::media::Timing;
use async_trait::async_trait;
use framepost_ports::{Clock, SystemClock};
use jiff::Timestamp;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// If audio begins this much earlier than the first picture, the creation time is that of the audio. A shorter
/// lead is an encoder's priming, or the delay of the first picture.
const LEAD_MIN: Duration = Duration::from_secs(1);

/// Converts a creation time to that of the first picture, which follows the start of audio by `lead`.
fn first_shown(created: Option<Timestamp>, lead: Duration) -> Option<Timestamp> {
    let lead = Some(lead).filter(|lead| *lead >= LEAD_MIN).unwrap_or_default();
    created.map(|created| created.checked_add(lead).unwrap_or(created))
}

/// How fast a file is played.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pace {
    /// Like a live camera: each frame at its decoding time.
    Live,
    /// As fast as frames are taken.
    #[default]
    Fast,
}

/// What follows the last frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Repeat {
    /// The source ends, and the camera is [finished](crate::gateway::CameraState::Finished).
    #[default]
    Once,
    /// The file starts again with continuing times, like a live camera without end. Its
    /// wall-clock times come from arrivals.
    Forever,
}

/// Options for playing a file.
#[derive(Clone)]
pub struct FileOptions {
    /// How fast the file is played.
    pub pace: Pace,
    /// Wall-clock time of the first video frame shown; without it, the file's own time is used.
    pub start: Option<Began>,
    /// Whether the file's end is its final end.
    pub ends: Ends,
    /// What follows the last frame.
    pub repeat: Repeat,
    /// The clock for arrival times.
    pub clock: Arc<dyn Clock>,
}

impl Default for FileOptions {
    fn default() -> Self {
        Self {
            pace: Pace::default(),
            start: None,
            ends: Ends::default(),
            repeat: Repeat::default(),
            clock: Arc::new(SystemClock),
        }
    }
}

impl std::fmt::Debug for FileOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { pace, start, ends, repeat, clock: _ } = self;
        f.debug_struct("FileOptions")
            .field("pace", pace)
            .field("start", start)
            .field("ends", ends)
            .field("repeat", repeat)
            .finish_non_exhaustive()
    }
}

/// A file that is played as a camera.
#[derive(Debug)]
pub struct FileCamera {
    path: PathBuf,
    options: FileOptions,
}

impl FileCamera {
    /// Creates a camera that plays `path`. Does not open the file yet.
    pub fn new(path: impl Into<PathBuf>, options: FileOptions) -> Self {
        Self { path: path.into(), options }
    }

    /// Returns the path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Opens a file for playing, and determines its wall-clock time. Blocks on the disk.
fn opened(path: &Path, options: &FileOptions) -> Result<(Box<dyn Demux>, Timing), Fault> {
    let file = open(path)?;
    let timing = match (options.repeat, options.start) {
        (Repeat::Forever, _) => Timing::Arrival,
        (Repeat::Once, Some(began)) => timing(began),
        (Repeat::Once, None) => {
            let began = survey::began(path, file.as_ref(), options.ends, options.clock.now())?;
            timing(began.ok_or_else(|| Fault::new(Began::unknown()))?)
        }
    };
    Ok((file, timing))
}

fn timing(began: Began) -> Timing {
    Timing::Media { start: began.at, source: began.says.clock() }
}

/// Opens a file according to its first bytes, whatever its name.
fn open(path: &Path) -> Result<Box<dyn Demux>, Fault> {
    use std::io::{Read as _, Seek as _};
    let mut file = std::fs::File::open(path).map_err(|error| Fault::because("cannot be opened", error))?;
    let metadata = file.metadata().map_err(|error| Fault::because("cannot be read", error))?;
    if !metadata.is_file() {
        return Err(Fault::new("not a regular file"));
    }
    let mut head = Vec::with_capacity(12);
    file.by_ref().take(12).read_to_end(&mut head).map_err(|error| Fault::because("cannot be read", error))?;
    file.rewind().map_err(|error| Fault::because("cannot be read", error))?;
    match head.as_slice() {
        [] => Err(Fault::new("the file is empty")),
        [0x1a, 0x45, 0xdf, 0xa3, ..] => Ok(Box::new(mkv::Matroska::open(file, metadata.len())?)),
        head if framepost_media::boxes::begins_file(head) => Ok(Box::new(mp4::Mp4::open(file, metadata.len())?)),
        _ => headless(file, metadata.len()),
    }
}

/// Opens a file whose first bytes are damaged, or fails if it is not a video.
fn headless(file: std::fs::File, size: u64) -> Result<Box<dyn Demux>, Fault> {
    let neither = "neither MP4 nor Matroska; convert it, for example with ffmpeg -i FILE -c copy out.mp4";
    let again = file.try_clone().map_err(|error| Fault::because("cannot be opened twice", error))?;
    if mp4::is_within(file, size) {
        return Ok(Box::new(mp4::Mp4::open(again, size)?));
    }
    match mkv::Matroska::open(again, size) {
        Ok(matroska) => Ok(Box::new(matroska)),
        Err(_) => Err(Fault::new(neither)),
    }
}

#[async_trait]
impl Camera for FileCamera {
    async fn connect(&mut self) -> Result<Box<dyn Session>, CameraError> {
        let path = self.path.clone();
        let options = self.options.clone();
        let seen = ending::Seen::of(&self.path);
        let opened = tokio::task::spawn_blocking(move || opened(&path, &options)).await;
        let (file, timing) = opened
            .unwrap_or_else(|panic| Err(Fault::because("reading it failed", panic)))
            .map_err(|fault| fault.of(&self.source()))?;
        let frames_total = file.frames_total().filter(|_| self.options.repeat == Repeat::Once);
        let batches = pump::start(self.path.clone(), file, self.options.repeat, (self.options.ends, seen))
            .map_err(|fault| fault.of(&self.source()))?;
        Ok(Box::new(FileSession {
            source: self.source(),
            batches,
            items: Vec::new().into_iter(),
            pending: None,
            started: None,
            timing,
            frames_total,
            pace: self.options.pace,
            clock: Arc::clone(&self.options.clock),
        }))
    }

    /// Returns the path with everything except visible ASCII percent-encoded, because it
    /// is sent in HTTP headers.
    fn source(&self) -> String {
        let mut source = String::new();
        for byte in self.path.as_os_str().as_encoded_bytes() {
            match byte {
                b' '..=b'~' => source.push(char::from(*byte)),
                // Writing to a `String` cannot fail.
                _ => drop(write!(source, "%{byte:02X}")),
            }
        }
        source
    }

    fn file(&self) -> Option<&Path> {
        (self.options.repeat == Repeat::Once).then_some(&self.path)
    }

    fn extent(&self) -> Extent {
        match self.options.repeat {
            Repeat::Once => Extent::Finite,
            Repeat::Forever => Extent::Live,
        }
    }
}

struct FileSession {
    source: String,
    batches: pump::Batches,
    /// What is left of the last batch.
    items: std::vec::IntoIter<Item>,
    /// Received from the thread, but not due yet.
    pending: Option<Item>,
    /// When the first frame was returned.
    started: Option<Instant>,
    timing: Timing,
    frames_total: Option<u64>,
    pace: Pace,
    clock: Arc<dyn Clock>,
}

#[async_trait]
impl Session for FileSession {
    async fn next(&mut self) -> Result<Option<CameraEvent>, CameraError> {
        // Between the two awaits, the item is in `pending`, so dropping this future loses nothing.
        while self.pending.is_none() {
            self.pending = self.items.next();
            if self.pending.is_none() {
                match self.batches.recv().await {
                    None => return Ok(None),
                    Some(Err(fault)) => return Err(fault.of(&self.source)),
                    Some(Ok(items)) => self.items = items.into_iter(),
                }
            }
        }
        if let (Pace::Live, Some(Item::Frame { at, .. })) = (self.pace, &self.pending) {
            let started = *self.started.get_or_insert_with(Instant::now);
            tokio::time::sleep_until(started + *at).await;
        }
        Ok(self.pending.take().map(|item| match item {
            Item::Parameters(parameters) => CameraEvent::Parameters(parameters),
            Item::Fault(fault) => CameraEvent::Fault(fault),
            Item::Frame { mut frame, .. } => {
                frame.arrival = self.clock.monotonic();
                CameraEvent::Frame(frame)
            }
        }))
    }

    fn timing(&self) -> Timing {
        self.timing
    }

    fn frames_total(&self) -> Option<u64> {
        self.frames_total
    }
}
