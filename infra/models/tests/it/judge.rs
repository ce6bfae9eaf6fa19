//! The same answers as onnxruntime, OpenCV and NumPy give (`tests/models/judge.py`).

use crate::python::{judge, python, shared_data};
use bytes::Bytes;
use framepost_events::detection::{Bounds, Detection};
use framepost_models::{InputData, ModelDirectory, OnnxDetector, prepare};
use framepost_ports::{Detector as _, Picture};
use serde_json::Value;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Two boxes are the same from this intersection over union.
const IOU: f64 = 0.95;
/// Two scores are the same up to this difference.
const SCORE: f64 = 0.01;

/// The description of the shared YOLOX-nano.
pub(crate) const YOLOX_NANO: &str = r#"name = "yolox-nano"
file = "yolox_nano.onnx"
sha256 = "d39bee73564e338080378b0ad567fbb40e818b55bbfaf971de82a0267ed16b8a"
labels = "coco80_labels.txt"
score = 0.3
iou = 0.45
[input]
width = 416
height = 416
layout = "nchw"
type = "f32"
colour = "bgr"
resize = "letterbox"
[decoder]
kind = "yolox"
"#;

/// Lays the shared model into a directory of its own.
pub(crate) fn yolox_nano(data: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for name in ["yolox_nano.onnx", "coco80_labels.txt"] {
        std::fs::copy(data.join("models").join(name), to.join(name)).unwrap();
    }
    std::fs::write(to.join("model.toml"), YOLOX_NANO).unwrap();
}

