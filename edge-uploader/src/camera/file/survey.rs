//! The properties of a file before it is recorded: its identity, its start time, its duration.

use super::FileCamera;
use super::began::{self, Began, Witness};
use super::demux::{Demux, Fault, Item, duration_of};
use super::ending::{Ending, Ends, Judge, Seen};
use crate::camera::{Camera as _, CameraError};
use crate::media::{TrackKind, VideoCodec};
use framepost_events::Sha256;
use jiff::Timestamp;
use std::fs::File;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::Path;
use std::time::Duration;

/// The known properties of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survey {
    /// Identifies the file independently of its name.
    pub identity: Identity,
    /// Codec and size of its video.
    pub picture: Picture,
    /// The time of its first frame; `None` if neither the file nor the file system has a plausible one.
    pub began: Option<Began>,
    /// The duration that the file states.
    pub claims: Option<Duration>,
}

/// Identifies a file by its location and by its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Device and inode: the same for every name, link and path.
    pub inode: (u64, u64),
    /// Its size in bytes, and a digest of its first and last 64 KiB: the same for a copy.
    pub content: (u64, Sha256),
}

/// Codec, width and height.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Picture(pub VideoCodec, pub u16, pub u16);

/// Number of bytes at the start and at the end of a file that identify copies.
const DIGESTED_BYTES: usize = 64 << 10;

impl FileCamera {
    /// Examines the file. Blocks on the disk: reads the header, or the whole file if its duration is
    /// needed and must be measured.
    ///
    /// If the operator has `given` a time, the file system's time is not used.
    pub fn survey(&self, now: Timestamp, given: Option<Timestamp>) -> Result<Survey, CameraError> {
        let path = self.path();
        let surveyed = (|| {
            let identity = Identity::of(path).map_err(|error| Fault::because("cannot be read", error))?;
            let mut file = super::open(path)?;
            let picture = picture(file.as_mut())?;
            let began = match given {
                // Its own time is still needed to recognise chapters.
                Some(_) => began::created(path, file.created(), now),
                None => began(path, file.as_ref(), self.options.ends, now)?,
            };
            Ok(Survey { identity, picture, began, claims: claimed(path, file.as_ref()) })
        })();
        surveyed.map_err(|fault: Fault| fault.of(&self.source()))
    }

    /// Measures the file's duration from its frames. Reads the whole file.
    pub fn measured(&self) -> Result<Duration, CameraError> {
        super::open(self.path()).map(|mut file| measured(file.as_mut())).map_err(|fault| fault.of(&self.source()))
    }
}

/// Returns when a file began, from the file or the file system, or `None` if no time is plausible.
///
/// The time of the last write is that of the last frame only if the file has ended.
pub(super) fn began(path: &Path, file: &dyn Demux, ends: Ends, now: Timestamp) -> Result<Option<Began>, Fault> {
    if let Some(began) = began::created(path, file.created(), now) {
        return Ok(Some(began));
    }
    let seen = Seen::of(path);
    if (Judge { path, ends, opened: seen }).is_unfinished() {
        return Err(Fault::unfinished(
            "it is still being written or was cut short, and it has no creation time: when it began will be known when it \
             is finished; --start says it now",
        ));
    }
    let modified = seen.and_then(|seen| Timestamp::try_from(seen.modified?).ok());
    let Some(modified) = modified else { return Ok(None) };
    let length = match claimed(path, file) {
        Some(length) => length,
        None => super::open(path).map(|mut again| measured(again.as_mut()))?,
    };
    Ok(began::written(modified, length, now))
}

/// Returns the duration from a file's header, if the file ends where the header says: a header is not updated
/// when a recording is cut off.
fn claimed(path: &Path, file: &dyn Demux) -> Option<Duration> {
    file.duration().filter(|length| !length.is_zero() && matches!(Ending::of(path), Ok(Ending::Marked)))
}

/// Measures the time up to the end of the last frame shown, as far as the file can be read.
fn measured(file: &mut dyn Demux) -> Duration {
    let mut timescale = 1;
    let mut latest = 0;
    let mut end = 0;
    let mut step = 0;
    while let Ok(Some(item)) = file.next() {
        match item {
            Item::Parameters(parameters) => timescale = parameters.video.timescale,
            Item::Frame { frame, .. } if frame.track == TrackKind::Video => {
                if frame.pts > latest {
                    (step, latest) = (frame.pts - latest, frame.pts);
                }
                let shown = frame.duration.map_or(step, i64::from);
                end = end.max(frame.pts.saturating_add(shown));
            }
            Item::Frame { .. } | Item::Fault(_) => {}
        }
    }
    duration_of(end, timescale)
}

fn picture(file: &mut dyn Demux) -> Result<Picture, Fault> {
    while let Some(item) = file.next()? {
        if let Item::Parameters(parameters) = item {
            let video = parameters.video;
            return Ok(Picture(video.codec, video.width, video.height));
        }
    }
    Err(Fault::new("it has no frames"))
}

impl Identity {
    fn of(path: &Path) -> std::io::Result<Self> {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        let bytes = metadata.len();
        let mut piece = vec![0; DIGESTED_BYTES];
        let mut digested = Vec::new();
        for at in [0, bytes.saturating_sub(DIGESTED_BYTES as u64)] {
            let read = file.read_at(&mut piece, at)?;
            digested.extend_from_slice(&piece[..read]);
        }
        Ok(Self { inode: (metadata.dev(), metadata.ino()), content: (bytes, Sha256::of(&digested)) })
    }
}

impl Began {
    /// The text for a missing time.
    pub fn unknown() -> &'static str {
        "neither its creation time nor its last-modified time is plausible: give --start"
    }
}

impl Witness {
    /// The text for use in a sentence: "its … says".
    pub fn words(self) -> &'static str {
        match self {
            Self::Operator => "as given",
            Self::Created => "by its creation time",
            Self::Modified => "by its last-modified time",
        }
    }
}
