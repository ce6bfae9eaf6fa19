//! The record of what a detector found in a chunk.

use super::{Duration, ObjectRef, RecordType};
use crate::activity::Activity;
use crate::detection::Detection;
use crate::{Camera, Sha256, Site};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// `io.framepost.chunk.inferred.v1`: what a detector found in a chunk, or why it did not look.
///
/// Apart from [`detector_ms`](Self::detector_ms), it depends only on the object's version, the model and the settings. A
/// chunk has one record for each model and settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChunkInferred {
    /// The site, if the key has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<Site>,
    /// The camera, if the key has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub camera: Option<Camera>,
    /// The time and the duration of a recording.
    pub duration: Duration,
    /// The model that looked at the pictures.
    pub model: Model,
    /// The SHA-256 of the settings that the result depends on.
    pub settings_digest: Sha256,
    /// Why the model was given no pictures; absent if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skipped: Option<Skipped>,
    /// How much happens, as the gateway measured it; absent if the gateway could not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activity: Option<Activity>,
    /// The pictures that were looked at, in the order of their times.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub frames: Vec<InferredFrame>,
    /// The labels that were found in them, one entry for each, in alphabetical order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub summary: Vec<LabelSummary>,
    /// Number of paid requests for it; absent if the detector is free.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls: Option<u32>,
    /// Their price in US dollars, by the price list that the function knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dollars: Option<f64>,
    /// Time that the detector took, in ms. It differs when the work is repeated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detector_ms: Option<u64>,
    /// The object that the record is about.
    pub object: ObjectRef,
}

/// A model, as records name it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Model {
    /// What runs it: the scheme of the detector's URL, such as `motion`, `onnx` or `rekognition`.
    pub detector: String,
    /// The name of the model.
    pub name: String,
    /// Its version, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The SHA-256 of its file, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Sha256>,
    /// The name of the arm in a comparison of models; absent without a comparison.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arm: Option<String>,
}

/// Why the pictures of a chunk were not looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Skipped {
    /// Nothing moved, so the chunk shows what the pictures before it showed. It does not mean that nothing is there.
    Still,
    /// The day's budget is used up.
    Budget,
    /// The function was stopped after a paid request and before it had stored the answer. The request is not repeated.
    Interrupted,
    /// The chunk has no picture that could be decoded.
    NoPicture,
}

/// A picture that was looked at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct InferredFrame {
    /// Seconds from the first sample of the chunk.
    pub offset: f64,
    /// Its wall-clock time; absent if the chunk has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub time: Option<Timestamp>,
    /// What was found, in descending order of the score.
    pub detections: Vec<Detection>,
}

/// What was found of one label.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LabelSummary {
    /// The label, in the words of the model.
    pub label: String,
    /// Number of pictures that show it.
    pub pictures: u32,
    /// The largest number of them in one picture.
    pub most: u32,
    /// The highest score of them, 0 to 1.
    pub score: f64,
}

impl LabelSummary {
    /// Returns a summary of what was found in these pictures.
    pub fn of(frames: &[InferredFrame]) -> Vec<Self> {
        let mut labels = std::collections::BTreeMap::<&str, Self>::new();
        for frame in frames {
            let mut here = std::collections::BTreeMap::<&str, u32>::new();
            for Detection { label, score, .. } in &frame.detections {
                let sum = labels.entry(label).or_insert_with(|| Self {
                    label: label.clone(),
                    pictures: 0,
                    most: 0,
                    score: 0.0,
                });
                sum.score = sum.score.max(*score);
                *here.entry(label).or_default() += 1;
            }
            for (label, count) in here {
                if let Some(sum) = labels.get_mut(label) {
                    sum.pictures += 1;
                    sum.most = sum.most.max(count);
                }
            }
        }
        labels.into_values().collect()
    }
}

impl RecordType for ChunkInferred {
    const TYPE: &'static str = "io.framepost.chunk.inferred.v1";
    const FUNCTION: &'static str = "infer";
    const MESSAGE: &'static str = "chunk inferred";
    const NOT_LOGGED: &'static [&'static str] = &["frames"];

    fn site(&self) -> Option<&Site> {
        self.site.as_ref()
    }

    fn times(&mut self) -> Vec<&mut Timestamp> {
        let of_frames = self.frames.iter_mut().filter_map(|frame| frame.time.as_mut());
        self.duration.from.iter_mut().chain(self.duration.to.as_mut()).chain(of_frames).collect()
    }

    /// One line a label, `event` being `seen`: metrics are counted by label from these.
    fn logged_apart(&self) -> Vec<(&'static str, Map<String, Value>)> {
        let line = |seen: &LabelSummary| {
            let Ok(Value::Object(mut fields)) = serde_json::to_value(seen) else { return None };
            fields.insert("event".to_owned(), "seen".into());
            let names =
                [("site", self.site.as_ref().map(Site::as_str)), ("camera", self.camera.as_ref().map(Camera::as_str))];
            fields.extend(names.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.into()))));
            Some(("label seen", fields))
        };
        self.summary.iter().filter_map(line).collect()
    }

    /// Another model, or other settings, make another record of the same object.
    fn made_with(&self) -> Option<String> {
        let Model { detector, name, version, digest, arm: _ } = &self.model;
        let version = version.as_deref().unwrap_or_default();
        let digest = digest.as_ref().map(ToString::to_string).unwrap_or_default();
        Some(format!("{detector} {name} {version} {digest} {}", self.settings_digest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detection::Bounds;

    #[test]
    fn a_summary_counts_pictures_and_the_most_at_a_time() {
        let seen =
            |label: &str, score| Detection { label: label.to_owned(), score, bounds: Bounds::WHOLE, zones: vec![] };
        let frame = |detections| InferredFrame { offset: 0.0, time: None, detections };
        let frames = [
            frame(vec![seen("person", 0.5), seen("person", 0.75), seen("cat", 0.5)]),
            frame(vec![]),
            frame(vec![seen("person", 0.25)]),
        ];
        let sum = |label: &str, pictures, most, score| LabelSummary { label: label.to_owned(), pictures, most, score };
        assert_eq!(LabelSummary::of(&frames), [sum("cat", 1, 1, 0.5), sum("person", 2, 2, 0.75)]);
        assert!(LabelSummary::of(&[]).is_empty());
    }
}
