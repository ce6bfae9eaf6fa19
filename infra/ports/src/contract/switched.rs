//! A detector is replaced by another one, and comes back: whose results a catalogue shows.

use super::Footage;
use crate::Catalog;
use crate::catalog::{CameraName, Change, Interval, SightingQuery};

/// From one chunk to the next: further apart than what belongs to one sighting.
const STEP_MS: i64 = 60_000;

/// What `model` says of chunk `n`: it shows one thing, named after the model.
fn said(footage: &mut Footage, camera: &CameraName, n: i64, model: &str) -> Change {
    footage.look(camera, n * STEP_MS, model, &format!("seen by {model}"))
}

/// The models whose results are shown, chunk by chunk, in which the sightings agree with the results.
async fn shown(catalog: &dyn Catalog, camera: &CameraName) -> Vec<String> {
    let looks = catalog.looks(camera, Interval::ALWAYS, 100).await.expect("looks");
    let of_looks: Vec<String> = looks.into_iter().map(|look| look.inferred.model.name).collect();
    let query = SightingQuery {
        cameras: Some(vec![camera.clone()]),
        labels: vec![],
        within: Interval::ALWAYS,
        score_min: 0.0,
        after: None,
        limit: 100,
    };
    let mut sightings = catalog.sightings(&query).await.expect("sightings");
    sightings.reverse();
    for row in &sightings {
        assert_eq!(row.sighting.label, format!("seen by {}", row.model.name));
    }
    let of_sightings: Vec<String> = sightings.into_iter().map(|row| row.model.name).collect();
    assert_eq!(of_sightings, of_looks, "sightings and results are of the same models");
    of_looks
}

/// The newer model's result is shown where both have looked, the only one elsewhere, and nothing that a model said is lost: after
/// it comes back, what it said before is shown again, though nobody says it again.
pub(super) async fn the_newer_is_shown(catalog: &dyn Catalog, footage: &mut Footage) {
    let camera = Footage::camera(8);
    let steps: [(&[i64], &str, &[&str]); 5] = [
        (&[0, 1], "old", &["old", "old"]),
        // The next chunk, and then the older ones again.
        (&[2], "new", &["old", "old", "new"]),
        (&[0, 1], "new", &["new", "new", "new"]),
        // Back, in one chunk, and then in the one that the old model never saw.
        (&[3], "old", &["old", "old", "new", "old"]),
        (&[2], "old", &["old", "old", "old", "old"]),
    ];
    for (chunks, model, expected) in steps {
        for n in chunks {
            let change = said(footage, &camera, *n, model);
            catalog.apply(&[change]).await.expect("a result");
        }
        assert_eq!(shown(catalog, &camera).await, expected, "{model} has looked at {chunks:?}");
    }
    // Both stay: the new one is shown again when it looks at a later chunk.
    let change = said(footage, &camera, 4, "new");
    catalog.apply(&[change]).await.expect("a result");
    assert_eq!(shown(catalog, &camera).await, ["new", "new", "new", "old", "new"]);
}
