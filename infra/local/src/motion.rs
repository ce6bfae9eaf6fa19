//! The detector `motion:`: boxes around what moves between the pictures of a chunk. It needs no weights.

use async_trait::async_trait;
use framepost_events::detection::{Bounds, Detection};
use framepost_events::record::Model;
use framepost_media::motion::{self, Moving, Rgb};
use framepost_ports::{Detector, Error, ErrorKind, Picture, Result, Sampling};

/// The label of everything that moves.
const LABEL: &str = "motion";
/// Pictures a second: a person who walks has moved by about their own width.
const PICTURES_PER_SECOND: f64 = 3.0;

/// Compares the pictures of a chunk with each other.
#[derive(Debug)]
pub struct MotionDetector {
    model: Model,
}

impl Default for MotionDetector {
    fn default() -> Self {
        let name = LABEL.to_owned();
        // Another algorithm, or other constants, are another version.
        let version = Some("1".to_owned());
        Self { model: Model { detector: name.clone(), name, version, digest: None, arm: None } }
    }
}

#[async_trait]
impl Detector for MotionDetector {
    fn model(&self) -> &Model {
        &self.model
    }

    fn sampling(&self) -> Sampling {
        Sampling::PerSecond(PICTURES_PER_SECOND)
    }

    async fn detect(&self, pictures: &[Picture]) -> Result<Vec<Vec<Detection>>> {
        let pictures = pictures.to_vec();
        let compared = tokio::task::spawn_blocking(move || {
            let views: Vec<Rgb<'_>> = pictures
                .iter()
                .map(|picture| Rgb { width: picture.width(), height: picture.height(), pixels: picture.rgb() })
                .collect();
            motion::movement(&views)
        });
        let movements =
            compared.await.map_err(|error| Error::new(ErrorKind::Io, "compare", "pictures").because(error))?;
        Ok(movements.into_iter().map(|movement| movement.boxes.iter().filter_map(detection).collect()).collect())
    }
}

fn detection(moving: &Moving) -> Option<Detection> {
    let bounds = Bounds::from_edges(moving.left, moving.top, moving.right, moving.bottom)?;
    Some(Detection { label: LABEL.to_owned(), score: moving.score, bounds, zones: vec![] })
}
