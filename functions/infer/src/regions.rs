//! Crops: parts of a picture that the detector sees enlarged.
//!
//! A detector sees a picture in one size, such as 416 × 416 pixels. A person at the far end of a yard is lost when 1920
//! pixels are shrunk to that. Therefore, what moves is cut out in the detector's own size, or in a larger one if it does not
//! fit, and is looked at beside the whole picture. Detections of the same thing in several crops or in the whole picture are
//! merged into one.

use framepost_events::detection::{Bounds, Detection};
use framepost_media::motion::Movement;
use framepost_ports::Picture;

/// The most crops of one picture. More are not worth it for a picture in which everything moves.
const CROPS_MAX: usize = 4;
/// How much larger a crop is than what moves in it, so that its borders cut through nothing.
const MARGIN: f64 = 1.2;
/// How much larger a crop must show things than the whole picture does.
const GAIN_LEAST: f64 = 1.3;
/// Boxes of one label with more intersection over union than this belong to one thing.
const OVERLAP: f64 = 0.5;
/// So do two boxes if this part of one's area lies within the other, where the border of a crop cut it off.
const WITHIN: f64 = 0.8;
/// A box this close to the border of a crop, as a part of the crop, may be cut off there.
const BORDER: f64 = 0.01;

/// A part of a picture, enlarged for the detector.
#[derive(Debug, Clone)]
pub(crate) struct Crop {
    /// Index of the picture that it was cut from.
    pub(crate) of: usize,
    pub(crate) picture: Picture,
    /// The rectangle that was cut out, in fractions of that picture.
    at: Bounds,
}

/// Cuts out what moves, for a detector that sees pictures in this size.
pub(crate) fn crops(pictures: &[Picture], movements: &[Movement], (width, height): (u32, u32)) -> Vec<Crop> {
    let mut crops = Vec::new();
    for (of, (picture, movement)) in pictures.iter().zip(movements).enumerate() {
        let mut places: Vec<Bounds> = Vec::new();
        for moving in &movement.boxes {
            let Some(moving) = Bounds::from_edges(moving.left, moving.top, moving.right, moving.bottom) else {
                continue;
            };
            let Some(place) = place(picture, &moving, (width, height)) else { continue };
            if places.iter().all(|other| other.common_area(&moving) < 0.95 * moving.area()) {
                places.push(place);
            }
        }
        places.truncate(CROPS_MAX);
        crops.extend(places.iter().map(|place| {
            let (picture, at) = picture.crop(place);
            Crop { of, picture, at }
        }));
    }
    crops
}

/// Returns a rectangle of the detector's shape around `moving`: as large as the detector's picture, or larger if necessary.
/// `None` if it would not be shown [`GAIN_LEAST`] times as large.
fn place(picture: &Picture, moving: &Bounds, (width, height): (u32, u32)) -> Option<Bounds> {
    let whole = (f64::from(picture.width()), f64::from(picture.height()));
    let model = (f64::from(width.max(1)), f64::from(height.max(1)));
    // How many pixels of the picture become one of the model's.
    let shrunk = (whole.0 / model.0).max(whole.1 / model.1);
    let needed = (moving.width * whole.0 * MARGIN / model.0).max(moving.height * whole.1 * MARGIN / model.1).max(1.0);
    if needed * GAIN_LEAST > shrunk {
        return None;
    }
    let width = (model.0 * needed / whole.0).min(1.0);
    let height = (model.1 * needed / whole.1).min(1.0);
    let from = |start: f64, length: f64, side: f64| (start + length / 2.0 - side / 2.0).clamp(0.0, 1.0 - side);
    Some(Bounds {
        left: from(moving.left, moving.width, width),
        top: from(moving.top, moving.height, height),
        width,
        height,
    })
}

/// Maps detections in crops back into their pictures, and merges them with those in the whole pictures.
pub(crate) fn merged(whole: Vec<Vec<Detection>>, crops: &[Crop], seen: Vec<Vec<Detection>>) -> Vec<Vec<Detection>> {
    if crops.is_empty() {
        return whole;
    }
    let mut all: Vec<Vec<Candidate>> =
        whole.into_iter().map(|seen| seen.into_iter().map(Candidate::whole).collect()).collect();
    for (crop, seen) in crops.iter().zip(seen) {
        if let Some(of_picture) = all.get_mut(crop.of) {
            of_picture.extend(seen.into_iter().map(|detection| Candidate::cropped(detection, &crop.at)));
        }
    }
    all.into_iter().map(one_each).collect()
}

struct Candidate {
    detection: Detection,
    /// Whether a crop's border may have cut it off.
    is_cut: bool,
}

impl Candidate {
    fn whole(detection: Detection) -> Self {
        Self { detection, is_cut: false }
    }

    fn cropped(mut detection: Detection, at: &Bounds) -> Self {
        let seen = detection.bounds;
        detection.bounds = Bounds {
            left: at.left + seen.left * at.width,
            top: at.top + seen.top * at.height,
            width: seen.width * at.width,
            height: seen.height * at.height,
        };
        // The crop's border may be the picture's, beyond which there is nothing.
        let is_cut = (seen.left < BORDER && at.left > 0.0)
            || (seen.top < BORDER && at.top > 0.0)
            || (seen.right() > 1.0 - BORDER && at.right() < 1.0 - f64::EPSILON)
            || (seen.bottom() > 1.0 - BORDER && at.bottom() < 1.0 - f64::EPSILON);
        Self { detection, is_cut }
    }

