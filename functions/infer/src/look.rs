//! Gives pictures to a detector, and makes frames of its answer.

use crate::regions;
use crate::settings::{CameraSettings, Regions};
use framepost_events::detection::Detection;
use framepost_events::record::{ChunkProbed, InferredFrame};
use framepost_media::motion::{self, Movement, Rgb};
use framepost_ports::{Detector, Error, Picture, Result};
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// The most detections in a picture, and in a record.
const OF_PICTURE_MAX: usize = 100;
const OF_RECORD_MAX: usize = 1000;

/// Finds what moves in the pictures, which takes some milliseconds of processor time.
pub(crate) async fn movements(pictures: &[Picture]) -> Vec<Movement> {
    let pictures = pictures.to_vec();
    let compare = move || {
        let view = |picture: &Picture| (picture.width(), picture.height(), picture.rgb().clone());
        let views: Vec<_> = pictures.iter().map(view).collect();
        let rgb: Vec<_> =
            views.iter().map(|(width, height, pixels)| Rgb { width: *width, height: *height, pixels }).collect();
        motion::movement(&rgb)
    };
    tokio::task::spawn_blocking(compare).await.unwrap_or_default()
}

/// Pictures for a detector, and what is needed to combine its answers.
pub(crate) struct Look {
    pictures: Vec<Picture>,
    crops: Vec<regions::Crop>,
}

impl Look {
    /// Takes the pictures, and the parts of them that move if the settings ask for them.
    pub(crate) fn new(
        pictures: Vec<Picture>,
        movements: &[Movement],
        detector: &dyn Detector,
        settings: &CameraSettings,
    ) -> Self {
        let crops = match (settings.regions, detector.input_size()) {
            (Regions::On, Some(size)) => regions::crops(&pictures, movements, size),
            _ => vec![],
        };
        Self { pictures, crops }
    }

    /// Returns the pictures. Clones share their pixels.
    pub(crate) fn pictures(&self) -> Vec<Picture> {
        self.pictures.clone()
    }

    /// Returns the number of pictures that the detector is given, each of which is paid for.
    pub(crate) fn calls(&self) -> u32 {
        u32::try_from(self.pictures.len() + self.crops.len()).unwrap_or(u32::MAX)
    }

    /// Returns the pictures that the detector is given: whole ones, then the crops.
    fn all(&self) -> impl Iterator<Item = &Picture> {
        self.pictures.iter().chain(self.crops.iter().map(|crop| &crop.picture))
    }

    /// Gives the detector the pictures and the crops in one call, and merges what it says of both.
    pub(crate) async fn ask(
        &self,
        detector: &dyn Detector,
        chunk: &ChunkProbed,
        settings: &CameraSettings,
    ) -> Result<Vec<InferredFrame>> {
        let all: Vec<Picture> = self.all().cloned().collect();
        let mut seen = detector.detect(&all).await?;
        // A detector that answers for fewer pictures saw nothing in the others.
        seen.resize_with(all.len(), Vec::new);
        Ok(self.frames(seen, chunk, settings))
    }

    /// Asks a paid detector for one picture after the other, up to the first that fails: what was paid for before is kept.
    ///
    /// # Errors
    ///
    /// Fails if the first one fails.
    pub(crate) async fn ask_in_turn(
        &self,
        detector: &dyn Detector,
        chunk: &ChunkProbed,
        settings: &CameraSettings,
    ) -> Result<InTurn> {
        let mut seen = Vec::new();
        let mut ended = None;
        for picture in self.all() {
            match detector.detect(std::slice::from_ref(picture)).await {
                Ok(found) => seen.push(found.into_iter().next().unwrap_or_default()),
                Err(error) if seen.is_empty() => return Err(error),
                Err(error) => {
                    ended = Some(error);
                    break;
                }
            }
        }
        let answered = u32::try_from(seen.len()).unwrap_or(u32::MAX);
        Ok(InTurn { frames: self.frames(seen, chunk, settings), answered, ended })
    }

    /// Makes frames of as many pictures as the detector answered for.
    fn frames(
        &self,
        mut seen: Vec<Vec<Detection>>,
        chunk: &ChunkProbed,
        settings: &CameraSettings,
    ) -> Vec<InferredFrame> {
        let of_crops = seen.split_off(self.pictures.len().min(seen.len()));
        let merged = regions::merged(seen, &self.crops, of_crops);
        let mut left = OF_RECORD_MAX;
        let frames = self.pictures.iter().zip(merged).map(|(picture, detections)| {
            let detections = settings.keep(detections, OF_PICTURE_MAX.min(left));
            left -= detections.len();
            frame(chunk, picture.offset(), detections)
        });
        frames.collect()
    }
}

/// The answer of a paid detector.
pub(crate) struct InTurn {
    pub(crate) frames: Vec<InferredFrame>,
    /// The number of pictures that it answered for.
    pub(crate) answered: u32,
    /// Why it was not asked for the others; `None` if it was.
    pub(crate) ended: Option<Error>,
}

fn frame(chunk: &ChunkProbed, offset: Duration, detections: Vec<Detection>) -> InferredFrame {
    // Whole microseconds, as times have.
    let offset = Duration::from_micros(u64::try_from(offset.as_micros()).unwrap_or(u64::MAX));
    InferredFrame { offset: offset.as_secs_f64(), time: time(chunk, offset), detections }
}

/// Returns the wall-clock time of an offset, since the clock may have been slewed within the chunk.
fn time(chunk: &ChunkProbed, offset: Duration) -> Option<Timestamp> {
    let duration = &chunk.duration;
    let from = duration.from?;
    let rate = match (duration.to, duration.seconds) {
        (Some(to), Some(seconds)) if seconds > 0.0 => to.duration_since(from).as_secs_f64() / seconds,
        _ => 1.0,
    };
    // A file whose metadata says something odd has the times of its own frames.
    let rate = if (0.9..1.1).contains(&rate) { rate } else { 1.0 };
    let offset = SignedDuration::try_from_secs_f64(offset.as_secs_f64() * rate).ok()?;
    from.checked_add(offset).ok()
}
