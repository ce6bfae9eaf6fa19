//! Settings that may differ between cameras.

use super::{Polygon, Regions};
use crate::pictures::Wanted;
use framepost_events::detection::Detection;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What applies to a camera: its own settings, and otherwise those of all cameras.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CameraSettings {
    /// The wanted pictures; `None` for those that suit the detector.
    #[serde(skip)]
    pub pictures: Option<Wanted>,
    /// A chunk with less activity than this is still.
    pub still_below: f64,
    /// Pictures of which less than this part differs are still.
    pub still_difference: f64,
    /// The longest time in which no chunk is looked at.
    pub look_every: Duration,
    /// The labels to keep; all if empty.
    pub labels: BTreeSet<String>,
    /// The lowest score to keep, 0 to 1.
    pub score_min: f64,
    /// The smallest area of a box to keep, as a fraction of the picture.
    pub size_min: f64,
    /// The zones by name. A detection lists the zones that it is in.
    pub zones: BTreeMap<String, Polygon>,
    /// Detections in one of these polygons are dropped.
    pub masks: Vec<Polygon>,
    /// Whether what moves is looked at again, enlarged.
    pub regions: Regions,
}

/// The settings of one camera that differ from those of all cameras.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct Overrides {
    pictures: Option<String>,
    still_below: Option<f64>,
    still_difference: Option<f64>,
    labels: Option<Vec<String>>,
    score_min: Option<f64>,
    size_min: Option<f64>,
    zones: BTreeMap<String, Polygon>,
    masks: Vec<Polygon>,
}

/// Parses `{"site/camera": {…}}`. The error says what was expected, and where.
pub(super) fn parse(json: &str) -> Result<BTreeMap<String, Overrides>, String> {
    let cameras: BTreeMap<String, Overrides> =
        serde_json::from_str(json).map_err(|error| format!("JSON of cameras: {error}"))?;
    for (name, overrides) in &cameras {
        if name.split('/').count() != 2 || name.split('/').any(str::is_empty) {
            return Err(format!("names of cameras as site/camera, found {name:?}"));
        }
        let Overrides { pictures, still_below, still_difference, score_min, size_min, .. } = overrides;
        if pictures.as_ref().is_some_and(|pictures| pictures.parse::<Wanted>().is_err()) {
            return Err(format!("{name}: pictures to be random-access, first or a rate: 2/s"));
        }
        for (key, value, most) in [
            ("stillBelow", still_below, 1e6),
            ("stillDifference", still_difference, 1.0),
            ("scoreMin", score_min, 1.0),
            ("sizeMin", size_min, 1.0),
        ] {
            if value.is_some_and(|value| !(0.0..=most).contains(&value)) {
                return Err(format!("{name}: {key} to be a number from 0 to {most}"));
            }
        }
    }
    Ok(cameras)
}

/// Removes the blanks around labels.
pub(super) fn labels<'a>(labels: impl Iterator<Item = &'a str>) -> BTreeSet<String> {
    labels.map(str::trim).filter(|label| !label.is_empty()).map(str::to_owned).collect()
}

impl Overrides {
    pub(super) fn over(&self, all: &CameraSettings) -> CameraSettings {
        let own = self.clone();
        CameraSettings {
            pictures: own.pictures.and_then(|pictures| pictures.parse().ok()).or(all.pictures),
            still_below: own.still_below.unwrap_or(all.still_below),
            still_difference: own.still_difference.unwrap_or(all.still_difference),
            labels: own.labels.map_or_else(|| all.labels.clone(), |own| labels(own.iter().map(String::as_str))),
            score_min: own.score_min.unwrap_or(all.score_min),
            size_min: own.size_min.unwrap_or(all.size_min),
            zones: own.zones,
            masks: own.masks,
            ..all.clone()
        }
    }
}

impl CameraSettings {
    /// Keeps the detections that the settings ask for, those with the highest scores first and at most `most`, and adds their zones.
    pub fn keep(&self, detections: Vec<Detection>, most: usize) -> Vec<Detection> {
        let mut kept: Vec<Detection> = detections.into_iter().filter_map(|detection| self.kept(detection)).collect();
        kept.sort_by(|a, b| b.score.total_cmp(&a.score));
        kept.truncate(most);
        kept
    }

    fn kept(&self, mut detection: Detection) -> Option<Detection> {
        // Where a thing stands on the ground, as far as one can tell.
        let x = detection.bounds.left + detection.bounds.width / 2.0;
        // The lower edge of a picture belongs to no polygon, and what stands there to the one above it.
        let y = detection.bounds.bottom().min(1.0 - f64::EPSILON);
        let is_asked_for = (self.labels.is_empty() || self.labels.contains(&detection.label))
            && detection.score >= self.score_min
            && detection.bounds.area() >= self.size_min
            && !self.masks.iter().any(|mask| mask.contains(x, y));
        let zones = self.zones.iter().filter(|(_, zone)| zone.contains(x, y));
        detection.zones = zones.map(|(name, _)| name.clone()).collect();
        is_asked_for.then_some(detection)
    }
}
