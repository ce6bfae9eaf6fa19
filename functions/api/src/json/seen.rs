//! Sightings and detections.

use super::Reason;
use super::footage::media_path;
use framepost_events::detection::Detection;
use framepost_events::record::Model;
use framepost_events::{Camera, Site};
use framepost_ports::catalog::{Best, LookRow, SightingRow};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

/// A page of sightings.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Sightings {
    /// The sightings of this page, the newest first.
    pub(crate) sightings: Vec<SightingJson>,
    /// The `cursor` of the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next: Option<String>,
}

/// An interval in which a camera saw a label without a longer pause.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Sighting)]
pub(crate) struct SightingJson {
    #[schema(value_type = String)]
    pub(crate) site: Site,
    #[schema(value_type = String)]
    pub(crate) camera: Camera,
    /// The label, in the words of the model.
    pub(crate) label: String,
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
    /// The highest score, 0 to 1.
    pub(crate) score: f64,
    /// Number of pictures that show it.
    pub(crate) pictures: u64,
    /// The largest number of them in one picture.
    pub(crate) most: u32,
    /// The zones in which it was seen.
    pub(crate) zones: Vec<String>,
    /// The picture with the highest score.
    pub(crate) best: BestJson,
    /// The model that found it.
    #[schema(value_type = Object)]
    pub(crate) model: Model,
}

/// The picture in which a sighting has its highest score.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Best)]
pub(crate) struct BestJson {
    pub(crate) time: Timestamp,
    /// The key of its chunk.
    pub(crate) key: String,
    /// Seconds from the first sample of its chunk.
    pub(crate) offset: f64,
    /// `left`, `top`, `width` and `height` in fractions of the picture.
    #[serde(rename = "box")]
    pub(crate) bounds: Bounds,
    /// The path of the chunk's bytes on this server.
    pub(crate) media: String,
}

/// A rectangle in fractions of the picture as a person sees it.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub(crate) struct Bounds {
    pub(crate) left: f64,
    pub(crate) top: f64,
    pub(crate) width: f64,
    pub(crate) height: f64,
}

impl From<framepost_events::detection::Bounds> for Bounds {
    fn from(bounds: framepost_events::detection::Bounds) -> Self {
        let framepost_events::detection::Bounds { left, top, width, height } = bounds;
        Self { left, top, width, height }
    }
}

impl From<SightingRow> for SightingJson {
    fn from(row: SightingRow) -> Self {
        let SightingRow { camera, model, sighting, .. } = row;
        let Best { time, key, offset, bounds } = sighting.best;
        let best = BestJson { time, media: media_path(&key), key, offset, bounds: bounds.into() };
        Self {
            site: camera.site,
            camera: camera.camera,
            label: sighting.label,
            from: sighting.from,
            to: sighting.to,
            score: sighting.score,
            pictures: sighting.pictures,
            most: sighting.most,
            zones: sighting.zones.into_iter().collect(),
            best,
            model,
        }
    }
}

/// What detectors saw, picture by picture.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Detections {
    /// The results by chunk, the oldest first.
    pub(crate) chunks: Vec<LookedAt>,
    /// Whether there are more chunks in the interval. Ask again from the end of the last one.
    pub(crate) truncated: bool,
}

/// A detector's result for a chunk.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LookedAt {
    pub(crate) key: String,
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
    /// Why it was not looked at; absent if it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) skipped: Option<Reason>,
    #[schema(value_type = Object)]
    pub(crate) model: Model,
    /// The pictures that were looked at.
    pub(crate) frames: Vec<Frame>,
}

/// A picture that was looked at.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Frame {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) time: Option<Timestamp>,
    /// Seconds from the first sample of the chunk.
    pub(crate) offset: f64,
    pub(crate) detections: Vec<DetectionJson>,
}

/// Something that a detector found in a picture.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Detection)]
pub(crate) struct DetectionJson {
    pub(crate) label: String,
    pub(crate) score: f64,
    #[serde(rename = "box")]
    pub(crate) bounds: Bounds,
    pub(crate) zones: Vec<String>,
}

impl From<LookRow> for LookedAt {
    fn from(row: LookRow) -> Self {
        let seen = |seen: Detection| {
            let Detection { label, score, bounds, zones } = seen;
            DetectionJson { label, score, bounds: bounds.into(), zones }
        };
        let skipped = row.skipped().map(Reason::from);
        let frames = row.inferred.frames.into_iter().map(|frame| Frame {
            time: frame.time,
            offset: frame.offset,
            detections: frame.detections.into_iter().map(seen).collect(),
        });
        Self {
            key: row.inferred.object.key,
            from: row.from,
            to: row.to,
            skipped,
            model: row.inferred.model,
            frames: frames.collect(),
        }
    }
}