    fn is_of_the_same_thing(&self, other: &Self) -> bool {
        let a = &self.detection;
        let b = &other.detection;
        let common = a.bounds.common_area(&b.bounds);
        let is_part = (self.is_cut || other.is_cut) && common >= WITHIN * a.bounds.area().min(b.bounds.area());
        a.label == b.label && (a.bounds.iou(&b.bounds) > OVERLAP || is_part)
    }
}

/// Keeps the best detection of each thing: a whole one rather than one that is cut off, then the one with the highest score.
fn one_each(mut candidates: Vec<Candidate>) -> Vec<Detection> {
    candidates.sort_by(|a, b| a.is_cut.cmp(&b.is_cut).then_with(|| b.detection.score.total_cmp(&a.detection.score)));
    let mut kept: Vec<Candidate> = Vec::new();
    for candidate in candidates {
        match kept.iter_mut().find(|other| other.is_of_the_same_thing(&candidate)) {
            // What is surest of a part is as sure of the whole.
            Some(other) => other.detection.score = other.detection.score.max(candidate.detection.score),
            None => kept.push(candidate),
        }
    }
    kept.into_iter().map(|candidate| candidate.detection).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use framepost_media::motion::Moving;
    use std::time::Duration;

    fn picture(width: u32, height: u32) -> Picture {
        let bytes = vec![7; (width * height * 3) as usize];
        Picture::new(width, height, bytes.into(), Duration::ZERO).unwrap()
    }

    fn moving(left: f64, top: f64, right: f64, bottom: f64) -> Movement {
        Movement { boxes: vec![Moving { left, top, right, bottom, score: 0.5 }], part: 0.1 }
    }

    fn seen(label: &str, score: f64, [left, top, right, bottom]: [f64; 4]) -> Detection {
        let bounds = Bounds::from_edges(left, top, right, bottom).unwrap();
        Detection { label: label.to_owned(), score, bounds, zones: vec![] }
    }

    #[test]
    fn what_is_small_is_cut_out_in_the_models_size_and_what_is_large_is_not() {
        let pictures = [picture(1920, 1080)];
        let cut = |movement| crops(&pictures, &[movement], (416, 416));
        let small = cut(moving(0.5, 0.5, 0.52, 0.6));
        assert_eq!((small[0].picture.width(), small[0].picture.height()), (416, 416));
        let corner = cut(moving(0.0, 0.0, 0.02, 0.1));
        assert_eq!((corner[0].at.left, corner[0].at.top), (0.0, 0.0));
        let larger = cut(moving(0.4, 0.2, 0.6, 0.7));
        let width = larger[0].picture.width();
        let height = larger[0].picture.height();
        assert!((647..=649).contains(&width) && width.abs_diff(height) <= 1, "{width} x {height}");
        assert!(cut(moving(0.0, 0.0, 0.9, 0.9)).is_empty(), "the whole picture shows it as well");
        assert!(crops(&[picture(400, 300)], &[moving(0.1, 0.1, 0.2, 0.2)], (416, 416)).is_empty(), "nothing is shrunk");
        let many = Movement {
            boxes: (0..50)
                .map(|n| moving(f64::from(n) / 60.0, 0.0, f64::from(n) / 60.0 + 0.01, 0.02).boxes[0])
                .collect(),
            part: 0.1,
        };
        assert!(cut(many).len() <= CROPS_MAX);
    }

    #[test]
    fn one_thing_in_several_crops_is_one_detection() {
        let pictures = [picture(1920, 1080)];
        let crop = |left, right| {
            let (picture, at) = pictures[0].crop(&Bounds::from_edges(left, 0.0, right, 1.0).unwrap());
            Crop { of: 0, picture, at }
        };
        let crops = [crop(0.0, 0.5), crop(0.3, 0.8)];
        // A person from 0.4 to 0.6 of the picture: cut off in the first crop, whole in the second.
        let of_crops = vec![
            vec![seen("person", 0.9, [0.8, 0.2, 1.0, 0.9]), seen("dog", 0.4, [0.1, 0.1, 0.2, 0.2])],
            vec![seen("person", 0.6, [0.2, 0.2, 0.6, 0.9]), seen("bag", 0.5, [0.2, 0.2, 0.6, 0.9])],
        ];
        let whole = vec![vec![seen("person", 0.5, [0.41, 0.21, 0.61, 0.9])]];
        let merged = merged(whole, &crops, of_crops);
        let told: Vec<_> = merged[0].iter().map(|seen| (&*seen.label, seen.score)).collect();
        assert_eq!(told, [("person", 0.9), ("bag", 0.5), ("dog", 0.4)]);
        let person = &merged[0][0].bounds;
        assert!((person.left - 0.4).abs() < 0.001 && (person.right() - 0.6).abs() < 0.001, "{person:?}");
        let dog = &merged[0][2].bounds;
        assert!((dog.left - 0.05).abs() < 0.001 && (dog.width - 0.05).abs() < 0.001, "{dog:?}");
    }

    #[test]
    fn two_people_side_by_side_stay_two() {
        let whole = vec![vec![seen("person", 0.9, [0.1, 0.1, 0.2, 0.9]), seen("person", 0.8, [0.19, 0.1, 0.3, 0.9])]];
        let (picture, at) = picture(1920, 1080).crop(&Bounds::from_edges(0.0, 0.0, 0.5, 1.0).unwrap());
        let merged = merged(whole, &[Crop { of: 0, picture, at }], vec![vec![]]);
        assert_eq!(merged[0].len(), 2);
    }
}
