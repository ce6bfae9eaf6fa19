//! `vision:`: Cloud Vision's `OBJECT_LOCALIZATION`, one request for each picture.
//!
//! - A picture is sent as JPEG, in the request itself, in the best quality that fits.
//! - Labels are in lower case, as other models have them: `person`, `car`.
//! - Nothing is retried here: each attempt may cost, and the caller has the budget.

use crate::connect::{CALL_TIMEOUT, GoogleOptions, within};
use crate::error::{self, GoogleFailure};
use async_trait::async_trait;
use framepost_events::detection::{Bounds, Detection};
use framepost_events::record::Model;
use framepost_media::jpeg;
use framepost_ports::prices::gcp::VISION_PICTURE;
use framepost_ports::{Detector, Effect, Error, ErrorKind, Picture, Price, Result};
use google_cloud_gax::error::rpc::Code;
use google_cloud_gax::retry_policy::NeverRetry;
use google_cloud_vision_v1::client::ImageAnnotator;
use google_cloud_vision_v1::model::{
    AnnotateImageRequest, AnnotateImageResponse, Feature, Image, LocalizedObjectAnnotation, feature,
};

/// A request has at most 10 MB, and a picture takes four thirds of its size in it ("Quotas and limits").
const IMAGE_LIMIT_BYTES: usize = 5 * 1024 * 1024;
/// The most objects of a picture.
const OBJECTS_MAX: i32 = 100;

/// Cloud Vision's `OBJECT_LOCALIZATION` as a detector: a picture is one call that costs.
#[derive(Debug, Clone)]
pub struct VisionDetector {
    client: ImageAnnotator,
    model: Model,
}

impl VisionDetector {
    /// Connects as `options` say. Sends no request yet.
    pub async fn connect(options: &GoogleOptions) -> Result<Self> {
        let builder = ImageAnnotator::builder().with_credentials(options.credentials()?).with_retry_policy(NeverRetry);
        let builder = match options.endpoint() {
            Some(endpoint) => builder.with_endpoint(endpoint),
            None => builder,
        };
        let client = builder.build().await;
        let client = client.map_err(|error| Error::new(ErrorKind::Invalid, "connect", "vision").because(error))?;
        let model = Model {
            detector: "vision".to_owned(),
            name: "object-localization".to_owned(),
            version: None,
            digest: None,
            arm: None,
        };
        Ok(Self { client, model })
    }

    async fn look(&self, picture: &Picture) -> Result<Vec<Detection>> {
        let copy = picture.clone();
        let jpeg = tokio::task::spawn_blocking(move || {
            jpeg::within(IMAGE_LIMIT_BYTES, copy.width(), copy.height(), copy.rgb())
        })
        .await
        .map_err(|error| Error::new(ErrorKind::Io, "encode", "a picture").because(error))?
        .map_err(|error| Error::new(ErrorKind::Invalid, "encode", "a picture").because(error))?;
        let feature = Feature::new().set_type(feature::Type::ObjectLocalization).set_max_results(OBJECTS_MAX);
        let request = AnnotateImageRequest::new().set_image(Image::new().set_content(jpeg)).set_features([feature]);
        let call = self.client.batch_annotate_images().set_requests([request]).send();
        let answer = within(CALL_TIMEOUT, "detect", "a picture", async {
            Box::pin(call).await.map_err(|error| error::of("detect", "a picture", error))
        })
        .await?;
        let [answer] = answer.responses.as_slice() else {
            let why = format!("{} answers for a picture", answer.responses.len());
            // It may be billed.
            return Err(Error::new(ErrorKind::Corrupt, "detect", "a picture")
                .because(why)
                .with_effect(Effect::Unknown));
        };
        refused(answer)?;
        Ok(answer.localized_object_annotations.iter().filter_map(detection).collect())
    }
}

/// A picture's own error comes in an answer that is otherwise a success.
fn refused(answer: &AnnotateImageResponse) -> Result<()> {
    let Some(status) = &answer.error else { return Ok(()) };
    let code = Code::from(status.code);
    let failure = GoogleFailure { code: code.name().to_owned(), message: status.message.clone() };
    Err(Error::new(error::kind_of_code(code), "detect", "a picture").because(failure))
}

/// The smallest upright rectangle around the polygon.
fn detection(object: &LocalizedObjectAnnotation) -> Option<Detection> {
    let corners = &object.bounding_poly.as_ref()?.normalized_vertices;
    let edge = |of: fn(f64, f64) -> f64, x: bool, start: f64| {
        corners.iter().map(|corner| f64::from(if x { corner.x } else { corner.y })).fold(start, of)
    };
    let left = edge(f64::min, true, 1.0);
    let top = edge(f64::min, false, 1.0);
    let bounds = Bounds::from_edges(left, top, edge(f64::max, true, 0.0), edge(f64::max, false, 0.0))?;
    let score = f64::from(object.score).clamp(0.0, 1.0);
    Some(Detection { label: object.name.to_lowercase(), score, bounds, zones: Vec::new() })
}

#[async_trait]
impl Detector for VisionDetector {
    fn model(&self) -> &Model {
        &self.model
    }

    fn price(&self) -> Option<Price> {
        Some(VISION_PICTURE)
    }

    async fn detect(&self, pictures: &[Picture]) -> Result<Vec<Vec<Detection>>> {
        let mut found = Vec::with_capacity(pictures.len());
        for picture in pictures {
            found.push(self.look(picture).await?);
        }
        Ok(found)
    }
}
