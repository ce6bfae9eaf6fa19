//! What regions gain and cost: the shared clips, small in a picture of 1920 × 1080, with and without. `tests/run bench` runs it.
//!
//! What is there is what the same model finds in the clip as it is.

use crate::shared::clip;
use crate::support::{Object, decoder, ffmpeg, record};
use async_trait::async_trait;
use framepost_events::Sha256;
use framepost_events::detection::{Bounds, Detection};
use framepost_events::record::{ChunkInferred, Container, Data, InferredFrame, Record};
use framepost_infer::{Infer, Parts, Settings};
use framepost_models::{ModelDirectory, OnnxDetector};
use framepost_ports::memory::SimulatedClock;
use framepost_ports::{Bus, Detector as _, Picture, Result};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

/// The canvas, and where the clip is in it.
const CANVAS: (f64, f64) = (1920.0, 1080.0);
const AT: (f64, f64) = (900.0, 500.0);
/// Seconds of a chunk. Its pictures, one a second, stay within the pixels that may be decoded.
const CHUNK_S: f64 = 6.0;
/// Two boxes of one label are of one thing from this intersection over union.
const SAME_IOU: f64 = 0.5;

/// A bus that nobody listens to.
pub(crate) struct Nowhere;

#[async_trait]
impl Bus for Nowhere {
    async fn publish(&self, _record: &Record) -> Result<()> {
        Ok(())
    }
}

/// Lays the shared model into a directory.
pub(crate) fn model(data: &Path, to: &Path) -> ModelDirectory {
    let bytes = std::fs::read(data.join("yolox_nano.onnx")).unwrap();
    std::fs::write(to.join("model.onnx"), &bytes).unwrap();
    std::fs::copy(data.join("coco80_labels.txt"), to.join("labels.txt")).unwrap();
    let text = format!(
        "name = \"yolox-nano\"\nfile = \"model.onnx\"\nsha256 = \"{}\"\nlabels = \"labels.txt\"\nscore = 0.3\niou = 0.45\n[input]\n\
         width = 416\nheight = 416\nlayout = \"nchw\"\ntype = \"f32\"\ncolour = \"bgr\"\nresize = \"letterbox\"\n[decoder]\n\
         kind = \"yolox\"\n",
        Sha256::of(&bytes)
    );
    std::fs::write(to.join("model.toml"), text).unwrap();
    ModelDirectory::local(to)
}

