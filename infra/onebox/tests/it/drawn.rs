//! `framepost detect --draw DIR`: the boxes of the record are drawn, nothing else is, and they are where things are.
//!
//! The judge decodes the pictures that were written. Where people and bottles are in the shared clips was read off their pictures
//! by eye.

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The sides of a box as fractions of the picture: left, top, right, bottom.
pub(crate) type Sides = [f64; 4];

/// What `framepost detect --draw` did with one file.
pub(crate) struct Detected {
    pub(crate) frames: Vec<Value>,
    pub(crate) drawn: PathBuf,
    stem: String,
}

impl Detected {
    /// The picture of a frame, which is named by its time in milliseconds.
    pub(crate) fn picture(&self, frame: &Value) -> PathBuf {
        self.drawn.join(format!("{}-{:06}ms.jpg", self.stem, offset_us(frame) / 1000))
    }
}

pub(crate) fn offset_us(frame: &Value) -> u64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "some seconds")]
    let us = (frame["offset"].as_f64().unwrap() * 1e6).round() as u64;
    us
}

/// The boxes of a frame with this label.
pub(crate) fn boxes(frame: &Value, label: &str) -> Vec<Sides> {
    let detections = frame["detections"].as_array().unwrap().iter();
    let sides = |detection: &Value| {
        let [left, top, width, height] =
            ["left", "top", "width", "height"].map(|name| detection["box"][name].as_f64().unwrap());
        [left, top, left + width, top + height]
    };
    detections.filter(|detection| detection["label"] == label).map(sides).collect()
}

pub(crate) fn has(program: &str) -> bool {
    let found = Command::new(program).arg("-version").output().is_ok();
    if !found {
        eprintln!("skipped: {program} is missing: apt-get install ffmpeg");
    }
    found
}

pub(crate) fn detect(detector: &str, drawn: &Path, clip: &Path, variables: &[(&str, &str)]) -> Detected {
    detect_with(detector, &[], drawn, clip, variables)
}

/// The same with more options.
pub(crate) fn detect_with(
    detector: &str,
    options: &[&str],
    drawn: &Path,
    clip: &Path,
    variables: &[(&str, &str)],
) -> Detected {
    let mut command = Command::new(env!("CARGO_BIN_EXE_framepost"));
    command.args(["detect", "--detector", detector]).args(options).arg("--draw").arg(drawn).arg(clip);
    command.envs(variables.iter().copied());
    let output = command.output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    let record: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(record["type"], "io.framepost.chunk.inferred.v1");
    let frames = record["data"]["frames"].as_array().unwrap().clone();
    let stem = clip.file_stem().unwrap().to_string_lossy().into_owned();
    Detected { frames, drawn: drawn.to_owned(), stem }
}

/// Decodes a picture to 8 bits each of red, green and blue.
pub(crate) fn decoded(picture: &Path, (width, height): (usize, usize)) -> Vec<[u8; 3]> {
    let output = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-i"])
        .arg(picture)
        .args(["-f", "rawvideo", "-pix_fmt", "rgb24", "pipe:1"])
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.stdout.len(), width * height * 3, "{}: {told}", picture.display());
    output.stdout.as_chunks::<3>().0.to_vec()
}

/// The pixels on the border of one of the boxes, two pixels thick.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "places in a picture")]
fn borders(boxes: &[Sides], (width, height): (usize, usize)) -> Vec<bool> {
    let mut marks = vec![false; width * height];
    for [left, top, right, bottom] in boxes {
        let columns = (left * width as f64) as usize..((right * width as f64) as usize).min(width);
        let rows = (top * height as f64) as usize..((bottom * height as f64) as usize).min(height);
        for y in rows.clone() {
            for x in columns.clone() {
                let edge = (x - columns.start).min(columns.end - 1 - x).min(y - rows.start).min(rows.end - 1 - y);
                marks[y * width + x] |= edge < 2;
            }
        }
    }
    marks
}

/// What coding as JPEG may spread: a block of 16 pixels, in which colours have half the resolution, and the pixels beside it.
pub(crate) const SPREAD: usize = 18;

