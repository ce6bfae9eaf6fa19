//! Nothing leaves the account but to the detector's URL: with a detector of its own, `infer` works where there is no network, and
//! tries to reach nothing; with a model server, it reaches that, and tries to reach nothing else.

use crate::inferred::has_ffmpeg;
use framepost_tests::binaries::{Output, Program, Running};
use framepost_tests::bucket::Bucket;
use framepost_tests::media::{Clip, shared_data};
use framepost_tests::nowhere::Nowhere;
use serde_json::Value;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

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
    // `onnx:nano`, `oip+http:…`.
    let kind = detector.split([':', '+']).next().expect("a kind");
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
    let chunks = waiting_chunks(&dir.path().join("data"), &clip);

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
        let infer = infer(&nowhere, &data, chunks, detector, variables);
        assert_eq!(nowhere.attempts(), 0, "infer with {detector}: {}", infer.log());
    }
}

/// Makes chunks of a clip, and records of them that wait for the function. Returns how many.
fn waiting_chunks(data: &Path, clip: &Path) -> usize {
    let mut up = Program::Framepost.command();
    up.args(["up", "--without", "infer", "--dir"]).arg(data).arg(clip);
    let mut up = Running::start(&mut up);
    up.wait_for_exit_code(0, PATIENCE);
    let chunks = up.lines(Output::Stdout).iter().filter(|line| line.contains("io.framepost.chunk.probed.v1")).count();
    assert!(chunks > 1, "{chunks}");
    chunks
}