fn run_ffmpeg(arguments: &[String]) -> Vec<u8> {
    let output =
        Command::new(ffmpeg().unwrap()).args(["-nostdin", "-v", "error", "-y"]).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// A chunk of the clip in the canvas, `width` pixels wide.
fn small(clip: &Path, start: f64, width: u32, to: &Path) -> Vec<u8> {
    let (across, down, (left, top)) = (CANVAS.0, CANVAS.1, AT);
    let filter = format!("scale={width}:-2,pad={across}:{down}:{left}:{top}:color=0x606060");
    let arguments =
        ["-ss", &start.to_string(), "-t", &CHUNK_S.to_string(), "-i", &clip.to_string_lossy(), "-vf", &filter];
    let coded = ["-an", "-c:v", "libx264", "-preset", "veryfast", "-crf", "18", "-pix_fmt", "yuv420p"];
    let arguments: Vec<String> = arguments.iter().chain(&coded).map(ToString::to_string).collect();
    run_ffmpeg(&[arguments, vec![to.to_string_lossy().into_owned()]].concat());
    std::fs::read(to).unwrap()
}

/// The clip's own picture at this time.
fn original(clip: &Path, at: f64, (width, height): (u32, u32)) -> Picture {
    let at = at.to_string();
    let arguments =
        ["-ss", &at, "-i", &clip.to_string_lossy(), "-frames:v", "1", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"];
    let rgb = run_ffmpeg(&arguments.map(str::to_owned));
    Picture::new(width, height, rgb.into(), Duration::ZERO).unwrap()
}

/// How many of `wanted` are in `found`, and how many of `found` are something else.
fn compared(wanted: &[Detection], found: &[Detection]) -> (usize, usize) {
    let mut left: Vec<&Detection> = found.iter().collect();
    let mut same = 0;
    for wanted in wanted {
        let at = left.iter().position(|it| it.label == wanted.label && it.bounds.iou(&wanted.bounds) >= SAME_IOU);
        if let Some(at) = at {
            left.swap_remove(at);
            same += 1;
        }
    }
    (same, left.len())
}

/// What one setting of regions found.
#[derive(Debug, Default)]
struct Sum {
    /// Things that are in the clip's own pictures, too.
    same: usize,
    /// How many reported things the reference does not have.
    other: usize,
    pictures: usize,
    ms: u64,
}

impl Sum {
    fn add(&mut self, inferred: &ChunkInferred, wanted: &[Vec<Detection>]) {
        assert_eq!(inferred.frames.len(), wanted.len());
        for (frame, wanted) in inferred.frames.iter().zip(wanted) {
            let (same, other) = compared(wanted, &frame.detections);
            self.same += same;
            self.other += other;
        }
        self.pictures += inferred.frames.len();
        self.ms += inferred.detector_ms.unwrap();
    }

    fn recall_percent(&self, things: usize) -> f64 {
        100.0 * self.same as f64 / things as f64
    }

    fn ms_each(&self) -> f64 {
        self.ms as f64 / self.pictures as f64
    }
}

/// Looks at the chunk with this setting of regions, at one picture a second.
async fn seen(bytes: &[u8], detector: &Arc<OnnxDetector>, regions: &str) -> ChunkInferred {
    let settings = Settings::from_variables(|name| match name {
        "FRAMEPOST_REGIONS" => Some(regions.to_owned()),
        "FRAMEPOST_PICTURES" => Some("1/s".to_owned()),
        "FRAMEPOST_STILL_BELOW" | "FRAMEPOST_STILL_DIFFERENCE" => Some("0".to_owned()),
        _ => None,
    });
    let parts = Parts {
        source: Arc::new(Object::of(bytes.to_vec())),
        bus: Arc::new(Nowhere),
        clock: Arc::new(SimulatedClock::new("2026-11-26T12:00:00Z".parse().unwrap())),
        detectors: vec![detector.clone()],
        ledger: None,
        decoder: decoder().unwrap(),
    };
    let infer = Infer::new(parts, settings.unwrap()).unwrap();
    let seen = infer.see(&record(bytes, Container::Mp4, CHUNK_S)).await.unwrap();
    let Data::ChunkInferred(inferred) = seen.record.data else { panic!("a record") };
    *inferred
}

/// What the model finds in the clip's own pictures, where it is in the canvas.
async fn truth(
    clip: &Path,
    start: f64,
    size: (u32, u32),
    width: u32,
    detector: &OnnxDetector,
    frames: &[InferredFrame],
) -> Vec<Vec<Detection>> {
    let across = f64::from(width) / CANVAS.0;
    let down = f64::from(width) * f64::from(size.1) / f64::from(size.0) / CANVAS.1;
    let mut truth = Vec::new();
    for frame in frames {
        let mut found = detector.detect(&[original(clip, start + frame.offset, size)]).await.unwrap().remove(0);
        for Detection { bounds, .. } in &mut found {
            *bounds = Bounds {
                left: AT.0 / CANVAS.0 + bounds.left * across,
                top: AT.1 / CANVAS.1 + bounds.top * down,
                width: bounds.width * across,
                height: bounds.height * down,
            };
        }
        truth.push(found);
    }
    truth
}

/// Each clip of the shared data, its size in pixels, and where its chunks start.
const CLIPS: [(&str, (u32, u32), &[f64]); 2] = [
    ("one-by-one-person-detection.mp4", (768, 432), &[6.0, 18.0, 42.0, 54.0, 63.0, 84.0, 102.0, 120.0]),
    ("bottle-detection.mp4", (640, 360), &[0.0, 6.0, 12.0, 18.0, 24.0, 30.0]),
];

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a benchmark: tests/run bench"]
async fn what_regions_gain_and_cost() {
    if decoder().is_none() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    eprintln!(
        "| clip | pixels wide in 1920 | things | found without | with | others without | with | ms a picture without | with |"
    );
    eprintln!("|---|---|---|---|---|---|---|---|---|");
    for (name, size, starts) in CLIPS {
        let Some(clip) = clip(name) else { return };
        let models = clip.parent().unwrap().parent().unwrap().join("models");
        let detector = Arc::new(OnnxDetector::load(model(&models, dir.path())).await.unwrap());
        for width in [960, 640, 320] {
            let mut off = Sum::default();
            let mut on = Sum::default();
            let mut things = 0;
            for start in starts {
                let bytes = small(&clip, *start, width, &dir.path().join("small.mp4"));
                let without = seen(&bytes, &detector, "off").await;
                let wanted = truth(&clip, *start, size, width, &detector, &without.frames).await;
                things += wanted.iter().map(Vec::len).sum::<usize>();
                off.add(&without, &wanted);
                on.add(&seen(&bytes, &detector, "on").await, &wanted);
            }
            eprintln!(
                "| {name} | {width} | {things} | {:.0} % | {:.0} % | {} | {} | {:.0} | {:.0} |",
                off.recall_percent(things),
                on.recall_percent(things),
                off.other,
                on.other,
                off.ms_each(),
                on.ms_each()
            );
            assert!(on.same >= off.same, "regions lose what is found without them");
        }
    }
}