/// Pictures of a clip as files for the judge, `per_second` of them; empty without ffmpeg.
pub(crate) fn decoded(clip: &Path, per_second: &str, to: &Path) -> Vec<PathBuf> {
    let size = Command::new("ffprobe")
        .args(["-v", "error", "-select_streams", "v:0", "-show_entries", "stream=width,height", "-of", "csv=p=0:s=x"])
        .arg(clip)
        .output()
        .unwrap();
    let size = String::from_utf8(size.stdout).unwrap().trim().to_owned();
    let (width, height) = size.split_once('x').unwrap();
    let filter = format!("fps={per_second}");
    let raw = Command::new("ffmpeg")
        .args(["-v", "error", "-i"])
        .arg(clip)
        .args(["-vf", &filter, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"])
        .output()
        .unwrap();
    let bytes = width.parse::<usize>().unwrap() * height.parse::<usize>().unwrap() * 3;
    let name = clip.file_stem().unwrap().to_string_lossy();
    let pictures = raw.stdout.chunks_exact(bytes).enumerate().map(|(index, rgb)| {
        let path = to.join(format!("{size}-{name}-{index}.rgb"));
        std::fs::write(&path, rgb).unwrap();
        path
    });
    pictures.collect()
}

/// A picture that the judge reads.
pub(crate) fn picture(path: &Path) -> Picture {
    let name = path.file_name().unwrap().to_string_lossy();
    let (width, height) = name.split('-').next().unwrap().split_once('x').unwrap();
    let rgb = Bytes::from(std::fs::read(path).unwrap());
    Picture::new(width.parse().unwrap(), height.parse().unwrap(), rgb, Duration::ZERO).unwrap()
}

/// Coarse noise: random blocks, so that shrinking leaves something to see.
fn noise(width: usize, height: usize, seed: u64, to: &Path) -> PathBuf {
    let mut random = fastrand::Rng::with_seed(seed);
    let block = (width.max(height) / 12).max(1);
    let across = width / block + 1;
    let blocks: Vec<[u8; 3]> =
        (0..across * (height / block + 1)).map(|_| [random.u8(..), random.u8(..), random.u8(..)]).collect();
    let mut rgb = Vec::with_capacity(width * height * 3);
    for y in 0..height {
        for x in 0..width {
            rgb.extend(blocks[y / block * across + x / block].map(|value| value.wrapping_add(random.u8(..16))));
        }
    }
    let path = to.join(format!("{width}x{height}-noise-{seed}.rgb"));
    std::fs::write(&path, rgb).unwrap();
    path
}

fn arguments(what: &str, model: &Path, pictures: &[PathBuf]) -> Vec<OsString> {
    let mut arguments = vec![OsString::from(what), model.into()];
    arguments.extend(pictures.iter().map(OsString::from));
    arguments
}

/// Fails unless both have the same detections, in any order.
pub(crate) fn assert_same(ours: &[Detection], reference: &Value, what: &str) {
    let reference = reference.as_array().unwrap();
    let number = |value: &Value| value.as_f64().unwrap();
    let mut left: Vec<&Detection> = ours.iter().collect();
    for expected in reference {
        let edges = expected["edges"].as_array().unwrap();
        let edges: Vec<f64> = edges.iter().map(number).collect();
        let bounds = Bounds::from_edges(edges[0], edges[1], edges[2], edges[3]).unwrap();
        let off = |found: &Detection| (found.score - number(&expected["score"])).abs();
        let is_same = |found: &Detection| {
            found.label == expected["label"] && off(found) <= SCORE && found.bounds.iou(&bounds) >= IOU
        };
        // Models without suppression say the same several times; each is matched with its nearest.
        let same = (0..left.len())
            .filter(|index| is_same(left[*index]))
            .min_by(|a, b| off(left[*a]).total_cmp(&off(left[*b])));
        let same = same.unwrap_or_else(|| panic!("{what}: missing {expected}; found {ours:?}"));
        left.swap_remove(same);
    }
    assert!(left.is_empty(), "{what}: only we found {left:?}");
}

/// What the reference finds in the pictures.
pub(crate) fn judge_of(python: &Path, model: &Path, pictures: &[PathBuf]) -> Vec<Value> {
    judge(python, arguments("detect", model, pictures))
}

async fn agrees(python: &Path, model: &Path, pictures: &[PathBuf]) -> usize {
    let detector = OnnxDetector::load(ModelDirectory::local(model)).await.unwrap_or_else(|error| {
        panic!("{}", framepost_ports::chain(&error));
    });
    let looked: Vec<Picture> = pictures.iter().map(|path| picture(path)).collect();
    let ours = detector.detect(&looked).await.unwrap_or_else(|error| panic!("{}", framepost_ports::chain(&error)));
    let reference = judge_of(python, model, pictures);
    assert_eq!(ours.len(), reference.len());
    for ((ours, reference), path) in ours.iter().zip(&reference).zip(pictures) {
        assert_same(ours, reference, &format!("{} on {}", model.display(), path.display()));
    }
    ours.iter().map(Vec::len).sum()
}

#[tokio::test]
async fn yolox_finds_in_the_shared_clips_what_the_reference_finds() {
    let (Some(python), Some(data)) = (python(), shared_data()) else { return };
    let dir = tempfile::tempdir().unwrap();
    let model = dir.path().join("yolox-nano");
    yolox_nano(&data, &model);
    for clip in ["bottle-detection.mp4", "one-by-one-person-detection.mp4"] {
        let pictures = decoded(&data.join("clips").join(clip), "1", dir.path());
        let found = agrees(&python, &model, &pictures).await;
        eprintln!("{clip}: {found} detections in {} pictures, all as the reference has them", pictures.len());
        assert!(found > 10, "{clip}: {found}");
    }
}

#[tokio::test]
async fn each_decoder_finds_what_the_reference_finds() {
    let Some(python) = python() else { return };
    let dir = tempfile::tempdir().unwrap();
    let models = dir.path().join("models");
    judge(&python, [OsString::from("models"), models.clone().into()]);
    let pictures: Vec<PathBuf> = [(64, 64), (128, 128), (640, 360), (97, 203), (30, 500), (1280, 720)]
        .into_iter()
        .zip(0..)
        .map(|((width, height), seed)| noise(width, height, seed, dir.path()))
        .collect();
    for entry in std::fs::read_dir(&models).unwrap() {
        let model = entry.unwrap().path();
        let found = agrees(&python, &model, &pictures).await;
        assert!(found > 0, "{} finds nothing, so nothing is compared", model.display());
    }
}

#[test]
fn a_model_is_given_bit_for_bit_what_opencv_and_numpy_make_of_a_picture() {
    let Some(python) = python() else { return };
    let dir = tempfile::tempdir().unwrap();
    // Larger, smaller, half as large, as large, and sides of one pixel.
    let sides =
        [(640, 360), (1920, 1080), (128, 128), (64, 64), (13, 7), (1, 1), (1, 300), (300, 1), (65, 63), (97, 203)];
    let pictures: Vec<PathBuf> =
        sides.into_iter().zip(0..).map(|((width, height), seed)| noise(width, height, seed, dir.path())).collect();
    for (index, (size, input)) in [
        ((64, 64), "type = \"f32\"\nlayout = \"nchw\"\ncolour = \"bgr\"\nresize = \"letterbox\""),
        (
            (96, 64),
            "type = \"u8\"\nlayout = \"nhwc\"\ncolour = \"rgb\"\nresize = \"letterbox\"\nalign = \"centre\"\nfill = 7",
        ),
        (
            (64, 128),
            "type = \"f16\"\nlayout = \"nchw\"\ncolour = \"rgb\"\nresize = \"stretch\"\nscale = 0.00392156862745098",
        ),
        ((640, 360), {
            "type = \"f32\"\nlayout = \"nhwc\"\ncolour = \"rgb\"\nresize = \"stretch\"\nscale = 0.00392156862745098\n\
             mean = [0.485, 0.456, 0.406]\nstd = [0.229, 0.224, 0.225]"
        }),
    ]
    .into_iter()
    .enumerate()
    {
        let model = dir.path().join(index.to_string());
        std::fs::create_dir(&model).unwrap();
        let (width, height) = size;
        let text = format!(
            "name = \"m\"\nlabels = [\"x\"]\nscore = 0.5\n[input]\nwidth = {width}\nheight = {height}\n{input}\n[decoder]\nkind = \"yolov8\"\n"
        );
        std::fs::write(model.join("model.toml"), &text).unwrap();
        let manifest = framepost_models::Manifest::parse(&text).unwrap();
        judge(&python, arguments("prepare", &model, &pictures));
        for path in &pictures {
            let (tensor, _) = prepare(&picture(path), &manifest.input);
            let bytes = match tensor.data {
                InputData::U8(data) => data,
                InputData::F32(data) => data.iter().flat_map(|value| value.to_le_bytes()).collect(),
                InputData::F16(data) => data.iter().flat_map(|value| value.to_le_bytes()).collect(),
            };
            let mut expected = path.clone().into_os_string();
            expected.push(".tensor");
            let expected = std::fs::read(expected).unwrap();
            assert_eq!(bytes.len(), expected.len(), "{input}");
            let differing = bytes.iter().zip(&expected).position(|(ours, reference)| ours != reference);
            assert_eq!(differing, None, "{} with {input}", path.display());
        }
    }
}
