//! `rekognition:`: Amazon Rekognition's `DetectLabels`, one request for each picture.
//!
//! - A picture is sent as JPEG, in the request itself, in the best quality that fits Rekognition's limit.
//! - Only a label with boxes is a detection: one for each instance. A label about the whole picture ("Outdoors") is none, because
//!   it says nothing of a thing that comes and goes.
//! - Labels are in lower case, as other models have them: `person`, `car`, `mobile phone`.
//! - Nothing is retried here: each attempt may cost, and the caller has the budget.

use crate::connect::Session;
use crate::error;
use async_trait::async_trait;
use aws_sdk_rekognition::Client;
use aws_sdk_rekognition::primitives::Blob;
use aws_sdk_rekognition::types::{DetectLabelsFeatureName, Image, Label};
use framepost_events::detection::{Bounds, Detection};
use framepost_events::record::Model;
use framepost_media::jpeg;
use framepost_ports::prices::aws::REKOGNITION_PICTURE;
use framepost_ports::{Detector, Error, ErrorKind, Picture, Price, Result};

/// The largest picture in a request ("Guidelines and quotas in Amazon Rekognition").
const IMAGE_LIMIT_BYTES: usize = 5 * 1024 * 1024;
/// The lowest confidence that Rekognition reports, in percent. The function's own settings raise it.
const MIN_CONFIDENCE: f32 = 30.0;

/// The detector behind `rekognition:`, in the region of its session.
#[derive(Debug)]
pub struct RekognitionDetector {
    client: Client,
    model: Model,
}

impl RekognitionDetector {
    /// Uses the session's region. Sends no request yet.
    pub fn new(session: &Session) -> Self {
        let model = Model {
            detector: "rekognition".to_owned(),
            name: "detect-labels".to_owned(),
            // It changes without notice; each answer says which one it was.
            version: None,
            digest: None,
            arm: None,
        };
        Self { client: Client::new(session.without_retries()), model }
    }

    async fn look(&self, picture: &Picture) -> Result<Vec<Detection>> {
        let copy = picture.clone();
        let jpeg = tokio::task::spawn_blocking(move || {
            jpeg::within(IMAGE_LIMIT_BYTES, copy.width(), copy.height(), copy.rgb())
        })
        .await
        .map_err(|error| Error::new(ErrorKind::Io, "encode", "a picture").because(error))?
        .map_err(|error| Error::new(ErrorKind::Invalid, "encode", "a picture").because(error))?;
        let image = Image::builder().bytes(Blob::new(jpeg)).build();
        let answer = self
            .client
            .detect_labels()
            .image(image)
            .features(DetectLabelsFeatureName::GeneralLabels)
            .min_confidence(MIN_CONFIDENCE)
            .send()
            .await
            .map_err(|error| error::of("rekognition", "detect", "a picture", error))?;
        Ok(answer.labels().iter().flat_map(detections).collect())
    }
}

/// A detection for each instance of the label.
fn detections(label: &Label) -> impl Iterator<Item = Detection> {
    let name = label.name().unwrap_or_default().to_lowercase();
    let of_label = label.confidence();
    label.instances().iter().filter_map(move |instance| {
        let edges = instance.bounding_box()?;
        let left = f64::from(edges.left()?);
        let top = f64::from(edges.top()?);
        let bounds = Bounds::from_edges(left, top, left + f64::from(edges.width()?), top + f64::from(edges.height()?))?;
        let percent = f64::from(instance.confidence().or(of_label)?);
        let score = (percent / 100.0).clamp(0.0, 1.0);
        Some(Detection { label: name.clone(), score, bounds, zones: Vec::new() })
    })
}

#[async_trait]
impl Detector for RekognitionDetector {
    fn model(&self) -> &Model {
        &self.model
    }

    fn price(&self) -> Option<Price> {
        Some(REKOGNITION_PICTURE)
    }

    async fn detect(&self, pictures: &[Picture]) -> Result<Vec<Vec<Detection>>> {
        let mut found = Vec::with_capacity(pictures.len());
        for picture in pictures {
            found.push(self.look(picture).await?);
        }
        Ok(found)
    }
}