/// Asserts that the drawn picture shows these boxes and is otherwise as the one without boxes.
pub(crate) fn assert_drawn(drawn: &[[u8; 3]], plain: &[[u8; 3]], boxes: &[Sides], size: (usize, usize), shown: &str) {
    let (width, height) = size;
    let marks = borders(boxes, size);
    let difference = |at: usize| drawn[at].iter().zip(plain[at]).map(|(a, b)| a.abs_diff(b)).max().unwrap();
    let on_border: Vec<usize> = (0..marks.len()).filter(|at| marks[*at]).collect();
    let visible = on_border.iter().filter(|at| difference(**at) > 24).count();
    assert!(visible * 10 >= on_border.len() * 9, "{shown}: {visible} of {} pixels of borders", on_border.len());
    let mut near = vec![false; width * height];
    for at in on_border {
        let x = at % width;
        let y = at / width;
        for y in y.saturating_sub(SPREAD)..(y + SPREAD + 1).min(height) {
            near[y * width..][x.saturating_sub(SPREAD)..(x + SPREAD + 1).min(width)].fill(true);
        }
    }
    let elsewhere = (0..near.len()).find(|at| !near[*at] && difference(*at) > 0);
    assert_eq!(elsewhere.map(|at| (at % width, at / width)), None, "{shown}: it differs far from each border");
}

#[test]
fn the_boxes_of_the_record_are_drawn_and_nothing_else_is() {
    if !has("ffmpeg") {
        return;
    }
    let clip = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/demo.mp4");
    let dir = tempfile::tempdir().unwrap();
    let with = detect("motion:", &dir.path().join("with"), &clip, &[]);
    // Of what it sees, nothing is kept.
    let without = detect("motion:", &dir.path().join("without"), &clip, &[("FRAMEPOST_LABELS", "nothing")]);
    let size = (640, 360);
    let mut drawn = 0;
    assert!(with.frames.len() > 1 && with.frames.len() == without.frames.len());
    for (frame, plain) in with.frames.iter().zip(&without.frames) {
        assert_eq!((offset_us(frame), plain["detections"].as_array().unwrap().len()), (offset_us(plain), 0));
        let found = boxes(frame, "motion");
        drawn += found.len();
        let picture = with.picture(frame);
        let pixels = decoded(&picture, size);
        assert_drawn(&pixels, &decoded(&without.picture(plain), size), &found, size, &picture.display().to_string());
    }
    assert!(drawn > with.frames.len() / 2, "{drawn} boxes in {} pictures", with.frames.len());
    for detected in [&with, &without] {
        assert_eq!(std::fs::read_dir(&detected.drawn).unwrap().count(), detected.frames.len());
    }
}

#[test]
fn what_is_no_clip_is_named_and_nothing_is_drawn() {
    let dir = tempfile::tempdir().unwrap();
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let mut command = Command::new(env!("CARGO_BIN_EXE_framepost"));
    command.args(["detect", "--detector", "motion:", "--draw"]).arg(dir.path().join("boxes")).arg(&manifest);
    let output = command.output().unwrap();
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(1), &[][..]));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains(&manifest.display().to_string()), "{told}");
    assert_eq!(std::fs::read_dir(dir.path().join("boxes")).unwrap().count(), 0);
}

/// Files of one name in two directories, and between them one that is no clip.
#[test]
fn each_of_several_files_has_a_record_and_pictures_of_its_own() {
    if !has("ffmpeg") {
        return;
    }
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/demo.mp4");
    let dir = tempfile::tempdir().unwrap();
    let drawn = dir.path().join("boxes");
    let [first, second] = ["a", "b"].map(|name| dir.path().join(name).join("gate.mp4"));
    for path in [&first, &second] {
        std::fs::create_dir(path.parent().unwrap()).unwrap();
    }
    std::fs::copy(&demo, &first).unwrap();
    cut(&demo, 2, "null", &second);
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let mut command = Command::new(env!("CARGO_BIN_EXE_framepost"));
    command.args(["detect", "--detector", "motion:", "--draw"]).arg(&drawn).args([&first, &manifest, &second]);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1), "one of them is no clip");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.lines().count() == 1 && told.contains(&manifest.display().to_string()), "{told}");
    let records: Vec<Value> =
        String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let frames = |record: &Value| record["data"]["frames"].as_array().unwrap().clone();
    let [of_first, of_second] = &records[..] else { panic!("{records:?}") };
    let alone = detect("motion:", &dir.path().join("alone"), &first, &[]);
    assert_eq!(frames(of_first), alone.frames, "as if it were alone");
    assert!(!frames(of_second).is_empty() && frames(of_second) != frames(of_first));
    let mut expected: Vec<String> = [(of_first, "gate"), (of_second, "gate-2")]
        .into_iter()
        .flat_map(|(record, name)| {
            frames(record)
                .iter()
                .map(|frame| format!("{name}-{:06}ms.jpg", offset_us(frame) / 1000))
                .collect::<Vec<_>>()
        })
        .collect();
    expected.sort();
    let entries = std::fs::read_dir(&drawn).unwrap().flatten();
    let mut found: Vec<String> = entries.map(|entry| entry.file_name().into_string().unwrap()).collect();
    found.sort();
    assert_eq!(found, expected);
}

