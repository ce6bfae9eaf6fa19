//! `framepost up` with a detector of the user's: what its records say, and what follows when the setting changes and changes back.

#![cfg(target_os = "linux")]

use crate::confined::{field, node, number, value};
use framepost_events::record::{ChunkInferred, Data, Record};
use framepost_ports::Catalog as _;
use framepost_ports::catalog::Interval;
use framepost_sql::SqliteCatalog;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

/// The command in a directory of its own, which knows no setting of the surroundings.
fn framepost(dir: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_framepost"));
    command.args(arguments).current_dir(dir).env_remove("FRAMEPOST_DETECTOR").env_remove("FRAMEPOST_MODELS");
    command
}

/// What `framepost up` says of what it looked at.
fn up(command: &mut Command) -> Vec<ChunkInferred> {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let lines = String::from_utf8(output.stdout).unwrap();
    let records = lines.lines().filter_map(|line| match serde_json::from_str(line).unwrap() {
        Record { data: Data::ChunkInferred(inferred), .. } => Some(*inferred),
        _ => None,
    });
    let records: Vec<ChunkInferred> = records.collect();
    assert!(!records.is_empty(), "{said}");
    records
}

/// Five seconds of a clip from `start` on.
fn cut(clip: &Path, start: &str, to: &Path) {
    let output = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-y", "-ss", start, "-t", "5", "-i"])
        .arg(clip)
        .args(["-an", "-c:v", "libx264", "-preset", "veryfast", "-g", "25"])
        .arg(to)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn people_and_bottles_are_in_the_summaries_of_the_shared_model() {
    let (Some(shared), true) = (crate::model::shared_models(), crate::drawn::has("ffmpeg")) else { return };
    let dir = tempfile::tempdir().unwrap();
    let labels = shared.join("coco80_labels.txt");
    let added = crate::model::add(&dir.path().join("models"), "yolox-nano", &shared.join("yolox_nano.onnx"), &labels);
    assert!(added.status.success(), "{}", String::from_utf8_lossy(&added.stderr));
    // Three bottles stand on a table; somebody stands before it from 9 s on.
    for (name, start, camera) in
        [("bottle-detection.mp4", "0", "bottles"), ("one-by-one-person-detection.mp4", "9", "people")]
    {
        let Some(clip) = crate::drawn::shared_clip(name) else { return };
        cut(&clip, start, &dir.path().join(format!("{camera}.mp4")));
    }
    let arguments = ["up", "--detector", "onnx:models/yolox-nano", "bottles.mp4", "people.mp4"];
    // The model is surer of each of them than 0.86, and less sure of all else than 0.4. None counts as still.
    let variables = [("FRAMEPOST_SCORE_MIN", "0.6"), ("FRAMEPOST_STILL_DIFFERENCE", "0")];
    let records = up(framepost(dir.path(), &arguments).envs(variables));
    let mut seen = BTreeMap::<String, BTreeSet<(String, u32)>>::new();
    for record in &records {
        let model = (record.model.detector.as_str(), record.model.name.as_str());
        assert_eq!((model, record.skipped), (("onnx", "yolox-nano"), None), "{record:?}");
        let summary = record.summary.iter().map(|label| (label.label.clone(), label.most));
        seen.entry(record.camera.as_ref().unwrap().to_string()).or_default().extend(summary);
    }
    let expected = [("bottles", ("bottle", 3)), ("people", ("person", 1))];
    let expected =
        expected.map(|(camera, (label, most))| (camera.to_owned(), BTreeSet::from([(label.to_owned(), most)])));
    assert_eq!(seen, BTreeMap::from(expected));
}

/// A model that sees one thing in the middle of each picture, whatever it shows: YOLOX of 64 × 64 pixels whose output is constant.
fn constant() -> Vec<u8> {
    let mut rows = vec![[0.0_f32; 6]; 64 + 16 + 4];
    // The cell at the upper left, 8 pixels wide: a box around 32, 32 of 32 × 32 pixels.
    rows[0] = [4.0, 4.0, 4.0_f32.ln(), 4.0_f32.ln(), 1.0, 0.9];
    let bytes: Vec<u8> = rows.iter().flatten().flat_map(|value| value.to_le_bytes()).collect();
    // TensorProto of floats.
    let sides = [number(1, 1), number(1, rows.len() as u64), number(1, 6)].concat();
    let tensor = [sides, number(2, 1), field(8, b"seen"), field(9, &bytes)].concat();
    let mut graph = node("Identity", &["seen"], "output");
    graph.extend(field(2, b"graph"));
    graph.extend(field(5, &tensor));
    graph.extend(field(11, &value("images", 1, &[1, 3, 64, 64])));
    graph.extend(field(12, &value("output", 1, &[1, rows.len() as u64, 6])));
    [number(1, 8), field(7, &graph), field(8, &number(2, 17))].concat()
}

/// The models that looked at a camera's chunks, by camera.
type ModelsOf = BTreeMap<String, BTreeSet<String>>;

fn models(records: &[ChunkInferred]) -> ModelsOf {
    let mut models = ModelsOf::new();
    for record in records {
        models.entry(record.camera.as_ref().unwrap().to_string()).or_default().insert(record.model.name.clone());
    }
    models
}

/// Those whose results the catalogue shows.
async fn shown(dir: &Path) -> ModelsOf {
    let catalog = SqliteCatalog::open(dir.join("framepost-data/catalog.db")).await.unwrap();
    let mut shown = ModelsOf::new();
    for camera in catalog.cameras().await.unwrap() {
        let looks = catalog.looks(&camera.name, Interval::ALWAYS, 100).await.unwrap();
        shown.insert(camera.name.camera.to_string(), looks.into_iter().map(|look| look.inferred.model.name).collect());
    }
    shown
}

/// Model A, model B, and A again, with one setting changed each time. B is given what A has seen, too. What A said is shown where
/// it has looked as soon as it is back, and what B alone has seen stays with what B says of it.
#[tokio::test]
async fn a_detector_is_switched_back_to_by_one_setting() {
    if !crate::drawn::has("ffmpeg") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    std::fs::write(dir.join("constant.onnx"), constant()).unwrap();
    std::fs::write(dir.join("labels.txt"), "thing\n").unwrap();
    let add = ["model", "add", "b", "--decoder", "yolox", "--size", "64x64", "--onnx", "constant.onnx", "--labels"];
    let added = framepost(dir, &add).arg("labels.txt").output().unwrap();
    assert!(added.status.success(), "{}", String::from_utf8_lossy(&added.stderr));
    let clip = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/demo.mp4");
    for name in ["first.mp4", "second.mp4", "third.mp4"] {
        std::fs::copy(&clip, dir.join(name)).unwrap();
    }
    let records_of = |detector: &str, clip: &str| up(framepost(dir, &["up", clip]).env("FRAMEPOST_DETECTOR", detector));
    let each = |pairs: &[(&str, &str)]| -> ModelsOf {
        pairs.iter().map(|(camera, model)| ((*camera).to_owned(), BTreeSet::from([(*model).to_owned()]))).collect()
    };
    let made_with = |records: &[ChunkInferred]| -> BTreeSet<String> {
        records.iter().map(|record| format!("{:?} {}", record.model, record.settings_digest)).collect()
    };

    let before = records_of("motion:", "first.mp4");
    assert_eq!(models(&before), each(&[("first", "motion")]));
    assert_eq!(shown(dir).await, models(&before));

    let bucket = format!("file://{}", dir.join("framepost-data/s3/footage").display());
    let replay = ["replay", "infer", "--yes", "--state", "state", "--bucket", &bucket];
    let given = framepost(dir, &replay).output().unwrap();
    assert!(given.status.success(), "{}", String::from_utf8_lossy(&given.stderr));
    let between = records_of("onnx:b", "second.mp4");
    assert_eq!(models(&between), each(&[("first", "b"), ("second", "b")]));
    assert_eq!(shown(dir).await, models(&between));

    let after = records_of("motion:", "third.mp4");
    assert_eq!(models(&after), each(&[("third", "motion")]));
    assert_eq!(made_with(&after), made_with(&before), "the same model with the same settings");
    assert_eq!(shown(dir).await, each(&[("first", "motion"), ("second", "b"), ("third", "motion")]));
}
