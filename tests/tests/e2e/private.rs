//! Nothing leaves the account but to the detector's URL: with a detector of its own, `infer` works where there is no network, and
//! tries to reach nothing.

use crate::inferred::has_ffmpeg;
use framepost_tests::binaries::{Output, Program, Running};
use framepost_tests::bucket::Bucket;
use framepost_tests::media::{Clip, shared_data};
use framepost_tests::nowhere::Nowhere;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_mins(3);

/// The detectors that run here, each with the variables that it needs: what moves, and, with the test data, a model.
fn detectors(dir: &Path) -> Vec<(&'static str, Vec<(&'static str, PathBuf)>)> {
    let mut detectors = vec![("motion:", vec![])];
    let models = dir.join("models");
    if let Some(shared) = shared_data().map(|data| data.join("models")) {
        let mut add = Program::Framepost.command();
        add.args(["model", "add", "nano", "--decoder", "yolox", "--size", "416x416"]).env("FRAMEPOST_MODELS", &models);
        add.arg("--onnx").arg(shared.join("yolox_nano.onnx")).arg("--labels").arg(shared.join("coco80_labels.txt"));
        Running::start(&mut add).wait_for_exit_code(0, PATIENCE);
        detectors.push(("onnx:nano", vec![("FRAMEPOST_MODELS", models)]));
    }
    detectors
}

/// The records of pictures among lines of JSON.
fn inferred(lines: &[String]) -> Vec<Value> {
    let records = lines.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    records.filter(|record| record["type"] == "io.framepost.chunk.inferred.v1").collect()
}

/// Asserts that the records are of this detector, and that it looked.
fn assert_looked(records: &[Value], detector: &str) {
    let kind = detector.trim_end_matches("nano").trim_end_matches(':');
    assert!(records.iter().all(|record| record["data"]["model"]["detector"] == kind), "{records:?}");
    assert!(records.iter().any(|record| !record["data"]["frames"].as_array().is_none_or(Vec::is_empty)), "{records:?}");
}

#[test]
fn a_detector_of_its_own_reaches_nothing() {
    if !has_ffmpeg() {
        return;
    }
    let Some(nowhere) = Nowhere::new() else { return };
    let dir = tempfile::tempdir().expect("a temporary directory");
    let clip = Clip::H264.path();
    // Chunks, and records of them that wait for the function.
    let mut up = Program::Framepost.command();
    up.args(["up", "--without", "infer", "--dir"]).arg(dir.path().join("data")).arg(&clip);
    let mut up = Running::start(&mut up);
    up.wait_for_exit_code(0, PATIENCE);
    let chunks = up.lines(Output::Stdout).iter().filter(|line| line.contains("io.framepost.chunk.probed.v1")).count();
    assert!(chunks > 1, "{chunks}");

    for (detector, variables) in detectors(dir.path()) {
        let mut detect = Program::Framepost.command();
        detect.args(["detect", "--detector", detector]).arg(&clip).envs(variables.clone());
        let mut detect = Running::start(&mut nowhere.command(&detect));
        detect.wait_for_exit_code(0, PATIENCE);
        assert_looked(&inferred(&detect.lines(Output::Stdout)), detector);
        assert_eq!(nowhere.attempts(), 0, "framepost detect --detector {detector}");

        // A copy of its own, since a message is handled once.
        let data = dir.path().join(detector.replace(':', "-"));
        let copied = Command::new("cp").arg("-r").arg(dir.path().join("data")).arg(&data).status().expect("cp");
        assert!(copied.success());
        let mut infer = Program::Infer.command();
        infer.env("FRAMEPOST_EVENTS", format!("file://{}", Bucket::of_onebox(&data).path("").display()));
        infer
            .env("FRAMEPOST_DETECTOR", detector)
            .env("FRAMEPOST_STILL_BELOW", "0")
            .env("FRAMEPOST_STILL_DIFFERENCE", "0");
        let mut infer = Running::start(&mut nowhere.command(infer.envs(variables)));
        let records = infer.wait_for(Output::Stdout, PATIENCE, |lines| {
            let records = inferred(lines);
            (records.len() >= chunks).then_some(records)
        });
        infer.terminate();
        infer.wait_for_exit_code(0, PATIENCE);
        assert_looked(&records, detector);
        assert_eq!(nowhere.attempts(), 0, "infer with {detector}: {}", infer.log());
    }
}

#[test]
fn each_attempt_is_counted() {
    for address in ["127.0.0.1/9", "192.0.2.1/9", "::1/9", "2001:db8::1/9"] {
        for kind in ["tcp", "udp"] {
            let Some(nowhere) = Nowhere::new() else { return };
            let mut command = Command::new("bash");
            command.args(["-c", &format!("echo > /dev/{kind}/{address}")]);
            let ended = nowhere.command(&command).output().expect("it can be started");
            assert!(nowhere.attempts() > 0, "{kind} {address}: {ended:?}");
        }
    }
}

/// The judge sees what a detector elsewhere is asked, by whichever of its URLs.
#[test]
fn a_detector_elsewhere_is_tried() {
    if !has_ffmpeg() {
        return;
    }
    let dir = tempfile::tempdir().expect("a temporary directory");
    std::fs::create_dir(dir.path().join("m")).expect("a directory");
    let described = r#"
        name = "m"
        labels = ["person"]
        score = 0.3
        [input]
        name = "images"
        width = 64
        height = 64
        layout = "nchw"
        type = "f32"
        colour = "bgr"
        scale = 1.0
        mean = [0.0, 0.0, 0.0]
        std = [1.0, 1.0, 1.0]
        resize = "letterbox"
        fill = 114
        align = "top-left"
        [decoder]
        kind = "yolox"
        strides = [8, 16, 32]
    "#;
    std::fs::write(dir.path().join("m/model.toml"), described).expect("a file");
    for url in ["oip+http://192.0.2.1:8000/v2/models/m", "oip+http://127.0.0.1:8000/v2/models/m"] {
        let Some(nowhere) = Nowhere::new() else { return };
        let mut detect = Program::Framepost.command();
        detect.args(["detect", "--detector", url]).arg(Clip::H264.path()).env("FRAMEPOST_MODELS", dir.path());
        let mut detect = Running::start(&mut nowhere.command(&detect));
        detect.wait_for_exit_code(1, PATIENCE);
        assert!(nowhere.attempts() > 0, "{url}: {}", detect.log());
    }
}