#[test]
fn without_ffmpeg_it_says_at_once_what_is_missing() {
    let clip = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/demo.mp4");
    for (variable, value) in [("PATH", "/nowhere"), ("FRAMEPOST_FFMPEG", "/nowhere/ffmpeg")] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_framepost"));
        let output =
            command.args(["detect", "--detector", "motion:"]).arg(&clip).env(variable, value).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(1), &[][..]), "{told}");
        assert!(told.contains("ffmpeg is not installed: apt-get install ffmpeg"), "{variable}: {told}");
    }
}

/// The clips that people walk through and bottles stand in, where they are there.
pub(crate) fn shared_clip(name: &str) -> Option<PathBuf> {
    let data = std::env::var_os("FRAMEPOST_TEST_DATA")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"), PathBuf::from);
    let clip = data.join("clips").join(name);
    if !clip.exists() {
        eprintln!("skipped: {} is not there", clip.display());
        return None;
    }
    Some(clip)
}

fn overlap(a: &Sides, b: &Sides) -> f64 {
    let side = |low: usize| (a[low + 2].min(b[low + 2]) - a[low].max(b[low])).max(0.0);
    side(0) * side(1)
}

fn area(a: &Sides) -> f64 {
    overlap(a, a)
}

/// The labels, times in milliseconds and boxes of both clips, as a person reads them off the pictures.
#[cfg(feature = "onnx")]
mod read_off {
    use super::Sides;

    const LEFT: Sides = [0.095, 0.31, 0.19, 0.87];
    const MIDDLE: Sides = [0.45, 0.31, 0.54, 0.87];
    const RIGHT: Sides = [0.80, 0.30, 0.885, 0.87];
    /// Three bottles, some of which are taken away and brought back.
    pub(super) const BOTTLES: &[(u64, &[Sides])] = &[
        (0, &[LEFT, MIDDLE, RIGHT]),
        (8379, &[MIDDLE, RIGHT]),
        (16759, &[LEFT, MIDDLE, RIGHT]),
        (25139, &[MIDDLE, RIGHT]),
        (33519, &[LEFT, MIDDLE]),
    ];
    /// One person after the other comes to the table, stands there and goes.
    pub(super) const PEOPLE: &[(u64, &[Sides])] = &[
        (0, &[]),
        (5_000, &[]),
        (10_000, &[[0.50, 0.04, 0.67, 0.92]]),
        (20_000, &[]),
        (25_000, &[[0.51, 0.01, 0.705, 0.85]]),
        (40_000, &[[0.51, 0.01, 0.70, 0.84]]),
        (50_000, &[]),
        (55_000, &[[0.52, 0.0, 0.72, 0.88]]),
        (75_000, &[[0.265, 0.44, 0.53, 1.0]]),
        (80_000, &[[0.48, 0.07, 0.67, 0.88]]),
        (85_000, &[[0.51, 0.09, 0.70, 0.93]]),
        (100_000, &[[0.51, 0.02, 0.68, 0.87]]),
        (120_000, &[]),
        (130_000, &[[0.465, 0.0, 0.69, 0.90]]),
        (135_000, &[[0.665, 0.0, 0.95, 0.87]]),
    ];
}