/// Runs the function in a network of the test's own until it has looked at all chunks.
fn infer(
    nowhere: &Nowhere,
    data: &Path,
    chunks: usize,
    detector: &str,
    variables: Vec<(&'static str, PathBuf)>,
) -> Running {
    let mut infer = Program::Infer.command();
    infer.env("FRAMEPOST_EVENTS", format!("file://{}", Bucket::of_onebox(data).path("").display()));
    infer.env("FRAMEPOST_DETECTOR", detector).env("FRAMEPOST_STILL_BELOW", "0").env("FRAMEPOST_STILL_DIFFERENCE", "0");
    let mut infer = Running::start(&mut nowhere.command(infer.envs(variables)));
    let records = infer.wait_for(Output::Stdout, PATIENCE, |lines| {
        let records = inferred(lines);
        (records.len() >= chunks).then_some(records)
    });
    infer.terminate();
    infer.wait_for_exit_code(0, PATIENCE);
    assert_looked(&records, detector);
    infer
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

/// Describes a model of a server's, `m`, in a directory of models.
fn describe(models: &Path) {
    std::fs::create_dir(models.join("m")).expect("a directory");
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
    std::fs::write(models.join("m/model.toml"), described).expect("a file");
}

/// The judge sees what a detector elsewhere is asked, by whichever of its URLs.
#[test]
fn a_detector_elsewhere_is_tried() {
    if !has_ffmpeg() {
        return;
    }
    let dir = tempfile::tempdir().expect("a temporary directory");
    describe(dir.path());
    for url in ["oip+http://192.0.2.1:8000/v2/models/m", "oip+http://127.0.0.1:8000/v2/models/m"] {
        let Some(nowhere) = Nowhere::new() else { return };
        let mut detect = Program::Framepost.command();
        detect.args(["detect", "--detector", url]).arg(Clip::H264.path()).env("FRAMEPOST_MODELS", dir.path());
        let mut detect = Running::start(&mut nowhere.command(&detect));
        detect.wait_for_exit_code(1, PATIENCE);
        assert!(nowhere.attempts() > 0, "{url}: {}", detect.log());
    }
}

/// Where the model server is: an address for documentation, which nobody has (RFC 5737).
const SERVER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

/// A model server that sees nothing in any picture, and writes a line for each connection that it accepts.
const MODEL_SERVER: &str = r#"
import http.server, json, socketserver, sys

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, document):
        self.rfile.read(int(self.headers.get("content-length", 0)))
        body = json.dumps(document).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.answer({"name": "m", "inputs": [{"name": "images", "datatype": "FP32", "shape": [1, 3, 64, 64]}]})

    def do_POST(self):
        self.answer({"outputs": [{"name": "o", "datatype": "FP32", "shape": [1, 84, 6], "data": [0] * 504}]})

class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def verify_request(self, request, address):
        print("accepted", flush=True)
        return True

with Server((sys.argv[1], 8000), Handler) as server:
    print("listening", flush=True)
    server.serve_forever()
"#;

/// Starts the server, and waits until it listens.
fn model_server(nowhere: &Nowhere) -> Running {
    let mut python = Command::new("python3");
    python.args(["-B", "-c", MODEL_SERVER, &SERVER.to_string()]);
    let server = Running::start(&mut nowhere.command(&python));
    server.wait_for(Output::Stdout, PATIENCE, |lines| lines.iter().any(|line| line == "listening").then_some(()));
    server
}

fn accepted(server: &Running) -> u64 {
    server.lines(Output::Stdout).iter().filter(|line| *line == "accepted").count() as u64
}

#[test]
fn a_model_server_is_reached_and_nothing_else_is_tried() {
    if !has_ffmpeg() {
        return;
    }
    let Some(nowhere) = Nowhere::with_only(SERVER) else { return };
    let dir = tempfile::tempdir().expect("a temporary directory");
    let models = dir.path().join("models");
    std::fs::create_dir(&models).expect("a directory");
    describe(&models);
    let server = model_server(&nowhere);
    let detector = format!("oip+http://{SERVER}:8000/v2/models/m");
    let clip = Clip::H264.path();

    let mut detect = Program::Framepost.command();
    detect.args(["detect", "--detector", &detector]).arg(&clip).env("FRAMEPOST_MODELS", &models);
    let mut detect = Running::start(&mut nowhere.command(&detect));
    detect.wait_for_exit_code(0, PATIENCE);
    assert_looked(&inferred(&detect.lines(Output::Stdout)), &detector);
    let by_detect = accepted(&server);
    assert!(by_detect > 0, "{}", detect.log());
    assert_only_it(&nowhere, &server, &detect);

    let data = dir.path().join("data");
    let chunks = waiting_chunks(&data, &clip);
    let infer = infer(&nowhere, &data, chunks, &detector, vec![("FRAMEPOST_MODELS", models)]);
    assert!(accepted(&server) > by_detect, "{}", infer.log());
    assert_only_it(&nowhere, &server, &infer);
}

/// Asserts that the server is all that anybody has tried to reach. Its last line may be on its way.
fn assert_only_it(nowhere: &Nowhere, server: &Running, program: &Running) {
    let deadline = Instant::now() + PATIENCE;
    while nowhere.attempts_beside(accepted(server)) > 0 && Instant::now() < deadline {
        std::thread::park_timeout(Duration::from_millis(20));
    }
    assert_eq!(nowhere.attempts_beside(accepted(server)), 0, "{}", program.log());
}

/// What is tried beside a server is counted: other ports at its address, other addresses, and datagrams.
#[test]
fn each_attempt_beside_a_server_is_counted() {
    for (kind, address) in [
        ("tcp", "192.0.2.1/9"),
        ("udp", "192.0.2.1/8000"),
        ("tcp", "127.0.0.1/8000"),
        ("udp", "127.0.0.53/53"),
        ("tcp", "192.0.2.2/8000"),
        ("tcp", "169.254.169.254/80"),
        ("tcp", "::1/8000"),
        ("udp", "2001:db8::1/53"),
    ] {
        let Some(nowhere) = Nowhere::with_only(SERVER) else { return };
        let mut command = Command::new("bash");
        command.args(["-c", &format!("echo > /dev/{kind}/{address}")]);
        let ended = nowhere.command(&command).output().expect("it can be started");
        assert!(nowhere.attempts_beside(0) > 0, "{kind} {address}: {ended:?}");
    }
}