#[cfg(feature = "onnx")]
#[test]
fn people_and_bottles_are_boxed_where_they_are() {
    let (Some(shared), true) = (crate::model::shared_models(), has("ffmpeg")) else { return };
    let dir = tempfile::tempdir().unwrap();
    let models = dir.path().join("models");
    let added = crate::model::add(&models, "nano", &shared.join("yolox_nano.onnx"), &shared.join("coco80_labels.txt"));
    assert!(added.status.success(), "{}", String::from_utf8_lossy(&added.stderr));
    let models = models.to_str().unwrap();
    for (name, size, label, expected) in [
        ("bottle-detection.mp4", (640, 360), "bottle", read_off::BOTTLES),
        ("one-by-one-person-detection.mp4", (768, 432), "person", read_off::PEOPLE),
    ] {
        let Some(clip) = shared_clip(name) else { return };
        let variables = [("FRAMEPOST_MODELS", models), ("FRAMEPOST_LABELS", label)];
        let with = detect("onnx:nano", &dir.path().join("with"), &clip, &variables);
        let variables = [("FRAMEPOST_MODELS", models), ("FRAMEPOST_LABELS", "nothing")];
        let without = detect("onnx:nano", &dir.path().join("without"), &clip, &variables);
        for (at_ms, expected) in expected {
            let frame = with.frames.iter().find(|frame| offset_us(frame) / 1000 == *at_ms);
            let frame = frame.unwrap_or_else(|| panic!("{name} has no picture at {at_ms} ms"));
            let found = boxes(frame, label);
            let shown = format!("{name} at {at_ms} ms: {found:?}");
            for expected in *expected {
                let is_there = |found: &Sides| {
                    let common = overlap(found, expected);
                    common / (area(found) + area(expected) - common) > 0.6
                };
                assert_eq!(found.iter().filter(|found| is_there(found)).count(), 1, "{shown}: {expected:?}");
            }
            assert_eq!(found.len(), expected.len(), "{shown}");
            let plain = decoded(&without.picture(frame), size);
            assert_drawn(&decoded(&with.picture(frame), size), &plain, &found, size, &shown);
        }
    }
}

/// Three seconds of a clip from `start` on, through a filter.
fn cut(clip: &Path, start: u32, filter: &str, to: &Path) {
    let output = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-y", "-ss", &start.to_string(), "-t", "3", "-i"])
        .arg(clip)
        .args(["-vf", filter, "-an", "-c:v", "libx264", "-preset", "veryfast"])
        .arg(to)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn what_moves_is_boxed_and_the_light_is_not() {
    let (Some(clip), true) = (shared_clip("one-by-one-person-detection.mp4"), has("ffmpeg")) else { return };
    let dir = tempfile::tempdir().unwrap();
    // Where somebody comes to a stand within the three seconds from 6 s on, as a person reads it off the pictures.
    let stands = [0.50, 0.04, 0.67, 0.92];
    for (name, filter) in [
        ("steady", "null"),
        ("switched on", "eq=brightness='if(gte(t,1.5),0.12,0)':eval=frame"),
        ("waving", "eq=brightness='0.08*sin(4*t)':eval=frame"),
    ] {
        let light = dir.path().join("light.mp4");
        for start in [0, 3] {
            cut(&clip, start, filter, &light);
            let empty = detect("motion:", &dir.path().join("boxes"), &light, &[]);
            let found: Vec<Sides> = empty.frames.iter().flat_map(|frame| boxes(frame, "motion")).collect();
            assert!(empty.frames.len() >= 6 && found.is_empty(), "{name}, an empty room: {found:?}");
        }
        cut(&clip, 6, filter, &light);
        let walked = detect("motion:", &dir.path().join("boxes"), &light, &[]);
        for frame in &walked.frames {
            let found = boxes(frame, "motion");
            let shown = format!("{name}, at {} us: {found:?}", offset_us(frame));
            assert!(!found.is_empty() && found.iter().all(|found| found[0] > 0.2 && found[2] < 0.8), "{shown}");
            if offset_us(frame) >= 2_000_000 {
                let covered = found.iter().map(|found| overlap(found, &stands)).fold(0.0, f64::max);
                assert!(covered > 0.8 * area(&stands), "{shown}");
            }
        }
    }
}
